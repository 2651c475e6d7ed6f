"""LiteRT's integer softmax (int8 in, int8 out 1/256 and -128), in gemmlowp's fixed point.

Differences to the row's maximum have 5 integer bits, exponentials none, their sum 12 (``numerics.fixed_point``).
"""

from __future__ import annotations

from math import floor

import numpy as np

from edgeq.numerics.array import Array, saturate
from edgeq.numerics.fixed_point import exp_of_negative, one_over_one_plus
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
