"""Writes operators on integers as DequantizeLinear, the float operator, QuantizeLinear.

Three spellings of a quantized layer become the one that the rest of the frontend reads: ONNX's QLinearConv and
QLinearMatMul, onnxruntime's own QLinear operators (``quant_format=QuantFormat.QOperator``), and MatMulInteger or
ConvInteger between a DynamicQuantizeLinear and the multiplication by its scale (``quantize_dynamic``). Of the last one
only the weight stays quantized: scales that are computed on the device take floating point, so the activation becomes
float again and is calibrated like those of a float model.

This happens before opsets are converted, as neither the converter nor shape inference knows onnxruntime's operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import fresh
from edgeq.frontend.facts import integer, is_op, known_shape, operand
from edgeq.numerics.array import Array

_DOMAINS: Final = ("", "ai.onnx", "com.microsoft")
_DYNAMIC: Final = "DynamicQuantizeLinear"
_AXES_AS_INPUT: Final = 18


@dataclass(frozen=True)
class _Linear:
    """How an operator on integers lists what it reads, by position.

    Attributes:
        float_type: the operator that it is between DequantizeLinear and QuantizeLinear.
        operands: value, scale and zero point of each operand.
        result: scale and zero point of the result.
        before: operands of the float operator in front of those, taken as they are.
        bias: an int32 operand at the product of the scales.
        repeated: the last three positions go on to the end of the inputs.
        axis: of a scale for each channel of the second operand, from the node and that operand's rank.
        dropped: attributes that the float operator does not have.
    """

    float_type: str
    operands: tuple[tuple[int, int, int], ...]
    result: tuple[int, int]
    before: tuple[int, ...] = ()
    bias: int | None = None
    repeated: bool = False
    axis: Callable[[ir.Node, int], int] = lambda node, rank: 0
    dropped: tuple[str, ...] = ("channels_last",)

    def triples(self, node: ir.Node) -> Iterator[tuple[int, int, int]]:
        """Positions of every operand of a node."""
        yield from self.operands
        if self.repeated:
            first = self.operands[-1][0] + 3
            yield from ((index, index + 1, index + 2) for index in range(first, len(node.inputs), 3))


@dataclass(frozen=True)
class _Dynamic:
    """How a layer of dynamically quantized activations lists what it reads, by position; the activation is the first.

    Attributes:
        float_type: the layer.
        weight, scale, zero: the weight and its parameters; the scale is None where a multiplication behind has it.
        bias: a float operand that is added.
        quantizes: the activation is float32, and no DynamicQuantizeLinear stands before.
    """

    float_type: str
    weight: int
    scale: int | None
    zero: int
    bias: int | None = None
    quantizes: bool = False


_TWO: Final = ((0, 1, 2), (3, 4, 5))
_ONE: Final = ((0, 1, 2),)
_LINEAR: Final = MappingProxyType(
    {
        "QGemm": _Linear("Gemm", _TWO, (7, 8), bias=6, axis=lambda node, rank: 1 - integer(node, "transB", 0)),
        "QLinearAdd": _Linear("Add", _TWO, (6, 7)),
        "QLinearAveragePool": _Linear("AveragePool", _ONE, (3, 4)),
        "QLinearConcat": _Linear("Concat", ((2, 3, 4),), (0, 1), repeated=True),
        "QLinearConv": _Linear("Conv", _TWO, (6, 7), bias=8),
        "QLinearGlobalAveragePool": _Linear("GlobalAveragePool", _ONE, (3, 4)),
        "QLinearLeakyRelu": _Linear("LeakyRelu", _ONE, (3, 4)),
        "QLinearMatMul": _Linear("MatMul", _TWO, (6, 7), axis=lambda node, rank: rank - 1),
        "QLinearMul": _Linear("Mul", _TWO, (6, 7)),
        "QLinearReduceMean": _Linear("ReduceMean", _ONE, (3, 4)),
        "QLinearSigmoid": _Linear("Sigmoid", _ONE, (3, 4)),
        "QLinearSoftmax": _Linear("Softmax", _ONE, (3, 4), dropped=("opset",)),
        "QLinearWhere": _Linear("Where", ((1, 2, 3), (4, 5, 6)), (7, 8), before=(0,)),
    }
)
_DYNAMIC_LAYERS: Final = MappingProxyType(
    {
        "ConvInteger": _Dynamic("Conv", 1, None, 3),
        "DynamicQuantizeMatMul": _Dynamic("MatMul", 1, 2, 3, bias=4, quantizes=True),
        "MatMulInteger": _Dynamic("MatMul", 1, None, 3),
        "MatMulIntegerToFloat": _Dynamic("MatMul", 1, 3, 5, bias=6),
    }
)
INTEGER_OPERATORS: Final = frozenset({*_LINEAR, *_DYNAMIC_LAYERS, _DYNAMIC})


def write_out_integer_operators(model: ir.Model) -> None:
    """Replace the operators on integers of the main graph; in place.

    One that has no such form is left as it is: a layout or parameters that are not constant, integers that are not
    multiplied by their scale. The import refuses it by name.
    """
    writer = _Writer(model)
    for node in list(model.graph):
        if node.graph is None or node.domain not in _DOMAINS:
            continue
        if node.op_type in _LINEAR:
            writer.linear(node, _LINEAR[node.op_type])
        elif node.op_type in _DYNAMIC_LAYERS:
            writer.dynamic(node, _DYNAMIC_LAYERS[node.op_type])
        elif node.op_type == "DequantizeLinear":
            writer.dynamic_round_trip(node)
    for node in reversed(list(model.graph)):
        if node.op_type == _DYNAMIC and not any(value.uses() or value.is_graph_output() for value in node.outputs):
            model.graph.remove(node, safe=True)
    _drop_unread_domain(model)


def _drop_unread_domain(model: ir.Model) -> None:
    domain = "com.microsoft"
    if all(node.domain != domain for node in model.graph.all_nodes()):
        model.graph.opset_imports.pop(domain, None)


class _Writer:
    """Makes nodes in front of the one that they replace."""

    def __init__(self, model: ir.Model) -> None:
        self.graph = model.graph
        self.opset = model.graph.opset_imports.get("", model.graph.opset_imports.get("ai.onnx", 0))
        names = (value.name for node in model.graph.all_nodes() for value in (*node.inputs, *node.outputs) if value)
        self.taken = {name for name in names if name} | set(model.graph.initializers)

    # --- QLinear ----------------------------------------------------------------------------------------------

    def linear(self, node: ir.Node, form: _Linear) -> None:
        """Replace a QLinear operator."""
        result_scale, result_zero = (operand(node, index) for index in form.result)
        if integer(node, "channels_last", 0) or (result_scale is None and node.op_type != "QGemm"):
            return
        operands: list[ir.Value | None] = [operand(node, index) for index in form.before]
        types: list[ir.DataType | None] = []
        for triple in form.triples(node):
            value, scale, zero = (operand(node, index) for index in triple)
            if value is None or scale is None:
                return
            types.append(next((item.dtype for item in (zero, value) if item is not None and item.dtype), None))
            shape = known_shape(value)
            axis = form.axis(node, len(shape)) if len(types) > 1 and shape is not None else None
            operands.append(self._dequantized(node, value, scale, zero, axis))
        bias = None if form.bias is None else operand(node, form.bias)
        if bias is not None:
            x_scale, weight_scale = (_array(operand(node, triple[1])) for triple in form.operands)
            if x_scale is None or weight_scale is None or x_scale.size != 1:
                return
            product = _alpha(node) * float(x_scale.reshape(-1)[0]) * weight_scale.astype(np.float64)
            stated = self._constant(product.astype(np.float32), f"{bias.name}_scale")
            operands.append(self._dequantized(node, bias, stated, None, 0))
        attributes = [item for name, item in node.attributes.items() if name not in form.dropped]
        operands += self._axes_as_input(node, attributes)
        real = self._node(node, form.float_type, operands, attributes, f"{node.outputs[0].name}_real", name=node.name)
        if result_scale is None:
            self._replace(node, real)
            return
        if result_zero is None:
            result_zero = self._constant(np.zeros((), (types[0] or ir.DataType.UINT8).numpy()), f"{node.name}_zero")
        rounding = [real, result_scale, result_zero]
        result = self._node(node, "QuantizeLinear", rounding, (), f"{node.outputs[0].name}_integers")
        result.type = None if result_zero.dtype is None else ir.TensorType(result_zero.dtype)
        self._replace(node, result)

    def _axes_as_input(self, node: ir.Node, attributes: list[ir.Attr]) -> list[ir.Value]:
        """ReduceMean has its axes as an operand from opset 18 on; onnxruntime's keeps the attribute."""
        axes = node.attributes.get("axes")
        if node.op_type != "QLinearReduceMean" or axes is None or self.opset < _AXES_AS_INPUT:
            return []
        attributes.remove(axes)
        return [self._constant(np.array(axes.as_ints(), np.int64), f"{node.name}_axes")]

    # --- dynamic ----------------------------------------------------------------------------------------------

    def dynamic(self, node: ir.Node, form: _Dynamic) -> None:
        """Replace a layer of dynamically quantized activations by one of float activations."""
        source, weight, zero = operand(node, 0), operand(node, form.weight), operand(node, form.zero)
        if not form.quantizes:
            quantizer = None if source is None else source.producer()
            if quantizer is None or quantizer.op_type != _DYNAMIC:
                return
            source = quantizer.inputs[0]
        found = _scaled_by(node) if form.scale is None else (node, operand(node, form.scale))
        if found is None or weight is None or weight.const_value is None:
            return
        last, scale = found
        if scale is None:
            return
        axis = 0 if form.float_type == "Conv" else len(weight.const_value.shape) - 1
        operands = [source, self._dequantized(last, weight, scale, zero, axis)]
        base = f"{last.outputs[0].name}_real"
        result = self._node(last, form.float_type, operands, list(node.attributes.values()), base, name=node.name)
        bias = None if form.bias is None else operand(node, form.bias)
        if bias is not None:
            result = self._node(last, "Add", [result, bias], (), f"{last.outputs[0].name}_sum")
        self._replace(last, result)

    def dynamic_round_trip(self, node: ir.Node) -> None:
        """Replace what is dynamically quantized and dequantized again by the float value."""
        value = operand(node, 0)
        quantizer = None if value is None else value.producer()
        if quantizer is not None and quantizer.op_type == _DYNAMIC and tuple(node.inputs) == tuple(quantizer.outputs):
            self._replace(node, self._node(node, "Identity", quantizer.inputs[:1], (), f"{node.outputs[0].name}_real"))

    # --- nodes ------------------------------------------------------------------------------------------------

    def _dequantized(
        self, node: ir.Node, value: ir.Value, scale: ir.Value, zero: ir.Value | None, axis: int | None
    ) -> ir.Value:
        """A DequantizeLinear; its axis is stated where the scale is one for each channel."""
        given = _array(scale)
        per_channel = given is not None and given.size > 1
        attributes = [ir.AttrInt64("axis", axis)] if per_channel and axis is not None else ()
        if given is not None and given.size == 1 and given.ndim:  # [1] is a scalar in QLinear operators
            scale = self._constant(given.reshape(()), f"{scale.name}_scalar")
            whole = _array(zero)
            if zero is not None and whole is not None:
                zero = self._constant(whole.reshape(-1)[:1].reshape(()), f"{zero.name}_scalar")
        return self._node(node, "DequantizeLinear", [value, scale, zero], attributes, f"{value.name}_dequantized")

    def _node(
        self,
        before: ir.Node,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        attributes: Sequence[ir.Attr],
        base: str,
        *,
        name: str | None = None,
    ) -> ir.Value:
        while inputs and inputs[-1] is None:
            inputs = inputs[:-1]
        output = ir.Value(name=fresh(base, self.taken))
        copies = [ir.Attr(item.name, item.type, item.value) for item in attributes]
        node = ir.Node("", op_type, inputs=list(inputs), attributes=copies, outputs=[output], name=name or output.name)
        self.graph.insert_before(before, node)
        return output

    def _constant(self, array: Array, base: str) -> ir.Value:
        name = fresh(base, self.taken)
        kind = ir.TensorType(ir.DataType.from_numpy(array.dtype))
        value = ir.Value(name=name, type=kind, shape=ir.Shape(array.shape), const_value=ir.Tensor(array, name=name))
        self.graph.register_initializer(value)
        return value

    def _replace(self, node: ir.Node, result: ir.Value) -> None:
        """Put a result in the place of the node's, under its name."""
        old = node.outputs[0]
        name = old.name
        if old.type is not None and result.type is None:
            result.type = old.type
        old.replace_all_uses_with(result, replace_graph_outputs=True)
        old.name = None
        result.name = name
        self.graph.remove(node, safe=True)


