"""Integer arithmetic of recurrent cells: gates, the functions on them, and the state that they carry.

What is added up before a gate's function, its *pre-activation*, comes from two products of integers at two scales,

    n = clamp((a_x·m_x + a_h·m_h + 2^(s−1)) >> s),   a_x = b + W(x − z_x),   a_h = R·h

in 64 bits and rounded once, half up, to int16 of scale 2^-12 for Tanh and of 2^-11 for Sigmoid. As
``sigmoid(v) = (1 + tanh(v/2))/2``, one table of Tanh over [−8, 8) serves both at the same index n; it is interpolated
as in :mod:`edgeq.numerics.interpolation`. Their results have 15 fractional bits, and Sigmoid reaches one exactly, so
that a gate that is open keeps a state as it is for any number of steps.

Hidden values lie in [−1, 1] and are int16 of scale 2^-15. Those of a cell, which are sums over time, are int32 of scale
2^-15: no saturation within 2^16 steps, no scale to calibrate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeq.numerics.array import Array, saturate
from edgeq.numerics.interpolation import interpolate, interpolated_table
from edgeq.numerics.scale_range import ScaleRangeError

BITS = 15
"""Fractional bits of hidden values, of cells and of the results of gates."""
HIDDEN_SCALE = 2.0**-BITS
TANH_SCALE = 2.0**-12
SIGMOID_SCALE = 2.0**-11
MULTIPLIER_BITS = 30
"""Multipliers stay below 2^30: two products with int32 sums add up below 2^62."""
CELL_MAX = 1 << 30
"""What a given cell is held within; int32 then has room for as many further steps."""
_ONE = 1 << BITS
_INT16 = np.iinfo(np.int16)


@dataclass(frozen=True, eq=False)
class GateFactors:
    """By what the two sums of a pre-activation are scaled.

    Attributes:
        x, h: int32 [rows], m_x and m_h.
        shift: s, from 1 to 61.
    """

    x: Array
    h: Array
    shift: int


def gate_factors(x_ratios: Array, h_ratios: Array) -> GateFactors:
    """The multipliers of real ratios, with as many bits as fit.

    Args:
        x_ratios: float64 [rows], scale of a_x over that of the pre-activation.
        h_ratios: float64 [rows], scale of a_h over that of the pre-activation.

    Raises:
        ScaleRangeError: a ratio of 2^29 or more.
    """
    largest = float(max(x_ratios.max(), h_ratios.max()))
    shift = MULTIPLIER_BITS - int(np.frexp(largest)[1])
    if np.rint(np.ldexp(largest, shift)) >= 1 << MULTIPLIER_BITS:
        shift -= 1
    if shift < 1:
        raise ScaleRangeError(f"ratio {largest:g} of a sum to its pre-activation")
    shift = min(shift, 61)
    x, h = (np.rint(np.ldexp(ratios, shift)).astype(np.int32) for ratios in (x_ratios, h_ratios))
    return GateFactors(x, h, shift)


def tanh_table() -> Array:
    """int16[513], Tanh of n·2^-12 in steps of 2^-15."""
    return interpolated_table("Tanh", {}, TANH_SCALE, HIDDEN_SCALE)


def preactivation(a_x: Array, a_h: Array, factors: GateFactors) -> Array:
    """n of the formula above, int16.

    Args:
        a_x: int64 within int32, the last axis of ``rows``.
        a_h: as a_x.
        factors: of the rows.
    """
    wide = a_x.astype(np.int64) * factors.x + a_h.astype(np.int64) * factors.h
    scaled_sum: Array = (wide + (1 << (factors.shift - 1))) >> factors.shift
    return saturate(scaled_sum, _INT16.min, _INT16.max, np.int16)


def sigmoid(n: Array, table: Array) -> Array:
    """Sigmoid of a pre-activation of scale 2^-11: int64 from 0 to 2^15."""
    doubled: Array = interpolate(n, table).astype(np.int64) + _ONE + 1
    return doubled >> 1


def tanh(n: Array, table: Array) -> Array:
    """Tanh of a pre-activation of scale 2^-12: int64 from −2^15 to 2^15 − 1."""
    return interpolate(n, table).astype(np.int64)


def cell_tanh(cell: Array, table: Array) -> Array:
    """Tanh of a cell: its 15 fractional bits rounded half up to 12, within int16."""
    return tanh(saturate((cell.astype(np.int64) + 4) >> 3, _INT16.min, _INT16.max, np.int16), table)


def product(a: Array, b: Array) -> Array:
    """a·b of two numbers with 15 fractional bits, rounded half up to 15."""
    result: Array = (a * b + (_ONE >> 1)) >> BITS
    return result


def scaled(values: Array, multiplier: int, shift: int) -> Array:
    """(values·multiplier + 2^(shift−1)) >> shift in 64 bits: a cell from an int16 state, or back."""
    return (values.astype(np.int64) * multiplier + (1 << (shift - 1))) >> shift


def scaled_factor(ratio: float) -> tuple[int, int]:
    """Multiplier below 2^30 and shift from 1 to 61 of a ratio, for :func:`scaled`.

    Raises:
        ScaleRangeError: a ratio of 2^29 or more.
    """
    factors = gate_factors(np.array([ratio]), np.array([0.0]))
    return int(factors.x[0]), factors.shift
