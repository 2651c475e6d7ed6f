"""Takes a foreign QDQ model apart: a float model without Q and DQ, and the integers that they stood for.

QuantizeLinear and DequantizeLinear disappear; what they said about a value is kept beside it. Operators on integers
between them (a Transpose of int8) become the same operator on the float values, which is exact because they only move
or select elements. uint8 becomes int8 by shifting values and zero point by 128. What is left can be normalized like
any float model, layer by layer, and written again in canonical form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import EdgeqError, Problem
from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import integer, is_op, name_of, operand, required
from edgeq.numerics.array import Array
from edgeq.onnxio.limits import shown
from edgeq.onnxio.qdq_form import REQUANTIZE, Activation

QUANTIZE: Final = "QuantizeLinear"
DEQUANTIZE: Final = "DequantizeLinear"
_DOMAINS: Final = frozenset({"", "ai.onnx", "com.microsoft"})
_MOVES: Final = frozenset(
    {"Concat", "Flatten", "Identity", "MaxPool", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}
)
"""Operators on integers that move or select elements, whatever the integers stand for."""


@dataclass(frozen=True, eq=False)
class Integers:
    """A quantized constant as the foreign model has it; ``scale`` and ``zero`` are [C] along ``axis``, or []."""

    values: Array
    scale: Array
    zero: Array
    axis: int

    def centred(self) -> Array:
        """int64: the values without their zero point."""
        return self.values.astype(np.int64) - self.spread(self.zero.astype(np.int64))

    def real(self) -> Array:
        """float32: what DequantizeLinear gives."""
        return np.asarray(self.centred().astype(np.float32) * self.spread(self.scale), np.float32)

    def spread(self, per_channel: Array) -> Array:
        """Scales or zero points in a shape that broadcasts against the values."""
        if per_channel.size == 1:
            return per_channel.reshape(())
        return per_channel.reshape([-1 if axis == self.axis else 1 for axis in range(self.values.ndim)])


@dataclass
class Recovered:
    """What the Q and DQ nodes of a model said.

    Attributes:
        activations: parameters by float value.
        constants: the quantized constant operands, by node name and input index.
        int8_inputs: model inputs that were int8; they are float now.
        int8_outputs: model outputs that were int8; they are float now.
        read_raw: values that are read before their QuantizeLinear too.
    """

    activations: dict[ir.Value, Activation] = field(default_factory=dict)
    constants: dict[tuple[str, int], Integers] = field(default_factory=dict)
    int8_inputs: set[str] = field(default_factory=set)
    int8_outputs: set[str] = field(default_factory=set)
    read_raw: list[str] = field(default_factory=list)


def recover(edit: Edit) -> Recovered:
    """Remove every Q and DQ from a model, in place, and return what they said.

    Raises:
        EdgeqError: EQ0251 to EQ0253, all problems at once.
    """
    recovery = _Recovery(edit)
    problems: list[Problem] = []
    for node in list(edit.graph):
        try:
            recovery.take(node)
        except EdgeqError as error:
            problems += error.problems
    problems += recovery.close_outputs()
    if problems:
        raise EdgeqError.of(problems)
    edit.sweep()
    return recovery.found


class _Recovery:
    """One walk over a graph, in topological order."""

    def __init__(self, edit: Edit) -> None:
        self.edit = edit
        self.found = Recovered()
        self.constants: dict[ir.Value, Integers] = {}
        self.real: dict[ir.Value, ir.Value] = {}  # integer value → the float value that it stands for

    def take(self, node: ir.Node) -> None:
        """Process one node."""
        self.edit.before(node)
        if node.op_type == QUANTIZE and node.domain in _DOMAINS:
            self._take_quantize(node)
        elif node.op_type == DEQUANTIZE and node.domain in _DOMAINS:
            self._take_dequantize(node)
        elif any(value in self.real or value in self.constants for value in node.inputs if value is not None):
            self._take_move(node)

    def close_outputs(self) -> list[Problem]:
        """Model outputs that are still integers stand for the float value behind them."""
        problems = []
        for position, value in enumerate(self.edit.graph.outputs):
            source = self.real.get(value)
            if source is None:
                continue
            name = name_of(value)
            if value.dtype == ir.DataType.UINT8:
                problems.append(_border_problem("output", name))
                continue
            self.found.int8_outputs.add(name)
            self._make_output(position, value, source)
        return problems

    def _take_quantize(self, node: ir.Node) -> None:
        source, result = required(node, 0), node.outputs[0]
        array = self.edit.array(source)
        if array is not None:
            self.constants[result] = _quantized_constant(node, array)
            return
        params = _activation(node, self.edit)
        known = self.found.activations.get(source)
        if known is None:
            if any(use.node.op_type != QUANTIZE for use in source.uses()):
                self.found.read_raw.append(name_of(source))
            self.found.activations[source] = params
        elif known != params:
            # A second scale: a change of scale, or a second rounding of the same value.
            source = self.edit.node(REQUANTIZE, [source], base=f"{name_of(source)}_rescaled", shape=_shape(source))
            self.found.activations[source] = params
        self.real[result] = source

    def _take_dequantize(self, node: ir.Node) -> None:
        source, result = required(node, 0), node.outputs[0]
        array = self.edit.array(source)
        if source in self.constants or array is not None:
            constant = self.constants.get(source)
            if constant is None and array is not None:
                constant = _stored_constant(node, array, self.edit)
            assert constant is not None  # one of both is there
            self._place_constant(result, constant, name_of(source))
            return
        if source.is_graph_input():
            self._take_integer_input(node, source)
        if source not in self.real:
            raise EdgeqError(
                "EQ0251",
                "a DequantizeLinear reads something that no QuantizeLinear made",
                where=f"node {shown(node.name or '?')}",
                got=f"value {shown(name_of(source))}",
                hint="export in QDQ form: integers only between QuantizeLinear and DequantizeLinear",
            )
        real = self.real[source]
        if _activation(node, self.edit) != self.found.activations[real]:
            raise EdgeqError(
                "EQ0252",
                "a DequantizeLinear has another scale or zero point than its QuantizeLinear",
                where=f"node {shown(node.name or '?')}",
            )
        if result.is_graph_output():
            position = next(index for index, value in enumerate(self.edit.graph.outputs) if value is result)
            self._make_output(position, result, real)
        result.replace_all_uses_with(real)

    def _take_integer_input(self, node: ir.Node, source: ir.Value) -> None:
        """An int8 input becomes float, to be turned back when the canonical form is written."""
        if source in self.real:
            return
        if source.dtype != ir.DataType.INT8:
            raise EdgeqError.of([_border_problem("input", name_of(source))])
        params = _activation(node, self.edit)
        self.found.int8_inputs.add(name_of(source))
        graph_inputs = self.edit.graph.inputs
        real = ir.Value(name=source.name, shape=source.shape, type=ir.TensorType(ir.DataType.FLOAT))
        graph_inputs[next(index for index, value in enumerate(graph_inputs) if value is source)] = real
        self.found.activations[real] = params
        self.real[source] = real

    def _take_move(self, node: ir.Node) -> None:
        """An operator on integers becomes the same operator on floats, with the parameters of its inputs."""
        inputs = [value for value in node.inputs if value in self.real]
        params = {self.found.activations[self.real[value]] for value in inputs if value is not None}
        if not is_op(node, *_MOVES) or len(params) != 1 or any(value in self.constants for value in node.inputs):
            raise EdgeqError(
                "EQ0251",
                f"{node.op_type} works on quantized integers",
                where=f"node {shown(node.name or '?')}",
                allowed=", ".join(sorted(_MOVES)) + " between QuantizeLinear and DequantizeLinear",
                hint="export in QDQ form: every operator between DequantizeLinear and QuantizeLinear",
            )
        (shared,) = params
        result = node.outputs[0]
        moved = ir.Value(
            name=self.edit.fresh_value(f"{name_of(result)}_real"),
            shape=result.shape,
            type=ir.TensorType(ir.DataType.FLOAT),
        )
        operands = [value if value is None else self.real.get(value, value) for value in node.inputs]
        name, node.name = node.name, self.edit.fresh_node(f"{node.name}_integers")
        twin = ir.Node("", node.op_type, operands, list(node.attributes.values()), outputs=[moved], name=name)
        self.edit.graph.insert_before(node, twin)
        self.found.activations[moved] = shared
        self.real[result] = moved

    def _place_constant(self, result: ir.Value, constant: Integers, base: str) -> None:
        """Every reader of a quantized constant gets a float copy of its own, and the integers are noted for it."""
        for user, index in list(result.uses()):
            self.found.constants[str(user.name), index] = constant
            real = self.edit.constant(constant.real(), base.removesuffix("_quantized"))
            user.replace_input_with(index, real)

    def _make_output(self, position: int, old: ir.Value, real: ir.Value) -> None:
        """Let a float value be the model output in the place of another, under its name."""
        name = name_of(old)
        if real.is_graph_input() or real.is_graph_output():
            params = self.found.activations[real]
            real = self.edit.node(REQUANTIZE, [real], base=f"{name}_copy", shape=_shape(real), dtype=real.dtype)
            self.found.activations[real] = params
        self.edit.graph.outputs[position] = real
        old.name = None
        self.edit.rename(real, name)
        old.name = self.edit.fresh_value(f"{name}_replaced")


def _border_problem(kind: str, name: str) -> Problem:
    return Problem(
        "EQ0253",
        f"a model {kind} is quantized, but not as int8",
        where=f"{kind} {shown(name)}",
        allowed="int8, or float behind QuantizeLinear and DequantizeLinear",
        hint=f"keep the {kind} float when exporting; the firmware's {kind}s are int8 in any case",
    )


def _shape(value: ir.Value) -> tuple[int, ...]:
    return tuple(int(dim) for dim in value.shape.numpy()) if value.shape is not None else ()


def _parameters(node: ir.Node, edit: Edit) -> tuple[Array, Array]:
    """Scale (float32) and zero point (of the integers' type) of a Q or DQ node.

    Raises:
        EdgeqError: EQ0252 they are computed, or are no valid numbers, or the values are grouped in blocks.
    """
    scale, zero = edit.array(operand(node, 1)), edit.array(operand(node, 2))
    where = f"node {shown(node.name or '?')}"
    if scale is None or (zero is None and operand(node, 2) is not None):
        raise EdgeqError(
            "EQ0252",
            "a scale or zero point is computed at run time",
            where=where,
            allowed="constants",
            hint="export with static quantization; dynamic quantization needs float arithmetic",
        )
    scale = scale.astype(np.float32)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise EdgeqError("EQ0252", "a scale is not a positive number", where=where, got=float(scale.min()))
    if integer(node, "block_size", 0):
        raise EdgeqError("EQ0252", "values are quantized in blocks", where=where, allowed="per tensor or per channel")
    if zero is None:
        # Without a zero point QuantizeLinear gives uint8; DequantizeLinear takes what it is given.
        kind = required(node, 0).dtype if node.op_type == DEQUANTIZE else ir.DataType.UINT8
        stated = integer(node, "output_dtype", 0) if node.op_type == QUANTIZE else 0
        zero = np.zeros(scale.shape, (ir.DataType(stated) if stated else kind or ir.DataType.INT8).numpy())
    return scale, zero


def _activation(node: ir.Node, edit: Edit) -> Activation:
    """Per-tensor int8 parameters of a Q or DQ node."""
    scale, zero = _parameters(node, edit)
    where = f"node {shown(node.name or '?')}"
    if scale.size != 1 or zero.size != 1:
        raise EdgeqError(
            "EQ0252",
            "an activation is quantized per channel",
            where=where,
            allowed="one scale and zero point for the whole tensor; only weights may have one per channel",
        )
    if zero.dtype not in {np.dtype(np.int8), np.dtype(np.uint8)}:
        raise EdgeqError("EQ0252", "an activation is not quantized to 8 bits", where=where, got=zero.dtype)
    shift = 128 if zero.dtype == np.uint8 else 0
    return Activation(float(scale.reshape(())), int(zero.reshape(())) - shift)


def _stored_constant(node: ir.Node, values: Array, edit: Edit) -> Integers:
    scale, zero = _parameters(node, edit)
    if values.dtype not in {np.dtype(np.int8), np.dtype(np.uint8), np.dtype(np.int32)}:
        raise EdgeqError(
            "EQ0252",
            "a constant is not quantized to 8 bits",
            where=f"node {shown(node.name or '?')}",
            got=values.dtype,
            allowed="int8 or uint8; int32 for biases",
        )
    return _integers(node, values, scale, zero)


def _quantized_constant(node: ir.Node, values: Array) -> Integers:
    """A QuantizeLinear of a constant, done now: float32 division, half to even, saturation."""
    scale, zero = Edit.array(operand(node, 1)), Edit.array(operand(node, 2))
    if scale is None or zero is None or zero.dtype not in {np.dtype(np.int8), np.dtype(np.uint8), np.dtype(np.int32)}:
        raise EdgeqError(
            "EQ0252",
            "a constant is not quantized to 8 bits",
            where=f"node {shown(node.name or '?')}",
            allowed="constant scale and zero point, int8 or uint8",
        )
    given = _integers(node, values, scale.astype(np.float32), zero)
    steps = np.rint(values.astype(np.float32) / given.spread(given.scale)) + given.spread(zero.astype(np.int64))
    limits = np.iinfo(zero.dtype)
    return Integers(np.clip(steps, limits.min, limits.max).astype(zero.dtype), given.scale, zero, given.axis)


def _integers(node: ir.Node, values: Array, scale: Array, zero: Array) -> Integers:
    axis = integer(node, "axis", 1)
    axis = axis % values.ndim if values.ndim else 0
    if scale.size != 1 and (
        values.ndim == 0 or scale.shape != (values.shape[axis],) or zero.size not in {1, scale.size}
    ):
        raise EdgeqError(
            "EQ0252",
            "the scales of a constant do not fit its shape",
            where=f"node {shown(node.name or '?')}",
            got=f"{list(scale.shape)} along axis {axis} of {list(values.shape)}",
        )
    return Integers(values, scale, zero, axis)
