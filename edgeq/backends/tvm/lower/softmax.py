"""Softmax over the last axis, by table or in fixed point; the formulas are those of ``edgeq.numerics``."""

from __future__ import annotations

from typing import Final

from tvm import tirx

from edgeq.backends.tvm.integers import (
    Expression,
    Variable,
    divide_by_power,
    high_product,
    i32,
    i64,
    loops,
    saturate,
    scale_twice,
    when,
)
from edgeq.backends.tvm.step import Step
from edgeq.ir import DType
from edgeq.numerics.softmax import ROW_MAX_UINT32

_DIFF_INTEGER_BITS: Final = 5
_SUM_INTEGER_BITS: Final = 12
_NEWTON_STEPS: Final = 3
# The constants of ``numerics.fixed_point``: exp(-1/8), 1/3, exp(-2^k) for k = -2 … 4, 48/17 and -32/17.
_EXP_MINUS_EIGHTH: Final = 1895147668
_ONE_THIRD: Final = 715827883
_EXP_OF_BITS: Final = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_48_OVER_17: Final = 1515870810
_MINUS_32_OVER_17: Final = -1010580540
_INT32_MAX: Final = 2**31 - 1


def _softmax(step: Step) -> None:
    *rows, length = step.shape
    with loops(*rows) as row:
        largest = Variable(i32(step.operands[0].dtype.min))
        with loops(length) as (k,):
            largest.set(tirx.max(largest.value, i32(step.inputs[0][(*row, k)])))
        _ROWS[step.formula](step, row, length, largest)


def _row_table(step: Step, row: tuple[Expression, ...], length: int, largest: Variable) -> None:
    """``min(255, ((T << 8) + (S >> 1)) / S) - 128`` in unsigned integers; of int16 with 15 bits and without the 128."""
    x, table = step.inputs
    narrow = step.operands[0].dtype is DType.INT8
    dtype = "uint32" if not narrow or length <= ROW_MAX_UINT32 else "uint64"
    bits, most, zero = (8, 255, 128) if narrow else (15, 32767, 0)

    def exponential(k: Expression) -> Expression:
        below = largest.value - i32(x[(*row, k)])
        if narrow:
            return tirx.Cast(dtype, table[below])
        low = tirx.Cast(dtype, table[i32(256) + (below & i32(255))])
        product = tirx.Cast(dtype, table[below >> i32(8)]) * low
        return (product + tirx.const(1 << 15, dtype)) >> tirx.const(16, dtype)

    total = Variable(tirx.const(0, dtype), dtype)
    with loops(length) as (k,):
        total.add(exponential(k))
    with loops(length) as (k,):
        dividend = (exponential(k) << tirx.const(bits, dtype)) + (total.value >> tirx.const(1, dtype))
        quotient = tirx.min(tirx.truncdiv(dividend, total.value), tirx.const(most, dtype))
        step.store(step.cast(i32(quotient) - zero), *row, k)


def _row_fixed_point(step: Step, row: tuple[Expression, ...], length: int, largest: Variable) -> None:
    """gemmlowp's fixed point; each exponential is computed twice, since there is nowhere to keep a row of them."""
    node, x = step.node, step.inputs[0]
    lowest = node.integer("diff_min")

    def difference(k: Expression) -> Variable:
        return Variable(i32(x[(*row, k)]) - largest.value)

    def exponential(below: Variable) -> Variable:
        multiplier, shift = i64(node.integer("input_multiplier")), i64(node.integer("input_left_shift"))
        return _exp_of_negative(Variable(scale_twice(i64(below.value), multiplier, shift), "int64"))

    total = Variable(i64(0), "int64")
    with loops(length) as (k,):
        below = difference(k)
        with when(below.value >= lowest):
            total.add(divide_by_power(exponential(below).value, i64(_SUM_INTEGER_BITS)))
    zeros = Variable(i64(tirx.clz(i32(total.value))), "int64")
    reciprocal = _one_over_one_plus(Variable((total.value << zeros.value) - i64(1 << 31), "int64"))
    shift = Variable(i64(_SUM_INTEGER_BITS + 31 - 8) - zeros.value, "int64")
    with loops(length) as (k,):
        below = difference(k)
        result = Variable(i64(-128), "int64")
        # A shift above 31 leaves nothing but zero.
        with when(tirx.all(below.value >= lowest, shift.value <= 31)):
            product = Variable(high_product(reciprocal.value, exponential(below).value), "int64")
            result.set(divide_by_power(product.value, shift.value) - i64(128))
        step.store(step.cast(saturate(result.value, -128, 127, "int64")), *row, k)


def _saturating_shift_left(value: Expression, count: int) -> Expression:
    raised = value << i64(count)
    return tirx.min(tirx.max(raised, i64(-(2**31))), i64(_INT32_MAX))


def _exp_of_negative(value: Variable) -> Variable:
    """exp of int64 values <= 0 with 5 integer bits, result with none."""
    quarter = 1 << (31 - _DIFF_INTEGER_BITS - 2)
    remainder = Variable((value.value & i64(quarter - 1)) - i64(quarter), "int64")
    result = _exp_near_zero(Variable(_saturating_shift_left(remainder.value, _DIFF_INTEGER_BITS), "int64"))
    multiple = Variable(remainder.value - value.value, "int64")
    for position, factor in enumerate(_EXP_OF_BITS):
        with when((multiple.value & i64(quarter << position)) != i64(0)):
            result.set(high_product(result.value, i64(factor)))
    with when(value.value == i64(0)):
        result.set(i64(_INT32_MAX))
    return result


def _exp_near_zero(value: Variable) -> Variable:
    """exp on [-1/4, 0), no integer bits: Taylor's polynomial of degree 4 about -1/8."""
    x = Variable(value.value + i64(1 << 28), "int64")
    x2 = Variable(high_product(x.value, x.value), "int64")
    x3 = Variable(high_product(x2.value, x.value), "int64")
    x4 = Variable(high_product(x2.value, x2.value), "int64")
    inner = Variable(divide_by_power(x4.value, i64(2)) + x3.value, "int64")
    tail = Variable(high_product(inner.value, i64(_ONE_THIRD)) + x2.value, "int64")
    whole = Variable(x.value + divide_by_power(tail.value, i64(1)), "int64")
    return Variable(i64(_EXP_MINUS_EIGHTH) + high_product(whole.value, i64(_EXP_MINUS_EIGHTH)), "int64")


def _one_over_one_plus(value: Variable) -> Variable:
    """1/(1+x) for x in [0, 1), no integer bits, by Newton-Raphson."""
    half = Variable((value.value + i64(_INT32_MAX + 1)) >> i64(1), "int64")
    x = Variable(i64(_48_OVER_17) + high_product(half.value, i64(_MINUS_32_OVER_17)), "int64")
    for _ in range(_NEWTON_STEPS):
        error = Variable(i64(1 << 29) - high_product(half.value, x.value), "int64")
        x.add(_saturating_shift_left(high_product(x.value, error.value), 2))
    return Variable(_saturating_shift_left(x.value, 1), "int64")


_ROWS: Final = {"fixed_point": _row_fixed_point, "highmul": _row_table}
LOWERINGS: Final = {"softmax": _softmax}
