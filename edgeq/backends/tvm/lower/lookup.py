"""Unary functions of int8: one read of a table."""

from __future__ import annotations

from typing import Final

from edgeq.backends.tvm.integers import i32, loops
from edgeq.backends.tvm.step import Step


def _lookup(step: Step) -> None:
    x, table = step.inputs
    with loops(*step.shape) as index:
        step.store(table[i32(x[tuple(index)]) + 128], *index)


LOWERINGS: Final = {"lookup": _lookup}
