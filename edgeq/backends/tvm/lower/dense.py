"""Fully connected layers and products of two computed matrices."""

from __future__ import annotations

from typing import Final

from edgeq.backends.tvm.integers import i32, loops
from edgeq.backends.tvm.step import Step


def _dense(step: Step) -> None:
    x, weight, bias = (step.buffers[name] for name in ("x", "weight", "bias"))
    rows, depth = step.shape
    with loops(rows, step.operands[1].shape[0]) as (row, channel):
        acc = step.sum_of(bias[channel])
        with loops(depth) as (k,):
            acc.add(step.term(i32(x[row, k]) * i32(weight[channel, k])))
        step.store_scaled(acc.value, (row, channel), channel)


def _matmul(step: Step) -> None:
    a, b = step.inputs[:2]
    *batch, rows, depth = step.shape
    a_zero, b_zero = step.node.integer("a_zero"), step.node.integer("b_zero")
    with loops(*batch, rows, step.operands[1].shape[-1]) as (*image, row, column):
        acc = step.sum_of(0)
        with loops(depth) as (k,):
            acc.add(step.term((i32(a[(*image, row, k)]) - a_zero) * (i32(b[(*image, k, column)]) - b_zero)))
        step.store_scaled(acc.value, (*image, row, column))


LOWERINGS: Final = {"dense": _dense, "matmul": _matmul}
