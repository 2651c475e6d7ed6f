"""Takes the quantization out of a foreign QDQ model: what is left is its float graph, and a note of every scale.

QuantizeLinear and DequantizeLinear vanish. The parameters of activations are noted beside the float value that they
quantize, integer constants beside a float initializer that holds their real values. Operators that stand between a
QuantizeLinear and its DequantizeLinear and only move integers get float operands again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import Problem
from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import ints, is_op, name_of, operand, required, shape_of
from edgeq.frontend.outputs import make_outputs
from edgeq.frontend.qdq_constants import operand_of
from edgeq.frontend.qdq_nodes import (
    ACTIVATION_TYPES,
    CONSTANT_TYPES,
    place_of,
    quantized_integers,
    read_parameters,
    shift_of,
    signed_integers,
    type_of,
)
from edgeq.frontend.qoperator import INTEGER_OPERATORS
from edgeq.ir import DType, Quantization, QuantizedConstant
from edgeq.numerics.array import Array
from edgeq.onnxio.limits import shown
from edgeq.onnxio.qdq_form import REQUANTIZE
from edgeq.ops import onnx_types

# onnxruntime keeps QuantizeLinear and DequantizeLinear with the same meaning in a domain of its own.
_DOMAINS: Final = ("", "ai.onnx", "com.microsoft")
_ON_INTEGERS: Final = (
    "Clip",
    *onnx_types(lambda op, form: form.scale == "same" and form.type != REQUANTIZE),
)
_JOINING: Final = onnx_types(lambda op, form: form.scale == "same" and form.activations is None)
# Rounding is monotone and keeps order: they find the same places in integers as in what these stand for.
_ORDERING: Final = ("ArgMax", "ArgMin")
_SUFFIX: Final = "_quantized"
# Where the stated parameters are refused, any do: the other problems of the model shall be told apart from this one.
_ANY: Final = Quantization.per_tensor(DType.INT8, 1.0, 0)


@dataclass
class Recovery:
    """The float graph as it emerges.

    Attributes:
        edit: the graph.
        problems: what cannot be taken over.
        stated: names of the foreign model's values; others are made by rules.
        integer_inputs, integer_outputs: model inputs and outputs that are integers themselves, by name.
    """

    edit: Edit
    problems: list[Problem] = field(default_factory=list)
    stated: frozenset[str] = frozenset()
    integer_inputs: dict[str, ir.DataType] = field(default_factory=dict)
    integer_outputs: dict[str, ir.DataType] = field(default_factory=dict)

    @property
    def params(self) -> dict[ir.Value, Quantization]:
        """Activation → its parameters."""
        return self.edit.params

    def requantized(self, value: ir.Value, params: Quantization) -> ir.Value:
        """A copy of an activation at other parameters, by a node before the current one that means *requantize*."""
        copy = self.edit.node(REQUANTIZE, [value], base=f"{name_of(value)}_requantized", shape=shape_of(value))
        self.params[copy] = params
        return copy


def read_quantization(model: ir.Model) -> Recovery:
    """Read a foreign model.

    Args:
        model: canonical structure (:func:`normalize_structure`); it is not changed.

    Returns:
        The float graph with what is known of its integers; problems are collected in it.
    """
    found = Recovery(Edit(model.clone()))
    _Reader(found).read()
    found.edit.sweep()
    found.stated = frozenset(name_of(value) for node in found.edit.graph for value in node.outputs)
    return found


def integer_operators(model: ir.Model) -> list[Problem]:
    """One problem for each operator on integers that :mod:`edgeq.frontend.qoperator` could not write in QDQ form."""
    problems = []
    for node in model.graph:
        if node.op_type.startswith("DynamicQuantize"):
            what, hint = "scales are computed at run time", "quantize statically, with calibration data"
        elif node.op_type in INTEGER_OPERATORS or node.op_type == "QAttention":
            what = "integers are computed with whose scales are not stated as constants"
            hint = "export the QDQ format (in onnxruntime: quant_format=QuantFormat.QDQ)"
        else:
            continue
        got = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        problems.append(Problem("EQ0252", what, where=place_of(node), got=shown(got), hint=hint))
    return problems


def unknown_integers(model: ir.Model) -> list[Problem]:
    """One problem for each value that is quantized to a type that nothing here computes with, such as uint16.

    Args:
        model: as read; what ONNX's shape inference says of such a model is about the opset, not about the cause.
    """
    problems = []
    for node in model.graph:
        if node.op_type not in {"QuantizeLinear", "DequantizeLinear"} or node.domain not in _DOMAINS:
            continue
        value, zero = operand(node, 0), operand(node, 2)
        quantized = value if node.op_type == "DequantizeLinear" else node.outputs[0]
        dtype = zero.dtype if zero is not None else None if quantized is None else quantized.dtype
        if value is not None and dtype is not None and dtype not in CONSTANT_TYPES:
            hint = "quantize to int8 or int16 activations, weights of 8 bits or fewer, and int32 biases"
            where = f"{place_of(node)}, value {shown(name_of(value))}"
            allowed = ", ".join(known.name for known in CONSTANT_TYPES)
            problems.append(Problem("EQ0255", "values are quantized to another type", where, dtype.name, allowed, hint))
    return problems


class _Reader:
    """One walk over the graph, in its order."""

    def __init__(self, found: Recovery) -> None:
        self.found = found
        self.edit = found.edit
        # Quantized value → the float value it stands for.
        self.integers: dict[ir.Value, ir.Value] = {}
        self.copies: dict[tuple[ir.Value, Quantization], ir.Value] = {}
        # Quantized values whose parameters are refused already.
        self.failed: set[ir.Value] = set()
        # Integer initializer → the float initializer that a QuantizeLinear made it from.
        self.origins: dict[ir.Value, ir.Value] = {}
        # The types that the model declares for its outputs, in order.
        self.declared = [value.dtype for value in found.edit.graph.outputs]

    def read(self) -> None:
        self.found.problems += integer_operators(self.edit.model)
        for value in self.edit.graph.inputs:
            self._read_input(value)
        for node in list(self.edit.graph):
            self.edit.before(node)
            if node.op_type == "QuantizeLinear" and node.domain in _DOMAINS:
                self._read_quantize(node)
            elif node.op_type == "DequantizeLinear" and node.domain in _DOMAINS:
                self._read_dequantize(node)
            elif is_op(node, "Reshape", "Transpose") and self.edit.array(operand(node, 0)) is not None:
                self._fold_layout(node)
            elif self._computes_on_integers(node):
                self._read_integer_operator(node)
        for value, dtype in zip(list(self.edit.graph.outputs), self.declared, strict=True):
            if dtype in ACTIVATION_TYPES:
                self._read_output(value, dtype)
        self._make_constant_outputs()

    def _computes_on_integers(self, node: ir.Node) -> bool:
        """Whether a node reads quantized values, not what was dequantized from them.

        A value that stands for itself (an int8 input, the result of an operator that only moves integers) is read by
        both kinds of nodes; those that read it dequantized have float results.
        """
        stands_for = [(value, self.integers[value]) for value in node.inputs if value in self.integers]
        whole = node.op_type == "Cast" or any(output.dtype in ACTIVATION_TYPES for output in node.outputs)
        return any(value is not real or whole for value, real in stands_for)

    # --- inputs and outputs -----------------------------------------------------------------------------------------

    def _read_input(self, value: ir.Value) -> None:
        """An input of integers becomes float; the DequantizeLinear behind it tells its scale."""
        dtype = value.dtype
        if dtype not in ACTIVATION_TYPES:
            return
        node = _first_dequantize(value)
        if node is None:
            return
        params = self._parameters(node, activation=True)
        if params is None:
            return
        self.found.integer_inputs[name_of(value)] = dtype
        self.found.params[value] = params
        self.integers[value] = value
        value.type = ir.TensorType(ir.DataType.FLOAT)

    def _read_output(self, value: ir.Value, dtype: ir.DataType) -> None:
        """An output of integers becomes the float value that it quantizes."""
        source = self.integers.get(value)
        if source is None or (value is source and value.is_graph_input()):
            return
        self.found.integer_outputs[name_of(value)] = dtype
        if value is not source:
            self._alias(value, source)

    def _make_constant_outputs(self) -> None:
        """An output that is a constant is made by a node, at the constant's own parameters."""
        constants = [value for value in self.edit.graph.outputs if self.edit.array(value) is not None]
        make_outputs(self.edit.model)
        for value in constants:
            for use in value.uses():
                if not use.node.outputs[0].is_graph_output() or not is_op(use.node, "Identity"):
                    continue
                found = operand_of(self.edit.integers.get(value, np.asarray(self.edit.array(value))))
                self.found.params[use.node.outputs[0]] = found.quantization

    # --- nodes ---------------------------------------------------------------------------------------------------

    def _read_quantize(self, node: ir.Node) -> None:
        value, result = required(node, 0), node.outputs[0]
        array = self.edit.array(value)
        params = self._parameters(node, activation=array is None)
        if params is None:
            if array is None:
                self.found.params.setdefault(value, _ANY)
            self.integers[result] = value
            self.failed.add(result)
            return
        if array is not None and not np.isfinite(array).all():
            self._problem("EQ0309", "a constant holds NaN or infinity", place_of(node), shown(name_of(value)))
            self.integers[result] = value
            self.failed.add(result)
            return
        if array is not None:
            dtype = type_of(node)
            assert dtype is not None  # its parameters have been read
            codes = self.edit.constant(quantized_integers(array, params, dtype), f"{name_of(value)}{_SUFFIX}")
            self.origins[codes] = value
            result.replace_all_uses_with(codes)
            self.edit.remove(node)
            return
        if not self._is_read_unrounded(value, params) and self.found.params.setdefault(value, params) == params:
            self.integers[result] = value
            return
        if (value, params) not in self.copies:
            self.copies[value, params] = self.found.requantized(value, params)
        self.integers[result] = self.copies[value, params]

    def _is_read_unrounded(self, value: ir.Value, params: Quantization) -> bool:
        """Whether the result of an operator that keeps its operand's parameters has readers that do not quantize it.

        The value then keeps the operand's parameters. Its quantized readers get a requantized copy, so that the others
        do not see the rounding.
        """
        producer = value.producer()
        source = operand(producer, 0) if producer is not None and is_op(producer, *_ON_INTEGERS, "Relu") else None
        given = None if source is None else self.found.params.get(source)
        quantizing = ("QuantizeLinear", "Shape")
        return given not in {None, params} and any(use.node.op_type not in quantizing for use in value.uses())

    def _read_dequantize(self, node: ir.Node) -> None:
        value, result = required(node, 0), node.outputs[0]
        array = self.edit.array(value)
        if array is not None:
            self._read_constant(node, value, array)
            return
        source = self.integers.get(value)
        if source is None:
            got = f"{name_of(value)} ({value.dtype.name if value.dtype else 'unknown type'})"
            self._problem("EQ0257", "integers that no QuantizeLinear made are dequantized", place_of(node), shown(got))
            self.found.params.setdefault(result, _ANY)
            return
        read = None if value in self.failed else self._parameters(node, activation=True)
        written = self.found.params.get(source)
        if read is not None and written is not None and read != written:
            self._problem(
                "EQ0256",
                "DequantizeLinear reads another scale than QuantizeLinear wrote",
                place_of(node),
                f"scale {read.scale[0]!r}, zero point {read.zero_point[0]} in {read.dtype.value}",
                f"express the change of scale as an operator; written: {written.scale[0]!r}, {written.zero_point[0]}",
            )
        self._alias(result, source)

    def _read_constant(self, node: ir.Node, value: ir.Value, array: Array) -> None:
        """An integer initializer becomes a float one that remembers its integers."""
        params, dtype = self._parameters(node, activation=False), type_of(node)
        if params is None or dtype is None:
            stand_in = self.edit.constant(array.astype(np.float32), name_of(value))
            node.outputs[0].replace_all_uses_with(stand_in, replace_graph_outputs=True)
            self.edit.remove(node)
            return
        integers = QuantizedConstant(signed_integers(array, dtype), params)
        real = self.edit.constant(integers.real(), name_of(value).removesuffix(_SUFFIX))
        self.edit.integers[real] = integers
        result = node.outputs[0]
        output = name_of(result) if result.is_graph_output() else None
        result.replace_all_uses_with(real, replace_graph_outputs=True)
        self.edit.remove(node)
        origin = self.origins.get(value, value)
        if output is not None:
            result.name = None
            self.edit.rename(real, output)
        elif not name_of(origin).endswith(_SUFFIX):
            self.edit.inherit_name(real, origin)

    def _fold_layout(self, node: ir.Node) -> None:
        """A constant that is reshaped or transposed, before or behind its DequantizeLinear."""
        value, result = required(node, 0), node.outputs[0]
        if node.op_type == "Transpose":
            perm = ints(node, "perm", tuple(reversed(range(len(shape_of(value))))))
            constant = self.edit.transposed(value, perm, name_of(value))
        else:
            constant = self.edit.reshaped(value, shape_of(result), name_of(value))
        result.replace_all_uses_with(constant, replace_graph_outputs=True)
        self.edit.remove(node)
        if constant is not value:
            self.edit.inherit_name(constant, value)

    def _read_integer_operator(self, node: ir.Node) -> None:
        """An operator between QuantizeLinear and DequantizeLinear: allowed where it only moves or clamps integers."""
        result = node.outputs[0]
        sources = [None if value is None else self.integers.get(value) for value in node.inputs]
        if is_op(node, *_ORDERING) and sources[0] is not None:
            node.replace_input_with(0, sources[0])
            return
        known = {self.found.params.get(value) for value in sources if value is not None}
        spread = node.op_type in _JOINING and any(value is None for value in sources)
        if not is_op(node, *_ON_INTEGERS) or sources[0] is None or len(known) != 1 or None in known or spread:
            hint = "put a DequantizeLinear before it and a QuantizeLinear behind it"
            self._problem("EQ0257", "an operator computes on integers", place_of(node), node.op_type, hint)
            self.integers[result] = result
            return
        (params,) = known
        assert params is not None
        shift = shift_of(required(node, 0).dtype or ir.DataType.INT8)
        if node.op_type == "Pad" and operand(node, 2) is None:
            # What ONNX pads integers with is the integer 0, whatever number that stands for.
            node.resize_inputs(max(len(node.inputs), 3))
            fill = np.zeros((), params.dtype.numpy)
            node.replace_input_with(2, self.edit.constant(fill, f"{name_of(result)}_value"))
        if node.op_type in {"Clip", "Pad"}:
            for index in (1, 2) if node.op_type == "Clip" else (2,):
                code = self.edit.array(operand(node, index))
                if code is not None:
                    real = params.dequantize(code.astype(np.int64) - shift)
                    bound = self.edit.constant(real, f"{name_of(result)}_bound")
                    node.replace_input_with(index, bound)
        for index, source in enumerate(sources):
            if source is not None:
                node.replace_input_with(index, source)
        result.type = ir.TensorType(ir.DataType.FLOAT)
        self.found.params[result] = params
        self.integers[result] = result

    # --- parts ---------------------------------------------------------------------------------------------------

    def _alias(self, old: ir.Value, new: ir.Value) -> None:
        """Read ``new`` where ``old`` was read; an output of the model keeps its name and is a value of its own."""
        if not old.is_graph_output():
            old.replace_all_uses_with(new)
            return
        if new.is_graph_input() or new.is_graph_output() or new.producer() is None:
            params = self.found.params.get(new, _ANY)
            new = self.found.requantized(new, params)
        name = name_of(old)
        old.replace_all_uses_with(new, replace_graph_outputs=True)
        old.name = None
        self.edit.rename(new, name)

    def _parameters(self, node: ir.Node, *, activation: bool) -> Quantization | None:
        """The parameters of a node, or None after noting why they cannot be used."""
        found = read_parameters(self.edit, node, activation=activation)
        if isinstance(found, Quantization):
            return found
        self.found.problems.append(found)
        return None

    def _problem(self, code: str, what: str, where: str, got: str | None = None, hint: str | None = None) -> None:
        self.found.problems.append(Problem(code, what, where=where, got=got, hint=hint))


def _first_dequantize(value: ir.Value) -> ir.Node | None:
    """The DequantizeLinear that an integer input reaches, behind operators that only move it."""
    waiting, seen = [value], {value}
    while waiting:
        for use in waiting.pop(0).uses():
            if use.node.op_type == "DequantizeLinear" and use.idx == 0:
                return use.node
            if use.node.op_type in _ON_INTEGERS:
                fresh = [output for output in use.node.outputs if output not in seen]
                seen.update(fresh)
                waiting.extend(fresh)
    return None
