"""LiteRT's integer softmax (int8 in, int8 out 1/256 and -128), in gemmlowp's fixed point.

Differences to the row's maximum have 5 integer bits, exponentials none, their sum 12 (``numerics.fixed_point``). In
int16 (1/32768 and 0) exponentials and the reciprocal of their sum are lines between 513 table entries.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from math import floor

import numpy as np

from edgeq.numerics import reals
from edgeq.numerics.array import Array, saturate
from edgeq.numerics.fixed_point import exp_of_negative, one_over_one_plus
from edgeq.numerics.interpolation import interpolate
from edgeq.numerics.reals import Real, fraction
from edgeq.numerics.rounding import round_half_away
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
    exponentials = np.where(counts, exp_of_negative(scaled, _DIFF_INTEGER_BITS), 0)
    total = rounding_divide_by_pot(exponentials, _SUM_INTEGER_BITS).sum(axis=-1, keepdims=True)
    reciprocal, bits_over_unit = _reciprocal(total)
    product = saturating_rounding_doubling_high_mul(reciprocal, exponentials)
    # The shift is at most 31 while the sum is below 512. From there on the largest result is 1/512, which rounds to
    # zero; LiteRT shifts by 32 and more there, which C does not define.
    shift = bits_over_unit + 31 - 8
    output = np.where(shift > 31, 0, rounding_divide_by_pot(product, np.minimum(shift, 31)))
    return np.where(counts, saturate(output - 128, -128, 127), np.int8(-128))


def _reciprocal(total: Array) -> tuple[Array, Array]:
    """1/total for a positive sum with 12 integer bits.

    Returns:
        ``(r, n)``: the reciprocal is r·2^-31·2^-n, r the fixed-point 1/(1+f) where total = (1+f)·2^n.
    """
    lengths = [int(value).bit_length() for value in total.flat]
    leading_zeros = 32 - np.array(lengths, dtype=np.int64).reshape(total.shape)
    fraction = (total << leading_zeros) - (1 << 31)
    return one_over_one_plus(fraction), _SUM_INTEGER_BITS - leading_zeros


def softmax_parameters_int16(scale: float) -> tuple[int, int, int]:
    """As :func:`softmax_parameters` for int16, whose 65 536 steps of a difference span 10; no ``diff_min``.

    Raises:
        ScaleRangeError: the scale is not positive and finite, or too large.
    """
    return *quantize_multiplier(scale / (10.0 / 65535.0)), 0


def softmax_int16(x: Array, input_multiplier: int, input_left_shift: int) -> Array:
    """Softmax over the last axis of an int16 array, scale 1/32768, zero point 0; int16, same shape.

    The sum of exponentials, 2^15 a whole one, is below 2^31: rows are shorter than 65 536.
    """
    diff = x.astype(np.int64) - x.max(axis=-1, keepdims=True)
    # Beyond 65 535 steps the exponential is that of the end; the shifted difference could leave int32.
    least = -(1 << 31) >> max(input_left_shift, 0)
    scaled = multiply_by_quantized_multiplier(np.maximum(diff, least), input_multiplier, input_left_shift)
    exponentials = interpolate(saturate(scaled + 32767, -32768, 32767, np.int16), _exponentials()).astype(np.int64)
    total = exponentials.sum(axis=-1, keepdims=True)
    bits = np.array([int(value).bit_length() for value in total.flat], np.int64).reshape(total.shape)
    # One bit before the point and 16 behind it: the sum less one is in [0, 1).
    leading = ((total << (31 - bits)) + (1 << 13)) >> 14
    places = saturate(leading - (1 << 15) - (1 << 16), -32768, 32767, np.int16)
    reciprocal = interpolate(places, _reciprocals()).astype(np.int64)
    shift = bits - 1
    return saturate((exponentials * reciprocal + (np.int64(1) << (shift - 1))) >> shift, 0, 32767, np.int16)


@cache
def _exponentials() -> Array:
    """e^x on [-10, 0], 2^15 a whole one: int16[513]."""
    return _line_table(reals.exp, Fraction(-10), Fraction(0))


@cache
def _reciprocals() -> Array:
    """1/(1+x) on [0, 1], 2^15 a whole one: int16[513]."""
    return _line_table(lambda x: 1 / (1 + fraction(x)), Fraction(0), Fraction(1))


def _line_table(function: Callable[[Real], Real], low: Fraction, high: Fraction) -> Array:
    """LiteRT's table of a function between whose entries it takes lines: entries lean to the middle of their line.

    Each is the rounded value less half of how far the line's middle is above the function there, all rounded half away
    from zero and saturated.
    """
    step = (high - low) / 512

    def rounded(x: Fraction) -> int:
        return round_half_away(fraction(function(x)) * (1 << 15))

    with reals.precision():
        values = [rounded(low + index * step) for index in range(513)]
        middles = [rounded(low + (2 * index + 1) * step / 2) for index in range(512)]
        exact = [fraction(function(low + index * step)) * (1 << 15) for index in range(513)]
    entries = []
    for index, middle in enumerate(middles):
        line = round_half_away((exact[index + 1] + values[index]) / 2)
        entries.append(values[index] - round_half_away(Fraction(line - middle, 2)))
    return saturate(np.array([*entries, values[512]]), -32768, 32767, np.int16)
