"""ConvTranspose over three dimensions: one convolution for each phase of its result, as over two, and one Transpose.

The phases are those of :mod:`edgeq.frontend.rules.transposed`, one for each remainder along every axis; side by side as
channels they are brought to their places at once.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import AttributeValue, Edit, Rule
from edgeq.frontend.facts import integer, name_of, operand, required, shape_of
from edgeq.frontend.rules.simplify import cut
from edgeq.frontend.rules.spatial import window_attributes
from edgeq.frontend.rules.transposed import Phase, begins, outputs_first, phases_of

_VOLUME_RANK = 5


def split_volume_into_phases(node: ir.Node, edit: Edit) -> str | None:
    """A transposed convolution over three dimensions becomes convolutions of stride 1."""
    x, weight = required(node, 0), edit.array(operand(node, 1))
    bias = edit.array(operand(node, 2))
    if len(shape_of(x)) != _VOLUME_RANK or shape_of(x)[0] != 1:
        return "it is not one sample of three dimensions"
    if weight is None or weight.dtype.kind != "f" or (operand(node, 2) is not None and bias is None):
        return "its weight or bias is computed"
    group, result = integer(node, "group", 1), node.outputs[0]
    if weight.shape[0] != shape_of(x)[1] or weight.shape[0] % group:
        return "weight and groups do not fit"
    base, size, target = name_of(result), shape_of(x)[2:], shape_of(result)[2:]
    strides, dilations, _ = window_attributes(node, weight.shape[2:])
    front = begins(node, weight.shape[2:])
    channels = weight.shape[1] * group
    offset = np.zeros(channels, weight.dtype) if bias is None else bias
    along = [phases_of(size[i], weight.shape[2 + i], strides[i], dilations[i], front[i], target[i]) for i in range(3)]
    old = required(node, 1)
    kernel = edit.rearranged(old, lambda array: outputs_first(array, group), name_of(old))
    counts = tuple(-(-whole // stride) for whole, stride in zip(target, strides, strict=True))
    parts = [
        _convolution(edit, x, kernel, offset, group, phases, counts, f"{base}_{number}")
        for number, phases in enumerate(product(*along))
    ]
    found = parts[0]
    if len(parts) > 1:
        joined = (1, channels * len(parts), *counts)
        found = edit.node("Concat", parts, {"axis": 1}, base=f"{base}_phases", shape=joined)
        found = edit.reshape(found, (*strides, channels, *counts), base=f"{base}_split")
        found = edit.transpose(found, (3, 4, 0, 5, 1, 6, 2), base=f"{base}_turned")
        full = tuple(count * stride for count, stride in zip(counts, strides, strict=True))
        found = edit.reshape(found, (1, channels, *full), base=f"{base}_volume")
    for axis, whole in enumerate(target):
        if shape_of(found)[2 + axis] != whole:
            found = cut(edit, found, 2 + axis, (0, whole), f"{base}_cut_{axis}")
    edit.supersede(result, found)
    return None


def _convolution(
    edit: Edit,
    x: ir.Value,
    kernel: ir.Value,
    bias: np.ndarray,
    group: int,
    phases: tuple[Phase, ...],
    counts: tuple[int, ...],
    base: str,
) -> ir.Value:
    """The outputs of one remainder along each axis; where no input meets any of them, the bias alone."""
    size = shape_of(x)[2:]
    if all(phase.meets(length) for phase, length in zip(phases, size, strict=True)):

        def part(array: np.ndarray) -> np.ndarray:
            for axis, phase in enumerate(phases):
                array = array.take(phase.taps, axis=2 + axis)
            return array

        weight = edit.rearranged(kernel, part, f"{base}_weight")
    else:
        weight = edit.constant(np.zeros((*shape_of(kernel)[:2], 1, 1, 1), bias.dtype), f"{base}_weight")
        phases = tuple(Phase((0,), 1, 0, count - length) for count, length in zip(counts, size, strict=True))
    source = x
    for axis, phase in enumerate(phases):
        first, behind = phase.read(size[axis])
        if (first, behind) != (0, size[axis]):
            source = cut(edit, source, 2 + axis, (first, behind), f"{base}_input_{axis}")
    attributes: dict[str, AttributeValue] = {
        "dilations": tuple(phase.dilation for phase in phases),
        "group": group,
        "kernel_shape": shape_of(weight)[2:],
        "pads": (*(max(0, phase.begin) for phase in phases), *(max(0, phase.end) for phase in phases)),
        "strides": (1, 1, 1),
    }
    shape = (1, shape_of(weight)[0], *counts)
    inputs = [source, weight, edit.constant(bias, f"{base}_bias")]
    return edit.node("Conv", inputs, attributes, base=base, shape=shape)


RULES = (Rule("split_volume_into_phases", ("ConvTranspose",), split_volume_into_phases),)
