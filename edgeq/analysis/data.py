"""Data files for a compiled folder: described, and held against the range that calibration saw."""

from __future__ import annotations

from math import prod

from edgeq.analysis.model_values import model_inputs, model_outputs
from edgeq.data import DataReport, Range, examine_inputs
from edgeq.folder import Compiled
from edgeq.notes import tell
from edgeq.onnxio.samples import Samples


def examine_data(
    compiled: Compiled,
    samples: Samples | None,
    *,
    labelled: bool = False,
    strict: bool = False,
    accept: bool = False,
) -> DataReport | None:
    """Describe a data file; doubts become warnings, which the caller gathers.

    Args:
        compiled: the folder.
        samples: the data; None where there is none.
        labelled: its labels are classes of the model.
        strict: severe doubts stop the command, unless ``accept``.
        accept: likewise.

    Raises:
        EdgeqError: EQ0130 to EQ0133 where ``strict`` and not ``accept``.
    """
    if samples is None:
        return None
    ranges = {
        each.name: Range(each.quantization.low, each.quantization.high)
        for each in model_inputs(compiled)
        if not each.passes_through and each.quantization is not None
    }
    outputs = model_outputs(compiled)
    shape = outputs[0].shape
    countable = labelled and len(outputs) == 1 and len(shape) > 0 and prod(shape) == shape[-1] >= 2
    classes = shape[-1] if countable else None
    report = examine_inputs(samples, ranges, classes, strict=strict, accept=accept or not strict)
    tell(*report.problems)
    return report
