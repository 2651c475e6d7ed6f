"""The three roundings that the contract uses, of exact rationals and of integer quotients."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np

from edgeq.numerics.array import Array


def round_half_even(value: Fraction) -> int:
    """The nearest integer; a tie goes to the even one."""
    return round(value)


def round_half_up(value: Fraction) -> int:
    """The nearest integer; a tie goes towards plus infinity."""
    return floor(value + Fraction(1, 2))


def round_half_away(value: Fraction) -> int:
    """The nearest integer; a tie goes away from zero."""
    return round_half_up(value) if value >= 0 else -round_half_up(-value)


def divide_half_away(numerator: Array, denominator: Array | int) -> Array:
    """``numerator / denominator`` for positive denominators, rounded half away from zero, int64.

    The half of an odd denominator is rounded down, which cannot create or miss a tie.
    """
    wide = numerator.astype(np.int64)
    count = np.asarray(denominator, dtype=np.int64)
    result: Array = np.sign(wide) * ((np.abs(wide) + count // 2) // count)
    return result
