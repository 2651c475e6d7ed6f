"""The first rows of a value as they are: what methods read that fit a layer on its own inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from edgeq.numerics.array import Array
from edgeq.quant.statistics.base import Field, Options, Statistic


class FirstRows(Statistic):
    """The first indices of axis 0 of a value, over the samples in their order.

    Args:
        limit: how many are kept.
        shape: of one of them.

    Attributes:
        kept: float32 [number kept, *shape].
    """

    kind: ClassVar[str] = "first_rows"

    def __init__(self, limit: int, shape: tuple[int, ...]) -> None:
        self.limit = limit
        self.kept: Array = np.zeros((0, *shape), np.float32)

    @staticmethod
    def layout(limit: int, shape: tuple[int, ...]) -> Mapping[str, Field]:
        """The rows, zeros behind the last one, and their number."""
        return {"rows": Field(np.float32, (limit, *shape)), "count": Field(np.int64, (1,))}

    def update(self, values: Array) -> None:
        """Add the value of some samples."""
        room = self.limit - len(self.kept)
        if room > 0:
            self.kept = np.concatenate([self.kept, values[:room]])

    def merged(self, other: Self) -> Self:
        """The rows of this one, then those of the other, as many as are kept."""
        result = type(self)(self.limit, self.kept.shape[1:])
        result.update(self.kept)
        result.update(other.kept)
        return result

    def arrays(self) -> dict[str, Array]:
        """The arrays of :meth:`layout`."""
        rows = np.zeros((self.limit, *self.kept.shape[1:]), np.float32)
        rows[: len(self.kept)] = self.kept
        return {"rows": rows, "count": np.array([len(self.kept)])}

    @classmethod
    def restored(cls, arrays: Mapping[str, Array], options: Options) -> Self:
        """The inverse of :meth:`arrays`.

        Raises:
            ValueError: there are more rows than are kept, or an element is not finite.
        """
        result = cls(*options)  # type: ignore[arg-type]  # Wanted has them from a step
        count = int(arrays["count"][0])
        if not 0 <= count <= result.limit or not np.isfinite(arrays["rows"]).all():
            raise ValueError("the rows that were kept contradict themselves")
        result.kept = arrays["rows"][:count]
        return result
