"""Forests of decision trees on integers: the definition, and the thresholds and leaves that real ones become.

Nodes are rows (feature, threshold, right) of one table. From a row with a feature the walk goes to the next row where
``x[feature] <= threshold``, else to row ``right``, which stands behind it; a row without, −1, is a leaf, and its
threshold is the number of the leaf's row of values. What the leaves of all trees hold is summed, or the smallest or
the largest is taken, in int32:

    y_j = clamp((Σ_t leaf_t[j] + base_j) >> shift)

``base`` holds the model's own base, the zero point, and half a step for rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgeq.numerics.array import INT32_MAX, INT32_MIN, Array, require_int32

LEAF: Final = -1
AGGREGATES: Final = ("sum", "min", "max")
SHIFT_MAX: Final = 30
_INT16_MAX: Final = 32767
# What rounding the leaves of all trees may add up to, as a share of the integers of the result's type, where the leaves
# are to be int16: a quarter of a step of int8.
_ROUGH_SHARE: Final = 2.0**-10


def evaluate_trees(x: Array, nodes: Array, roots: Array, leaves: Array, base: Array, aggregate: str) -> Array:
    """The accumulators of one sample.

    Args:
        x: int8 or int16 [features].
        nodes: int32 [rows, 3], see above.
        roots: int32 [trees, 2]: the row of each root, and the first result that its leaves add to.
        leaves: int32 [leaves, width].
        base: int32 [results].
        aggregate: one of :data:`AGGREGATES`.

    Returns:
        int64 [results], before the shift.

    Raises:
        OverflowError: an accumulator leaves int32.
    """
    combine = {"sum": np.add, "min": np.minimum, "max": np.maximum}[aggregate]
    start = {"sum": 0, "min": INT32_MAX, "max": INT32_MIN}[aggregate]
    total = np.full(base.shape, start, np.int64)
    width = leaves.shape[1]
    for root, first in roots.tolist():
        row = root
        while nodes[row, 0] != LEAF:
            feature, threshold, right = nodes[row].tolist()
            row = row + 1 if int(x[feature]) <= threshold else right
        span = slice(first, first + width)
        total[span] = combine(total[span], leaves[nodes[row, 1]])
        require_int32(total, "a sum of leaves")
    total += base
    require_int32(total, "a sum of leaves")
    return total


@dataclass(frozen=True, eq=False)
class Grid:
    """The numbers that the integers of a quantized input stand for.

    Attributes:
        low, high: the smallest and the largest integer.
        values: float32, ascending, what ``low``, ``low + 1``, … stand for.
        scale, zero: the parameters.
    """

    low: int
    high: int
    values: Array
    scale: float
    zero: int

    @classmethod
    def of(cls, low: int, high: int, scale: float, zero: int) -> Grid:
        """Those of DequantizeLinear, which computes in float32."""
        steps = np.arange(low - zero, high - zero + 1).astype(np.float32)
        return cls(low, high, steps * np.float32(scale), scale, zero)

    def last_at_most(self, thresholds: Array) -> Array:
        """The largest integer that stands for no more than each threshold; ``low`` − 1 where there is none."""
        return self.low - 1 + np.searchsorted(self.values, thresholds.astype(np.float32), side="right")

    def last_below(self, thresholds: Array) -> Array:
        """The largest integer that stands for less than each threshold; ``low`` − 1 where there is none."""
        return self.low - 1 + np.searchsorted(self.values, thresholds.astype(np.float32), side="left")

    def equal_to(self, thresholds: Array) -> Array:
        """The integer that each threshold is quantized to; ``low`` − 1 where it is beyond them.

        No integer may stand for the threshold itself; a value that is equal to it becomes this one.
        """
        nearest = np.rint(thresholds.astype(np.float64) / self.scale) + self.zero
        outside = (nearest < self.low) | (nearest > self.high)
        return np.where(outside, self.low - 1, nearest).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Leaves:
    """Leaves in integers.

    Attributes:
        values: int32 [leaves, width].
        base: int32 [results].
        shift: to the right, behind the sum.
    """

    values: Array
    base: Array
    shift: int


@dataclass(frozen=True)
class Result:
    """Scale and zero point of a forest's result, and the bits of its type."""

    scale: float
    zero: int
    bits: int


def scale_leaves(
    leaves: Array, trees: Sequence[tuple[int, Array]], base: Array, result: Result, aggregate: str
) -> Leaves | None:
    """Leaves in steps of the result times 2^shift.

    They are int16 where the rounding of all trees adds up to a thousandth of the result's integers or less, and else as
    fine as int32 has room for their sum.

    Args:
        leaves: float64 [leaves, width].
        trees: for each tree the first result that it adds to, and the rows of its leaves.
        base: float64 [results].
        result: its parameters.
        aggregate: one of :data:`AGGREGATES`.

    Returns:
        None where no shift keeps the accumulators in int32.
    """
    steps, added, width = leaves / result.scale, base / result.scale, leaves.shape[1]
    largest = float(np.abs(steps).max(initial=0.0))
    summed = np.zeros(len(base))
    for first, _ in trees:
        summed[first : first + width] += 1
    count = float(summed.max(initial=1.0)) if aggregate == "sum" else 1.0
    shift = SHIFT_MAX if not largest else min(SHIFT_MAX, int(np.floor(np.log2(_INT16_MAX / largest))))
    if shift < 0 or count * 2.0 ** -(shift + 1) > _ROUGH_SHARE * 2**result.bits:
        shift = SHIFT_MAX
    for bits in range(shift, -1, -1):
        found = _rounded(steps, added, result.zero, bits)
        if _fits(found, trees, aggregate):
            return found
    return None


def _rounded(steps: Array, added: Array, zero: int, shift: int) -> Leaves:
    values, base = np.rint(steps * 2.0**shift), np.rint(added * 2.0**shift)
    offset = (zero << shift) + ((1 << shift) >> 1)
    return Leaves(values.astype(np.int64), base.astype(np.int64) + offset, shift)


def _fits(found: Leaves, trees: Sequence[tuple[int, Array]], aggregate: str) -> bool:
    """Whether no partial sum leaves int32, whatever leaves are reached; a leaf's row is bounded as a whole."""
    largest = np.abs(found.values)
    reached, width = np.zeros(len(found.base), np.int64), largest.shape[1]
    for first, rows in trees:
        span, most = slice(first, first + width), largest[rows].max(axis=0, initial=0)
        reached[span] = reached[span] + most if aggregate == "sum" else np.maximum(reached[span], most)
    return bool((reached + np.abs(found.base)).max(initial=0) <= INT32_MAX)
