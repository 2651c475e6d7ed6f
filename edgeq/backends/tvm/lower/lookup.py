"""Unary functions: one read of a table, for int16 two and a line between them."""

from __future__ import annotations

from typing import Final

from edgeq.backends.tvm.integers import Buffer, Expression, Variable, i32, loops
from edgeq.backends.tvm.step import Step
from edgeq.ir import DType
from edgeq.numerics.interpolation import STEP_BITS


def _lookup(step: Step) -> None:
    x, table = step.inputs
    read = _entry if step.operands[0].dtype is DType.INT8 else _line
    with loops(*step.shape) as index:
        step.store(step.cast(read(i32(x[tuple(index)]), table)), *index)


def _entry(x: Expression, table: Buffer) -> Expression:
    return table[x + 128]


def _line(x: Expression, table: Buffer) -> Expression:
    """``T[i] + (((T[i+1] − T[i])·t + 64) >> 7)`` (``numerics.interpolation``)."""
    place = Variable((x + i32(1 << 15)) >> i32(STEP_BITS)).value
    left, right = i32(table[place]), i32(table[place + 1])
    rise = (right - left) * (x & i32((1 << STEP_BITS) - 1))
    return left + ((rise + i32(1 << (STEP_BITS - 1))) >> i32(STEP_BITS))


LOWERINGS: Final = {"lookup": _lookup}
