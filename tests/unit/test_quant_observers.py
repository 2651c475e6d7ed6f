"""Statistics need one pass and bounded memory; observers choose sensible ranges from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq.numerics.array import Array
from edgeq.quant.observers import OBSERVERS
from edgeq.quant.statistics import BINS, Statistics


def collect(*parts: Array) -> Statistics:
    statistics = Statistics()
    for part in parts:
        statistics.update(part)
    return statistics


def test_the_table_is_sorted() -> None:
    assert list(OBSERVERS) == sorted(OBSERVERS)


@given(st.integers(0, 2**31), st.floats(1e-6, 1e6), st.integers(1, 6))
def test_histogram_counts_every_value_near_its_place(seed: int, size: float, parts: int) -> None:
    rng = np.random.default_rng(seed)
    data = [rng.normal(size=200) * size * 3.0**index for index in range(parts)]
    data[0][:50] = 0.0
    statistics, flat = collect(*data), np.concatenate(data)
    assert (statistics.low, statistics.high) == (flat.min(), flat.max())
    assert statistics.zeros == (flat == 0).sum()
    assert statistics.counts.sum() + statistics.zeros == statistics.count == flat.size
    assert statistics.counts.shape == (BINS,)
    assert np.abs(flat).max() <= statistics.reach
    # Cumulated counts agree with the data at every bin border, but for values that rounding puts beside it.
    centres = statistics.centres
    for border in np.linspace(-0.9, 0.9, 7) * statistics.reach:
        below = statistics.counts[centres < border].sum()
        exact = ((flat < border) & (flat != 0)).sum()
        near = (np.abs(flat - border) <= statistics.bin_width).sum()
        assert abs(below - exact) <= near


def test_reach_doubles_and_counts_survive() -> None:
    statistics = collect(np.linspace(-1, 1, 999), np.array([1000.0]), np.array([-3e4]))
    assert statistics.counts.sum() + statistics.zeros == 1001
    assert statistics.reach == 2.0**15
    # The narrow start fell into the two bins beside zero.
    assert statistics.counts[BINS // 2 - 1 : BINS // 2 + 1].sum() + statistics.zeros == 999


def test_memory_does_not_grow() -> None:
    statistics = Statistics()
    sizes = set()
    for index in range(200):
        statistics.update(np.random.default_rng(index).normal(size=100))
        sizes.add((statistics.counts.nbytes, len(vars(statistics))))
    assert len(sizes) == 1


def test_an_empty_or_zero_tensor_has_a_range() -> None:
    for name, observe in OBSERVERS.items():
        assert observe(collect(np.zeros(5))) == (0.0, 0.0), name


def test_minmax_takes_the_extremes() -> None:
    assert OBSERVERS["minmax"](collect(np.array([0.5, -2.0]), np.array([7.0]))) == (-2.0, 7.0)


def test_percentile_cuts_off_the_outermost_values_only() -> None:
    data = np.random.default_rng(0).uniform(-1, 1, size=400_000)
    low, high = OBSERVERS["percentile"](collect(np.append(data, [50.0])))
    assert -1.1 < low <= -0.99
    assert 0.99 <= high < 1.1
    few = np.random.default_rng(1).normal(size=500)
    assert OBSERVERS["percentile"](collect(few)) == pytest.approx((few.min(), few.max()), rel=1e-2)


def quantization_error(data: Array, low: float, high: float) -> float:
    scale = (max(high, 0) - min(low, 0)) / 255
    zero = np.rint(-128 - min(low, 0) / scale)
    integers = np.clip(np.rint(data / scale) + zero, -128, 127)
    return float((((integers - zero) * scale - data) ** 2).mean())


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("outliers", [[], [10.0, 11.0], [40.0, 45.0]])
def test_mse_finds_the_best_range_of_a_fine_search(relu: bool, outliers: list[float]) -> None:
    data = np.random.default_rng(0).normal(size=20_000)
    values = np.append(np.maximum(data, 0) if relu else data, outliers)
    found = quantization_error(values, *OBSERVERS["mse"](collect(values)))
    low, high = values.min(), values.max()
    lows = [0.0] if relu else np.linspace(0.3, 1.0, 15) * low
    best = min(quantization_error(values, bottom, top) for bottom in lows for top in np.linspace(0.1, 1.0, 60) * high)
    assert found <= 1.06 * best
    assert found <= 1.01 * quantization_error(values, low, high)


def test_share_outside_counts_clipped_values() -> None:
    statistics = collect(np.linspace(-1, 1, 10_001))
    assert statistics.share_outside(-1.0, 1.0) == 0.0
    assert statistics.share_outside(-0.5, 1.0) == pytest.approx(0.25, abs=0.002)
