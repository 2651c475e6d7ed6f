"""Observers: how a range follows from what calibration saw. One file each, one line here."""

from __future__ import annotations

from collections.abc import Callable

from edgeq.quant.observers import minmax, mse, percentile
from edgeq.quant.statistics import Statistics

OBSERVERS: dict[str, Callable[[Statistics], tuple[float, float]]] = {
    "minmax": minmax.observe,
    "mse": mse.observe,
    "percentile": percentile.observe,
}
