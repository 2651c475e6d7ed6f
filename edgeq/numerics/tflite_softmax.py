"""LiteRT's integer softmax (int8 in, int8 out 1/256 and -128), in gemmlowp's fixed point.

A raw int32 ``r`` with k integer bits stands for r·2^(k-31). Differences to the row's maximum have 5 integer bits,
exponentials none, their sum 12; the reciprocal comes from three Newton-Raphson steps on 2 integer bits. All steps
work on whole arrays in int64 and give the values that the int32 code gives. Constants are the real numbers named
beside them, rounded to their format.
"""

from __future__ import annotations

from math import floor

import numpy as np

from edgeq.numerics.array import INT32_MAX, INT32_MIN, Array, saturate
from edgeq.numerics.scale_range import ScaleRangeError
from edgeq.numerics.tflite import (
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)

# The sum has 12 integer bits; from 512 on the result is shifted by 32, which C does not define.
ROW_MAX = 511
_DIFF_INTEGER_BITS = 5
_SUM_INTEGER_BITS = 12
_NEWTON_STEPS = 3

_EXP_MINUS_EIGHTH = 1895147668  # exp(-1/8)·2^31
_ONE_THIRD = 715827883  # 2^31/3
# exp(-2^k)·2^31 for k = -2 … 4: the factors that the bits of the multiple of one quarter select.
_EXP_OF_BITS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_48_OVER_17 = 1515870810  # with 2 integer bits
_MINUS_32_OVER_17 = -1010580540


def softmax_parameters(scale: float, beta: float = 1.0) -> tuple[int, int, int]:
    """``(input_multiplier, input_left_shift, diff_min)`` for an input scale (float32 value).

    Differences are scaled by beta·scale·2^26, at most 2^31 - 1; those below ``diff_min`` would leave 5 integer bits
    and count as zero.

    Raises:
        ValueError: the scale is not positive, or so small (below 2^-26) that the factor is not greater than one.
    """
    factor = min(beta * scale * 2.0 ** (31 - _DIFF_INTEGER_BITS), 2.0**31 - 1.0)
    if not factor > 1.0:
        raise ScaleRangeError(f"the scale {scale!r} is too small for an integer softmax")
    # quantize_multiplier refuses exponents above 30; the cap 2^31 - 1 is just below 2^31, exponent 31.
    multiplier, left_shift = quantize_multiplier(factor / 2.0)
    left_shift += 1
    radius = ((1 << _DIFF_INTEGER_BITS) - 1) * 2.0 ** (31 - _DIFF_INTEGER_BITS) / 2.0**left_shift
    return multiplier, left_shift, -floor(radius)


def softmax(x: Array, input_multiplier: int, input_left_shift: int, diff_min: int) -> Array:
    """Softmax over the last axis of an int8 array, at most 4095 long (12 integer bits of sum); int8, same shape."""
    diff = x.astype(np.int64) - x.max(axis=-1, keepdims=True)
    counts = diff >= diff_min
    # Below diff_min the shifted difference could leave int32; those elements contribute nothing.
    kept = np.where(counts, diff, 0)
    scaled = multiply_by_quantized_multiplier(kept, input_multiplier, input_left_shift)
    exponentials = np.where(counts, _exp_of_negative(scaled), 0)
    total = rounding_divide_by_pot(exponentials, _SUM_INTEGER_BITS).sum(axis=-1, keepdims=True)
    reciprocal, bits_over_unit = _reciprocal(total)
    product = saturating_rounding_doubling_high_mul(reciprocal, exponentials)
    # The shift is at most 31 while the sum is below 512. From there on the largest result is 1/512, which rounds to
    # zero; LiteRT shifts by 32 and more there, which C does not define.
    shift = bits_over_unit + 31 - 8
    output = np.where(shift > 31, 0, rounding_divide_by_pot(product, np.minimum(shift, 31)))
    return np.where(counts, saturate(output - 128, -128, 127), np.int8(-128))


def _saturating_shift_left(value: Array, count: int) -> Array:
    result: Array = np.clip(value << count, INT32_MIN, INT32_MAX)
    return result


def _exp_of_negative(value: Array) -> Array:
    """exp of values <= 0 with 5 integer bits, result with none.

    Split off the remainder modulo one quarter in [-1/4, 0), take its exponential by a polynomial, multiply by the
    exponentials of the powers of two that make up the rest.
    """
    quarter = 1 << (31 - _DIFF_INTEGER_BITS - 2)
    remainder = (value & (quarter - 1)) - quarter
    result = _exp_near_zero(_saturating_shift_left(remainder, _DIFF_INTEGER_BITS))
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


def _reciprocal(total: Array) -> tuple[Array, Array]:
    """1/total for a positive sum with 12 integer bits.

    Returns:
        ``(r, n)``: the reciprocal is r·2^-31·2^-n, r the fixed-point 1/(1+f) where total = (1+f)·2^n.
    """
    lengths = [int(value).bit_length() for value in total.flat]
    leading_zeros = 32 - np.array(lengths, dtype=np.int64).reshape(total.shape)
    fraction = (total << leading_zeros) - (1 << 31)
    return _one_over_one_plus(fraction), _SUM_INTEGER_BITS - leading_zeros


def _one_over_one_plus(value: Array) -> Array:
    """1/(1+x) for x in [0, 1), no integer bits: Newton-Raphson for the reciprocal of d = (1+x)/2 in [1/2, 1]."""
    multiply = saturating_rounding_doubling_high_mul
    # Non-negative, so the half sum rounds up at a tie.
    half_denominator = (value + INT32_MAX + 1) >> 1
    x = _48_OVER_17 + multiply(half_denominator, _MINUS_32_OVER_17)
    for _ in range(_NEWTON_STEPS):
        error = (1 << 29) - multiply(half_denominator, x)
        x = x + _saturating_shift_left(multiply(x, error), 2)
    # x with 2 integer bits is 1/d; halving it is reading it with 1 integer bit.
    return _saturating_shift_left(x, 1)
