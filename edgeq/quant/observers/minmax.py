"""Min-max: the range is what was seen. Nothing is clipped; an outlier costs resolution everywhere."""

from __future__ import annotations

from edgeq.quant.statistics import Histogram


def observe(statistics: Histogram) -> tuple[float, float]:
    """The smallest and the largest value."""
    return statistics.low, statistics.high
