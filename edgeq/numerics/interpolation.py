"""Unary functions of int16: a table of 513 results, 128 steps apart, and straight lines between them.

``T[i] = clamp(round_half_up(f(s_x·x_i)/s_y))`` at x_i = −32768 + 128·i, the last at 32768; ``i = (x + 32768) >> 7``,
``t = x & 127``, ``y = T[i] + (((T[i+1] − T[i])·t + 64) >> 7)``. Zero points are zero; the difference of two entries
needs 17 bits, its product with t 24. A table of every result would take 128 KB. The error that the lines leave depends
on the function and the input's range, so it is measured per table: :func:`interpolation_error`.
"""

from __future__ import annotations

from fractions import Fraction
from math import inf

import numpy as np

from edgeq.numerics.array import Array
from edgeq.numerics.reals import Real, fraction, is_finite
from edgeq.numerics.tables import Attributes, quantized, real_results

ENTRIES = 513
STEP_BITS = 7
_STEP = 1 << STEP_BITS
_LOW = -(1 << 15)


def interpolated_table(
    function: str,
    attributes: Attributes,
    in_scale: float,
    out_scale: float,
    low: int = -(1 << 15),
    high: int = (1 << 15) - 1,
) -> Array:
    """The table of one function: int16[513].

    Args:
        function: a key of ``numerics.tables.FUNCTIONS``.
        attributes: as ``numerics.tables.unary_table`` takes them.
        in_scale: s_x, float32 value, positive.
        out_scale: s_y, float32 value, positive.
        low: smallest result.
        high: largest result.

    Raises:
        ValueError: an unknown function, or a scale that is not positive and finite.
    """
    positions = range(_LOW, -_LOW + 1, _STEP)
    results = real_results(function, attributes, in_scale, 0, out_scale, positions)
    return np.array([quantized(value, 0, low, high) for value in results], dtype=np.int16)


def interpolate(x: Array, table: Array) -> Array:
    """Results of a table.

    Args:
        x: int16, any shape.
        table: int16[513] from :func:`interpolated_table`.

    Returns:
        int16 like ``x``; between two entries, never outside them.
    """
    wide, entries = x.astype(np.int64), table.astype(np.int64)
    index = (wide - _LOW) >> STEP_BITS
    rise = (entries[index + 1] - entries[index]) * (wide & (_STEP - 1))
    result: Array = entries[index] + ((rise + (_STEP >> 1)) >> STEP_BITS)
    return result.astype(np.int16)


def interpolation_error(
    table: Array,
    function: str,
    attributes: Attributes,
    in_scale: float,
    out_scale: float,
    low: int = -(1 << 15),
    high: int = (1 << 15) - 1,
) -> float:
    """The largest difference to the real function at the middles of the lines, in output steps; half a step at least.

    A line is farthest from a smooth function near its middle; from a step or a kink between two entries it is at most
    twice as far. The real result counts as clamped to [low, high]; where it is infinite, it is the bound.

    Args:
        table: of the function with the arguments that follow, as in :func:`interpolated_table`.
        function: as there.
        attributes: as there.
        in_scale: s_x.
        out_scale: s_y.
        low: smallest result.
        high: largest result.
    """
    positions = range(_LOW + _STEP // 2, -_LOW, _STEP)
    got = interpolate(np.array(positions, dtype=np.int16), table)
    results = real_results(function, attributes, in_scale, 0, out_scale, positions)
    return max(0.5, *(abs(float(int(y) - _clamped(value, low, high))) for y, value in zip(got, results, strict=True)))


def _clamped(value: Real, low: int, high: int) -> Fraction:
    if not is_finite(value):
        return Fraction(high if value == inf else low)
    return min(max(fraction(value), Fraction(low)), Fraction(high))
