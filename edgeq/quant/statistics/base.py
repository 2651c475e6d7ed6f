"""What a statistic of calibration is: collected in any order, merged, saved and restored."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np

from edgeq.numerics.array import Array

# Whole numbers and tuples of them: what tells two statistics of one kind and value apart.
Options: TypeAlias = "tuple[int | Options, ...]"


@dataclass(frozen=True)
class Field:
    """One array that a statistic consists of."""

    dtype: type[np.generic]
    shape: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """Its number of elements."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Its bytes."""
        return self.count * np.dtype(self.dtype).itemsize


class Statistic(ABC):
    """A summary of one value over samples, in memory that does not grow with their number.

    Attributes:
        kind: its name in saved calibrations.
    """

    kind: ClassVar[str]

    @staticmethod
    @abstractmethod
    def layout(*options: Any) -> Mapping[str, Field]:  # noqa: ANN401 - each kind has its own
        """The arrays that :meth:`arrays` gives, by name; ``options`` are the constructor's arguments."""

    @abstractmethod
    def update(self, values: Array) -> None:
        """Add the value of some samples, float [samples · size of axis 0, …]; all elements are finite."""

    @abstractmethod
    def merged(self, other: Self) -> Self:
        """The statistic of the samples of both; neither is changed."""

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """The whole statistic as arrays of the types and shapes of :meth:`layout`."""

    @classmethod
    @abstractmethod
    def restored(cls, arrays: Mapping[str, Array], options: Options) -> Self:
        """The inverse of :meth:`arrays`; types and shapes are those of :meth:`layout`.

        Raises:
            ValueError: no samples give such numbers.
        """


@dataclass(frozen=True)
class Wanted:
    """A statistic that a step reads.

    Attributes:
        value: name of a value of the float model.
        kind: the class of the statistic.
        options: arguments of its constructor.
    """

    value: str
    kind: type[Statistic]
    options: Options = ()

    def new(self) -> Statistic:
        """The statistic of no samples."""
        return self.kind(*self.options)

    @property
    def layout(self) -> Mapping[str, Field]:
        """Its arrays."""
        return self.kind.layout(*self.options)

    @property
    def size_bytes(self) -> int:
        """The memory that it takes."""
        return sum(field.size_bytes for field in self.layout.values())

    @property
    def label(self) -> str:
        """A text that is another one for every other statistic, ``["histogram", "x", []]``."""
        return json.dumps([self.kind.kind, self.value, self.options])