def _scaled_by(node: ir.Node) -> tuple[ir.Node, ir.Value | None] | None:
    """The multiplication that turns the sums of a layer into reals, and the constant scale of the weight.

    The sums are cast to float32 and multiplied by the scale of the activation, computed on the device, times that of
    the weight.
    """
    source = operand(node, 0)
    quantizer = None if source is None else source.producer()
    if quantizer is None or quantizer.op_type != _DYNAMIC or operand(node, 2) is not quantizer.outputs[2]:
        return None
    cast = _only_reader(node, "Cast")
    product = None if cast is None else _only_reader(cast, "Mul")
    if product is None or cast is None:
        return None
    factor = product.inputs[1 - _position(product, cast.outputs[0])]
    scales = None if factor is None else factor.producer()
    if scales is None or not is_op(scales, "Mul") or quantizer.outputs[1] not in scales.inputs:
        return None
    return product, scales.inputs[1 - _position(scales, quantizer.outputs[1])]


def _only_reader(node: ir.Node, op_type: str) -> ir.Node | None:
    uses = list(node.outputs[0].uses())
    if len(uses) != 1 or node.outputs[0].is_graph_output() or not is_op(uses[0].node, op_type):
        return None
    return uses[0].node


def _position(node: ir.Node, value: ir.Value) -> int:
    return list(node.inputs).index(value)


def _array(value: ir.Value | None) -> Array | None:
    return None if value is None or value.const_value is None else np.asarray(value.const_value.numpy())


def _alpha(node: ir.Node) -> float:
    attribute = node.attributes.get("alpha")
    return 1.0 if attribute is None or node.op_type != "QGemm" else float(attribute.as_float())
