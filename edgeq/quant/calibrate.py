"""Run the float model over the calibration data and collect statistics of every tensor that will be quantized."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgeq import budget
from edgeq.errors import EdgeqError
from edgeq.quant.batching import Batching, batches, samples_in
from edgeq.quant.statistics import Statistics

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.numerics.array import Array
    from edgeq.onnxio.samples import Samples

Progress = Callable[[float], None]


def calibrate(
    model: onnx_ir.Model,
    samples: Samples,
    names: Sequence[str],
    batching: Batching,
    *,
    folds: int = 1,
    progress: Progress = lambda done: None,
) -> list[dict[str, Statistics]]:
    """Stream the samples; memory does not depend on their number.

    Args:
        model: the normalized float model.
        samples: calibration data.
        names: values to observe.
        batching: how the samples are run.
        folds: into how many parts the samples are split, see :func:`fold_of`.
        progress: called with the share of the samples done.

    Returns:
        By fold, statistics by value name.

    Raises:
        EdgeqError: EQ0332 a value is NaN or infinite.
    """
    found = [{name: Statistics() for name in names} for _ in range(folds)]
    size = batching.fetching_all
    piece = batching.pieces.piece(names, [str(value.name) for value in model.graph.inputs])
    done = 0
    for feeds in batches(samples, range(len(samples)), size):
        budget.tick("calibration")
        values = piece.run(feeds)
        count = samples_in(feeds) if batching.is_batched else 1
        numbers = np.array([fold_of(done + index, folds) for index in range(count)])
        for name in names:
            for fold in range(folds):
                part = values[name].reshape(count, -1)[numbers == fold]
                _update(found[fold][name], part, f"value {name}, sample {done}", size)
        done = min(done + size, len(samples))
        progress(done / len(samples))
    return found


def fold_of(index: int, folds: int) -> int:
    """The fold, of one or two, that a sample counts for.

    Of the samples 2k and 2k + 1 one each; which one follows a multiple of the golden ratio, so that no period in the
    samples, such as classes that alternate, falls together with one of the folds.
    """
    swapped = (index // 2) * 40503 >> 15
    return (index ^ swapped) % folds


def _update(seen: Statistics, values: Array, where: str, size: int) -> None:
    if not np.isfinite(values).all():
        raise EdgeqError(
            "EQ0332",
            "the float model computes NaN or infinity on the calibration data",
            where=where if size == 1 else f"{where} or one of the {size - 1} behind it",
            hint="check that the samples are scaled as the model was trained",
        )
    seen.update(values)
