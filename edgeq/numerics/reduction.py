"""Square roots and logarithms of wide sums, each scaled in one rounding.

A sum S of squares or of values has more bits than any table has entries, so both functions are computed in integers:

* **root**: S·4^t lies in [2^60, 2^62), r = floor(sqrt(S·4^t)) has 31 bits, and sqrt(S)·M is
  ``(r·m + 2^(k-1)) >> k`` with m = round_half_even(M·2^c) of 31 bits and k = c + t. Both roundings are relative, of
  less than 2^-30 and 2^-31, so that a result in int16 moves by less than 2^-14 steps before it is rounded.
* **logarithm**: L = log2(S) in units of 2^-20 by repeated squaring: S = 2^e·x with x in [1, 2) in units of 2^-31; each
  of 20 squarings, rounded down, doubles the logarithm of x and yields a bit. log2(S) lies in [L, L + 1 + 2^-8) units.
  ``(L·m + d·n + offset) >> k`` is ln(S) in output steps plus a term that is linear in an integer d; the offset holds
  the zero point, half a step, half a unit of L, and the logarithm of the unit of S.

sqrt(0) is 0; a sum of zero or less has the logarithm minus infinity, the smallest result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import frexp, isqrt

import numpy as np
import numpy.typing as npt

from edgeq.numerics import reals
from edgeq.numerics.array import INT32_MAX, Array
from edgeq.numerics.reals import fraction
from edgeq.numerics.rounding import round_half_even
from edgeq.numerics.scale_range import ScaleRangeError

ROOT_BITS = 62
LOGARITHM_BITS = 20
SHIFT_MAX = 62
_X_BITS = 31
_L_MAX = ROOT_BITS << LOGARITHM_BITS
_TOTAL_MAX = 1 << 61


def _each(function: Callable[[int], int], values: Array, low: int, high: int, dtype: npt.DTypeLike) -> Array:
    """A function of each element, in Python's integers, clamped."""
    found = [min(max(function(int(value)), low), high) for value in values.reshape(-1)]
    return np.array(found, dtype).reshape(values.shape)


def choose_root(ratio: float) -> tuple[int, int]:
    """m and c of a factor M that follows a root.

    Raises:
        ScaleRangeError: M is not between 2^-32 and 2^29.
    """
    exponent = frexp(ratio)[1]
    if not 2.0**-32 <= ratio < 2.0**29:
        raise ScaleRangeError(f"the factor {ratio!r} of a root must be between 2^-32 and 2^29")
    shift = 31 - exponent
    multiplier = round_half_even(Fraction(ratio) * Fraction(2) ** shift)
    if multiplier > INT32_MAX:
        shift -= 1
        multiplier = round_half_even(Fraction(ratio) * Fraction(2) ** shift)
    return multiplier, shift


def scaled_root(
    sums: Array, multiplier: int, shift: int, zero: int, low: int, high: int, dtype: npt.DTypeLike
) -> Array:
    """``clamp(sqrt(S)·M + zero)``.

    Args:
        sums: S, 0 <= S < 2^62.
        multiplier: m.
        shift: c.
        zero: zero point of the result.
        low: smallest result.
        high: largest result.
        dtype: type of the result.
    """

    def root(total: int) -> int:
        if total == 0:
            return zero
        raised = (ROOT_BITS - total.bit_length()) // 2
        whole = isqrt(total << (2 * raised))
        return ((whole * multiplier + (1 << (shift + raised - 1))) >> (shift + raised)) + zero

    return _each(root, sums, low, high, dtype)


@dataclass(frozen=True)
class Logarithm:
    """``(L·multiplier + d·slope + offset) >> shift``; the factors fit int32, the offset int64."""

    multiplier: int
    slope: int
    offset: int
    shift: int


def choose_logarithm(out_scale: float, zero: int, unit: Fraction, slope: float = 0.0, reach: int = 0) -> Logarithm:
    """The constants of ln(S·unit)/s_y + d·slope + z_y.

    Args:
        out_scale: s_y, float32 value, positive.
        zero: z_y.
        unit: what 1 in S stands for.
        slope: steps of the result for each 1 in d.
        reach: the largest magnitude of d.

    Raises:
        ScaleRangeError: the scales are too far apart.
    """
    with reals.precision():
        two = fraction(Decimal(2).ln()) / Fraction(out_scale)
        start = fraction(reals.log(unit)) / Fraction(out_scale)
    for shift in range(SHIFT_MAX, 0, -1):
        raised = Fraction(1 << shift)
        multiplier = round_half_even(two * raised / (1 << LOGARITHM_BITS))
        factor = round_half_even(Fraction(slope) * raised)
        offset = round_half_even((start + zero + Fraction(1, 2)) * raised + Fraction(multiplier, 2))
        total = _L_MAX * multiplier + reach * factor + abs(offset)
        if max(multiplier, factor) <= INT32_MAX and total < _TOTAL_MAX:
            return Logarithm(multiplier, factor, offset, shift)
    raise ScaleRangeError(f"the output scale {out_scale!r} is too small for a logarithm")


def logarithm(total: int) -> int:
    """L: log2 of 1 … 2^62 in units of 2^-20, rounded down."""
    exponent = total.bit_length() - 1
    x = (total << ROOT_BITS >> exponent) >> (ROOT_BITS - _X_BITS)
    found = exponent
    for _ in range(LOGARITHM_BITS):
        x = (x * x) >> _X_BITS
        bit = x >> (_X_BITS + 1)
        x >>= bit
        found = 2 * found + bit
    return found


def scaled_logarithm(
    sums: Array, linear: Array, constants: Logarithm, low: int, high: int, dtype: npt.DTypeLike
) -> Array:
    """``clamp((L·m + d·n + offset) >> k)``; the smallest result where S <= 0.

    Args:
        sums: S, below 2^62.
        linear: d, of the same shape.
        constants: from :func:`choose_logarithm`.
        low: smallest result.
        high: largest result.
        dtype: type of the result.
    """
    places = iter(linear.reshape(-1).tolist())

    def scaled(total: int) -> int:
        d = int(next(places))
        if total <= 0:
            return low
        return (logarithm(total) * constants.multiplier + d * constants.slope + constants.offset) >> constants.shift

    return _each(scaled, sums, low, high, dtype)
