"""Statistics of a value over the calibration samples: a file each. A step says which it reads (:class:`Wanted`)."""

from __future__ import annotations

from typing import Final

from edgeq.quant.statistics.base import Statistic, Wanted
from edgeq.quant.statistics.channel_ranges import ChannelRanges
from edgeq.quant.statistics.first_rows import FirstRows
from edgeq.quant.statistics.gram import Gram, gram_of
from edgeq.quant.statistics.histogram import BINS, Histogram

__all__ = ["BINS", "KINDS", "ChannelRanges", "FirstRows", "Gram", "Histogram", "Statistic", "Wanted", "gram_of"]

KINDS: Final[dict[str, type[Statistic]]] = {kind.kind: kind for kind in (ChannelRanges, FirstRows, Gram, Histogram)}
