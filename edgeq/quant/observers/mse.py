"""MSE: the range that minimises the mean squared error of quantizing the histogram, clipping included."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgeq.quant.statistics import Statistics

# A range below 0.3 of the extremes never won on the models measured; 71 ratios are one per cent apart.
RATIOS: Final = np.linspace(1.0, 0.3, 71)
STEPS: Final = 255


def observe(statistics: Statistics) -> tuple[float, float]:
    """Shrink both ends together, then each alone, over a grid of ratios; ties keep the wider range."""
    low, high = min(statistics.low, 0.0), max(statistics.high, 0.0)
    if statistics.reach == 0:
        return low, high
    # Bins that nothing fell into cannot contribute.
    busy = np.nonzero(statistics.counts)[0]
    centres, counts = statistics.centres[busy], statistics.counts[busy]

    def error(bottom: float, top: float) -> float:
        """Σ count·error²: outside the distance to the border, inside the noise step²/12 of rounding."""
        step = (top - bottom) / STEPS
        if step <= 0:
            return float(np.inf)
        outside = centres - np.clip(centres, bottom, top)
        return float((np.where(outside == 0, step * step / 12, outside * outside) * counts).sum())

    common = min(RATIOS, key=lambda ratio: error(low * ratio, high * ratio))
    low, high = low * common, high * common
    upper = min(RATIOS, key=lambda ratio: error(low, high * ratio))
    lower = min(RATIOS, key=lambda ratio: error(low * ratio, high * upper))
    return float(low * lower), float(high * upper)
