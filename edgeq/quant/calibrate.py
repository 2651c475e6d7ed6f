"""Run the float model over the calibration data and collect statistics of every tensor that will be quantized."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from edgeq import budget
from edgeq.errors import EdgeqError
from edgeq.onnxio import Session
from edgeq.quant.statistics import Statistics

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.onnxio.samples import Samples

Progress = Callable[[float], None]


def calibrate(
    model: onnx_ir.Model, samples: Samples, names: Iterable[str], progress: Progress = lambda done: None
) -> dict[str, Statistics]:
    """Stream the samples one by one; memory does not depend on their number.

    Args:
        model: the normalized float model.
        samples: calibration data.
        names: values to observe.
        progress: called with the share of the samples done.

    Returns:
        Statistics by value name.

    Raises:
        EdgeqError: EQ0332 a value is NaN or infinite.
    """
    statistics = {name: Statistics() for name in names}
    session = Session(model, tuple(statistics))
    total = len(samples)
    for index in range(total):
        budget.tick("calibration")
        values = session.run(samples.inputs(index))
        for name, seen in statistics.items():
            if not np.isfinite(values[name]).all():
                raise EdgeqError(
                    "EQ0332",
                    "the float model computes NaN or infinity on the calibration data",
                    where=f"value {name}, sample {index}",
                    hint="check that the samples are scaled as the model was trained",
                )
            seen.update(values[name])
        progress((index + 1) / total)
    return statistics
