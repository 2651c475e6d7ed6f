"""Post-training quantization: a float model and calibration data become a QDQ model.

With ``observer="auto"`` every observer's model is built from one calibration pass and run on calibration samples; the
one whose outputs come closest to the float model's is taken. Evaluation data is never looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.onnxio import Session
from edgeq.onnxio.qdq_form import Activation, QdqPlan, write_qdq
from edgeq.quant.calibrate import calibrate
from edgeq.quant.observers import OBSERVERS
from edgeq.quant.parameters import activation_parameters, quantize_constant, quantize_layer
from edgeq.quant.scheme import Scheme, plan_scheme
from edgeq.quant.statistics import Statistics

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.onnxio.samples import Samples

AUTO = "auto"
FEW_SAMPLES = 32
# Samples on which `auto` compares observers: enough to rank them, few enough to stay quick.
_JUDGED = 48


@dataclass(frozen=True)
class QuantizeOptions:
    """What the user may choose.

    Attributes:
        observer: a name in ``observers.OBSERVERS``, or ``auto``.
        mode: ``highmul`` or ``tflite``; decides which operators share scales.
    """

    observer: str = AUTO
    mode: str = "highmul"


@dataclass(frozen=True)
class Report:
    """What was chosen, and on what grounds.

    Attributes:
        observer: the observer in effect.
        samples: number of calibration samples.
        output_sqnr_db: by observer, the signal-to-noise ratio of the outputs on calibration samples; empty unless auto.
        tensors: by value name: scale, zero_point, low, high (what was seen).
        warnings: for the user.
    """

    observer: str
    samples: int
    output_sqnr_db: Mapping[str, float]
    tensors: Mapping[str, Mapping[str, float]]
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {
            "observer": self.observer,
            "samples": self.samples,
            "output_sqnr_db": dict(self.output_sqnr_db),
            "tensors": {name: dict(entry) for name, entry in self.tensors.items()},
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class Quantized:
    """A QDQ model and how it came about."""

    model: onnx_ir.Model
    report: Report


def quantize(
    model: onnx_ir.Model,
    samples: Samples,
    options: QuantizeOptions,
    progress: Callable[[float], None] = lambda done: None,
) -> Quantized:
    """Quantize a normalized float model to int8.

    Args:
        model: normalized, every operator supported.
        samples: calibration data, a few hundred typical inputs.
        options: the user's choices.
        progress: called with the share of the calibration done.

    Raises:
        EdgeqError: EQ0107 where there is no such observer.
    """
    if options.observer not in (AUTO, *OBSERVERS):
        raise EdgeqError(
            "EQ0107",
            "there is no such observer",
            where="--observer",
            got=options.observer,
            allowed=", ".join((AUTO, *OBSERVERS)),
        )
    scheme = plan_scheme(model, options.mode)
    statistics = calibrate(model, samples, scheme.names, progress)
    candidates = tuple(OBSERVERS) if options.observer == AUTO else (options.observer,)
    plans = {name: _plan(scheme, statistics, samples, name) for name in candidates}
    models = {name: write_qdq(model, plan) for name, plan in plans.items()}
    ratios: dict[str, float] = {}
    if options.observer == AUTO:
        ratios = _output_ratios(model, models, samples)
    chosen = max(candidates, key=lambda name: ratios.get(name, 0.0))
    tensors = {
        name: {"scale": found.scale, "zero_point": found.zero_point} | _extent(statistics[name])
        for name, found in plans[chosen].activations.items()
    }
    report = Report(chosen, len(samples), ratios, tensors, _warnings(samples, statistics))
    return Quantized(models[chosen], report)


def _plan(scheme: Scheme, statistics: Mapping[str, Statistics], samples: Samples, observer: str) -> QdqPlan:
    plan = QdqPlan()
    observe = OBSERVERS[observer]
    for group in scheme.groups:
        found = _group_parameters(scheme, group, statistics, samples, observe)
        plan.activations.update(dict.fromkeys(group, found))
    for node, index in scheme.operands:
        value = node.inputs[index]
        assert value is not None and value.const_value is not None  # noqa: PT018 - the scheme lists constants only
        plan.constants[str(node.name), index] = quantize_constant(value.const_value.numpy())
    for node, form in scheme.layers:
        assert form.weight is not None and form.bias is not None  # noqa: PT018 - layers have both
        x, weight, bias = node.inputs[0], node.inputs[form.weight], node.inputs[form.bias]
        assert x is not None and weight is not None and bias is not None  # noqa: PT018 - normalized
        if weight.const_value is None or bias.const_value is None:
            raise EdgeqError("EQ0330", "a weight is computed at run time", where=f"node {node.name}")
        constants = quantize_layer(
            weight.const_value.numpy(),
            bias.const_value.numpy(),
            form.weight_axis,
            plan.activations[str(x.name)].scale,
        )
        plan.constants[str(node.name), form.weight], plan.constants[str(node.name), form.bias] = constants
    return plan


def _group_parameters(
    scheme: Scheme,
    group: list[str],
    statistics: Mapping[str, Statistics],
    samples: Samples,
    observe: Callable[[Statistics], tuple[float, float]],
) -> Activation:
    fixed = [scheme.fixed[name] for name in group if name in scheme.fixed]
    if fixed:
        return fixed[0]
    grids = [samples.grids[name] for name in group if name in samples.grids]
    ranges = [observe(statistics[name]) for name in group]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if grids and len(grids) == 1:
        exact = _grid_parameters(grids[0].scale, grids[0].offset, low, high)
        if exact is not None:
            return exact
    return activation_parameters(low, high)


def _grid_parameters(scale: float, offset: float, low: float, high: float) -> Activation | None:
    """The grid of integer data itself, where int8 can hold it: 8-bit images enter without any rounding."""
    step = float(np.float32(scale))
    first = round(-offset / scale) if scale > 0 else 0
    if scale <= 0 or abs(first * scale + offset) > 1e-6 * scale:
        return None
    smallest, largest = round(min(low, 0.0) / scale), round(max(high, 0.0) / scale)
    if largest - smallest > 255 or largest - smallest < 128:  # noqa: PLR2004 - 8 bits, and not mostly unused
        return None
    return Activation(step, int(np.clip(-128 - smallest, -128, 127)))


def _output_ratios(
    model: onnx_ir.Model, candidates: Mapping[str, onnx_ir.Model], samples: Samples
) -> dict[str, float]:
    """Signal-to-noise ratio in dB of every candidate's outputs against the float model's."""
    chosen = np.unique(np.linspace(0, len(samples) - 1, _JUDGED).round().astype(int))
    reference = Session(model)
    wanted = [list(reference.run(samples.inputs(int(index))).values()) for index in chosen]
    signal = sum(float((np.asarray(array, np.float64) ** 2).sum()) for arrays in wanted for array in arrays)
    ratios = {}
    for name, candidate in candidates.items():
        session = Session(candidate)
        noise = 0.0
        for index, arrays in zip(chosen, wanted, strict=True):
            got = session.run(samples.inputs(int(index))).values()
            noise += sum(
                float(((np.asarray(a, np.float64) - b) ** 2).sum()) for a, b in zip(arrays, got, strict=True)
            )
        ratios[name] = round(float(10 * np.log10(max(signal, 1e-30) / max(noise, 1e-30))), 3)
    return ratios


def _extent(statistics: Statistics) -> dict[str, float]:
    return {"low": statistics.low, "high": statistics.high}


def _warnings(samples: Samples, statistics: Mapping[str, Statistics]) -> list[str]:
    warnings = []
    if len(samples) < FEW_SAMPLES:
        warnings.append(
            f"only {len(samples)} calibration samples: ranges are uncertain; give {FEW_SAMPLES} or more, best a few hundred"
        )
    growing = [name for name, seen in statistics.items() if seen.still_growing]
    if growing:
        warnings.append(
            f"the range of {len(growing)} of {len(statistics)} tensors still grew over the last quarter of the "
            f"calibration data (first: {growing[0]}): more data would help"
        )
    return warnings
