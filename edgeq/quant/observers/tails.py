"""The sums over both tails of a histogram for many ranges at once: what a search for the best range evaluates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeq.numerics.array import Array
from edgeq.quant.statistics import Histogram


@dataclass(frozen=True, eq=False)
class Tails:
    """Sums over the bins of a histogram, from either end.

    Attributes:
        centres: the middle of each bin that is not empty, ascending.
        lower: [3, B + 1], Σ count·centre^k over the first i bins, for k = 0, 1, 2.
        upper: [3, B + 1], the same over the last B − i bins.
    """

    centres: Array
    lower: Array
    upper: Array

    @classmethod
    def of(cls, statistics: Histogram) -> Tails:
        """The tails of the values other than zero."""
        busy = np.nonzero(statistics.counts)[0]  # empty bins add nothing
        centres, counts = statistics.centres[busy], statistics.counts[busy]
        powers = counts * np.stack([np.ones(len(busy)), centres, centres * centres])
        edge = np.zeros((3, 1))
        return cls(
            centres,
            np.concatenate([edge, np.cumsum(powers, axis=1)], axis=1),
            np.concatenate([np.cumsum(powers[:, ::-1], axis=1)[:, ::-1], edge], axis=1),
        )

    def beyond(self, lows: Array, highs: Array) -> tuple[Array, Array, Array]:
        """For each range: how many values lie outside of it, their summed distances to it, and the squares of those."""
        below = self.lower[:, np.searchsorted(self.centres, lows, side="left")]
        above = self.upper[:, np.searchsorted(self.centres, highs, side="right")]
        distances = (lows * below[0] - below[1]) + (above[1] - highs * above[0])
        squares = (lows * lows * below[0] - 2 * lows * below[1] + below[2]) + (
            highs * highs * above[0] - 2 * highs * above[1] + above[2]
        )
        return below[0] + above[0], distances, squares
