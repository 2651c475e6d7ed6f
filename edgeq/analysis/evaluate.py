"""Accuracy on labelled data, on any executor, beside the float model's on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.analysis.borders import input_borders, open_samples, quantized_inputs
from edgeq.analysis.data import examine_data
from edgeq.analysis.executors import EXECUTORS, FLOAT, REFERENCE, Progress, check_names, outputs_of, silent
from edgeq.analysis.metrics import METRICS, Material, agreement, check_metric, default_metric, sqnr_db
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
    """

    metric: str
    samples: int
    float_value: float | None
    results: tuple[Result, ...]
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

    Raises:
        EdgeqError: EQ0130 to EQ0133 severe doubts about the data, EQ0109 metric and data do not fit, EQ011x data,
            EQ0170 unknown runner, EQ06xx an image fails.
    """
    names = check_names(runners, (FLOAT, REFERENCE, *EXECUTORS)) or (REFERENCE,)
    found = open_samples(compiled, data)
    labelled = metric == "top1" or (metric is None and "y" in found.extra and "group" not in found.extra)
    with gathered() as notes:
        described = examine_data(compiled, found, labelled=labelled, strict=True, accept=accept_data)
    count = len(found) if samples is None else min(samples, len(found))
    inputs = list(quantized_inputs(compiled, found, count))
    reference = _float_outputs(compiled, found, count, progress)
    if reference is None and FLOAT in names:
        raise EdgeqError(
            "EQ0109",
            "this folder has no float model",
            where="--on float",
            hint="it was compiled from a quantized model; compile the float model to compare with it",
        )
    first_input = input_borders(compiled)[0].name
    shown = np.stack([found.inputs(index)[first_input] for index in range(count)])
    base = Material(shown, shown, reference, found.extra)
    chosen = check_metric(metric) if metric else None
    results = []
    for name in names:
        if name == FLOAT:
            assert reference is not None  # checked above
            outputs = reference
        else:
            outputs = np.stack([arrays[0] for arrays in outputs_of(compiled, name, inputs, progress)])
        chosen = chosen or default_metric(found.extra, outputs[0].size)
        results.append(_judge(name, chosen, replace(base, outputs=outputs)))
    assert chosen is not None  # there is at least one executor
    return EvalReport(chosen, count, _float_value(chosen, base), tuple(results), described, tuple(notes))


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


def _float_outputs(compiled: Compiled, samples: Samples, count: int, progress: Progress) -> Array | None:
    from edgeq.onnxio import Session

    model = compiled.float_model()
    if model is None:
        return None
    session = Session(model)
    outputs = []
    for index in range(count):
        outputs.append(session.run(samples.inputs(index))[session.outputs[0]])
        progress(FLOAT, (index + 1) / count)
    return np.stack(outputs)


def _shared(values: Sequence[float | None]) -> float | None:
    return values[0] if len(set(values)) == 1 else None
