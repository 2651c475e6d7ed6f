"""Interpolated tables of int16: their entries, the lines between them, the error they state."""

from __future__ import annotations

from math import exp, tanh

import numpy as np
import pytest

from edgeq.numerics.interpolation import interpolate, interpolated_table, interpolation_error

EVERY = np.arange(-32768, 32768).astype(np.int16)


def test_entries_are_the_rounded_function() -> None:
    table = interpolated_table("Tanh", {}, 2.0**-12, 2.0**-15)
    assert table.dtype == np.int16
    assert table.shape == (513,)
    for index in (0, 1, 100, 255, 257, 300, 512):
        assert table[index] == min(int(np.floor(tanh((128 * index - 32768) / 4096) * 32768 + 0.5)), 32767)
    assert table[256] == 0


def test_lines_follow_the_formula_and_stay_between_their_ends() -> None:
    table = np.random.default_rng(3).integers(-32768, 32768, 513).astype(np.int16)
    table[7:9] = -32768, 32767  # the largest difference
    table[9] = -32768
    got = interpolate(EVERY, table)
    assert got.dtype == np.int16
    for x, y in zip(EVERY[::11].tolist(), got[::11].tolist(), strict=True):
        index, t = divmod(x + 32768, 128)
        low, high = int(table[index]), int(table[index + 1])
        assert y == low + ((high - low) * t + 64) // 128
        assert min(low, high) <= y <= max(low, high)
    assert np.array_equal(got[::128], table[:512])


def test_a_line_and_a_kink_at_zero_are_reproduced() -> None:
    identity = interpolated_table("LeakyRelu", {"alpha": 1.0}, 0.5, 0.5)
    assert np.array_equal(interpolate(EVERY[:-128], identity), EVERY[:-128])
    assert np.array_equal(
        interpolate(EVERY, interpolated_table("Relu", {}, 0.5, 1.0))[:-128:2], EVERY[:-128:2].clip(0) // 2
    )


@pytest.mark.parametrize(("scale", "limit"), [(2.0**-12, 4.5), (2.0**-10, 52.0)])
def test_the_stated_error_is_that_of_all_inputs(scale: float, limit: float) -> None:
    table = interpolated_table("Sigmoid", {}, scale, 2.0**-15)
    exact = np.minimum(np.array([1 / (1 + exp(-scale * x)) for x in EVERY.tolist()]) * 32768, 32767)
    errors = np.abs(interpolate(EVERY, table) - exact)
    stated = interpolation_error(table, "Sigmoid", {}, scale, 2.0**-15)
    assert stated <= errors.max() + 1e-9 <= stated + 1.1  # of 127 points between two entries it sees one
    assert 0.5 < stated < limit


def test_results_beyond_a_float_saturate() -> None:
    table = interpolated_table("Exp", {}, 0.05, 2.0**-15)
    assert table[0] == 0
    assert table[-1] == 32767
    assert (np.diff(table.astype(int)) >= 0).all()
    # Of the error that the lines leave, only that within the result's range counts.
    assert np.isfinite(interpolation_error(table, "Exp", {}, 0.05, 2.0**-15))


def test_infinite_results_saturate() -> None:
    table = interpolated_table("Log", {}, 1.0, 0.001)
    assert table[0] == table[256] == -32768
    assert interpolation_error(table, "Log", {}, 1.0, 0.001) > 1000


@pytest.mark.parametrize(("function", "scale"), [("Nothing", 1.0), ("Tanh", 0.0)])
def test_refused(function: str, scale: float) -> None:
    with pytest.raises(ValueError, match=r"no table|scales"):
        interpolated_table(function, {}, scale, 1.0)
