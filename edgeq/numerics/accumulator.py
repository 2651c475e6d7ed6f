"""The proof of a multiply-accumulate layer, written once: what its sum can reach, and whether that fits int32.

Sums that are proven to fit are int32; others are int64 where the arithmetic has a right shift for them.

Lowering refuses a layer by it, the quantizer widens output scales and the importer weight scales until it holds, and
packing chooses a cheaper multiplication where the range is small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeq.numerics.array import INT32_MAX, Array


def signed_sums(rows: Array) -> tuple[Array, Array]:
    """The sum of the positive and of the negative weights of each output channel; int64 [O] and [O].

    Args:
        rows: integers [O, ...].
    """
    flat = rows.reshape(rows.shape[0], -1).astype(np.int64)
    return np.maximum(flat, 0).sum(axis=1), np.minimum(flat, 0).sum(axis=1)


@dataclass(frozen=True, eq=False)
class AccumulatorRange:
    """What ``start + Σ w·x`` reaches over all inputs, per output channel; [O] each, of the bias's type.

    Attributes:
        start: the bias with the input's zero point folded in, the value before the first product.
        low: the smallest sum; attained.
        high: the largest sum; attained.
    """

    start: Array
    low: Array
    high: Array

    @property
    def magnitude(self) -> Array:
        """The largest absolute value of a channel before or after the products, [O]."""
        return np.maximum(np.abs(self.start), np.maximum(np.abs(self.low), np.abs(self.high)))


def accumulator_range(
    sums: tuple[Array, Array], bias: Array, x_zero: int = 0, x_min: int = -128, x_max: int = 127
) -> AccumulatorRange:
    """The range of ``bias + Σ w·(x − x_zero)``.

    Args:
        sums: :func:`signed_sums` of the weights.
        bias: [O], integers; float64 is exact while everything stays below 2^53.
        x_zero: the input's zero point; padding holds it, so that padded positions add nothing.
        x_min: smallest input.
        x_max: largest input.
    """
    positive, negative = sums
    start = bias - x_zero * (positive + negative)
    low = start + x_min * positive + x_max * negative
    return AccumulatorRange(start, low, start + x_max * positive + x_min * negative)


def accumulator_limit(shift: int) -> int:
    """The largest magnitude of an accumulator that fits int32 when shifted.

    Args:
        shift: bits to the left, 0 … 31; below zero, bits to the right.
    """
    return INT32_MAX >> shift if shift >= 0 else (1 << (31 - shift)) - 1
