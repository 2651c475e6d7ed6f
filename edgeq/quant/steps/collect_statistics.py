"""The one calibration pass: the float model runs over all samples, and every statistic that a step wants is collected.

The samples are streamed; memory does not depend on their number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq import budget
from edgeq.errors import EdgeqError
from edgeq.quant.batching import batches, samples_in
from edgeq.quant.calibration import Calibration, fold_of, folds_of
from edgeq.quant.properties import CALIBRATED, SPECIFIED
from edgeq.quant.step import Step

if TYPE_CHECKING:
    from edgeq.numerics.array import Array
    from edgeq.quant.state import State
    from edgeq.quant.statistics import Wanted


def collect_statistics(state: State) -> None:
    """Collect what the steps of the list want.

    Raises:
        EdgeqError: EQ0332 a value is NaN or infinite, EQ0244 the statistics need more memory than there may be.
    """
    samples, batching = state.execution.samples, state.execution.batching
    count = samples.runs
    by_value: dict[str, list[Wanted]] = {}
    for wanted in state.wanted():
        by_value.setdefault(wanted.value, []).append(wanted)
    folds = folds_of(len(samples))
    listed = [wanted for found in by_value.values() for wanted in found]
    budget.need(folds * sum(wanted.size_bytes for wanted in listed), "calibration")
    state.calibration = Calibration.empty(listed, len(samples))
    size = batching.fetching_all
    piece = batching.pieces.piece([*by_value], [str(value.name) for value in state.model.graph.inputs])
    done = 0
    for feeds in batches(samples, range(count), size):
        budget.tick("calibration")
        values = piece.run(feeds)
        together = samples_in(feeds) if batching.is_batched else 1
        members = np.array([fold_of(samples.sample_of(done + index), folds) for index in range(together)])
        for name, found in by_value.items():
            _check_finite(values[name], f"value {name}, sample {done}", size)
            for fold in np.unique(members):
                part = _rows_of(values[name], members == fold)
                for wanted in found:
                    state.calibration.folds[fold][wanted].update(part)
        done = min(done + size, count)
        state.progress("calibrate", done / count)


def _rows_of(values: Array, chosen: Array) -> Array:
    """What belongs to some samples of a run: on axis 0 every sample has equally many indices."""
    if chosen.all():
        return values
    rows: Array = values[np.repeat(chosen, len(values) // len(chosen))]
    return rows


def _check_finite(values: Array, where: str, size: int) -> None:
    if not np.isfinite(values).all():
        raise EdgeqError(
            "EQ0332",
            "the float model computes NaN or infinity on the calibration data",
            where=where if size == 1 else f"{where} or one of the {size - 1} behind it",
            hint="check that the samples are scaled as the model was trained",
        )


STEP: Final = Step("collect_statistics", collect_statistics, requires=(SPECIFIED,), ensures=(CALIBRATED,))
