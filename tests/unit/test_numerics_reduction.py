"""Roots and logarithms of sums against real numbers of 60 digits, at their stated bounds."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from math import isqrt

import numpy as np
import pytest

from edgeq.numerics.reduction import choose_logarithm, choose_root, logarithm, scaled_logarithm, scaled_root
from edgeq.numerics.scale_range import ScaleRangeError

SUMS = np.array(
    [
        *range(1, 300),
        *(1 << bits for bits in range(62)),
        *((1 << bits) - 1 for bits in range(2, 63)),
        *np.random.default_rng(3).integers(1, 1 << 62, 300).tolist(),
        *np.random.default_rng(4).integers(1, 1 << 33, 300).tolist(),
    ],
    dtype=np.int64,
)


@pytest.mark.parametrize("ratio", [2.0**-32, 1e-6, 0.0371, 1.0, 3.7, 4e5])
def test_a_scaled_root_is_within_its_bound(ratio: float) -> None:
    multiplier, shift = choose_root(ratio)
    assert 1 << 30 <= multiplier < 1 << 31
    found = scaled_root(SUMS, multiplier, shift, 3, -32768, 32767, np.int16)
    for total, got in zip(SUMS.tolist(), found.tolist(), strict=True):
        with localcontext() as context:
            context.prec = 60
            exact = Decimal(total).sqrt() * Decimal(ratio) + 3
        assert abs(min(max(exact, Decimal(-32768)), Decimal(32767)) - got) <= Decimal("0.5") + Decimal(2) ** -14


def test_the_root_of_zero_is_the_zero_point() -> None:
    assert scaled_root(np.zeros(2, np.int64), *choose_root(0.5), -7, -128, 127, np.int8).tolist() == [-7, -7]


def test_squares_have_exact_roots() -> None:
    values = np.arange(1, 4000, 7, dtype=np.int64)
    assert np.array_equal(scaled_root(values**2, *choose_root(1.0), 0, -32768, 32767, np.int16), values)


def test_the_logarithm_is_rounded_down_within_its_bound() -> None:
    for total in SUMS.tolist():
        with localcontext() as context:
            context.prec = 60
            exact = Decimal(total).ln() / Decimal(2).ln() * (1 << 20)
        assert Decimal("-1e-40") < exact - logarithm(total) < 1 + Decimal(2) ** -8


def test_powers_of_two_have_exact_logarithms() -> None:
    assert [logarithm(1 << bits) for bits in range(62)] == [bits << 20 for bits in range(62)]


@pytest.mark.parametrize(
    ("scale", "unit", "slope", "reach"),
    [(0.031, Fraction(1, 8), 0.0, 0), (2e-4, Fraction(1, 1 << 23), 1.5, 65535), (0.1, Fraction(7, 2), 0.25, 255)],
)
def test_a_scaled_logarithm_is_within_its_bound(scale: float, unit: Fraction, slope: float, reach: int) -> None:
    scale = float(np.float32(scale))
    constants = choose_logarithm(scale, -5, unit, slope, reach)
    assert max(constants.multiplier, constants.slope) < 1 << 31
    generator = np.random.default_rng(5)
    linear = generator.integers(-reach, reach + 1, SUMS.shape)
    found = scaled_logarithm(SUMS, linear, constants, -32768, 32767, np.int16)
    for total, d, got in zip(SUMS.tolist(), linear.tolist(), found.tolist(), strict=True):
        with localcontext() as context:
            context.prec = 60
            exact = (Decimal(total) * unit.numerator / unit.denominator).ln() / Decimal(scale) + Decimal(slope) * d - 5
        allowed = 0.5 + 2.0**-20 / scale + 2.0**-5
        assert abs(min(max(exact, Decimal(-32768)), Decimal(32767)) - got) <= Decimal(allowed)


def test_the_logarithm_of_nothing_is_the_smallest_result() -> None:
    constants = choose_logarithm(0.1, 0, Fraction(1))
    sums = np.array([0, -5], np.int64)
    assert scaled_logarithm(sums, np.zeros_like(sums), constants, -100, 127, np.int8).tolist() == [-100, -100]


@pytest.mark.parametrize("ratio", [0.0, 2.0**-33, 2.0**29, float("inf"), float("nan")])
def test_a_factor_out_of_range_is_refused(ratio: float) -> None:
    with pytest.raises(ScaleRangeError):
        choose_root(ratio)


def test_a_scale_too_fine_for_a_logarithm_is_refused() -> None:
    with pytest.raises(ScaleRangeError, match="too small"):
        choose_logarithm(1e-30, 0, Fraction(1))


def test_the_digits_of_the_root_are_those_of_python() -> None:
    for total in SUMS.tolist():
        raised = (62 - total.bit_length()) // 2
        assert 1 << 30 <= isqrt(total << (2 * raised)) < 1 << 31
