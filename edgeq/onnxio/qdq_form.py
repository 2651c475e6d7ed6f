"""The canonical QDQ form: which tensors carry which integers, and the one writer of it.

A float model plus a :class:`QdqPlan` *is* a quantized model. Post-training quantization computes the plan, the import
of foreign QDQ models recovers it, and both write it here, so that lowering meets one form only:

* a quantized activation T goes ``T → QuantizeLinear → T_quantized → DequantizeLinear → T_dequantized → consumers``;
  where T is a model output, the float value is renamed ``T_float`` and the DequantizeLinear's output is called T;
* a constant operand is an integer initializer and a DequantizeLinear of its own per consumer;
* Relu and Clip directly after one of :data:`FUSING` have no Q between (see :func:`fused_activation`);
* a Where that masks the operand of a Softmax has no Q behind it (see :func:`mask_of`);
* nodes in software float (``stays_float``) read each other's results, and constants, without Q and DQ in between;
* an Identity node of the float model means *requantize*: it vanishes and its result's Q reads ``T_dequantized``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.ir import DType, Quantization, QuantizedConstant
from edgeq.numerics.array import Array
from edgeq.onnxio.forms import is_plain, stays_float
from edgeq.onnxio.names import fresh_name
from edgeq.onnxio.writer import needed_opset
from edgeq.ops import onnx_types
from edgeq.ops.softmax import mask_rows

FUSING: Final = onnx_types(lambda op, form: form.fuses_clamp)
CLAMPS: Final = onnx_types(lambda op, form: form.clamps)
REQUANTIZE: Final = "Identity"
MASKED: Final = -1e3
"""A number that masks a score: no more than this."""
_LABELS: Final = ("scale", "zero_point")


@dataclass
class QdqPlan:
    """Value name → parameters of an activation, and (node name, input index) → integers of a constant operand."""

    activations: dict[str, Quantization] = field(default_factory=dict)
    constants: dict[tuple[str, int], QuantizedConstant] = field(default_factory=dict)


def fused_activation(node: ir.Node) -> ir.Node | None:
    """The Relu or Clip that a producer absorbs as its clamp, or None.

    It is absorbed where the producer is one of :data:`FUSING`, the activation is the only reader of its
    output, that output is no model output, and Clip's bounds are constants.
    """
    if node.op_type not in FUSING or node.domain or len(node.outputs) != 1:
        return None
    output = node.outputs[0]
    uses = list(output.uses())
    if is_plain(output) or output.is_graph_output() or len(uses) != 1 or uses[0].idx != 0:
        return None
    reader = uses[0].node
    if reader.op_type not in CLAMPS or reader.domain:
        return None
    if any(bound is not None and bound.const_value is None for bound in reader.inputs[1:]):
        return None
    return reader


def mask_of(node: ir.Node) -> ir.Node | None:
    """The Where(condition, x, number) that a Softmax absorbs as its mask, or None.

    It is absorbed where the number lies so far below x that its exponential is zero, the Softmax is its only reader,
    its result is no model output, and the condition's rows go with those of x. So the number needs no scale, and takes
    no part in that of x.
    """
    where = node.inputs[0].producer() if node.op_type == "Softmax" and not node.domain and node.inputs[0] else None
    if where is None or where.op_type != "Where" or where.domain:
        return None
    result, (condition, x, number) = where.outputs[0], where.inputs
    if result.is_graph_output() or len(list(result.uses())) != 1 or condition is None or x is None or number is None:
        return None
    value = None if number.const_value is None else number.const_value.numpy()
    shapes = [item.shape.numpy() for item in (x, condition) if item.shape is not None and item.shape.is_static()]
    if value is None or value.size != 1 or float(value.reshape(-1)[0]) > MASKED or x.const_value is not None:
        return None
    if len(shapes) != 2 or result.shape is None or tuple(result.shape.numpy()) != tuple(shapes[0]):
        return None
    return None if mask_rows(tuple(shapes[0]), tuple(shapes[1])) is None else where


@dataclass(frozen=True)
class QdqNames:
    """Where a plan's integers lie in a QDQ model: names of initializers.

    Attributes:
        activations: by value name, its scale and its zero point.
        constants: by node name and input index, the integers, their scale and, for int8, their zero point.
    """

    activations: dict[str, tuple[str, ...]] = field(default_factory=dict)
    constants: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)

    def values(self, plan: QdqPlan) -> Iterator[tuple[str, Array]]:
        """The initializers of a plan by name, as :func:`write_qdq` writes them."""
        for name, names in self.activations.items():
            yield from zip(names, _activation_arrays(plan.activations[name]), strict=True)
        for key, names in self.constants.items():
            yield from zip(names, _constant_arrays(plan.constants[key]), strict=True)


def write_qdq(model: ir.Model, plan: QdqPlan, names: QdqNames | None = None) -> ir.Model:
    """The canonical QDQ model: a copy of a float model with the plan's integers written into it.

    The result is a new model (opset 21, or the one that its operators need); weights that nothing reads any more are
    dropped. Activation parameters of values that are not in the model are ignored. ``names`` receives where the
    integers lie.
    """
    names = QdqNames() if names is None else names
    result = model.clone()
    graph = result.graph
    graph.opset_imports[""] = needed_opset(graph)
    writer = _Writer(graph)
    for node in list(graph):
        for index, value in enumerate(node.inputs):
            constant = plan.constants.get((str(node.name), index))
            if value is not None and constant is not None:
                key = str(node.name), index
                names.constants[key] = writer.write_constant(node, index, str(value.name), constant)
    values = [value for value in graph.inputs if not value.is_initializer()]
    values += [output for node in list(graph) for output in node.outputs]
    for value in values:
        name = str(value.name)  # a model output gives its name away
        params = plan.activations.get(name)
        if params is not None:
            names.activations[name] = writer.write_activation(value, params)
    _drop_identities(graph)
    _drop_unread(graph)
    return result


class _Writer:
    """Adds nodes and initializers to one graph under names that are free."""

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        self.names = {str(value.name) for value in [*graph.inputs, *graph.initializers.values()]}
        self.names |= {str(output.name) for node in graph for output in node.outputs}
        self.node_names = {str(node.name) for node in graph}

    def name(self, base: str) -> str:
        return fresh_name(base, self.names)

    def initializer(self, base: str, array: Array) -> ir.Value:
        name = self.name(base)
        tensor = ir.Tensor(np.ascontiguousarray(array).reshape(array.shape), name=name)
        value = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        self.graph.register_initializer(value)
        return value

    def node(
        self, op_type: str, inputs: list[ir.Value], output: str, dtype: ir.DataType, axis: int | None = None
    ) -> ir.Node:
        name = self.name(output)
        value = ir.Value(name=name, shape=inputs[0].shape, type=ir.TensorType(dtype))
        attributes = {} if axis is None else {"axis": ir.AttrInt64("axis", axis)}
        return ir.Node(
            "", op_type, inputs, attributes, outputs=[value], name=fresh_name(f"{name}_{op_type}", self.node_names)
        )

    def write_constant(self, node: ir.Node, index: int, base: str, constant: QuantizedConstant) -> tuple[str, ...]:
        """Replace one operand of a node by integers and their DequantizeLinear; return the initializers' names."""
        arrays = _constant_arrays(constant)
        labels = ("quantized", *_LABELS)[: len(arrays)]
        operands = [self.initializer(f"{base}_{label}", array) for label, array in zip(labels, arrays, strict=True)]
        dequantize = self.node("DequantizeLinear", operands, f"{base}_dequantized", ir.DataType.FLOAT, constant.axis)
        self.graph.insert_before(node, dequantize)
        node.replace_input_with(index, dequantize.outputs[0])
        return tuple(str(operand.name) for operand in operands)

    def write_activation(self, value: ir.Value, params: Quantization) -> tuple[str, ...]:
        """Put Q and DQ behind a value; return the initializers' names."""
        base = str(value.name)
        arrays = _activation_arrays(params)
        scale, zero = (self.initializer(f"{base}_{label}", array) for label, array in zip(_LABELS, arrays, strict=True))
        dtype = ir.DataType.from_numpy(params.dtype.numpy)
        quantize = self.node("QuantizeLinear", [value, scale, zero], f"{base}_quantized", dtype)
        quantized = quantize.outputs[0]
        dequantize = self.node("DequantizeLinear", [quantized, scale, zero], f"{base}_dequantized", ir.DataType.FLOAT)
        result = dequantize.outputs[0]
        producer = value.producer()
        in_float = stays_float(producer)
        for user, index in list(value.uses()):
            if user is not quantize and not (in_float and stays_float(user)):
                user.replace_input_with(index, result)
        if producer is None:
            first = next(iter(self.graph), None)
            if first is None:
                self.graph.extend([quantize, dequantize])
            else:
                self.graph.insert_before(first, [quantize, dequantize])
        else:
            self.graph.insert_after(producer, [quantize, dequantize])
        if value.is_graph_output():
            self._move_output(value, result)
        return str(scale.name), str(zero.name)

    def _move_output(self, value: ir.Value, result: ir.Value) -> None:
        """Give the model output's name to the dequantized value."""
        name = str(value.name)
        for position, output in enumerate(self.graph.outputs):
            if output is value:
                self.graph.outputs[position] = result
        if value.producer() is not None:
            value.name = self.name(f"{name}_float")
            result.name = name


def _activation_arrays(params: Quantization) -> tuple[Array, Array]:
    """Scale and zero point."""
    return params.scales, params.zero_points.astype(params.dtype.numpy)


def _constant_arrays(constant: QuantizedConstant) -> tuple[Array, ...]:
    """Integers, scale and, but for int32, zero point."""
    params = constant.quantization
    if params.dtype is DType.INT32:
        return constant.values, params.scales
    return constant.values, params.scales, params.zero_points.astype(params.dtype.numpy)


def _drop_identities(graph: ir.Graph) -> None:
    for node in list(graph):
        if node.op_type == REQUANTIZE and not node.domain and not node.outputs[0].is_graph_output():
            source = node.inputs[0]
            assert source is not None
            node.outputs[0].replace_all_uses_with(source)
            graph.remove(node, safe=True)


def _drop_unread(graph: ir.Graph) -> None:
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output() and not value.is_graph_input():
            del graph.initializers[name]
