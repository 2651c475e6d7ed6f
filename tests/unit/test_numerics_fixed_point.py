"""gemmlowp's exponentials and reciprocals beside the real numbers, over their whole domains."""

from __future__ import annotations

import numpy as np
import pytest

from edgeq.numerics import fixed_point
from edgeq.numerics.array import INT32_MAX, Array
from edgeq.numerics.fixed_point import exp_of_negative, one_minus_over_one_plus, one_over_one_plus

# Of 2^-31: the polynomial ends before x^5/120, at most 2.6e-7 with |x| <= 1/8, and each of the products rounds once.
EXP_ERROR = 580
# Three steps of Newton from an error of at most 1/17 leave rounding alone: of 2^-29 in the reciprocal.
RECIPROCAL_ERROR = 4


def raw_values(integer_bits: int) -> Array:
    """Values <= 0: those around each quarter, and others drawn."""
    quarter = 1 << (29 - integer_bits)
    around = [-quarter * number + offset for number in range(1, 4 << integer_bits) for offset in (-1, 0, 1)]
    drawn = np.random.default_rng(1).integers(-(1 << 31), 0, 4000)
    return np.unique(np.clip(np.concatenate([around, drawn, [0, -1]]), -(1 << 31), 0))


def test_factors_are_the_exponentials_of_powers_of_two() -> None:
    factors = fixed_point._EXP_OF_BITS
    assert factors == tuple(round(2.0**31 * np.exp(-(2.0 ** (place - 2)))) for place in range(len(factors)))
    assert round(2.0**31 * np.exp(-0.125)) == fixed_point._EXP_MINUS_EIGHTH
    assert round(2**31 / 3) == fixed_point._ONE_THIRD


@pytest.mark.parametrize("integer_bits", range(6))
def test_exponentials_are_those_of_the_reals(integer_bits: int) -> None:
    values = raw_values(integer_bits)
    wanted = np.exp(values * 2.0 ** (integer_bits - 31)) * 2.0**31
    apart = np.abs(exp_of_negative(values, integer_bits) - np.minimum(wanted, INT32_MAX))
    assert apart.max() <= EXP_ERROR
    # Somewhere the bound is needed nearly whole.
    assert apart.max() >= EXP_ERROR // 2


def test_reciprocals_are_those_of_the_reals() -> None:
    values = np.unique(np.concatenate([np.random.default_rng(2).integers(0, 1 << 31, 4000), [0, 1, INT32_MAX]]))
    x = values * 2.0**-31
    over = one_over_one_plus(values) - np.minimum(2.0**31 / (1 + x), INT32_MAX)
    minus = one_minus_over_one_plus(values) - np.minimum(2.0**31 * (1 - x) / (1 + x), INT32_MAX)
    assert np.abs(over).max() <= 2 * RECIPROCAL_ERROR
    assert np.abs(minus).max() <= 4 * RECIPROCAL_ERROR
