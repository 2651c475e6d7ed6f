"""Quotients of two quantized values in one rounding.

The quotient of a = s_a·(q_a − z_a) and b = s_b·(q_b − z_b) in steps of the result is R·N/D with N = q_a − z_a,
D = q_b − z_b and R = s_a/(s_b·s_y).

int8 has 256 divisors, so no core divides: ``T[q_b + 128] = round_half_even(2^15·R/D)``, held within ±2^23, and
``y = clamp((N·T + (z_y << 15) + 2^14) >> 15)``, a floor shift, all of it int32. An entry of 2^23 is 256 steps, which
saturates whatever N ≠ 0 is. Rounding the entries moves a result by at most 255·2^-16 < 0.004 steps before it is
rounded.

int16 divides integers: ``q = floor(|N|·m / |D|)``, ``y = clamp(sign·((q + 2^(k-1)) >> k))``, half away from zero, with
m = round_half_even(2^k·R) and the largest k <= 46 for which m < 2^31. Rounding m moves a result by at most 2^-16 steps.

Division by zero saturates: D = 0 counts as an infinitely small positive divisor, so that y is the largest result where
N > 0, the smallest where N < 0, and zero where N = 0.
"""

from __future__ import annotations

from fractions import Fraction
from math import isfinite

import numpy as np

from edgeq.numerics.array import INT32_MAX, Array, saturate
from edgeq.numerics.rounding import round_half_even
from edgeq.numerics.scale_range import ScaleRangeError

RECIPROCAL_BITS = 15
_RECIPROCAL_MAX = 1 << (RECIPROCAL_BITS + 8)
QUOTIENT_BITS_MAX = 46


def _ratio(a_scale: float, b_scale: float, out_scale: float) -> Fraction:
    scales = (a_scale, b_scale, out_scale)
    if not all(isfinite(scale) and scale > 0 for scale in scales):
        raise ScaleRangeError("scales must be positive and finite")
    return Fraction(a_scale) / (Fraction(b_scale) * Fraction(out_scale))


def reciprocal_table(a_scale: float, b_scale: float, b_zero: int, out_scale: float) -> Array:
    """T for divisors of int8: int32[256], entry q_b + 128.

    Raises:
        ScaleRangeError: a scale is not positive and finite.
    """
    ratio = _ratio(a_scale, b_scale, out_scale)
    entries = []
    for divisor in range(-128 - b_zero, 128 - b_zero):
        entry = round_half_even((1 << RECIPROCAL_BITS) * ratio / divisor) if divisor else _RECIPROCAL_MAX
        entries.append(min(max(entry, -_RECIPROCAL_MAX), _RECIPROCAL_MAX))
    return np.array(entries, dtype=np.int32)


def divide_by_table(
    a: Array, b: Array, table: Array, a_zero: int, out_zero: int, low: int = -128, high: int = 127
) -> Array:
    """The quotients of int8, numpy broadcasting, from :func:`reciprocal_table`."""
    # |N·T| <= 255·2^23, the rest below 2^22 + 2^14: less than 2^31.
    products = (a.astype(np.int64) - a_zero) * table.astype(np.int64)[b.astype(np.int64) + 128]
    rounded = products + (out_zero << RECIPROCAL_BITS) + (1 << (RECIPROCAL_BITS - 1))
    return saturate(rounded >> RECIPROCAL_BITS, low, high)


def quotient_multiplier(a_scale: float, b_scale: float, out_scale: float) -> tuple[int, int]:
    """m and k for int16.

    Raises:
        ScaleRangeError: a scale is not positive and finite, or R is 2^30 or more.
    """
    ratio = _ratio(a_scale, b_scale, out_scale)
    for shift in range(QUOTIENT_BITS_MAX, 0, -1):
        multiplier = round_half_even((1 << shift) * ratio)
        if multiplier <= INT32_MAX:
            return multiplier, shift
    raise ScaleRangeError(f"the scale {a_scale!r} is too large for a divisor of scale {b_scale!r}")


def divide(a: Array, b: Array, multiplier: int, shift: int, low: int = -(1 << 15), high: int = (1 << 15) - 1) -> Array:
    """The quotients of int16, numpy broadcasting, from :func:`quotient_multiplier`."""
    a, b = np.broadcast_arrays(a.astype(np.int64), b.astype(np.int64))
    # |N|·m < 2^46.
    quotient = np.abs(a) * multiplier // np.maximum(np.abs(b), 1)
    size = (quotient + (1 << (shift - 1))) >> shift
    negative = (a < 0) != (b < 0)
    size = np.where((b == 0) & (a != 0), 1 << 16, size)
    return saturate(np.where(negative, -size, size), low, high, np.int16)
