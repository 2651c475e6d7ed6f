"""Ranges of accumulators, and the exactness of matrix products in floating point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.numerics.accumulator import accumulator_limit, accumulator_range, signed_sums
from edgeq.numerics.array import INT32_MAX, matmul_exact, product_max, require_int32


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(-128, 127), st.integers(0, 255))
def test_bound_is_attained_and_never_left(seed: int, x_min: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    x_max = min(x_min + width, 127)
    weight = rng.integers(-127, 128, (3, 2, 5)).astype(np.int8)
    bias = rng.integers(-1000, 1000, 3).astype(np.int32)
    zero = int(rng.integers(-128, 128))
    reach = accumulator_range(signed_sums(weight), bias.astype(np.int64), zero, x_min, x_max)
    flat = weight.reshape(3, -1).astype(np.int64)
    for channel in range(3):
        best = np.where(flat[channel] > 0, x_max, x_min)
        worst = np.where(flat[channel] > 0, x_min, x_max)
        assert reach.high[channel] == bias[channel] + flat[channel] @ (best - zero)
        assert reach.low[channel] == bias[channel] + flat[channel] @ (worst - zero)


def test_inputs_are_all_of_int8_around_zero_unless_stated() -> None:
    sums = signed_sums(np.array([[3, -5], [100, 27]], np.int8))
    stated = accumulator_range(sums, np.array([7, -9]), 0, -128, 127)
    implied = accumulator_range(sums, np.array([7, -9]))
    for found, wanted in ((implied.start, stated.start), (implied.low, stated.low), (implied.high, stated.high)):
        assert found.tolist() == wanted.tolist()
    assert implied.start.tolist() == [7, -9]
    assert implied.high.tolist() == [7 + 127 * 3 + 128 * 5, -9 + 127 * 127]


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1))
def test_no_partial_sum_exceeds_the_magnitude(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.integers(-127, 128, (3, 10)).astype(np.int8)
    bias = rng.integers(-100_000, 100_000, 3)
    reach = accumulator_range(signed_sums(weight), bias, 17)
    x = rng.choice([-128, 127, int(rng.integers(-128, 128))], 10)
    partial = reach.start + np.cumsum((weight.astype(np.int64) * x)[:, rng.permutation(10)], axis=1).T
    assert (np.abs(partial) <= reach.magnitude).all()


@given(st.integers(0, 31))
def test_limit_is_the_largest_that_fits_shifted(shift: int) -> None:
    assert accumulator_limit(shift) << shift < 2**31 <= (accumulator_limit(shift) + 1) << shift
    assert accumulator_limit(-shift) >> shift < 2**31 <= (accumulator_limit(-shift) + 1) >> shift


@pytest.mark.parametrize(("depth", "product"), [(1024, 2**14), (1025, 2**14), (5000, 2**14), (300, 255**2)])
def test_matmul_is_exact_at_the_extremes(depth: int, product: int) -> None:
    top = int(product**0.5)
    left = np.full((2, depth), top, dtype=np.int16)
    left[1, ::2] = 1 - top
    right = np.full((depth, 3), top, dtype=np.int16)
    right[:, 1] = 1 - top
    assert np.array_equal(matmul_exact(left, right, product), left.astype(np.int64) @ right.astype(np.int64))


def test_matmul_falls_back_to_integers() -> None:
    left = np.full((1, 4), 2**30, dtype=np.int64)
    assert matmul_exact(left, left.T + 1, 2**61).tolist() == [[4 * 2**30 * (2**30 + 1)]]


def test_products_are_bounded_by_the_types() -> None:
    int8, int16 = np.zeros(1, np.int8), np.zeros(1, np.int16)
    assert (product_max(int8, int8), product_max(int16, int8), product_max(int16, int16)) == (1 << 14, 1 << 22, 1 << 30)


def test_sums_beyond_float32_are_exact() -> None:
    """An odd sum above 2^24 is no float32."""
    left = np.full((1, 1101), 127, np.int8)
    right = np.full((1101, 1), 127, np.int8)
    right[0] = 126
    assert matmul_exact(left, right, product_max(left, right)).tolist() == [[1101 * 127 * 127 - 127]]


def test_accumulators_beyond_int32_are_refused_and_others_are_not() -> None:
    require_int32(np.array([], np.int64), "nothing")
    require_int32(np.array([-INT32_MAX - 1, INT32_MAX]), "the ends")
    require_int32(np.array([INT32_MAX], np.int32), "int32")
    for value in (INT32_MAX + 1, -INT32_MAX - 2):
        with pytest.raises(OverflowError, match="a sum reaches"):
            require_int32(np.array([value]), "a sum")
