"""Accuracy on labelled data, on any executor, beside the float model's on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np

from edgeq import budget
from edgeq.analysis.data import examine_data
from edgeq.analysis.executors import (
    EXECUTORS,
    FLOAT,
    REFERENCE,
    check_names,
    outputs_of,
    require_image,
)
from edgeq.analysis.float_model import FloatModel, float_model_of
from edgeq.analysis.metrics import (
    DEFAULT_REDUCTIONS,
    KEYS,
    METRICS,
    REDUCTIONS,
    Material,
    agreement,
    check_metric,
    default_metric,
    sqnr_db,
)
from edgeq.analysis.model_values import available, model_inputs, model_outputs, open_samples, quantized_inputs
from edgeq.data import DataReport
from edgeq.errors import EdgeqError, Problem
from edgeq.folder import Compiled
from edgeq.job import Progress, silent
from edgeq.manifest import tell_of_float
from edgeq.notes import gathered
from edgeq.numerics.array import Array
from edgeq.onnxio.samples import Samples
from edgeq.sources import DataSource, ModelSource


@dataclass(frozen=True)
class Score:
    """One executor's figures."""

    on: str
    value: float
    agreement: float | None
    sqnr_db: float | None


@dataclass(frozen=True)
class EvalResult:
    """Figures of every executor on the same samples.

    ``agreement`` and ``sqnr_db`` compare with the float model: the first where outputs are classes, else the second.
    ``unused_keys`` are arrays of the data file that neither the model nor the metric reads, sorted. ``time_steps`` is
    the length of the sequences of a model with states, else None; ``reduce`` how each became one score, None where all
    time steps count.
    """

    metric: str
    samples: int
    float_value: float | None
    results: tuple[Score, ...]
    unused_keys: tuple[str, ...]
    data: DataReport | None = None
    notes: tuple[Problem, ...] = ()
    time_steps: int | None = None
    reduce: str | None = None

    @property
    def value(self) -> float | None:
        """The metric, where the integer executors agree in it; else None, as the other figures."""
        return _shared([score.value for score in self._integer])

    @property
    def agreement(self) -> float | None:
        """The share of samples whose arg-max equals the float model's."""
        return _shared([score.agreement for score in self._integer])

    @property
    def sqnr_db(self) -> float | None:
        """The signal-to-noise ratio of the outputs against the float model's, in dB."""
        return _shared([score.sqnr_db for score in self._integer])

    @property
    def _integer(self) -> Sequence[Score]:
        return [score for score in self.results if score.on != FLOAT] or self.results

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq eval``."""
        return {
            "metric": self.metric,
            "samples": self.samples,
            "time_steps": self.time_steps,
            "reduce": self.reduce,
            "float_value": self.float_value,
            "value": self.value,
            "agreement": self.agreement,
            "sqnr_db": self.sqnr_db,
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
    data: DataSource,
    runners: Sequence[str],
    metric: str | None = None,
    samples: int | None = None,
    progress: Progress = silent,
    accept_data: bool = False,
    float_model: ModelSource | None = None,
    reduce: str | None = None,
) -> EvalResult:
    """Evaluate a compiled folder.

    Args:
        compiled: the folder.
        data: a data file with what the metric needs.
        runners: ``reference``, ``float`` and names of runners.
        metric: a name in ``metrics.METRICS``; None lets the data's keys decide.
        samples: the first so many; None means all.
        progress: called with an executor's name and the share done.
        accept_data: severe doubts about the data are warnings.
        float_model: the float model to compare with, for a folder that does not hold it; None: the folder's own.
        reduce: a name in ``metrics.REDUCTIONS``: what the time steps of a sequence become; None: as the metric has it.

    Raises:
        EdgeqError: EQ0108 no sample, EQ0109 metric and data do not fit or there is nothing to reduce, EQ011x data,
            EQ0130 to EQ0133 severe doubts about the data, EQ0160-EQ0161 no image, EQ0166 another float model, EQ0170
            unknown runner, EQ06xx an image fails.
    """
    with budget.ensured(), gathered() as notes:
        tell_of_float(compiled.manifest.float_nodes)
        names, model = _judged(compiled, runners, float_model)
        result = _evaluated(compiled, names, model, data, metric, samples, progress, accept_data, reduce)
    return replace(result, notes=tuple(notes))


def _judged(
    compiled: Compiled, runners: Sequence[str], float_model: ModelSource | None
) -> tuple[tuple[str, ...], FloatModel | None]:
    """What takes part, and the float model to compare with."""
    names = check_names(runners, (FLOAT, REFERENCE, *EXECUTORS)) or (REFERENCE,)
    for name in names:
        if name not in {FLOAT, REFERENCE}:
            require_image(compiled, name)
    model = float_model_of(compiled, float_model)
    if model is None and FLOAT in names:
        raise EdgeqError(
            "EQ0109",
            "this folder has no float model",
            where="--on float",
            hint="a quantized model was compiled into it: name the float one with --float MODEL.onnx",
        )
    return names, model


def _evaluated(
    compiled: Compiled,
    names: Sequence[str],
    model: FloatModel | None,
    data: DataSource,
    metric: str | None,
    samples: int | None,
    progress: Progress,
    accept_data: bool,
    reduce: str | None,
) -> EvalResult:
    found = open_samples(compiled, data)
    labelled = metric == "top1" or (metric is None and "y" in found.extra and "group" not in found.extra)
    described = examine_data(compiled, found, labelled=labelled, strict=True, accept=accept_data)
    count = available(found, samples)
    output = model_outputs(compiled)[0]
    shape, are_classes = output.shape, output.quantization is None
    chosen = check_metric(metric) if metric else default_metric(found.extra, prod(shape), are_classes=are_classes)
    reduce = _reduction(found, chosen, reduce)
    scored = partial(_scored, found, reduce)
    inputs = quantized_inputs(compiled, found, count)
    shown = _first_inputs(compiled, found, len(inputs.runs))
    empty = scored(np.zeros((len(inputs.runs), *shape), np.float32))
    base = Material(
        empty, shown, empty if model is not None else None, found.extra, len(found), accept_data, are_classes
    )
    # No precondition depends on what comes out: it is told now, not after minutes in the emulator.
    METRICS[chosen](base)
    reference = scored(model.outputs(found, count, progress)) if model is not None else None
    base = replace(base, reference=reference)
    results = []
    for name in names:
        if name == FLOAT:
            assert reference is not None  # checked above
            outputs = reference
        else:
            outputs = scored(np.stack([arrays[0] for arrays in outputs_of(compiled, name, inputs, progress)]))
        results.append(_judge(name, chosen, replace(base, outputs=outputs)))
    unused = tuple(sorted(set(found.extra) - set(KEYS[chosen])))
    value = _float_value(chosen, base)
    return EvalResult(chosen, count, value, tuple(results), unused, described, time_steps=found.length, reduce=reduce)


def _reduction(samples: Samples, metric: str, asked: str | None) -> str | None:
    """How the time steps of a sequence become one score.

    Raises:
        EdgeqError: EQ0109.
    """
    if asked is None:
        return None if samples.length is None else DEFAULT_REDUCTIONS.get(metric)
    if asked not in REDUCTIONS or samples.length is None:
        raise EdgeqError(
            "EQ0109",
            "there is no such reduction" if samples.length is not None else "the model has no time steps to reduce",
            where="--reduce",
            got=asked,
            allowed=f"{', '.join(REDUCTIONS)}, for models with states",
        )
    return asked


def _scored(samples: Samples, reduce: str | None, runs: Array) -> Array:
    """Outputs of all runs as the metric takes them: one row a sample."""
    if samples.length is None:
        return runs
    sequences = runs.reshape(-1, samples.length, *runs.shape[1:])
    return sequences if reduce is None else REDUCTIONS[reduce](sequences)


def _judge(name: str, metric: str, material: Material) -> Score:
    value = METRICS[metric](material)
    if material.reference is None:
        return Score(name, value, None, None)
    if material.are_classes or metric in {"agreement", "top1"}:  # numbers of classes have no noise
        return Score(name, value, agreement(material), None)
    return Score(name, value, None, sqnr_db(material.outputs, material.reference))


def _float_value(metric: str, base: Material) -> float | None:
    if base.reference is None:
        return None
    return METRICS[metric](replace(base, outputs=base.reference))


def _first_inputs(compiled: Compiled, samples: Samples, runs: int) -> Array:
    """The first input of every sample as real numbers."""
    first = model_inputs(compiled)[0]
    values = [samples.inputs(run)[first.name] for run in range(runs)]
    real = np.stack([first.real(first.quantize(value)) if first.passes_through else value for value in values])
    return _scored(samples, None, real)


def _shared(values: Sequence[float | None]) -> float | None:
    return values[0] if len(set(values)) == 1 else None
