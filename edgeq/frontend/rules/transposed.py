"""ConvTranspose, written as ordinary convolutions: one for each phase of its result.

Along an axis of stride s, output o takes part in products with kernel element k where o + p - d·k is a multiple of s, p
being the padding in front and d the dilation. The outputs of one remainder of s, a phase, share their kernel elements:
each phase is a convolution of stride 1, of x as it is, with a part of the kernel in reversed order. No product with an
inserted zero is ever computed. Phases of all columns are joined along the channels, those of all rows along what are
rows then; both are copies of whole runs of channels where images lie in memory with their channels last.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import AttributeValue, Edit, Rule
from edgeq.frontend.facts import Shape, integer, ints, is_op, name_of, operand, required, shape_of, text
from edgeq.frontend.rules.activation import clamp_bounds
from edgeq.frontend.rules.affine import channel_steps
from edgeq.frontend.rules.simplify import cut
from edgeq.frontend.rules.spatial import window_attributes

_IMAGE_RANK = 4
_SIGNAL_RANK = 3


@dataclass(frozen=True)
class Phase:
    """A convolution along one axis that gives the outputs of one remainder.

    Attributes:
        taps: its kernel elements, in the order in which they meet ascending inputs; none: the bias alone.
        dilation: distance of the inputs that they meet.
        begin, end: padding; below zero what is cut off x.
    """

    taps: tuple[int, ...]
    dilation: int
    begin: int
    end: int

    def read(self, size: int) -> tuple[int, int]:
        """The first input that it reads of an axis, and the one behind the last."""
        return max(0, -self.begin), size - max(0, -self.end)

    def meets(self, size: int) -> bool:
        """Whether it reads any input."""
        first, behind = self.read(size)
        return bool(self.taps) and first < behind


def phases_of(size: int, kernel: int, stride: int, dilation: int, pad: int, target: int) -> tuple[Phase, ...]:
    """The phases along an axis, each of ceil(target / stride) outputs.

    Args:
        size: of x.
        kernel: of the weight.
        stride: of the transposed convolution.
        dilation: of its kernel.
        pad: what is cut off in front of the result; may be below zero.
        target: size of the result.
    """
    count = -(-target // stride)
    step = dilation // gcd(stride, dilation)
    found = []
    for remainder in range(stride):
        taps = [k for k in range(kernel) if (remainder + pad - dilation * k) % stride == 0]
        if not taps:
            found.append(Phase((), 1, 0, count - size))
            continue
        # Output j of the phase meets input j + first - step·t in its tap t.
        first = (remainder + pad - dilation * taps[0]) // stride
        reach = step * (len(taps) - 1)
        begin = reach - first
        found.append(Phase(tuple(reversed(taps)), step, begin, count + reach - size - begin))
    return tuple(found)


def widen_to_2d(node: ir.Node, edit: Edit) -> str | None:
    """A transposed convolution over one dimension becomes one over two, of height one, between Reshapes."""
    x, weight = required(node, 0), edit.array(operand(node, 1))
    if len(shape_of(x)) != _SIGNAL_RANK:
        return "it is not one-dimensional"
    if weight is None:
        return "the weight is not constant"
    result, old = node.outputs[0], required(node, 1)
    base = name_of(result)
    wide = edit.reshape(x, (*shape_of(x)[:2], 1, shape_of(x)[2]), base=f"{base}_input_2d")
    kernel = edit.reshaped(old, (*weight.shape[:2], 1, weight.shape[2]), f"{name_of(old)}_2d")
    strides, dilations, _ = window_attributes(node, (weight.shape[2],))
    begin = begins(node, (weight.shape[2],))[0]
    steps = shape_of(result)[2]
    # What is cut off behind follows from the size of the result.
    end = strides[0] * (shape_of(x)[2] - 1) + (weight.shape[2] - 1) * dilations[0] + 1 - begin - steps
    attributes: dict[str, AttributeValue] = {
        "dilations": (1, dilations[0]),
        "group": integer(node, "group", 1),
        "kernel_shape": (1, weight.shape[2]),
        "pads": (0, begin, 0, end),
        "strides": (1, strides[0]),
    }
    shape = (*shape_of(result)[:2], 1, steps)
    flat = edit.node("ConvTranspose", [wide, kernel, *node.inputs[2:3]], attributes, base=f"{base}_2d", shape=shape)
    edit.hand_over(node, flat, edit.reshape(flat, shape_of(result), base=f"{base}_1d"))
    return None


def begins(node: ir.Node, kernel: Shape) -> Shape:
    """What is cut off in front of the full result, per axis; the size of the result says what is cut off behind.

    As onnxruntime computes it where the pads are not stated.
    """
    source, target = shape_of(required(node, 0))[2:], shape_of(node.outputs[0])[2:]
    strides, dilations, pads = window_attributes(node, kernel)
    auto = text(node, "auto_pad", "NOTSET")
    if auto == "VALID" or (auto == "NOTSET" and "output_shape" not in node.attributes):
        return (0,) * len(kernel) if auto == "VALID" else pads[: len(kernel)]
    more = ints(node, "output_padding", (0,) * len(kernel))
    found = []
    for axis, size in enumerate(kernel):
        total = strides[axis] * (source[axis] - 1) + more[axis] + (size - 1) * dilations[axis] + 1 - target[axis]
        total = max(total, 0)
        found.append(total // 2 if auto == "SAME_UPPER" else total - total // 2)
    return tuple(found)


def split_into_phases(node: ir.Node, edit: Edit) -> str | None:
    """A transposed convolution becomes convolutions, with what scales, shifts and clamps its channels behind it."""
    x, weight = required(node, 0), edit.array(operand(node, 1))
    bias = edit.array(operand(node, 2))
    if len(shape_of(x)) != _IMAGE_RANK:
        return "it is not over two dimensions"
    if weight is None or weight.dtype.kind != "f" or (operand(node, 2) is not None and bias is None):
        return "its weight or bias is computed"
    group = integer(node, "group", 1)
    if weight.shape[0] != shape_of(x)[1] or weight.shape[0] % group:
        return "weight and groups do not fit"
    channels = weight.shape[1] * group
    factor, offset, chain = channel_steps(node.outputs[0], channels, edit)
    kernel = edit.rearranged(required(node, 1), lambda array: outputs_first(array, group), name_of(required(node, 1)))
    if chain:
        kernel = edit.scaled(kernel, factor, name_of(required(node, 1)))
    start = np.zeros(channels) if bias is None else bias.astype(np.float64)
    last = chain[-1] if chain else node
    follower = edit.only_user(last.outputs[0])
    clamp = follower if follower is not None and _is_clamp(follower, edit) else None
    result = (clamp or last).outputs[0]
    made = _Split(edit, node, x, kernel, (start * factor + offset).astype(weight.dtype), group, clamp, name_of(result))
    edit.supersede(result, made.image(shape_of(result)))
    return None


def _is_clamp(node: ir.Node, edit: Edit) -> bool:
    return is_op(node, "Relu", "Clip") and clamp_bounds(node, edit) is not None


def outputs_first(weight: np.ndarray, group: int) -> np.ndarray:
    """[I, O/g, KH, KW] as a convolution has it: [O, I/g, KH, KW]."""
    inputs, outputs = weight.shape[0] // group, weight.shape[1]
    grouped = weight.reshape(group, inputs, outputs, *weight.shape[2:])
    return grouped.swapaxes(1, 2).reshape(group * outputs, inputs, *weight.shape[2:])


@dataclass(frozen=True, eq=False)
class _Split:
    """One transposed convolution on its way to convolutions.

    Attributes:
        edit: the graph.
        node: the transposed convolution.
        x: its input.
        kernel: [O, I/g, KH, KW].
        bias: [O].
        group: number of groups.
        clamp: the Relu or Clip that each convolution gets behind it.
        base: name of the result.
    """

    edit: Edit
    node: ir.Node
    x: ir.Value
    kernel: ir.Value
    bias: np.ndarray
    group: int
    clamp: ir.Node | None
    base: str

    def image(self, shape: Shape) -> ir.Value:
        """The result."""
        edit, (batch, channels, height, width) = self.edit, shape
        strides, dilations, _ = window_attributes(self.node, shape_of(self.kernel)[2:])
        front = begins(self.node, shape_of(self.kernel)[2:])
        rows, columns = (
            phases_of(shape_of(self.x)[2 + i], shape_of(self.kernel)[2 + i], strides[i], dilations[i], front[i], size)
            for i, size in ((0, height), (1, width))
        )
        counts = -(-height // strides[0]), -(-width // strides[1])
        lines = [self._line(row, columns, counts, f"{self.base}_{number}") for number, row in enumerate(rows)]
        if strides == (1, 1):
            return lines[0]
        full = (batch, counts[0] * strides[0], counts[1] * strides[1], channels)
        flat = (batch, counts[0], counts[1] * strides[1] * channels)
        turned = [edit.transpose(line, (0, 2, 3, 1), base=f"{name_of(line)}_turned") for line in lines]
        if len(turned) > 1:
            parts = [edit.reshape(value, flat, base=f"{name_of(value)}_row") for value in turned]
            joined = (*flat[:2], flat[2] * len(parts))
            stacked = edit.node("Concat", parts, {"axis": 2}, base=f"{self.base}_rows", shape=joined)
        else:
            stacked = turned[0]
        found = edit.reshape(stacked, full, base=f"{self.base}_image")
        for axis, size in ((1, height), (2, width)):
            if shape_of(found)[axis] != size:
                found = cut(edit, found, axis, (0, size), f"{self.base}_cut_{axis}")
        return edit.transpose(found, (0, 3, 1, 2), base=f"{self.base}_channels")

    def _line(self, row: Phase, columns: tuple[Phase, ...], counts: tuple[int, int], base: str) -> ir.Value:
        """The phases of one remainder of rows, joined along the channels; those of one geometry in one convolution."""
        alike = {(column.dilation, column.begin, column.end, len(column.taps)) for column in columns}
        if self.group == 1 and len(alike) == 1 and row.taps and columns[0].meets(shape_of(self.x)[3]):
            return self._convolution(row, columns, counts, base)
        parts = [self._convolution(row, (column,), counts, f"{base}_{number}") for number, column in enumerate(columns)]
        if len(parts) == 1:
            return parts[0]
        shape = shape_of(parts[0])
        joined = (shape[0], shape[1] * len(parts), *shape[2:])
        return self.edit.node("Concat", parts, {"axis": 1}, base=f"{base}_columns", shape=joined)

    def _convolution(self, row: Phase, columns: tuple[Phase, ...], counts: tuple[int, int], base: str) -> ir.Value:
        edit, size = self.edit, shape_of(self.x)[2:]
        if all(phase.meets(length) for phase, length in zip((row, columns[0]), size, strict=True)):

            def part(array: np.ndarray) -> np.ndarray:
                return np.concatenate([array[:, :, row.taps][:, :, :, each.taps] for each in columns])

            weight = edit.rearranged(self.kernel, part, f"{base}_weight")
            column = columns[0]
        else:
            zeros = np.zeros((*shape_of(self.kernel)[:2], 1, 1), self.bias.dtype)
            weight = edit.constant(zeros, f"{base}_weight")
            row, column = (Phase((0,), 1, 0, count - length) for count, length in zip(counts, size, strict=True))
        source = self.x
        for axis, phase in ((2, row), (3, column)):
            first, behind = phase.read(size[axis - 2])
            if (first, behind) != (0, size[axis - 2]):
                source = cut(edit, source, axis, (first, behind), f"{base}_input_{axis}")
        bias = edit.constant(np.tile(self.bias, len(columns)), f"{base}_bias")
        attributes: dict[str, AttributeValue] = {
            "dilations": (row.dilation, column.dilation),
            "group": self.group,
            "kernel_shape": shape_of(weight)[2:],
            "pads": tuple(max(0, pad) for pad in (row.begin, column.begin, row.end, column.end)),
            "strides": (1, 1),
        }
        shape = (shape_of(self.x)[0], shape_of(weight)[0], *counts)
        found = edit.node("Conv", [source, weight, bias], attributes, base=base, shape=shape)
        if self.clamp is None:
            return found
        return edit.node(self.clamp.op_type, [found, *self.clamp.inputs[1:]], base=f"{base}_clamped", shape=shape)


RULES = (
    Rule("widen_to_2d", ("ConvTranspose",), widen_to_2d),
    Rule("split_into_phases", ("ConvTranspose",), split_into_phases),
)
