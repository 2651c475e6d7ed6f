"""Addition and subtraction of operands of two scales in one rounding.

``y = clamp((a·ma ± b·mb + c) >> k)`` with ma = round(2^k·s_a/s_y), mb likewise, and everything constant in c:
c = (z_y << k) + 2^(k-1) - z_a·ma ∓ z_b·mb. For int8 everything is int32, so that a Cortex-M0 needs two MULS and a
shift, and k <= 22 is the largest for which every partial sum fits. For int16 the sum is int64, and k <= 30 is the
largest for which ma and mb are below 2^31; it is at least 16, so that the shifted sum fits int32.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import isfinite

import numpy as np

from edgeq.numerics.array import INT32_MAX, INT32_MIN, Array, require_int32, saturate
from edgeq.numerics.rounding import round_half_even
from edgeq.numerics.scale_range import ScaleRangeError

SHIFT_MAX = 22
SHIFT_MAX_INT64 = 30
_SHIFT_MIN_INT64 = 16
_INT8 = (-128, 127)


@dataclass(frozen=True)
class Addition:
    """The constants of one addition; ``sign`` is -1 for a subtraction, multipliers are never negative."""

    a_multiplier: int
    b_multiplier: int
    offset: int
    shift: int
    sign: int = 1

    def error_lsb(self, a_zero: int, b_zero: int, low: int = -128, high: int = 127) -> float:
        """How far rounding the multipliers moves a result before the final rounding, in output steps, at most.

        Args:
            a_zero: z_a.
            b_zero: z_b.
            low: the smallest operand.
            high: the largest operand.
        """
        reach = sum(max(high - zero, zero - low) for zero in (a_zero, b_zero))
        return reach * 0.5 / (1 << self.shift)


def choose_addition(scales: tuple[float, float, float], zeros: tuple[int, int, int], sign: int = 1) -> Addition:
    """The constants with the largest k <= 22 for which every partial sum fits int32, in whatever order it is added.

    Args:
        scales: s_a, s_b, s_y, float32 values, positive.
        zeros: z_a, z_b, z_y.
        sign: 1 for a + b, -1 for a - b.

    Raises:
        ScaleRangeError: a scale is not positive and finite, or not even k = 0 fits.
    """
    _require_scales(scales)
    for shift in range(SHIFT_MAX, -1, -1):
        found = _with_shift(scales, zeros, sign, shift)
        if _fits(found):
            return found
    raise _too_large(scales)


def _require_scales(scales: tuple[float, float, float]) -> None:
    if not all(isfinite(scale) and scale > 0 for scale in scales):
        raise ScaleRangeError("scales must be positive and finite")


def _too_large(scales: tuple[float, float, float]) -> ScaleRangeError:
    return ScaleRangeError(
        f"the scales {scales[0]!r} and {scales[1]!r} are too large for an output scale of {scales[2]!r}"
    )


def choose_wide_addition(scales: tuple[float, float, float], sign: int = 1) -> Addition:
    """The constants for int16 operands, all zero points zero: the largest k <= 30 with ma and mb below 2^31.

    Args:
        scales: s_a, s_b, s_y, float32 values, positive.
        sign: 1 for a + b, -1 for a - b.

    Raises:
        ScaleRangeError: a scale is not positive and finite, or s_a or s_b is 2^15 times s_y or more.
    """
    _require_scales(scales)
    for shift in range(SHIFT_MAX_INT64, _SHIFT_MIN_INT64 - 1, -1):
        found = _with_shift(scales, (0, 0, 0), sign, shift)
        if max(found.a_multiplier, found.b_multiplier) <= INT32_MAX:
            return found
    raise _too_large(scales)


def _with_shift(scales: tuple[float, float, float], zeros: tuple[int, int, int], sign: int, shift: int) -> Addition:
    a_scale, b_scale, out_scale = (Fraction(scale) for scale in scales)
    a_zero, b_zero, out_zero = zeros
    a_multiplier = round_half_even((1 << shift) * a_scale / out_scale)
    b_multiplier = round_half_even((1 << shift) * b_scale / out_scale)
    offset = (out_zero << shift) + ((1 << shift) >> 1) - a_zero * a_multiplier - sign * b_zero * b_multiplier
    return Addition(a_multiplier, b_multiplier, offset, shift, sign)


def _fits(found: Addition) -> bool:
    terms = [
        tuple(sorted(value * found.a_multiplier for value in _INT8)),
        tuple(sorted(found.sign * value * found.b_multiplier for value in _INT8)),
        (found.offset, found.offset),
    ]
    partial_sums = [chosen for count in (1, 2, 3) for chosen in combinations(terms, count)]
    multipliers_fit = max(found.a_multiplier, found.b_multiplier) <= INT32_MAX
    # A subtraction multiplies before it negates, so the unsigned product must fit as well: bounded by its negation + 1.
    return multipliers_fit and all(
        sum(low for low, _ in chosen) > INT32_MIN and sum(high for _, high in chosen) <= INT32_MAX
        for chosen in partial_sums
    )


def add(a: Array, b: Array, constants: Addition, low: int, high: int) -> Array:
    """``clamp((a·ma ± b·mb + c) >> k)`` for arrays of one type, int8 or int16, numpy broadcasting, of that type.

    Raises:
        OverflowError: a sum of int8 leaves int32: the constants do not belong to these operands.
    """
    total = a.astype(np.int64) * constants.a_multiplier + constants.offset
    total = total + b.astype(np.int64) * (constants.sign * constants.b_multiplier)
    if a.dtype == np.int8:
        require_int32(total, "sum of an addition")
    return saturate(total >> constants.shift, low, high, a.dtype)
