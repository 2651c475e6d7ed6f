"""Larger and smaller of two, quotients, and slopes of negative values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tvm import tirx

from edgeq.backends.tvm.integers import Expression, Variable, i32, i64, loops, scale_highmul
from edgeq.backends.tvm.lower.elementwise import element
from edgeq.backends.tvm.step import Step
from edgeq.ir import DType
from edgeq.numerics.division import RECIPROCAL_BITS


def _extreme(choose: Callable[[Expression, Expression], Expression]) -> Callable[[Step], None]:
    def lower(step: Step) -> None:
        with loops(*step.extents) as index:
            step.store(step.cast(choose(element(step, 0, index), element(step, 1, index))), *index)

    return lower


def _divide(step: Step) -> None:
    with loops(*step.extents) as index:
        a, b = element(step, 0, index), element(step, 1, index)
        if step.operands[0].dtype is DType.INT8:
            _by_table(step, a, b, index)
        else:
            _by_division(step, a, b, index)


def _by_table(step: Step, a: Expression, b: Expression, index: tuple[Expression, ...]) -> None:
    """``(N·T + offset) >> 15``, all of it int32 (``numerics.division``)."""
    node = step.node
    offset = (node.integer("out_zero") << RECIPROCAL_BITS) + (1 << (RECIPROCAL_BITS - 1))
    total = Variable((a - node.integer("a_zero")) * step.buffers["factors"][b + 128] + offset)
    step.store_clamped(total.value >> i32(RECIPROCAL_BITS), *index)


def _by_division(step: Step, a: Expression, b: Expression, index: tuple[Expression, ...]) -> None:
    """``sign·((|a|·m / |b| + 2^(k-1)) >> k)`` in int64; by zero the sign of a, beyond int16."""
    shift = step.node.integer("shift")
    product = Variable(i64(tirx.max(a, 0 - a)) * i64(step.buffers["factors"][0]), "int64")
    divisor = Variable(i64(tirx.max(tirx.max(b, 0 - b), i32(1))), "int64")
    quotient = tirx.truncdiv(product.value, divisor.value)
    size = Variable((quotient + i64(1 << (shift - 1))) >> i64(shift), "int64")
    size.set(tirx.Select(tirx.all(b == 0, a != 0), i64(1 << 16), size.value))
    opposite = tirx.any(tirx.all(a < 0, b >= 0), tirx.all(a >= 0, b < 0))
    step.store_clamped(tirx.Select(opposite, i64(0) - size.value, size.value), *index, dtype="int64")


def _prelu(step: Step) -> None:
    node = step.node
    with loops(*step.extents) as index:
        value = Variable(element(step, 0, index) - node.integer("in_zero"))
        factor = Variable(
            tirx.Select(value.value < 0, element(step, 1, index), step.buffers["multiplier"][0]),
        )
        scaled = scale_highmul(value.value, factor.value, node.integer("shift"))
        result = Variable(scaled + i64(node.integer("out_zero")), "int64")
        step.store_clamped(result.value, *index, dtype="int64")


LOWERINGS: Final = {
    "divide": _divide,
    "maximum": _extreme(tirx.max),
    "minimum": _extreme(tirx.min),
    "prelu": _prelu,
}
