"""Spectra in integers against numpy's: bounds of each step, and of logarithms of bands."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from edgeq.numerics.array import Array
from edgeq.numerics.fourier import is_length, spectrum, stages_of, twiddles
from edgeq.numerics.log_mel import (
    COLUMNS,
    LOGARITHM_BITS,
    Rows,
    Scale,
    choose_bands,
    choose_scale,
    log_mel,
    quantize_window,
    table,
)
from edgeq.numerics.scale_range import ScaleRangeError

LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
RATE, TAPS, LENGTH, STEP = 16000, 480, 512, 320
OUT, UNIT = 2.0**-11, 2.0**-15
WINDOW = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(TAPS) / TAPS)


def frames_of(length: int) -> Array:
    """Noise, tones, square waves of all levels, impulses, both extremes, silence: products of samples and window."""
    draw = np.random.default_rng(length)
    time = np.arange(length)
    tones = np.sin(2 * np.pi * draw.uniform(0, 0.5, (12, 1)) * time)
    squares = np.where(tones > 0, 2**30 - 1, -(2**30)) >> draw.integers(0, 30, (12, 1))
    return np.concatenate(
        [
            draw.integers(-(2**30), 2**30, (12, length)),
            (tones * 2**30 * 0.99).astype(np.int64) >> draw.integers(0, 20, (12, 1)),
            squares,
            np.eye(length, dtype=np.int64)[[0, 1, length // 2]] * 12345,
            np.full((1, length), -(2**30)),
            np.full((1, length), 2**30 - 1),
            np.zeros((1, length), np.int64),
        ]
    )


@pytest.mark.parametrize("length", LENGTHS)
def test_spectrum_is_off_by_less_than_stated_and_fits_int32(length: int) -> None:
    frames = frames_of(length)
    (re, im), up = spectrum(frames, length)
    wanted = np.fft.rfft(frames) * 2.0 ** (up - stages_of(length) - 1)[:, np.newaxis]
    bound = 2 ** (stages_of(length) + 1)
    assert np.abs(re - wanted.real).max() < bound
    assert np.abs(im - wanted.imag).max() < bound
    assert max(np.abs(re).max(), np.abs(im).max()) < 2**31
    raised = np.abs(frames).max(axis=1) * 2.0**up
    assert (raised[:-1] >= 2**24).all()
    assert raised.max() <= 2**25
    assert not re[-1].any()


def test_lengths_are_powers_of_two() -> None:
    assert [length for length in range(5000) if is_length(length)] == list(LENGTHS)


def test_twiddle_factors_are_on_the_unit_circle() -> None:
    found = twiddles(64).astype(np.float64) / 2**31
    angle = 2 * np.pi * np.arange(48) / 64
    assert np.abs(found - np.stack([np.cos(angle), np.sin(angle)], axis=1)).max() <= 2**-31


def test_short_frames_are_followed_by_zeros() -> None:
    frames = np.random.default_rng(2).integers(-(2**20), 2**20, (3, 21))
    padded = np.pad(frames, [(0, 0), (0, 11)])
    for short, long in zip(spectrum(frames, 32)[0], spectrum(padded, 32)[0], strict=True):
        assert (short == long).all()


def bands_of(count: int = 40) -> Array:
    edges = np.linspace(1, 130, count + 2)
    place = np.arange(LENGTH // 2 + 1)[:, np.newaxis]
    rising, falling = (place - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - place) / np.diff(edges)[1:]
    found: Array = np.maximum(0, np.minimum(rising, falling))
    return found


def results(x: Array, epsilon: float, *, magnitude: bool, floor: bool) -> Array:
    """Results of samples in units of 2^-15, times their scale, [frames, bands]; they reach from -16 to 16."""
    taps, unit = quantize_window(WINDOW)
    weights, bands = choose_bands(bands_of(), Fraction(UNIT) * unit, LENGTH, epsilon, magnitude=magnitude)
    frames = (len(x) - TAPS) // STEP + 1
    scale = Scale(*choose_scale(OUT), 0, -(2**15), 2**15 - 1)
    rows = Rows(frames, STEP, 0, LENGTH)
    return log_mel(x, taps, weights, bands, rows, scale, magnitude=magnitude, floor=floor) * OUT


def truth(x: Array, epsilon: float, *, magnitude: bool, floor: bool) -> tuple[Array, Array]:
    """Logarithms of bands, and by how much the roundings that are stated may move them.

    A sample times the window is off by 2^-30 of the largest possible, a frequency by 2^-14 of the largest sample of its
    frame, root and logarithm by 2^-14, a weight by 2^-16, and a power by 2^-28 of its frame's largest.
    """
    frames = np.lib.stride_tricks.sliding_window_view(x * UNIT, TAPS)[::STEP]
    amplitude, weights = np.abs(np.fft.rfft(frames * WINDOW, LENGTH)), bands_of()
    off = np.abs(frames).max(axis=1, keepdims=True) / 2**14 + TAPS / 2**30
    if magnitude:
        energy, moved = amplitude @ weights, np.broadcast_to(off, amplitude.shape) @ weights
    else:
        largest = (amplitude**2).max(axis=1, keepdims=True)
        energy, moved = amplitude**2 @ weights, (2 * amplitude * off + off**2 + largest / 2**28) @ weights
    relative = moved + energy * (2.0**-13 + 2.0**-16)
    total = np.maximum(energy, epsilon) if floor else energy + epsilon
    return np.log(total), OUT / 2 + 2.0**-14 + np.log1p(relative / total) - np.log1p(-np.minimum(relative / total, 0.9))


def signal(kind: str) -> Array:
    draw = np.random.default_rng(7)
    time = np.arange(RATE // 4)
    if kind == "noise":
        return draw.normal(scale=3000, size=len(time)).astype(np.int64)
    if kind == "quiet":
        return draw.integers(-3, 4, len(time))
    if kind == "tones":
        swept = np.sin(2 * np.pi * np.cumsum(np.linspace(100, 3900, len(time))) / RATE)
        return (swept * np.linspace(0, 32767, len(time))).astype(np.int64)
    if kind == "square":
        return np.where(np.sin(2 * np.pi * 440 * time / RATE) >= 0, 32767, -32768)
    if kind == "impulse":
        return np.where(time == 700, 32767, 0)
    return np.full(len(time), {"silence": 0, "most": 32767, "least": -32768}[kind])


@pytest.mark.parametrize("floor", [True, False])
@pytest.mark.parametrize("magnitude", [True, False])
@pytest.mark.parametrize("kind", ["noise", "quiet", "square", "impulse", "tones", "silence", "most", "least"])
def test_bands_are_as_near_to_the_truth_as_stated(kind: str, magnitude: bool, floor: bool) -> None:
    for epsilon in (1e-9, 1e-6, 1e-3, 10.0, 1e4):
        found = results(signal(kind), epsilon, magnitude=magnitude, floor=floor)
        wanted, bound = truth(signal(kind), epsilon, magnitude=magnitude, floor=floor)
        inside = np.abs(wanted) < -OUT * -(2**15)
        assert (np.abs(found - wanted) <= bound)[inside].all()


@pytest.mark.parametrize("magnitude", [True, False])
@pytest.mark.parametrize("kind", ["noise", "quiet"])
def test_bands_of_sounds_are_within_a_step_of_the_truth(kind: str, magnitude: bool) -> None:
    found = results(signal(kind), 1e-6, magnitude=magnitude, floor=False)
    wanted, _ = truth(signal(kind), 1e-6, magnitude=magnitude, floor=False)
    assert np.abs(found - wanted).max() < OUT


def test_nothing_at_all_is_the_least_result() -> None:
    found = results(signal("silence"), 0.0, magnitude=True, floor=False)
    assert (found == -(2**15) * OUT).all()


@pytest.mark.parametrize("epsilon", [1e-9, 0.3, 1.5, 1e3])
def test_what_is_added_is_in_the_units_of_each_band(epsilon: float) -> None:
    """Of a band, the logarithm of its unit in steps of 2^-20 and the quotient of epsilon and the unit as x·2^E."""
    _, bands = choose_bands(bands_of(), Fraction(3, 7), LENGTH, epsilon, magnitude=True)
    for row in bands:
        offset, exponent, mantissa = (int(row[COLUMNS.index(name)]) for name in ("offset", "exponent", "epsilon"))
        added = mantissa % 2**32 * 2.0**exponent * 2.0 ** (offset / 2**LOGARITHM_BITS)
        assert added == pytest.approx(epsilon, rel=2.0**-LOGARITHM_BITS)


def test_scales_too_far_apart_are_refused() -> None:
    with pytest.raises(ScaleRangeError, match="too far from 1"):
        choose_bands(bands_of(), Fraction(1, 1 << 200), LENGTH, 1e-6, magnitude=False)
    with pytest.raises(ScaleRangeError, match="does not suit"):
        choose_scale(1e-30)


def test_tables_ascend() -> None:
    roots, logarithms = table()[:97].astype(int), table()[97:].astype(int)
    assert (np.diff(roots) > 0).all()
    assert (np.diff(logarithms) > 0).all()
    assert (roots[0], logarithms[0], logarithms[-1]) == (2**15, 0, 2**15)
