"""What calibration remembers of a tensor: its extremes and a histogram, in memory that does not grow with the data."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgeq.numerics.array import Array

BINS = 4096


@dataclass
class Statistics:
    """Extremes and a histogram over [−reach, reach] that doubles its reach, merging bins in pairs, when data leaves it.

    Attributes:
        low, high: smallest and largest value seen.
        reach: half the histogram's width; 0 before the first value other than zero.
        counts: int64 [BINS].
        widths: high − low after each sample, one float each, to see whether the range still grows.
    """

    low: float = np.inf
    high: float = -np.inf
    reach: float = 0.0
    counts: Array = field(default_factory=lambda: np.zeros(BINS, np.int64))
    widths: list[float] = field(default_factory=list)

    def update(self, values: Array) -> None:
        """Add one sample of the tensor."""
        flat = np.asarray(values, np.float64).reshape(-1)
        self.low, self.high = min(self.low, float(flat.min())), max(self.high, float(flat.max()))
        self.widths.append(self.high - self.low)
        self._stretch(float(np.abs(flat).max()))
        if self.reach > 0:
            index = ((flat + self.reach) * (BINS / (2 * self.reach))).astype(np.int64)
            self.counts += np.bincount(np.minimum(index, BINS - 1), minlength=BINS)

    def _stretch(self, magnitude: float) -> None:
        if magnitude == 0 or magnitude <= self.reach:
            return
        if self.reach == 0:
            self.reach = magnitude
            return
        while magnitude > self.reach:
            half = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.zeros(BINS, np.int64)
            self.counts[BINS // 4 : BINS // 4 + BINS // 2] = half
            self.reach *= 2

    @property
    def centres(self) -> Array:
        """The middle of each bin."""
        step = 2 * self.reach / BINS
        return (np.arange(BINS) + 0.5) * step - self.reach

    @property
    def still_growing(self) -> bool:
        """Whether the range grew by more than 5 % over the last quarter of the samples."""
        if len(self.widths) < 8:  # noqa: PLR2004 - a quarter of fewer says nothing
            return False
        before = self.widths[len(self.widths) * 3 // 4 - 1]
        return self.widths[-1] > 1.05 * before
