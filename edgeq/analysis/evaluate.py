"""Accuracy on labelled data, on any executor, beside the float model's on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.analysis.data import examine_data
from edgeq.analysis.executors import (
    EXECUTORS,
    FLOAT,
    REFERENCE,
    Progress,
    check_names,
    outputs_of,
    require_image,
    silent,
)
from edgeq.analysis.float_model import float_model_of
from edgeq.analysis.metrics import KEYS, METRICS, Material, agreement, check_metric, default_metric, sqnr_db
from edgeq.analysis.model_values import available, model_inputs, model_outputs, open_samples, quantized_inputs
from edgeq.data import DataReport
from edgeq.errors import EdgeqError, Problem
from edgeq.folder import Compiled
from edgeq.notes import gathered
from edgeq.numerics.array import Array
from edgeq.onnxio.samples import Samples


@dataclass(frozen=True)
class Result:
    """One executor's figures."""

    on: str
    value: float
    agreement: float | None
    sqnr_db: float | None


@dataclass(frozen=True)
class EvalReport:
    """Figures of every executor on the same samples.

    ``agreement`` and ``sqnr_db`` compare with the float model: the first where outputs are classes, else the second.
    ``unused_keys`` are arrays of the data file that neither the model nor the metric reads, sorted.
    """

    metric: str
    samples: int
    float_value: float | None
    results: tuple[Result, ...]
    unused_keys: tuple[str, ...]
    data: DataReport | None = None
    notes: tuple[Problem, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq eval``; a top-level figure is null where the integer executors differ."""
        integer = [result for result in self.results if result.on != FLOAT] or list(self.results)
        return {
            "metric": self.metric,
            "samples": self.samples,
            "float_value": self.float_value,
            "value": _shared([result.value for result in integer]),
            "agreement": _shared([result.agreement for result in integer]),
            "sqnr_db": _shared([result.sqnr_db for result in integer]),
            "on": [result.on for result in self.results],
            "results": [
                {
                    "on": result.on,
                    "metric": self.metric,
                    "samples": self.samples,
                    "value": result.value,
                    "float_value": self.float_value,
                    "agreement": result.agreement,
                    "sqnr_db": result.sqnr_db,
                }
                for result in self.results
            ],
            "unused_keys": list(self.unused_keys),
            "data": self.data.to_json() if self.data is not None else None,
            "notes": [problem.to_json() for problem in self.notes],
        }


def evaluate_folder(
    compiled: Compiled,
    data: Path,
    runners: Sequence[str],
    metric: str | None = None,
    samples: int | None = None,
    progress: Progress = silent,
    accept_data: bool = False,
    float_path: Path | None = None,
) -> EvalReport:
    """Evaluate a compiled folder.

    Args:
        compiled: the folder.
        data: a data file with what the metric needs.
        runners: ``reference``, ``float`` and names of runners.
        metric: a name in ``metrics.METRICS``; None lets the data's keys decide.
        samples: the first so many; None means all.
        progress: called with an executor's name and the share done.
        accept_data: severe doubts about the data are warnings.
        float_path: the float model to compare with, for a folder that does not hold it; None: the folder's own.

    Raises:
        EdgeqError: EQ0108 no sample, EQ0109 metric and data do not fit, EQ011x data, EQ0130 to EQ0133 severe doubts
            about the data, EQ0160-EQ0161 no image, EQ0166 another float model, EQ0170 unknown runner, EQ06xx an image
            fails.
    """
    names = check_names(runners, (FLOAT, REFERENCE, *EXECUTORS)) or (REFERENCE,)
    for name in names:
        if name not in {FLOAT, REFERENCE}:
            require_image(compiled, name)
    model = float_model_of(compiled, float_path)
    if model is None and FLOAT in names:
        raise EdgeqError(
            "EQ0109",
            "this folder has no float model",
            where="--on float",
            hint="a quantized model was compiled into it: name the float one with --float MODEL.onnx",
        )
    found = open_samples(compiled, data)
    labelled = metric == "top1" or (metric is None and "y" in found.extra and "group" not in found.extra)
    with gathered() as notes:
        described = examine_data(compiled, found, labelled=labelled, strict=True, accept=accept_data)
        count = available(found, samples)
    shape = model_outputs(compiled)[0].shape
    chosen = check_metric(metric) if metric else default_metric(found.extra, prod(shape))
    shown = _first_inputs(compiled, found, count)
    empty = np.zeros((count, *shape), np.float32)
    base = Material(empty, shown, empty if model is not None else None, found.extra, len(found), accept_data)
    # No precondition depends on what comes out: it is told now, not after minutes in the emulator.
    METRICS[chosen](base)
    inputs = list(quantized_inputs(compiled, found, count))
    reference = model.outputs(found, count, progress) if model is not None else None
    base = replace(base, reference=reference)
    results = []
    for name in names:
        if name == FLOAT:
            assert reference is not None  # checked above
            outputs = reference
        else:
            outputs = np.stack([arrays[0] for arrays in outputs_of(compiled, name, inputs, progress)])
        results.append(_judge(name, chosen, replace(base, outputs=outputs)))
    unused = tuple(sorted(set(found.extra) - set(KEYS[chosen])))
    return EvalReport(chosen, count, _float_value(chosen, base), tuple(results), unused, described, tuple(notes))


def _judge(name: str, metric: str, material: Material) -> Result:
    value = METRICS[metric](material)
    if material.reference is None:
        return Result(name, value, None, None)
    if metric in {"agreement", "top1"}:
        return Result(name, value, agreement(material), None)
    return Result(name, value, None, sqnr_db(material.outputs, material.reference))


def _float_value(metric: str, base: Material) -> float | None:
    if base.reference is None:
        return None
    return METRICS[metric](replace(base, outputs=base.reference))


def _first_inputs(compiled: Compiled, samples: Samples, count: int) -> Array:
    """The first input of every sample as real numbers."""
    first = model_inputs(compiled)[0]
    values = [samples.inputs(index)[first.name] for index in range(count)]
    return np.stack([first.real(first.quantize(value)) if first.passes_through else value for value in values])


def _shared(values: Sequence[float | None]) -> float | None:
    return values[0] if len(set(values)) == 1 else None
