"""gemmlowp's fixed point: exponentials and reciprocals of raw int32 values, on arrays in int64.

A raw value ``r`` with k integer bits stands for r·2^(k-31). All steps give the values that the int32 code gives.
Constants are the real numbers named beside them, rounded to their format.
"""

from __future__ import annotations

import numpy as np

from edgeq.numerics.array import INT32_MAX, INT32_MIN, Array
from edgeq.numerics.tflite import rounding_divide_by_pot, saturating_rounding_doubling_high_mul

_NEWTON_STEPS = 3

_EXP_MINUS_EIGHTH = 1895147668  # exp(-1/8)·2^31
_ONE_THIRD = 715827883  # 2^31/3
# exp(-2^k)·2^31 for k = -2 … 4: the factors that the bits of the multiple of one quarter select.
_EXP_OF_BITS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_48_OVER_17 = 1515870810  # with 2 integer bits
_MINUS_32_OVER_17 = -1010580540
_ONE_WITH_2_BITS = 1 << 29


def _saturating_shift_left(value: Array, count: int) -> Array:
    result: Array = np.clip(value << count, INT32_MIN, INT32_MAX)
    return result


def exp_of_negative(value: Array, integer_bits: int) -> Array:
    """exp of values <= 0, result with no integer bits.

    Split off the remainder modulo one quarter in [-1/4, 0), take its exponential by a polynomial, multiply by the
    exponentials of the powers of two that make up the rest.

    Args:
        value: raw values.
        integer_bits: of the values, at most 5.
    """
    quarter = 1 << (31 - integer_bits - 2)
    remainder = (value & (quarter - 1)) - quarter
    result = _exp_near_zero(_saturating_shift_left(remainder, integer_bits))
    multiple = remainder - value
    for position, factor in enumerate(_EXP_OF_BITS):
        selected = (multiple & (quarter << position)) != 0
        result = np.where(selected, saturating_rounding_doubling_high_mul(result, factor), result)
    return np.where(value == 0, INT32_MAX, result)


def _exp_near_zero(value: Array) -> Array:
    """exp on [-1/4, 0), no integer bits: Taylor's polynomial of degree 4 about -1/8."""
    multiply = saturating_rounding_doubling_high_mul
    x = value + (1 << 28)
    x2 = multiply(x, x)
    x3 = multiply(x2, x)
    x4 = multiply(x2, x2)
    x4_over_4 = rounding_divide_by_pot(x4, 2)
    tail = rounding_divide_by_pot(multiply(x4_over_4 + x3, _ONE_THIRD) + x2, 1)
    return _EXP_MINUS_EIGHTH + multiply(x + tail, _EXP_MINUS_EIGHTH)


def one_over_one_plus(value: Array) -> Array:
    """1/(1+x) for x in [0, 1), no integer bits."""
    # x with 2 integer bits is 1/d = 2/(1+x); halving it is reading it with 1 integer bit.
    return _saturating_shift_left(_reciprocal_of_half(value), 1)


def one_minus_over_one_plus(value: Array) -> Array:
    """(1-x)/(1+x) = 2/(1+x) - 1 for x in [0, 1), no integer bits."""
    return _saturating_shift_left(_reciprocal_of_half(value) - _ONE_WITH_2_BITS, 2)


def _reciprocal_of_half(value: Array) -> Array:
    """1/d with 2 integer bits for d = (1+x)/2 in [1/2, 1], by Newton-Raphson."""
    multiply = saturating_rounding_doubling_high_mul
    # Non-negative, so the half sum rounds up at a tie.
    half_denominator = (value + INT32_MAX + 1) >> 1
    x = _48_OVER_17 + multiply(half_denominator, _MINUS_32_OVER_17)
    for _ in range(_NEWTON_STEPS):
        error = (1 << 29) - multiply(half_denominator, x)
        x = x + _saturating_shift_left(multiply(x, error), 2)
    return x
