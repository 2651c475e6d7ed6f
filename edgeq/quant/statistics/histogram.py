"""Extremes and a histogram of a value: what ranges follow from.

The histogram covers [−reach, reach], ``reach`` a power of two, with zero on a bin border. When a value leaves it, reach
doubles and bins merge in pairs, so that one pass is enough and nothing has to be known beforehand. Any order of the
samples, and any split of them into parts that are merged later, gives the same histogram. Exact zeros (half of what
follows a ReLU) are counted apart: they are always represented exactly and must not count as quantization error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

import numpy as np

from edgeq.numerics.array import Array
from edgeq.quant.statistics.base import Field, Options, Statistic

BINS: Final = 4096  # 2048 on either side of zero: at least four bins for a step of the finest int8 scale
# 2048 / reach must be a float32 number.
_REACH_MIN: Final = 2.0**-100


@dataclass
class Histogram(Statistic):
    """Extremes and histogram of one value over all samples.

    Attributes:
        low, high: smallest and largest value seen; 0.0 is not included unless it was seen.
        count: number of values, ``zeros`` of which are exactly zero.
        reach: half the histogram's width; 0 before the first value other than zero.
        counts: int64 [BINS], the values other than zero.
    """

    kind: ClassVar[str] = "histogram"
    low: float = np.inf
    high: float = -np.inf
    count: int = 0
    zeros: int = 0
    reach: float = 0.0
    counts: Array = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def update(self, values: Array) -> None:
        """Add the value of some samples; all elements are finite."""
        flat = np.asarray(values).reshape(-1)
        if flat.size == 0:
            return
        low, high = float(flat.min()), float(flat.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.count += flat.size
        zeros = flat.size - int(np.count_nonzero(flat))
        self.zeros += zeros
        self.stretch(max(-low, high, 0.0))
        if zeros < flat.size:
            # A product with a power of two is exact, also in float32.
            index = np.floor(flat * flat.dtype.type(BINS / (2 * self.reach))).astype(np.int64)
            index += BINS // 2
            # A value of exactly +reach would open one bin too many.
            self.counts += np.bincount(np.minimum(index, BINS - 1), minlength=BINS)
            self.counts[BINS // 2] -= zeros

    def merged(self, other: Self) -> Self:
        """The histogram of the samples of both."""
        result = type(self)(
            min(self.low, other.low),
            max(self.high, other.high),
            self.count + other.count,
            self.zeros + other.zeros,
            self.reach,
            self.counts.copy(),
        )
        added = type(self)(reach=other.reach, counts=other.counts)
        result.stretch(other.reach)
        added.stretch(result.reach)
        result.counts += added.counts
        return result

    @staticmethod
    def layout() -> Mapping[str, Field]:
        """Low, high and reach; count and zeros; the counts."""
        return {
            "extent": Field(np.float64, (3,)),
            "seen": Field(np.int64, (2,)),
            "counts": Field(np.int64, (BINS,)),
        }

    def arrays(self) -> dict[str, Array]:
        """The arrays of :meth:`layout`."""
        return {
            "extent": np.array([self.low, self.high, self.reach]),
            "seen": np.array([self.count, self.zeros]),
            "counts": self.counts,
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, Array], options: Options = ()) -> Self:
        """The inverse of :meth:`arrays`.

        Raises:
            ValueError: no samples give such numbers.
        """
        del options
        low, high, reach = (float(number) for number in arrays["extent"])
        count, zeros = (int(number) for number in arrays["seen"])
        counts = arrays["counts"]
        extent_fits = -reach <= low <= high <= reach and np.frexp(reach)[0] in {0.0, 0.5} and np.isfinite(reach)
        if count == 0:
            extent_fits = (low, high, reach) == (np.inf, -np.inf, 0.0)
        if not extent_fits or not 0 <= zeros <= count or counts.min() < 0 or counts.sum() != count - zeros:
            raise ValueError("a histogram contradicts itself")
        return cls(low, high, count, zeros, reach, counts)

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

    def stretch(self, magnitude: float) -> None:
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
