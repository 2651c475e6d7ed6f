"""What moves elements and computes nothing."""

from __future__ import annotations

from typing import Final

from tvm import tirx
from tvm.tirx.script import builder

from edgeq.backends.tvm.integers import Expression, i32, loops
from edgeq.backends.tvm.step import Step


def _concat(step: Step) -> None:
    axis, start = step.node.integer("axis"), 0
    for operand, given in zip(step.operands, step.inputs, strict=True):
        with loops(*operand.shape) as index:
            place = list(index)
            place[axis] += start
            step.store(given[tuple(index)], *place)
        start += operand.shape[axis]


def _pad(step: Step) -> None:
    pads, shape = step.node.integers("pads"), step.shape
    with loops(*step.extents) as index:
        place = [at - pads[axis] for axis, at in enumerate(index)]
        conditions: list[Expression] = []
        for axis, at in enumerate(place):
            if pads[axis]:
                conditions.append(at >= 0)
            if pads[axis + len(shape)]:
                conditions.append(at < shape[axis])
        with builder.If(tirx.all(tirx.const(True, "bool"), *conditions)):
            with builder.Then():
                step.store(step.inputs[0][tuple(place)], *index)
            with builder.Else():
                step.store(step.cast(i32(step.node.integer("value"))), *index)


def _slice(step: Step) -> None:
    starts, steps = step.node.integers("starts"), step.node.integers("steps")
    with loops(*step.extents) as index:
        place = tuple(start + at * by for start, at, by in zip(starts, index, steps, strict=True))
        step.store(step.inputs[0][place], *index)


def _transpose(step: Step) -> None:
    perm = step.node.integers("perm")
    with loops(*step.extents) as index:
        step.store(step.inputs[0][tuple(index[perm.index(axis)] for axis in range(len(perm)))], *index)


def _upsample(step: Step) -> None:
    rows, columns = step.node.integers("factors")
    with loops(*step.extents) as (image, row, column, channel):
        step.store(step.inputs[0][image, row // rows, column // columns, channel], image, row, column, channel)


LOWERINGS: Final = {
    "concat": _concat,
    "pad": _pad,
    "slice": _slice,
    "transpose": _transpose,
    "upsample": _upsample,
}
