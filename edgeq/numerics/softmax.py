"""Softmax in integers: a table of exponentials by difference to the maximum, and one division per element.

``T[d] = round(2^23·exp(-s_x·d))``; ``S = Σ T[max - x]``; ``y = min(255, ((T << 8) + (S >> 1)) / S) - 128``.
T << 8 is at most 2^31, so uint32 holds everything while S < 2^32, that is for rows up to 511 long; longer rows take
the same formula in uint64. Decided against: a reciprocal and a multiplication, whose rounding needs its own contract.
"""

from __future__ import annotations

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
_DIGITS = 60


def exp_table(scale: float) -> Array:
    """T for the input scale: uint32[256], T[0] = 2^23.

    exp of a nonzero rational is transcendental, so there are no ties; 60 digits decide every entry.

    Args:
        scale: the input's scale, float32 value, positive.

    Raises:
        ValueError: the scale is not positive and finite.
    """
    if not 0 < scale < float("inf"):
        raise ScaleRangeError("the scale must be positive and finite")
    with localcontext() as context:
        context.prec = _DIGITS
        exact = Decimal(scale)
        entries = [round_half_even(Fraction((-exact * d).exp()) * (1 << EXP_BITS)) for d in range(256)]
    return np.array(entries, dtype=np.uint32)


def softmax(x: Array, table: Array) -> Array:
    """Softmax over the last axis.

    Args:
        x: int8 [..., n], n >= 1.
        table: uint32[256] from :func:`exp_table`.

    Returns:
        int8 like ``x``, scale 1/256, zero point -128.
    """
    wide = x.astype(np.int64)
    exponentials = table.astype(np.int64)[wide.max(axis=-1, keepdims=True) - wide]
    total = exponentials.sum(axis=-1, keepdims=True)
    quotient = ((exponentials << 8) + (total >> 1)) // total
    return saturate(quotient - 128, -128, 127)
