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
        folds: sample i counts for fold i mod ``folds``.
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
        for name in names:
            for fold in range(folds):
                part = values[name]
                if batching.is_batched:
                    part = part.reshape(samples_in(feeds), -1)[(fold - done) % folds :: folds]
                elif done % folds != fold:
                    continue
                _update(found[fold][name], part, f"value {name}, sample {done}", size)
        done = min(done + size, len(samples))
        progress(done / len(samples))
    return found


def _update(seen: Statistics, values: Array, where: str, size: int) -> None:
    if not np.isfinite(values).all():
        raise EdgeqError(
            "EQ0332",
            "the float model computes NaN or infinity on the calibration data",
            where=where if size == 1 else f"{where} or one of the {size - 1} behind it",
            hint="check that the samples are scaled as the model was trained",
        )
    seen.update(values)
