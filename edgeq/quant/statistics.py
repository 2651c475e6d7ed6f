"""What calibration remembers of a tensor: extremes and a histogram, in memory that does not grow with the data.

The histogram covers [−reach, reach], ``reach`` a power of two, with zero on a bin border. When a value leaves it, reach
doubles and bins merge in pairs, so that one pass is enough and nothing has to be known beforehand. Any order of the
samples, and any split of them into parts that are merged later, gives the same histogram. Exact zeros (half of what
follows a ReLU) are counted apart: they are always represented exactly and must not count as quantization error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from edgeq.numerics.array import Array

BINS: Final = 4096  # 2048 on either side of zero: at least four bins for a step of the finest int8 grid
# 2048 / reach must be a float32 number.
_REACH_MIN: Final = 2.0**-100


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
        """Add samples of the tensor; its values are finite."""
        flat = np.asarray(values).reshape(-1)
        if flat.size == 0:
            return
        low, high = float(flat.min()), float(flat.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.count += flat.size
        zeros = flat.size - int(np.count_nonzero(flat))
        self.zeros += zeros
        self._stretch(max(-low, high, 0.0))
        if zeros < flat.size:
            # A product with a power of two is exact, also in float32.
            index = np.floor(flat * flat.dtype.type(BINS / (2 * self.reach))).astype(np.int64)
            index += BINS // 2
            # A value of exactly +reach would open one bin too many.
            self.counts += np.bincount(np.minimum(index, BINS - 1), minlength=BINS)
            self.counts[BINS // 2] -= zeros

    def merged(self, other: Statistics) -> Statistics:
        """The statistics of the samples of both."""
        result = Statistics(
            min(self.low, other.low),
            max(self.high, other.high),
            self.count + other.count,
            self.zeros + other.zeros,
            self.reach,
            self.counts.copy(),
        )
        added = Statistics(reach=other.reach, counts=other.counts)
        result._stretch(other.reach)
        added._stretch(result.reach)
        result.counts += added.counts
        return result

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
        """Let the histogram reach a magnitude."""
        if magnitude <= self.reach:
            return
        if self.reach == 0:
            fraction, exponent = np.frexp(max(magnitude, _REACH_MIN))
            self.reach = float(np.ldexp(1.0, int(exponent) - (fraction == 0.5)))
            return
        while magnitude > self.reach:
            merged = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.zeros(BINS, np.int64)
            self.counts[BINS // 4 : BINS // 4 + BINS // 2] = merged
            self.reach *= 2
