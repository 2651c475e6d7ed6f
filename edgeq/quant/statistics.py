"""What calibration remembers of a tensor: extremes and a histogram, in memory that does not grow with the data.

The histogram covers [−reach, reach] with zero on a bin border and doubles its reach when a value leaves it, merging
bins in pairs, so that one pass is enough and nothing has to be known beforehand. Exact zeros (half of what follows a
ReLU) are counted apart: they are always represented exactly and must not count as quantization error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from edgeq.numerics.array import Array

BINS: Final = 4096  # 2048 on either side of zero: eight bins for a step of the finest int8 grid


@dataclass
class Statistics:
    """Extremes and histogram of one tensor over all samples.

    Attributes:
        low, high: smallest and largest value seen; 0.0 is not included unless it was seen.
        count: number of values, ``zeros`` of which are exactly zero.
        reach: half the histogram's width; 0 before the first value other than zero.
        counts: int64 [BINS], the values other than zero.
    """

    low: float = np.inf
    high: float = -np.inf
    count: int = 0
    zeros: int = 0
    reach: float = 0.0
    counts: Array = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def update(self, values: Array) -> None:
        """Add one sample of the tensor; its values are finite."""
        flat = np.asarray(values, np.float64).reshape(-1)
        if flat.size == 0:
            return
        low, high = float(flat.min()), float(flat.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.count += flat.size
        busy = flat[flat != 0]
        self.zeros += flat.size - busy.size
        self._stretch(max(-low, high, 0.0))
        if busy.size:
            # A value of exactly +reach would open one bin too many.
            index = np.floor((busy + self.reach) * (BINS / (2 * self.reach))).astype(np.int64)
            self.counts += np.bincount(np.clip(index, 0, BINS - 1), minlength=BINS)

    @property
    def bin_width(self) -> float:
        """The width of a bin, in units of the tensor."""
        return 2 * self.reach / BINS

    @property
    def centres(self) -> Array:
        """The middle of each bin."""
        return (np.arange(BINS) + 0.5) * self.bin_width - self.reach

    def share_outside(self, low: float, high: float) -> float:
        """The share of all values in bins whose middle lies outside [low, high]; 0 where the extremes lie inside."""
        if self.count == 0 or (low <= self.low and self.high <= high):
            return 0.0
        centres = self.centres
        return float(self.counts[(centres < low) | (centres > high)].sum()) / self.count

    def _stretch(self, magnitude: float) -> None:
        if magnitude <= self.reach:
            return
        if self.reach == 0:
            self.reach = magnitude
            return
        while magnitude > self.reach:
            merged = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.zeros(BINS, np.int64)
            self.counts[BINS // 4 : BINS // 4 + BINS // 2] = merged
            self.reach *= 2
