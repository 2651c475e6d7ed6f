"""What calibration saw: statistics of every value that a step asked for, by fold of the samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from edgeq.quant.statistics import Statistic, Wanted

FOLDS: Final = 2
# With fewer samples a fold says nothing: the simplest method is taken, and measured on the data that it was made with.
FEWEST_TO_SPLIT: Final = 8


class Calibration:
    """Statistics by fold.

    Attributes:
        samples: how many samples were run.
        folds: by fold, the statistics of its samples.
    """

    def __init__(self, samples: int, folds: Sequence[dict[Wanted, Statistic]]) -> None:
        self.samples = samples
        self.folds = folds
        self._merged: dict[tuple[int | None, Wanted], Statistic] = {}

    @classmethod
    def empty(cls, wanted: Iterable[Wanted], samples: int) -> Calibration:
        """The statistics wanted, of no samples yet."""
        listed = list(wanted)
        return cls(samples, [{one: one.new() for one in listed} for _ in range(folds_of(samples))])

    @property
    def wanted(self) -> frozenset[Wanted]:
        """What was collected."""
        return frozenset(self.folds[0])

    def without(self, held_out: int | None, wanted: Wanted) -> Statistic:
        """A statistic over all folds but one; over all where there is one fold, or none is named."""
        if len(self.folds) == 1:
            held_out = None
        key = held_out, wanted
        if key not in self._merged:
            first, *rest = (fold[wanted] for number, fold in enumerate(self.folds) if number != held_out)
            for other in rest:
                first = first.merged(other)
            self._merged[key] = first
        return self._merged[key]


def folds_of(samples: int) -> int:
    """Into how many folds samples are split."""
    return FOLDS if samples >= FEWEST_TO_SPLIT else 1


def fold_of(index: int, folds: int) -> int:
    """The fold, of one or two, that a sample counts for.

    Of the samples 2k and 2k + 1 one each; which one follows a multiple of the golden ratio, so that no period in the
    samples, such as classes that alternate, falls together with one of the folds.
    """
    swapped = (index // 2) * 40503 >> 15
    return (index ^ swapped) % folds
