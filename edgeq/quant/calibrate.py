"""Run the float model over the calibration data and collect statistics of every tensor that will be quantized."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from edgeq.onnxio import Session
from edgeq.quant.statistics import Statistics

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.onnxio.samples import Samples


def calibrate(
    model: onnx_ir.Model,
    samples: Samples,
    names: Iterable[str],
    progress: Callable[[float], None] = lambda done: None,
) -> dict[str, Statistics]:
    """Stream the samples one by one; memory does not depend on their number.

    Args:
        model: the normalized float model.
        samples: calibration data.
        names: values to observe.
        progress: called with the share of the samples done.

    Returns:
        Statistics by value name.
    """
    statistics = {name: Statistics() for name in names}
    session = Session(model, tuple(statistics))
    for index in range(len(samples)):
        values = session.run(samples.inputs(index))
        for name, seen in statistics.items():
            seen.update(values[name])
        progress((index + 1) / len(samples))
    return statistics
