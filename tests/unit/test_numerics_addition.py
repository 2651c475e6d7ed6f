"""Addition in one rounding: the constants, the int32 proof, the error bound."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.numerics.addition import SHIFT_MAX, Addition, add, choose_addition, choose_wide_addition

ZERO = st.integers(-128, 127)
SCALE = st.floats(2.0**-13, 10.0, width=32)
EVERY = np.arange(-128, 128).astype(np.int8)
PAIRS = np.meshgrid(EVERY[::5], EVERY[::7])


@settings(deadline=None, max_examples=150)
@given(st.tuples(SCALE, SCALE, SCALE), st.tuples(ZERO, ZERO, ZERO), st.sampled_from([1, -1]))
def test_error_is_within_the_bound(scales: tuple[float, float, float], zeros: tuple[int, int, int], sign: int) -> None:
    found = choose_addition(scales, zeros, sign)
    a, b = PAIRS
    # Unclamped, so that the bound is tested everywhere; int64 because results may leave int8.
    got = (a.astype(np.int64) * found.a_multiplier + sign * b.astype(np.int64) * found.b_multiplier + found.offset) >> (
        found.shift
    )
    ratio_a, ratio_b = scales[0] / scales[2], scales[1] / scales[2]
    exact = ratio_a * (a.astype(np.float64) - zeros[0]) + sign * ratio_b * (b.astype(np.float64) - zeros[1]) + zeros[2]
    assert np.abs(got - exact).max() <= 0.5 + found.error_lsb(zeros[0], zeros[1]) + 1e-6 * np.abs(exact).max()
    assert np.array_equal(add(a, b, found, -100, 90), np.clip(got, -100, 90))


@settings(deadline=None, max_examples=150)
@given(st.tuples(SCALE, SCALE, SCALE), st.tuples(ZERO, ZERO, ZERO), st.sampled_from([1, -1]))
def test_every_partial_sum_fits_and_the_shift_is_the_largest(
    scales: tuple[float, float, float], zeros: tuple[int, int, int], sign: int
) -> None:
    found = choose_addition(scales, zeros, sign)
    assert 0 <= found.shift <= SHIFT_MAX
    assert _reach(found) < 2**31
    if found.shift < SHIFT_MAX:
        shift = found.shift + 1
        ma, mb = (round(Fraction(scale) / Fraction(scales[2]) * 2**shift) for scale in scales[:2])
        offset = (zeros[2] << shift) + (1 << (shift - 1)) - zeros[0] * ma - sign * zeros[1] * mb
        assert _reach(Addition(ma, mb, offset, shift, sign)) >= 2**31 - 1


def _reach(found: Addition) -> int:
    reach = 0
    for a in (-128, 0, 127):
        for b in (-128, 0, 127):
            terms = (a * found.a_multiplier, found.sign * b * found.b_multiplier)
            reach = max(reach, abs(sum(terms)), abs(sum(terms) + found.offset), abs(found.offset))
    return reach


def test_equal_grids_add_exactly() -> None:
    found = choose_addition((0.5, 0.5, 0.5), (0, 0, 0))
    a, b = PAIRS
    assert np.array_equal(add(a, b, found, -128, 127), np.clip(a.astype(int) + b, -128, 127))


@settings(deadline=None, max_examples=150)
@given(st.tuples(SCALE, SCALE, SCALE), st.sampled_from([1, -1]), st.integers(0, 2**32 - 1))
def test_int16_sums_are_exact_to_the_stated_bound(scales: tuple[float, float, float], sign: int, seed: int) -> None:
    if max(scales[:2]) >= 2**15 * scales[2]:
        with pytest.raises(ValueError, match="scales"):
            choose_wide_addition(scales, sign)
        return
    found = choose_wide_addition(scales, sign)
    assert 16 <= found.shift <= 30
    assert max(found.a_multiplier, found.b_multiplier) < 2**31
    if found.shift < 30:
        assert max(round(Fraction(s) / Fraction(scales[2]) * 2 ** (found.shift + 1)) for s in scales[:2]) >= 2**31
    corners = [-32768, -32767, -1, 0, 1, 32767]
    drawn = np.random.default_rng(seed).integers(-32768, 32768, 40)
    a, b = (each.astype(np.int16).reshape(-1) for each in np.meshgrid([*corners, *drawn], [*corners, *drawn[::3]]))
    got = add(a, b, found, -30000, 32767)
    assert got.dtype == np.int16
    error = Fraction(1, 2) + Fraction(found.error_lsb(0, 0, -32768, 32767))
    for x, y, result in zip(a.tolist(), b.tolist(), got.tolist(), strict=True):
        total = x * found.a_multiplier + sign * y * found.b_multiplier + found.offset
        assert -(2**31) <= total >> found.shift < 2**31
        assert result == min(max(total >> found.shift, -30000), 32767)
        exact = (Fraction(scales[0]) * x + sign * Fraction(scales[1]) * y) / Fraction(scales[2])
        assert abs((total >> found.shift) - exact) <= error


def test_int16_ties_round_up() -> None:
    half = choose_wide_addition((0.25, 0.25, 0.5))
    a, b = np.array([1, -1, 3, -3, 32767, -32768], np.int16), np.array([0, 0, 0, 0, 32767, -32768], np.int16)
    assert add(a, b, half, -32768, 32767).tolist() == [1, 0, 2, -1, 32767, -32768]


@pytest.mark.parametrize("scales", [(0.0, 1.0, 1.0), (1.0, float("nan"), 1.0), (1.0, 1.0, -1.0), (1e9, 1.0, 1e-3)])
def test_scales_are_refused(scales: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="scales"):
        choose_addition(scales, (0, 0, 0))


def test_the_bound_of_the_error_is_that_of_both_operands() -> None:
    # |a - za| <= 128 and |b - zb| <= 255, each with a multiplier up to half off.
    assert Addition(1, 1, 0, 3).error_lsb(0, -128) == (128 + 255) * 0.5 / 8
    assert Addition(1, 1, 0, 0).error_lsb(127, 5, -128, 127) == (255 + 133) * 0.5


def test_a_sum_may_need_the_smallest_shift() -> None:
    """2·128·2^22 is 2^30, and half a step more is added."""
    assert choose_addition((2.0**22, 2.0**22, 1.0), (0, 0, 0)).shift == 0
    with pytest.raises(ValueError, match=r"4194304.0 and 8388608.0 .* 1.0"):
        choose_addition((2.0**22, 2.0**23, 1.0), (-128, -128, 0))
