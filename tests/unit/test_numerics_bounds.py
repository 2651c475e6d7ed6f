"""Accumulator ranges and the exactness of matrix products in floating point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.numerics.array import matmul_exact
from edgeq.numerics.bounds import accumulator_bound, fits_int32, headroom_bits


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(-128, 127), st.integers(0, 255))
def test_bound_is_attained_and_never_left(seed: int, x_min: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    x_max = min(x_min + width, 127)
    weight = rng.integers(-127, 128, (3, 2, 5)).astype(np.int8)
    bias = rng.integers(-1000, 1000, 3).astype(np.int32)
    low, high = accumulator_bound(weight, bias, x_min, x_max)
    flat = weight.reshape(3, -1).astype(np.int64)
    for channel in range(3):
        best = np.where(flat[channel] > 0, x_max, x_min)
        worst = np.where(flat[channel] > 0, x_min, x_max)
        assert high[channel] == bias[channel] + flat[channel] @ best
        assert low[channel] == bias[channel] + flat[channel] @ worst
    x = rng.integers(x_min, x_max + 1, 10)
    wide_low, wide_high = accumulator_bound(weight, bias, x_min, x_max, partial=True)
    for start in (np.zeros(3, dtype=np.int64), bias):
        partial = start + np.cumsum((flat * x)[:, rng.permutation(10)], axis=1).T
        assert (partial >= wide_low).all()
        assert (partial <= wide_high).all()


def test_headroom() -> None:
    assert headroom_bits(np.array([-(2**31)]), np.array([2**31 - 1])) == 0
    assert headroom_bits(np.array([-1]), np.array([1])) == 30
    assert headroom_bits(np.array([-5]), np.array([7]), 2) == 26
    assert headroom_bits(np.array([0]), np.array([2**31])) == -1
    assert fits_int32(np.array([-(2**29)]), np.array([2**29 - 1]), 2)
    assert not fits_int32(np.array([-(2**29)]), np.array([2**29]), 2)


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
