"""Observers: how a range follows from what calibration saw. One file each, one line here.

An observer maps statistics to (low, high); the range is widened to contain zero afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edgeq.quant.observers import mae, minmax, mse, percentile
from edgeq.quant.statistics import Histogram

Observer = Callable[[Histogram], tuple[float, float]]

OBSERVERS: Final[dict[str, Observer]] = {
    "mae": mae.observe,
    "minmax": minmax.observe,
    "mse": mse.observe,
    "percentile": percentile.observe,
}
