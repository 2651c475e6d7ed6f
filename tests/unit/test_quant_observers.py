"""Statistics need one pass and bounded memory; observers choose sensible ranges from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq.numerics.array import Array
from edgeq.quant.observers import OBSERVERS
from edgeq.quant.statistics import BINS, Histogram


def collect(*parts: Array) -> Histogram:
    statistics = Histogram()
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
    statistics = Histogram()
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


def test_percentile_cuts_off_one_value_in_two_hundred_thousand_on_either_side() -> None:
    """Of 300 000 values half a share of 1e-5 is one and a half: one goes, two stay."""
    data = np.linspace(-0.99, 0.99, 300_000)
    # Outliers of 50 make bins of 1/32; the borders are those of the bins of ±0.99.
    assert OBSERVERS["percentile"](collect(np.append(data, [50.0, -50.0]))) == (-1.0, 1.0)
    assert OBSERVERS["percentile"](collect(np.append(data, [50.0, -50.0, 50.0]))) == (-1.0, 50.0)
    assert OBSERVERS["percentile"](collect(np.append(data, [50.0, -50.0, -50.0]))) == (-50.0, 1.0)


def test_percentile_counts_zeros_and_keeps_the_extremes_of_little_data() -> None:
    sparse = np.zeros(300_000)
    sparse[:2] = 3.0, 4.0
    assert OBSERVERS["percentile"](collect(sparse))[1] == 3.001953125  # the border of the bin of 3: 4/2048 wide
    few = np.random.default_rng(1).normal(size=500)
    assert OBSERVERS["percentile"](collect(few)) == pytest.approx((few.min(), few.max()), rel=1e-3)


def test_mae_takes_the_range_of_the_bulk() -> None:
    """Ten thousand values within half the range: clipping the two outliers costs less than a coarser step."""
    data = np.append(np.repeat([-0.495, 0.495], 5_000), [1.0, -1.0])
    assert OBSERVERS["mae"](collect(data)) == pytest.approx((-0.5, 0.5), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_mae_finds_the_least_absolute_error(seed: int) -> None:
    """By the definition, on the values themselves: a quarter of a step inside, the distance outside, zeros exact."""
    data = np.random.default_rng(seed).laplace(size=50_000)
    low, high = data.min(), data.max()
    errors = {}
    for percent in range(30, 101):
        bottom, top = low * percent / 100, high * percent / 100
        outside = np.abs(data - np.clip(data, bottom, top))
        errors[percent] = float(np.where(outside == 0, (top - bottom) / 255 / 4, outside).sum())
    best = min(errors, key=errors.__getitem__)
    found = OBSERVERS["mae"](collect(np.append(data, np.zeros(200_000 * (seed % 2)))))
    assert found == pytest.approx((low * best / 100, high * best / 100), rel=0.0101)
    assert round(found[1] / high * 100) in {best - 1, best, best + 1}
    assert 30 < best < 100


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


def test_parts_merge_into_what_all_samples_give_in_any_order() -> None:
    rng = np.random.default_rng(2)
    parts = [rng.normal(size=500).astype(np.float32) * scale for scale in (1e-3, 5.0, 0.2, 100.0)]
    parts[2][:100] = 0
    whole = collect(*parts)
    for order in ([3, 1, 0, 2], [0, 1, 2, 3], [2, 3, 1, 0]):
        left, right = collect(*(parts[i] for i in order[:2])), collect(*(parts[i] for i in order[2:]))
        merged = left.merged(right)
        assert (merged.low, merged.high, merged.count, merged.zeros, merged.reach) == (
            whole.low,
            whole.high,
            whole.count,
            whole.zeros,
            whole.reach,
        )
        np.testing.assert_array_equal(merged.counts, whole.counts)
        assert left.counts.sum() + left.zeros == 1000  # merging leaves both parts as they are


@pytest.mark.parametrize("magnitude", [1e-45, 1e-30, 1.0, 3e38])
def test_every_float32_fits_a_bin(magnitude: float) -> None:
    statistics = collect(np.array([magnitude, -magnitude, 0.0], np.float32))
    assert statistics.counts.sum() == 2
    assert statistics.reach >= float(np.float32(magnitude))
    assert np.log2(statistics.reach) == int(np.log2(statistics.reach))
