"""Rows divided by their norm or by their deviation, then scaled and shifted element by element, in one rounding.

A row of n integers x has the sums S1 = Σ(x − z), S2 = Σ(x − z)². Two forms:

* **deviation**: V = n·S2 − S1² is n² times the variance, N = n·(x − z) − S1 is n times the difference to the mean;
* **norm**: V = S2, N = x − z.

``W = (V << f) + E`` with E = round(2^f·ε), f even, ε in the units of V. W·4^t lies in [2^60, 2^62),
r = floor(sqrt(W·4^t)), ``i = min(floor(2^61/r), 2^31 − 1)``, and the normalized value in units of 2^-Q is
``h = (N·i + 2^(s−1)) >> s``, s = 61 − t − f/2 − Q. A row with V = 0 is all zero. Then
``y = clamp((h·γ + β) >> k)`` with an int32 γ and an int64 β for each element, which hold the scale, the bias, the
result's scale and zero point, and half a step.

|h| < 2^31, since a value is at most sqrt(n − 1) deviations off and at most 1 norm. The roundings of r, i and γ are
relative and below 2^-29; that of h is half of 2^-Q, that of E below 2^-(f+2)/(n − 1) of the row: before the final
rounding a result in int8 moves by less than 2^-8, in int16 by less than 1/8 of a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

import numpy as np
import numpy.typing as npt

from edgeq.numerics.array import INT32_MAX, Array
from edgeq.numerics.rounding import round_half_even
from edgeq.numerics.scale_range import ScaleRangeError

SHIFT_MAX = 62
RAISED_MAX = 16
_ROOT_BITS = 62
_INVERSE_BITS = 61
_BITS_MAX = 29


@dataclass(frozen=True)
class Row:
    """How the rows of a tensor are normalized.

    Attributes:
        length: n.
        centred: whether by the deviation from the mean; else by the norm.
        raised: f.
        epsilon: E.
        bits: Q.
    """

    length: int
    centred: bool
    raised: int
    epsilon: int
    bits: int


def choose_row(length: int, scale: float, epsilon: float, span: int, *, centred: bool) -> Row:
    """The constants of rows.

    Args:
        length: n.
        scale: s_x.
        epsilon: what is added to the variance, or to the square of the norm; float32 value.
        span: the largest difference of two integers, 255 or 65 535.
        centred: whether by the deviation.

    Raises:
        ScaleRangeError: the rows are too long for 64 bits, or epsilon is too large for the scale.
    """
    largest = length * length * (span * span // 4 + 1) if centred else length * span * span
    units = Fraction(epsilon) / Fraction(scale) ** 2 * (length * length if centred else 1)
    if length * span > INT32_MAX or largest + units >= 1 << _ROOT_BITS:
        raise ScaleRangeError(f"rows of {length} elements at scale {scale!r} with epsilon {epsilon!r} leave 64 bits")
    raised = next(f for f in range(RAISED_MAX, -1, -2) if (largest + units) * (1 << f) < 1 << _ROOT_BITS)
    root = isqrt(length - 1) + 1 if length > 1 else 1
    bits = 30 - root.bit_length() if centred else _BITS_MAX
    return Row(length, centred, raised, round_half_even(units * (1 << raised)), min(bits, _BITS_MAX))


def choose_elements(scale: Array, bias: Array, out_scale: float, zero: int, bits: int) -> tuple[Array, Array, int]:
    """γ int32 [C], β int64 [C] and k.

    Args:
        scale: float [C].
        bias: float [C].
        out_scale: s_y.
        zero: z_y.
        bits: Q.

    Raises:
        ScaleRangeError: a scale or bias is too large for the result's scale.
    """
    factors = [Fraction(float(value)) / Fraction(out_scale) for value in scale.reshape(-1)]
    offsets = [Fraction(float(value)) / Fraction(out_scale) + zero + Fraction(1, 2) for value in bias.reshape(-1)]
    for shift in range(SHIFT_MAX, bits, -1):
        largest = max(abs(factor) for factor in factors) * (1 << (shift - bits))
        total = largest * (1 << 31) + max(abs(offset) for offset in offsets) * (1 << shift)
        if largest < INT32_MAX and total < 1 << SHIFT_MAX:
            gamma = [round_half_even(factor * (1 << (shift - bits))) for factor in factors]
            beta = [round_half_even(offset * (1 << shift)) for offset in offsets]
            return np.array(gamma, np.int32), np.array(beta, np.int64), shift
    raise ScaleRangeError("a scale or bias of a normalization is too large for the scale of its result")


def normalize_rows(x: Array, zero: int, row: Row) -> Array:
    """h: int64 like ``x`` [rows, n], integers with zero point ``zero``."""
    centred = x.astype(np.int64) - zero
    found = np.zeros(x.shape, np.int64)
    for number, values in enumerate(centred):
        total, squares = int(values.sum()), int((values * values).sum())
        spread = row.length * squares - total * total if row.centred else squares
        if spread == 0:
            continue
        weight = (spread << row.raised) + row.epsilon
        up = (_ROOT_BITS - weight.bit_length()) // 2
        inverse = min((1 << _INVERSE_BITS) // isqrt(weight << (2 * up)), INT32_MAX)
        shift = _INVERSE_BITS - up - row.raised // 2 - row.bits
        distance = row.length * values - total if row.centred else values
        found[number] = (distance * inverse + (1 << (shift - 1))) >> shift
    return found


def scale_elements(h: Array, gamma: Array, beta: Array, shift: int, low: int, high: int, dtype: npt.DTypeLike) -> Array:
    """``clamp((h·γ + β) >> k)``, all of one shape."""
    total = h * gamma.astype(np.int64) + beta
    result: Array = np.clip(total >> shift, low, high).astype(dtype)
    return result
