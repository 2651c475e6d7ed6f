"""Convolution, grouped and depthwise included."""

from __future__ import annotations

from typing import Final

from tvm.tirx.script import builder

from edgeq.backends.tvm.integers import Expression, Variable, i32, loops
from edgeq.backends.tvm.lower.window import Window
from edgeq.backends.tvm.step import Step


def _conv2d(step: Step) -> None:
    node, bias = step.node, step.buffers["bias"]
    _, rows, columns, _ = step.operands[1].shape
    pads, dilations = node.integers("pads"), node.integers("dilations")
    window = Window((step.shape[1], step.shape[2]), node.integers("strides"), pads, dilations)
    with loops(*step.extents) as (image, top, left, channel):
        acc = step.sum_of(bias[channel])
        with loops(rows, columns) as (row, column):
            place = window.position(0, top, row), window.position(1, left, column)
            inside = window.inside(*place)
            tap = (channel, row, column)
            if inside is None:
                _accumulate(step, acc, (image, *place), tap)
            else:
                with builder.If(inside):
                    with builder.Then():
                        _accumulate(step, acc, (image, *place), tap)
                    with builder.Else():
                        _accumulate(step, acc, None, tap)
        step.store_scaled(acc.value, (image, top, left, channel), channel)


def _accumulate(step: Step, acc: Variable, place: tuple[Expression, ...] | None, tap: tuple[Expression, ...]) -> None:
    """Add a tap's products over the input channels of the output's group; without a place, the input is padding."""
    x, weight = step.buffers["x"], step.buffers["weight"]
    outputs, _, _, depth = step.operands[1].shape
    per_group = outputs // step.node.integer("group")
    first = 0 if per_group == outputs else (tap[0] // per_group) * depth
    with loops(depth) as (k,):
        value = i32(step.node.integer("pad_value")) if place is None else i32(x[(*place, first + k)])
        acc.add(step.term(value * i32(weight[(*tap, k)])))


LOWERINGS: Final = {"conv2d": _conv2d}
