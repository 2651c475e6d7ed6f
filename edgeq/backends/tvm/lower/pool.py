"""Pools over windows, and means over whole axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

from tvm import tirx

from edgeq.backends.tvm.integers import Expression, Variable, i32, loops, when
from edgeq.backends.tvm.lower.reduce import reduced
from edgeq.backends.tvm.lower.window import Window
from edgeq.backends.tvm.step import Step


def _average_pool(step: Step) -> None:
    node, x = step.node, step.inputs[0]
    window = Window((step.shape[1], step.shape[2]), node.integers("strides"), node.integers("pads"))
    rows, columns = node.integers("kernel")
    counts = node.integers("counts")
    with loops(*step.extents) as (image, top, left, channel):
        total = step.sum_of(0)
        with loops(rows, columns) as (row, column):
            place = window.position(0, top, row), window.position(1, left, column)
            with when(window.inside(*place)):
                total.add(step.term(i32(x[image, place[0], place[1], channel])))
        count: Expression = i32(counts[0])
        if len(counts) > 1:
            count = Variable(window.valid(0, top, rows) * window.valid(1, left, columns)).value
        index = (image, top, left, channel)
        _AVERAGES[step.formula](step, total.value, count, index)


def _scaled_mean(step: Step, total: Expression, count: Expression, index: Sequence[Expression]) -> None:
    position = sum((i32(count > known) for known in step.node.integers("counts")[:-1]), i32(0))
    step.store_scaled(total - step.term(count * step.node.integer("in_zero")), index, position)


def _integer_mean(step: Step, total: Expression, count: Expression, index: Sequence[Expression]) -> None:
    """Half away from zero: half the count towards the sum's side, then a truncating division."""
    half = tirx.truncdiv(count, i32(2))
    raised = total + tirx.Select(total > 0, half, i32(0) - half)
    step.store_clamped(tirx.truncdiv(raised, count), *index)


_AVERAGES: Final = {"highmul": _scaled_mean, "integer_mean": _integer_mean}


def _max_pool(step: Step) -> None:
    node, x = step.node, step.inputs[0]
    window = Window((step.shape[1], step.shape[2]), node.integers("strides"), node.integers("pads"))
    with loops(*step.extents) as (image, top, left, channel):
        best = Variable(i32(step.operands[0].dtype.min))
        with loops(*node.integers("kernel")) as (row, column):
            place = window.position(0, top, row), window.position(1, left, column)
            with when(window.inside(*place)):
                best.set(tirx.max(best.value, i32(x[image, place[0], place[1], channel])))
        step.store_clamped(best.value, image, top, left, channel)


def _mean(step: Step) -> None:
    count = prod(step.shape[axis] for axis in step.node.integers("axes"))
    with reduced(step) as (index, along):
        total = step.sum_of(-count * step.node.integer("in_zero"))
        with along() as x:
            total.add(step.term(x))
        step.store_scaled(total.value, index)


LOWERINGS: Final = {"average_pool": _average_pool, "max_pool": _max_pool, "mean": _mean}
