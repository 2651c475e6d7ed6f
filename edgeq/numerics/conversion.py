"""Exact numbers in place of float32 scales: what comparisons and casts compute with.

A float32 scale is m·2^e with an integer m of 24 bits, so that a real number scale·(q − zero) is an exact rational.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from edgeq.numerics.array import Array
from edgeq.numerics.scale_range import ScaleRangeError

_BITS: Final = 24
_LONG: Final = (1 << 63) - 1
# |q − zero| < 2^16 and m < 2^24: products stay below 2^(16 + 24 + SHIFT_MAX) = 2^60.
SHIFT_MAX: Final = 20


def mantissa(scale: float) -> tuple[int, int]:
    """(m, e) with scale = m·2^e exactly and 2^23 <= m < 2^24, for a normal float32 number."""
    fraction, exponent = math.frexp(float(np.float32(scale)))
    return int(fraction * (1 << _BITS)), exponent - _BITS


def common_factors(a_scale: float, b_scale: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """(m, s) for two tensors, such that values v = q − zero compare as (v·m)·2^s does: exactly as the real numbers.

    The exponents differ by at most :data:`SHIFT_MAX`. Beyond that the order is the same: any v != 0 at the larger scale
    is at least 2^(23 + SHIFT_MAX) = 2^43 then, and no product at the smaller one reaches 2^(16 + 24) = 2^40.
    """
    (a, a_exponent), (b, b_exponent) = mantissa(a_scale), mantissa(b_scale)
    apart = a_exponent - b_exponent
    shifts = min(max(apart, 0), SHIFT_MAX), min(max(-apart, 0), SHIFT_MAX)
    if (a, shifts[0]) == (b, shifts[1]):
        return (1, 0), (1, 0)
    return (a, shifts[0]), (b, shifts[1])


def truncation(scale: float) -> tuple[int, int]:
    """(m, s) such that v = q − zero stands for the real number v·m·2^−s, exactly; 0 <= s < 63.

    A scale below 2^−39 makes every v·m smaller than 2^s, which is all that counts; s is 62 there.

    Raises:
        ScaleRangeError: the scale is 2^31 or more.
    """
    number, exponent = mantissa(scale)
    if exponent >= 0:
        if exponent > 31 - _BITS:
            raise ScaleRangeError(f"scale {scale!r} is beyond int32")
        return number << exponent, 0
    return number, min(-exponent, 62)


def truncated(values: Array, factor: int, shift: int, dtype: np.dtype[Any]) -> Array:
    """v·m·2^−s without its fraction, towards zero, saturated to an integer type; int64 [...] → dtype [...]."""
    product = values.astype(np.int64) * factor
    whole = np.sign(product) * (np.abs(product) >> shift)
    limits = np.iinfo(dtype)  # products stay below 2^47, within int64
    result: Array = np.clip(whole, max(int(limits.min), -_LONG - 1), min(int(limits.max), _LONG)).astype(dtype)
    return result


def reciprocal(scale: float) -> tuple[int, int]:
    """(m, s) with m·2^−s = 1/scale to 31 bits: 2^30 <= m <= 2^31 − 1, 1 <= s <= 62.

    For integers of int32 that stand for results of at most 2^16 steps, v·m·2^−s is v/scale within 2^−15 steps.

    Raises:
        ScaleRangeError: the scale is out of range.
    """
    fraction, exponent = math.frexp(1.0 / scale)
    number, shift = round(fraction * (1 << 31)), 31 - exponent
    if number == 1 << 31:
        number, shift = number >> 1, shift - 1
    if not 1 <= shift <= 62:
        raise ScaleRangeError(f"scale {scale!r} is out of range for integers")
    return number, shift


def in_steps(values: Array, factor: int, shift: int) -> Array:
    """v·m·2^−s rounded half up, int64; |v| <= 2^31, so that sums stay below 2^63."""
    result: Array = (values.astype(np.int64) * factor + (1 << (shift - 1))) >> shift
    return result
