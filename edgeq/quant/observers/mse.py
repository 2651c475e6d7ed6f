"""MSE: the range that minimises the mean squared error of quantizing the histogram, clipping included."""

from __future__ import annotations

import numpy as np

from edgeq.quant.statistics import Statistics

RATIOS = np.linspace(1.0, 0.4, 61)
STEPS = 255


def observe(statistics: Statistics) -> tuple[float, float]:
    """Shrink both ends together, then each alone, over a grid of ratios; ties keep the wider range."""
    low, high = min(statistics.low, 0.0), max(statistics.high, 0.0)
    if statistics.reach == 0:
        return low, high
    common = min(RATIOS, key=lambda ratio: _error(statistics, low * ratio, high * ratio))
    low, high = low * common, high * common
    upper = min(RATIOS, key=lambda ratio: _error(statistics, low, high * ratio))
    lower = min(RATIOS, key=lambda ratio: _error(statistics, low * ratio, high * upper))
    return float(low * lower), float(high * upper)


def _error(statistics: Statistics, low: float, high: float) -> float:
    """Σ count·(centre − quantized centre)², plus the noise of a uniform step within a bin's width."""
    step = (high - low) / STEPS
    if step <= 0:
        return np.inf
    centres = statistics.centres
    clipped = np.clip(centres, low, high)
    outside = centres - clipped
    inside = np.where(outside == 0, step * step / 12, 0.0)
    return float(((outside * outside + inside) * statistics.counts).sum())
