"""Exact ranges of accumulators, from the weights themselves: the proof that int32 suffices."""

from __future__ import annotations

import numpy as np

from edgeq.numerics.array import INT32_MAX, INT32_MIN, Array


def accumulator_bound(
    weight: Array, bias: Array, x_min: int = -128, x_max: int = 127, *, partial: bool = False
) -> tuple[Array, Array]:
    """The smallest and largest value of ``bias + Σ w·x`` per output channel, both attained.

    Args:
        weight: integers [O, ...].
        bias: integers [O].
        x_min: smallest input (padding holds the input's zero point, which lies in the range).
        x_max: largest input.
        partial: also cover every partial sum, in any order of the terms, with or without the bias.

    Returns:
        int64 [O] and int64 [O].
    """
    flat = weight.reshape(weight.shape[0], -1).astype(np.int64)
    positive = np.maximum(flat, 0).sum(axis=1)
    negative = np.minimum(flat, 0).sum(axis=1)
    offset = bias.astype(np.int64)
    if partial:
        # A term left out counts zero, so the range of each term is widened to include it.
        x_min, x_max = min(x_min, 0), max(x_max, 0)
        low = positive * x_min + negative * x_max + np.minimum(offset, 0)
        return low, positive * x_max + negative * x_min + np.maximum(offset, 0)
    return offset + positive * x_min + negative * x_max, offset + positive * x_max + negative * x_min


def fits_int32(low: Array, high: Array, shift: int = 0) -> bool:
    """Whether [low, high], shifted left by ``shift`` bits (up to 31), stays in int32 for every channel."""
    return int(low.min()) << shift >= INT32_MIN and int(high.max()) << shift <= INT32_MAX


def headroom_bits(low: Array, high: Array, shift: int = 0) -> int:
    """Whole bits between the largest shifted accumulator and int32; negative where it does not fit."""
    # -2^31 fits, hence the complement for negatives: both sides need bit_length() <= 31.
    used = max(int(high.max()).bit_length(), (~int(low.min())).bit_length() if int(low.min()) < 0 else 0)
    return 31 - used - shift
