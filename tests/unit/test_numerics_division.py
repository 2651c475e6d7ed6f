"""Quotients against exact rationals, at their stated bounds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from edgeq.numerics.array import Array
from edgeq.numerics.division import divide, divide_by_table, quotient_multiplier, reciprocal_table
from edgeq.numerics.scale_range import ScaleRangeError

SCALES = ((0.031, 0.0173, 0.047), (0.5, 0.001, 3.0), (1e-4, 2.0, 1e-3), (0.02, 0.02, 1 / 64))
BOUND_INT8 = Fraction(255, 1 << 16)
BOUND_INT16 = Fraction(1, 1 << 16)


def f32(value: float) -> float:
    return float(np.float32(value))


def check(got: Array, exact: Fraction, zero: int, low: int, high: int, bound: Fraction) -> None:
    """A result is the exact quotient rounded to the nearest, or where that is nearly a tie, either side of it."""
    wanted = min(max(exact + zero, Fraction(low)), Fraction(high))
    assert abs(int(got) - wanted) <= Fraction(1, 2) + bound


@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("zeros", [(0, 0, 0), (-128, 5, 3), (127, -128, -128), (-7, 127, 127)])
def test_int8_is_within_its_bound_of_the_quotient(
    scales: tuple[float, float, float], zeros: tuple[int, int, int]
) -> None:
    a_scale, b_scale, out_scale = (f32(scale) for scale in scales)
    a_zero, b_zero, out_zero = zeros
    table = reciprocal_table(a_scale, b_scale, b_zero, out_scale)
    ratio = Fraction(a_scale) / (Fraction(b_scale) * Fraction(out_scale))
    values = np.arange(-128, 128).astype(np.int8)
    result = divide_by_table(values[:, np.newaxis], values, table, a_zero, out_zero)
    assert result.dtype == np.int8
    for row, a in enumerate(values.tolist()):
        for column, b in enumerate(values.tolist()):
            got, dividend, divisor = result[row, column], a - a_zero, b - b_zero
            if divisor:
                check(got, ratio * dividend / divisor, out_zero, -128, 127, BOUND_INT8)
            else:
                assert got == (out_zero if not dividend else 127 if dividend > 0 else -128)


@pytest.mark.parametrize("scales", SCALES)
def test_int16_is_within_its_bound_of_the_quotient(scales: tuple[float, float, float]) -> None:
    a_scale, b_scale, out_scale = (f32(scale) for scale in scales)
    multiplier, shift = quotient_multiplier(a_scale, b_scale, out_scale)
    ratio = Fraction(a_scale) / (Fraction(b_scale) * Fraction(out_scale))
    generator = np.random.default_rng(1)
    a, b = generator.integers(-32768, 32768, (2, 4000)).astype(np.int16)
    a[:4], b[:4] = (32767, -32768, 0, 5), (0, 0, 0, -32768)
    b[1000:2000] >>= 9
    for x, y, got in zip(a.tolist(), b.tolist(), divide(a, b, multiplier, shift).tolist(), strict=True):
        if y:
            check(np.asarray(got), ratio * x / y, 0, -32768, 32767, BOUND_INT16)
        else:
            assert got == (0 if not x else 32767 if x > 0 else -32768)


def int8(*values: int) -> Array:
    return np.array(values, np.int8)


def int16(*values: int) -> Array:
    return np.array(values, np.int16)


def test_a_tie_goes_away_from_zero_in_int16_and_up_in_int8() -> None:
    constants = quotient_multiplier(1.0, 1.0, 1.0)
    assert divide(int16(1, -1, 3), int16(2, 2, -2), *constants).tolist() == [1, -1, -2]
    table = reciprocal_table(1.0, 1.0, 0, 1.0)
    assert divide_by_table(int8(1, -1, 3), int8(2, 2, -2), table, 0, 0).tolist() == [1, 0, -1]


def test_the_clamp_holds() -> None:
    table = reciprocal_table(1.0, 1.0, 0, 1.0)
    assert divide_by_table(int8(100, -100), int8(1, 1), table, 0, 0, -3, 7).tolist() == [7, -3]
    assert divide(int16(9, -9), int16(0, 0), *quotient_multiplier(1.0, 1.0, 1.0), -3, 7).tolist() == [7, -3]


@pytest.mark.parametrize("scales", [(0.0, 1.0, 1.0), (1.0, float("inf"), 1.0), (1.0, 1.0, -1.0)])
def test_scales_must_be_positive(scales: tuple[float, float, float]) -> None:
    with pytest.raises(ScaleRangeError):
        quotient_multiplier(*scales)
    with pytest.raises(ScaleRangeError):
        reciprocal_table(scales[0], scales[1], 0, scales[2])


def test_a_ratio_beyond_the_multiplier_is_refused() -> None:
    with pytest.raises(ScaleRangeError, match="too large"):
        quotient_multiplier(2.0**20, 2.0**-10, 1.0)
