"""The default requantization against exact rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.numerics.highmul import (
    choose_multipliers,
    exact_result,
    multiplier_error_lsb,
    requantize,
    shift_of,
)

INT32 = st.integers(-(2**31), 2**31 - 1)


def by_definition(acc: int, m: int, s: int, z: int, low: int, high: int) -> int:
    """The contract in unbounded integers: half up of acc·2^s·m/2^32."""
    scaled = Fraction((acc << s) * m, 2**32) + Fraction(1, 2)
    return min(max(scaled.numerator // scaled.denominator + z, low), high)


@settings(deadline=None, max_examples=300)
@given(st.data(), st.integers(0, 2**31 - 1), st.integers(0, 12), st.integers(-128, 127))
def test_requantize_equals_the_definition(data: st.DataObject, m: int, s: int, z: int) -> None:
    limit = 2**31 >> s
    acc = data.draw(st.lists(st.integers(-limit, limit - 1), min_size=1, max_size=20))
    got = requantize(np.array(acc), np.array([m], dtype=np.int32), s, z, -128, 127)
    assert got.dtype == np.int8
    assert got.tolist() == [by_definition(value, m, s, z, -128, 127) for value in acc]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.floats(1e-9, 100.0), min_size=1, max_size=8))
def test_multipliers_are_the_largest_that_fit(factors: list[float]) -> None:
    m, s = choose_multipliers(factors)
    assert m.dtype == np.int32
    assert m.tolist() == [round(Fraction(factor) * 2 ** (32 - s)) for factor in factors]
    if s > 0:
        assert max(round(Fraction(factor) * 2 ** (33 - s)) for factor in factors) >= 2**31


@settings(deadline=None, max_examples=300)
@given(st.floats(1e-6, 0.9), st.integers(-(2**22), 2**22), st.integers(-128, 127))
def test_result_is_within_the_stated_bound_of_the_exact_one(factor: float, acc: int, z: int) -> None:
    m, s = choose_multipliers([factor])
    got = int(requantize(np.array([acc]), m, s, z, -(2**31), 2**31 - 1, np.int64)[0])
    exact = acc * Fraction(factor) + z
    assert abs(got - exact) <= Fraction(1, 2) + Fraction(multiplier_error_lsb(abs(acc), s))
    if abs(exact % 1 - Fraction(1, 2)) > Fraction(multiplier_error_lsb(abs(acc), s)):
        assert got == exact_result(acc, Fraction(factor), z, -(2**31), 2**31 - 1)


@settings(deadline=None, max_examples=300)
@given(st.data(), st.integers(2**31, 2**45), st.floats(1e-9, 1.0))
def test_sums_of_int16_products_are_shifted_right_by_the_least_that_fits(
    data: st.DataObject, reach: int, output: float
) -> None:
    factor = output * 2**16 / reach
    m, s = choose_multipliers([factor, factor / 3], reach)
    assert s < 0
    assert reach >> -s < 2**31 <= reach >> (-s - 1)
    assert m.tolist() == [round(Fraction(each) * 2 ** (32 - s)) for each in (factor, factor / 3)]
    sums = data.draw(st.lists(st.integers(-reach, reach), min_size=1, max_size=20))
    got = requantize(np.array(sums), m[:1], s, 0, -32768, 32767, np.int16)
    assert got.dtype == np.int16
    shifted = [value // 2**-s for value in sums]
    assert got.tolist() == [by_definition(value, int(m[0]), 0, 0, -32768, 32767) for value in shifted]
    free = requantize(np.array(sums), m[:1], s, 0, -(2**62), 2**62, np.int64)
    bound = Fraction(1, 2) + Fraction(multiplier_error_lsb(reach, s, factor))
    assert all(abs(int(y) - value * Fraction(factor)) <= bound for y, value in zip(free, sums, strict=True))


def test_a_rounded_multiplier_is_off_by_half_and_a_right_shift_drops_less_than_one() -> None:
    assert multiplier_error_lsb(1000, 3) == 1000 * 2.0**-30
    assert multiplier_error_lsb(1000, 0, factor=0.25) == 1000 * 2.0**-33
    assert multiplier_error_lsb(1 << 40, -9, factor=2.0**-20) == 2.0**-2 + 2.0**-11


def test_a_factor_that_saturates_most_sums_is_refused() -> None:
    assert choose_multipliers([2.0**-6], 2**34)[1] == -4
    assert choose_multipliers([(2**31 - 1) * 2.0**-36], 2**34)[0].tolist() == [2**31 - 1]
    with pytest.raises(ValueError, match=r"too large for sums up to 17179869184"):
        choose_multipliers([2.0**-5], 2**34)
    one = np.array([1], dtype=np.int32)
    assert requantize(np.array([2**35 - 1, -(2**35)]), one, -4, 0, -9, 9).tolist() == [0, 0]
    with pytest.raises(OverflowError):
        requantize(np.array([2**35]), one, -4, 0, -9, 9)


@pytest.mark.parametrize(
    ("factor", "m", "s"),
    [
        (0.25, 2**30, 0),
        (0.5, 2**30, 1),  # 2^31 does not fit, so one more shift
        (0.5 - 2.0**-40, 2**30, 1),  # rounds to 2^31
        (0.5 - 2.0**-32, 2**31 - 1, 0),
        (0.5 - 1.5 * 2.0**-32, 2**31 - 2, 0),  # a tie goes to the even multiplier
        (1.0, 2**30, 2),
        (2.0**-33, 0, 0),  # a tie to zero
        (3 * 2.0**-33, 2, 0),
        (2.0**29, 2**30, 31),
        (2.0**30 - 1, 2**31 - 2, 31),
    ],
)
def test_multipliers_at_corners(factor: float, m: int, s: int) -> None:
    got, shift = choose_multipliers([factor])
    assert (got.tolist(), shift) == ([m], s)


@pytest.mark.parametrize("factors", [[0.0], [-0.5], [float("nan")], [0.1, float("inf")], [], [2.0**30], [1e300]])
def test_multipliers_refuse(factors: list[float]) -> None:
    with pytest.raises(ValueError, match="requantization factor"):
        choose_multipliers(factors)


def test_one_shift_serves_all_channels() -> None:
    m, s = choose_multipliers([1e-3, 0.75, 0.1])
    assert s == 1
    assert m[1] == round(0.75 * 2**31)


def test_requantize_refuses_an_accumulator_that_leaves_int32() -> None:
    one = np.array([1], dtype=np.int32)
    requantize(np.array([2**30 - 1]), one, 1, 0, -128, 127)
    with pytest.raises(OverflowError):
        requantize(np.array([2**30]), one, 1, 0, -128, 127)


def test_requantize_rounds_ties_up_and_clamps() -> None:
    half = np.array([2**30], dtype=np.int32)  # 1/2 at s = 1
    acc = np.array([-5, -3, -1, 0, 1, 3, 5, 300, -300])
    assert requantize(acc, half, 1, 10, 9, 100).tolist() == [9, 9, 10, 10, 11, 12, 13, 100, 9]


@given(st.floats(2.0**-80, 2.0**40))
def test_shift_is_the_smallest_that_a_factor_needs(factor: float) -> None:
    shift = shift_of(factor)
    assert round(Fraction(factor) * Fraction(2) ** (32 - shift)) < 2**31
    assert shift == 0 or round(Fraction(factor) * Fraction(2) ** (33 - shift)) >= 2**31
