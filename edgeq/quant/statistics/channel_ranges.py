"""The extremes of every channel of a value: what the equalization of channels and per-channel ranges follow from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from edgeq.numerics.array import Array
from edgeq.quant.statistics.base import Field, Options, Statistic


class ChannelRanges(Statistic):
    """Smallest and largest element of each channel over all samples.

    Args:
        axis: the channels' axis, of which axis 0 is none.
        channels: how many there are.

    Attributes:
        low: float64 [channels]; infinity before the first sample.
        high: the same, −infinity.
    """

    kind: ClassVar[str] = "channel_ranges"

    def __init__(self, axis: int, channels: int) -> None:
        self.axis = axis
        self.low = np.full(channels, np.inf)
        self.high = np.full(channels, -np.inf)

    @staticmethod
    def layout(axis: int, channels: int) -> Mapping[str, Field]:
        """Low and high of each channel."""
        del axis
        return {"low": Field(np.float64, (channels,)), "high": Field(np.float64, (channels,))}

    def update(self, values: Array) -> None:
        """Add the value of some samples."""
        others = tuple(axis for axis in range(values.ndim) if axis != self.axis)
        self.low = np.minimum(self.low, values.min(axis=others, initial=np.inf))
        self.high = np.maximum(self.high, values.max(axis=others, initial=-np.inf))

    def merged(self, other: Self) -> Self:
        """The ranges over the samples of both."""
        result = type(self)(self.axis, len(self.low))
        result.low, result.high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        return result

    def arrays(self) -> dict[str, Array]:
        """The arrays of :meth:`layout`."""
        return {"low": self.low, "high": self.high}

    @classmethod
    def restored(cls, arrays: Mapping[str, Array], options: Options) -> Self:
        """The inverse of :meth:`arrays`.

        Raises:
            ValueError: a channel ends below where it begins, or a number is NaN.
        """
        result = cls(*options)  # type: ignore[arg-type]  # Wanted has them from a step
        result.low, result.high = arrays["low"], arrays["high"]
        seen = result.low <= result.high
        if not (seen | ((result.low == np.inf) & (result.high == -np.inf))).all():
            raise ValueError("the ranges of channels contradict themselves")
        return result
