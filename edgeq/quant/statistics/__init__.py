"""Statistics of a value over the calibration samples: a file each. A step says which it reads (:class:`Wanted`)."""

from __future__ import annotations

from edgeq.quant.statistics.base import Statistic, Wanted
from edgeq.quant.statistics.channel_ranges import ChannelRanges
from edgeq.quant.statistics.first_rows import FirstRows
from edgeq.quant.statistics.gram import Gram, gram_of
from edgeq.quant.statistics.histogram import BINS, Histogram

__all__ = ["BINS", "ChannelRanges", "FirstRows", "Gram", "Histogram", "Statistic", "Wanted", "gram_of"]
