"""edgeq's arithmetic as TVM expressions and statements, for the lowerings of all families.

Statements go into the function that ``tvm.tirx.script.builder`` has open. Every value is int32 unless a name says
otherwise; the bounds that keep them there are those of lowering, and of the functions in ``edgeq.numerics`` named here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tvm import tirx
from tvm.tirx.script import builder

# An expression or a buffer of TVM, which publishes no types.
Expression = Any
Buffer = Any


def i32(value: Expression | int) -> Expression:
    """Cast to int32, or a constant."""
    return tirx.IntImm("int32", value) if isinstance(value, int) else tirx.Cast("int32", value)


def i64(value: Expression | int) -> Expression:
    """Cast to int64, or a constant."""
    return tirx.IntImm("int64", value) if isinstance(value, int) else tirx.Cast("int64", value)


class Variable:
    """An integer that statements change; it lives in a register."""

    def __init__(self, value: Expression, dtype: str = "int32") -> None:
        self._cell = builder.alloc_buffer((1,), dtype)
        self.set(value)

    @property
    def value(self) -> Expression:
        """What it holds now."""
        return self._cell[0]

    def set(self, value: Expression) -> None:
        """Hold another value from here on."""
        builder.buffer_store(self._cell, value, [0])

    def add(self, value: Expression) -> None:
        """Grow by a value."""
        self.set(self.value + value)


@contextmanager
def loops(*extents: int) -> Iterator[tuple[Expression, ...]]:
    """Nested loops over ``range(extent)``, the last innermost: their variables."""
    with ExitStack() as stack:
        yield tuple(stack.enter_context(builder.serial(extent)) for extent in extents)


@contextmanager
def when(condition: Expression | None) -> Iterator[None]:
    """Statements that run only where a condition holds; None always holds."""
    if condition is None:
        yield
        return
    with builder.If(condition), builder.Then():
        yield


def saturate(value: Expression, low: int, high: int, dtype: str) -> Expression:
    """``clamp(value, low, high)`` for a value of type `dtype`."""
    return tirx.min(tirx.max(value, tirx.const(low, dtype)), tirx.const(high, dtype))


def scale_highmul(acc: Expression, multiplier: Expression, shift: int) -> Expression:
    """``((acc << shift)·m + 2^31) >> 32`` in int64; below zero, int64 ``acc >> -shift``: as ``highmul.requantize``."""
    shifted = acc >> i64(-shift) if shift < 0 else acc << i32(shift) if shift else acc
    return (i64(shifted) * i64(multiplier) + i64(1 << 31)) >> i64(32)


def high_product(left: Expression, right: Expression) -> Expression:
    """SaturatingRoundingDoublingHighMul of int64 values that fit int32, of which not both are -2^31."""
    return (left * right + i64(1 << 30)) >> i64(31)


def divide_by_power(value: Expression, exponent: Expression) -> Expression:
    """RoundingDivideByPOT, half away from zero: int64 value, int64 exponent from 0 to 31."""
    mask = (i64(1) << exponent) - i64(1)
    threshold = (mask >> i64(1)) + i64(value < i64(0))
    return (value >> exponent) + i64((value & mask) > threshold)


def scale_twice(value: Expression, multiplier: Expression, exponent: Expression) -> Expression:
    """Double rounding in int64 (``numerics.tflite.multiply_by_quantized_multiplier``); the multiplier is below 2^31."""
    up = tirx.max(exponent, i64(0))
    down = tirx.max(i64(0) - exponent, i64(0))
    high = Variable(high_product(value << up, multiplier), "int64")
    return divide_by_power(high.value, down)


def scale_once(value: Expression, multiplier: Expression, exponent: Expression) -> Expression:
    """Single rounding in int64 (``numerics.tflite.multiply_once``)."""
    return (value * multiplier + (i64(1) << (i64(30) - exponent))) >> (i64(31) - exponent)
