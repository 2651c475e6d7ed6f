"""Logarithms of the energies of bands of a spectrum: short-time transforms of a signal, in integers of 16 to 64 bits.

For each frame, samples times a window w of 31 bits, (x·w) >> 16, are transformed (:mod:`edgeq.numerics.fourier`). Of
the frequencies that some band reads, the largest part lies in [-2^b, 2^b), and P = re² + im² <= 2^(2b+1). A is of 31
bits:

    power:      A = P >> down, down = max(0, 2b - 30)
    magnitude:  A = root(m)·2^((s - down)/2), rounded down, down = 2b - 30, m = P·2^-s of [2^30, 2^32) with s even

The latter is sqrt(P·2^-down) in units of 2^-14. A band has weights w of 16 bits: S = Σ w·A < 2^60, in units of 2^e with
e = down - 2·up for powers, and half of that for magnitudes. What is added to it, or is its least value, is E·2^x for a
32-bit E: with t = x - e

    t <= 28:  S + (E << t), or E >> -t;      t > 28:  (S >> (t - 28)) + (E << 28), and e grows by t - 28
    L = log2 of that in units of 2^-20;      y = clamp((((L + 2^20·e + offset)·m + 2^(k-1)) >> k) + zero)

The offset of a band is 2^20·log2 of all that is constant: scales of signal, window and weights, the stages of the
transform. A sum of 0 gives the least result.

root and log2 are linear between the entries of a table, which lie 2^25 apart on a number brought to 32 bits, of
[2^31, 2^32) for a logarithm, whose bits below are dropped. Both are off by less than 2^-14, relative and in units of
log2. Powers are cut off 2^-28 below the largest of their frame: those more than 80 dB below are less exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import isqrt

import numpy as np

from edgeq.numerics import reals
from edgeq.numerics.array import INT32_MAX, Array
from edgeq.numerics.fourier import magnitude_bits, shifted, spectrum, stages_of
from edgeq.numerics.reals import fraction
from edgeq.numerics.rounding import round_half_even
from edgeq.numerics.scale_range import ScaleRangeError

WINDOW_MAX = 2**31 - 1
WINDOW_SHIFT = 16
WEIGHT_MAX = 65535
LOGARITHM_BITS = 20
SHIFT_MAX = 62
ROOTS = 97
LOGARITHMS = 65
COLUMNS = ("first", "count", "offset", "epsilon", "exponent")
"""Of the table of bands: the first frequency, how many, the offset, E as its low 32 bits, and x."""
_POWER_BITS = 30
_ROOT_POINT = 14
_UP_MAX = 28
_NEVER = -(1 << 16)


@dataclass(frozen=True)
class Rows:
    """The frames of a signal.

    Attributes:
        frames: how many.
        step: samples from one to the next.
        start: the first sample of the first one.
        length: of the transform.
    """

    frames: int
    step: int
    start: int
    length: int


@dataclass(frozen=True)
class Scale:
    """How a logarithm becomes a result: m, k, the zero point, and the bounds of the clamp."""

    multiplier: int
    shift: int
    zero: int
    low: int
    high: int


@lru_cache(maxsize=1)
def table() -> Array:
    """uint16: sqrt(2^25·i) for i = 32 … 128, then 2^15·log2(i/64) for i = 64 … 128, rounded; 2^16 is one less."""
    roots = [(isqrt(i << 27) + 1) >> 1 for i in range(32, 129)]
    with reals.precision():
        two = Decimal(2).ln()
        logs = [round_half_even(fraction(Decimal(i).ln() / two - 6) * (1 << 15)) for i in range(64, 129)]
    return np.array([min(item, WEIGHT_MAX) for item in (*roots, *logs)], np.uint16)


def quantize_window(window: Array) -> tuple[Array, Fraction]:
    """A window as int32, and the scale of a product with it, shifted; float [samples], not all zero."""
    scale = Fraction(float(np.abs(window).max())) / WINDOW_MAX
    integers = [round_half_even(Fraction(float(item)) / scale) for item in window]
    return np.array(integers, np.int32), scale * (1 << WINDOW_SHIFT)


def choose_bands(
    weights: Array, unit: Fraction, length: int, epsilon: float, *, magnitude: bool
) -> tuple[Array, Array]:
    """The integer weights of bands, one band after the other, and the table of bands.

    Args:
        weights: float [frequencies, bands], none negative.
        unit: what 1 stands for in a sample times the window.
        length: of the transform.
        epsilon: what is added to a band, or its least value.
        magnitude: whether bands sum magnitudes, not powers.

    Returns:
        uint16 [weights], and int32 [bands, len(COLUMNS)].

    Raises:
        ScaleRangeError: scales or weights are too far from 1.
    """
    amplitude = unit * (1 << (stages_of(length) + 1))
    factor = amplitude / (1 << _ROOT_POINT) if magnitude else amplitude**2
    packed, rows = [], []
    for band in weights.T:
        used = np.flatnonzero(band)
        first, behind = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 0)
        scale = Fraction(float(band.max()) if used.size else 1.0) / WEIGHT_MAX
        packed += [round_half_even(Fraction(float(item)) / scale) for item in band[first:behind]]
        rows.append((first, behind - first, *_constants(factor * scale, Fraction(epsilon))))
    return np.array(packed, np.uint16), np.array(rows, np.int32).reshape(-1, len(COLUMNS))


def _constants(unit: Fraction, epsilon: Fraction) -> tuple[int, int, int]:
    """Offset, E and x of a band whose sums have a unit at e = 0."""
    with reals.precision():
        offset = round_half_even(fraction(reals.decimal(unit).ln() / Decimal(2).ln()) * (1 << LOGARITHM_BITS))
    mantissa, exponent = 0, _NEVER
    if epsilon:
        ratio = epsilon / unit
        exponent = ratio.numerator.bit_length() - ratio.denominator.bit_length() - 32
        exponent += ratio >= Fraction(2) ** (exponent + 32)
        mantissa = int(ratio / Fraction(2) ** exponent)
    if abs(offset) >> (LOGARITHM_BITS + 8) or exponent > 1 << 8:
        raise ScaleRangeError("signal, window or weights of a log-mel spectrum have scales too far from 1")
    return offset, int(np.uint32(mantissa).astype(np.int32)), exponent


def choose_scale(out_scale: float) -> tuple[int, int]:
    """m and k of a natural logarithm.

    Raises:
        ScaleRangeError: the scale is too large or too small.
    """
    with reals.precision():
        ratio = fraction(Decimal(2).ln()) / Fraction(out_scale) / (1 << LOGARITHM_BITS)
    shift = next((k for k in range(SHIFT_MAX, 0, -1) if round_half_even(ratio * (1 << k)) <= INT32_MAX), None)
    multiplier = 0 if shift is None else round_half_even(ratio * (1 << shift))
    if shift is None or not multiplier:
        raise ScaleRangeError(f"the output scale {out_scale!r} does not suit a logarithm")
    return multiplier, shift


def log_mel(
    x: Array, window: Array, weights: Array, bands: Array, rows: Rows, scale: Scale, *, magnitude: bool, floor: bool
) -> Array:
    """y: int64 [frames, bands].

    Args:
        x: integers [samples] of at most 16 bits, less their zero point.
        window: int32, at most the length of the transform.
        weights: uint16, those of each band.
        bands: int32 [bands, len(COLUMNS)], not all of them empty.
        rows: the frames.
        scale: of the result.
        magnitude: whether bands sum magnitudes.
        floor: whether E is the least value of a band, and not added.
    """
    starts = rows.start + rows.step * np.arange(rows.frames)
    products = x.astype(np.int64)[starts[:, np.newaxis] + np.arange(len(window))] * window.astype(np.int64)
    frames = products >> WINDOW_SHIFT
    (re, im), up = spectrum(frames, rows.length)
    counted = bands[bands[:, 1] > 0]
    low, high = int(counted[:, 0].min()), int((counted[:, 0] + counted[:, 1]).max())
    found, down = _amplitudes(re[:, low:high], im[:, low:high], magnitude=magnitude)
    exponent = down // 2 - up if magnitude else down - 2 * up
    result = np.zeros((rows.frames, len(bands)), np.int64)
    place = 0
    for number, (first, count, offset, epsilon, power) in enumerate(bands.tolist()):
        wide = weights[place : place + count].astype(np.int64)
        place += count
        sums = found[:, first - low : first - low + count] @ wide
        total, raised = _with_epsilon(sums, epsilon % (1 << 32), power - exponent, floor=floor)
        logs = _logarithms(total) + ((exponent + raised) << LOGARITHM_BITS) + offset
        values = ((logs * scale.multiplier + (1 << (scale.shift - 1))) >> scale.shift) + scale.zero
        result[:, number] = np.where(total == 0, scale.low, np.clip(values, scale.low, scale.high))
    return result


def _amplitudes(re: Array, im: Array, *, magnitude: bool) -> tuple[Array, Array]:
    """A and ``down`` of each frame."""
    bits = magnitude_bits(np.concatenate([re, im], axis=1))
    down = 2 * bits - _POWER_BITS
    power = re * re + im * im
    if magnitude:
        return _roots(power, down), down
    down = np.maximum(down, 0)
    return shifted(power, -down), down


def _with_epsilon(sums: Array, mantissa: int, shift: Array, *, floor: bool) -> tuple[Array, Array]:
    """The sums with E, and by how much that raises the exponent."""
    raised = np.maximum(shift - _UP_MAX, 0)
    up = np.clip(shift, 0, _UP_MAX)
    added = (np.int64(mantissa) << up) >> np.clip(-shift, 0, 63)
    lowered = sums >> np.minimum(raised, 63)
    total: Array = np.maximum(lowered, added) if floor else lowered + added
    return total, raised


def _interpolated(entries: Array, brought: Array, first: int) -> tuple[Array, Array]:
    """The entry at or below each 32-bit number, and 2^14 times the way to the next one."""
    index, rest = (brought >> 25) - first, (brought >> 11) & 0x3FFF
    wide = entries.astype(np.int64)
    return wide[index], (wide[index + 1] - wide[index]) * rest


def _lengths(values: Array) -> Array:
    """The bit length of each number."""
    return np.array([int(item).bit_length() for item in values.reshape(-1)], np.int64).reshape(values.shape)


def _roots(power: Array, down: Array) -> Array:
    """A of magnitudes, of rows of P below 2^62."""
    wide = np.maximum(power, 1)
    shift = (_lengths(wide) + 1 >> 1 << 1) - 32
    brought = (wide << np.maximum(-shift, 0)) >> np.maximum(shift, 0)
    entry, more = _interpolated(table()[:ROOTS], brought, 32)
    lower = (down[:, np.newaxis] - shift) >> 1
    return np.where(power == 0, 0, ((entry << _ROOT_POINT) + more) >> np.clip(lower, 0, 63))


def _logarithms(values: Array) -> Array:
    """L of 1 … 2^62; of 0 that of 1."""
    top = np.maximum(_lengths(values) - 1, 0)
    wide = np.maximum(values, 1)
    brought = (wide << np.maximum(31 - top, 0)) >> np.maximum(top - 31, 0)
    entry, more = _interpolated(table()[ROOTS:], brought, 64)
    found: Array = (top << LOGARITHM_BITS) + (entry << 5) + (more >> 9)
    return found
