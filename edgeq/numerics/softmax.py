"""Softmax in integers: a table of exponentials by difference to the maximum, and one division per element.

``T[d] = round(2^23·exp(-s_x·d))``; ``S = Σ T[max - x]``; ``y = min(255, ((T << 8) + (S >> 1)) / S) - 128``.
T << 8 is at most 2^31, so uint32 holds everything while S < 2^32, that is for rows up to 511 long; longer rows take
the same formula in uint64. Decided against: a reciprocal and a multiplication, whose rounding needs its own contract.

int16 has 65 536 differences d = max − x, so its exponentials are products of two tables:
``H[i] = round(F·exp(−s_x·256·i))`` and ``L[j] = round(F·exp(−s_x·j))`` with F = 2^16 − 1, the largest that keeps
entries in uint16 and products in uint32; ``e = (H[d >> 8]·L[d & 255] + 2^15) >> 16``; ``S = Σ e``;
``y = min(32767, ((e << 15) + (S >> 1)) / S)``. That F is no power of two cancels in the quotient. The largest e is
65 534, so uint32 holds everything for rows of up to 65 536.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np

from edgeq.numerics.array import Array, saturate
from edgeq.numerics.rounding import round_half_even
from edgeq.numerics.scale_range import ScaleRangeError

EXP_BITS = 23
# The longest row whose sum and dividend stay below 2^32.
ROW_MAX_UINT32 = 511
OUTPUT_SCALE = 1.0 / 256.0
OUTPUT_ZERO = -128
FACTOR_INT16 = (1 << 16) - 1
ROW_MAX_INT16 = 1 << 16
_DIGITS = 60


def exp_table(scale: float) -> Array:
    """T for the input scale: uint32[256], T[0] = 2^23.

    exp of a nonzero rational is transcendental, so there are no ties; 60 digits decide every entry.

    Args:
        scale: the input's scale, float32 value, positive.

    Raises:
        ValueError: the scale is not positive and finite.
    """
    return np.array(_exponentials(scale, range(256), 1 << EXP_BITS), dtype=np.uint32)


def exp_table_int16(scale: float) -> Array:
    """H and L for the input scale, one after the other: uint16[512].

    Args:
        scale: the input's scale, float32 value, positive.

    Raises:
        ValueError: the scale is not positive and finite.
    """
    differences = [*range(0, 1 << 16, 256), *range(256)]
    return np.array(_exponentials(scale, differences, FACTOR_INT16), dtype=np.uint16)


def _exponentials(scale: float, differences: Iterable[int], factor: int) -> list[int]:
    if not 0 < scale < float("inf"):
        raise ScaleRangeError("the scale must be positive and finite")
    with localcontext() as context:
        context.prec = _DIGITS
        exact = Decimal(scale)
        return [round_half_even(Fraction((-exact * d).exp()) * factor) for d in differences]


def softmax(x: Array, table: Array) -> Array:
    """Softmax over the last axis.

    Args:
        x: int8 or int16 [..., n], n >= 1; int16: n <= 65 536.
        table: uint32[256] from :func:`exp_table`, for int16 uint16[512] from :func:`exp_table_int16`.

    Returns:
        Of the type of ``x``: int8 at scale 1/256, zero point -128; int16 at scale 1/32768, zero point 0.
    """
    wide, entries = x.astype(np.int64), table.astype(np.int64)
    differences = wide.max(axis=-1, keepdims=True) - wide
    if x.dtype == np.int16:
        exponentials = (entries[differences >> 8] * entries[256 + (differences & 255)] + (1 << 15)) >> 16
        return saturate(_shares(exponentials, 15), 0, 32767, np.int16)
    return saturate(_shares(entries[differences], 8) - 128, -128, 127)


def masked_softmax(x: Array, counted: Array, table: Array) -> Array:
    """:func:`softmax` over the positions that count; the others get a probability of exactly 0.

    In a row in which nothing counts all positions are equal.

    Args:
        x: as in :func:`softmax`.
        counted: bool, of the shape of ``x``.
        table: as in :func:`softmax`.
    """
    wide, entries = x.astype(np.int64), table.astype(np.int64)
    some = counted.any(axis=-1, keepdims=True)
    largest = np.where(counted, wide, np.iinfo(np.int64).min).max(axis=-1, keepdims=True)
    differences = np.where(counted, largest - wide, 0)
    present = counted | ~some
    if x.dtype == np.int16:
        exponentials = (entries[differences >> 8] * entries[256 + (differences & 255)] + (1 << 15)) >> 16
        return saturate(_shares(exponentials * present, 15), 0, 32767, np.int16)
    return saturate(_shares(entries[differences] * present, 8) - 128, -128, 127)


def _shares(exponentials: Array, bits: int) -> Array:
    """Each exponential over the sum of its row, in units of 2^-bits, rounded half up."""
    total = exponentials.sum(axis=-1, keepdims=True)
    quotient: Array = ((exponentials << bits) + (total >> 1)) // total
    return quotient
