"""Post-training quantization: a float model and calibration data become a QDQ model.

One calibration pass serves every observer. With ``observer="auto"`` each observer's model is built and run on
calibration samples, and the one whose outputs come closest to the float model's is taken; bias correction is kept where
it brings them closer still. Evaluation data is never looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.onnxio.qdq_form import Activation, QdqPlan, write_qdq
from edgeq.quant.bias_correction import correct_biases
from edgeq.quant.calibrate import Progress, calibrate
from edgeq.quant.judge import Judge
from edgeq.quant.observers import OBSERVERS, Observer
from edgeq.quant.parameters import (
    Headroom,
    activation_parameters,
    grid_parameters,
    least_output_scale,
    measure_headroom,
    quantize_constant,
    quantize_layer,
)
from edgeq.quant.report import LayerReport, Report, TensorReport
from edgeq.quant.scheme import Layer, Scheme, plan_scheme
from edgeq.quant.statistics import Statistics

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.numerics.array import Array
    from edgeq.onnxio.samples import Samples

AUTO: Final = "auto"
BIAS_CORRECTION: Final = (AUTO, "off", "on")
MODES: Final = ("highmul", "tflite")
FEW_SAMPLES: Final = 32
POOR_DB: Final = 15.0
_BIAS_SUFFIX: Final = "+bias"
# Widening the output scale of one layer changes the next one's factor; chains longer than this are left to lowering.
_WIDENING_ROUNDS: Final = 8
# The share of the progress bar that calibration takes; choosing takes the rest.
_CALIBRATION_SHARE: Final = 0.5


@dataclass(frozen=True)
class QuantizeOptions:
    """What the user may choose.

    Attributes:
        observer: a name in ``observers.OBSERVERS``, or ``auto``.
        mode: ``highmul`` or ``tflite``; decides which operators share scales.
        bias_correction: ``on``, ``off``, or ``auto``: where it helps on calibration data.
    """

    observer: str = AUTO
    mode: str = "highmul"
    bias_correction: Literal["auto", "off", "on"] | str = AUTO


@dataclass(frozen=True)
class Quantized:
    """A QDQ model and how it came about."""

    model: onnx_ir.Model
    report: Report


def quantize(
    model: onnx_ir.Model,
    samples: Samples,
    options: QuantizeOptions,
    progress: Progress | None = None,
    given: QdqPlan | None = None,
) -> Quantized:
    """Quantize a normalized float model to int8.

    Args:
        model: normalized, every operator supported; it is not changed.
        samples: calibration data, a few hundred typical inputs.
        options: the user's choices.
        progress: called with the share of the work done.
        given: integers that are decided already (a partly quantized import); they are kept.

    Returns:
        The model in canonical QDQ form, which onnxruntime runs, and the report.

    Raises:
        EdgeqError: EQ0107 no such option value, EQ0330 operators without an integer form, EQ0331 a computed weight,
            EQ0332 NaN or infinity on the calibration data.
    """
    report_progress = progress or (lambda done: None)
    _check_options(options)
    scheme = plan_scheme(model, options.mode)
    statistics = calibrate(model, samples, scheme.names, lambda done: report_progress(done * _CALIBRATION_SHARE))
    candidates = tuple(OBSERVERS) if options.observer == AUTO else (options.observer,)
    makers = {name: _Planner(scheme, statistics, samples, OBSERVERS[name], given) for name in candidates}
    plans = {name: maker.plan() for name, maker in makers.items()}
    judge = Judge(model, samples)
    ratios = {name: judge.ratio_db(write_qdq(model, plan)) for name, plan in plans.items()}
    chosen = max(candidates, key=ratios.__getitem__)
    plan, corrected = plans[chosen], False
    if options.bias_correction != "off":
        share = 1 - _CALIBRATION_SHARE
        free = [layer for layer in scheme.layers if given is None or not _is_given(layer, given)]
        better = correct_biases(
            model, plan, free, samples, lambda done: report_progress(_CALIBRATION_SHARE + share * done)
        )
        ratios[chosen + _BIAS_SUFFIX] = judge.ratio_db(write_qdq(model, better))
        if options.bias_correction == "on" or ratios[chosen + _BIAS_SUFFIX] > ratios[chosen]:
            plan, corrected = better, True
    report_progress(1.0)
    final = ratios[chosen + _BIAS_SUFFIX] if corrected else ratios[chosen]
    report = Report(
        observer=chosen,
        bias_correction=corrected,
        samples=len(samples),
        output_sqnr_db=ratios,
        tensors=_tensor_reports(plan, statistics),
        layers={str(layer.node.name): _layer_report(layer, plan) for layer in scheme.layers},
        warnings=_warnings(len(samples), statistics, final),
    )
    return Quantized(write_qdq(model, plan), report)


def _check_options(options: QuantizeOptions) -> None:
    for what, flag, got, allowed in (
        ("observer", "--observer", options.observer, (AUTO, *OBSERVERS)),
        ("bias correction", "--bias-correction", options.bias_correction, BIAS_CORRECTION),
        ("mode", "--requantize", options.mode, MODES),
    ):
        if got not in allowed:
            raise EdgeqError("EQ0107", f"there is no such {what}", where=flag, got=got, allowed=", ".join(allowed))


class _Planner:
    """Turns statistics into a plan, with one observer."""

    def __init__(
        self,
        scheme: Scheme,
        statistics: Mapping[str, Statistics],
        samples: Samples,
        observe: Observer,
        given: QdqPlan | None,
    ) -> None:
        self.scheme = scheme
        self.given = given or QdqPlan()
        self.number = {name: index for index, group in enumerate(scheme.groups) for name in group}
        self.ranges: list[tuple[float, float]] = []
        self.decided: list[Activation | None] = []
        for group in scheme.groups:
            fixed = [scheme.fixed[name] for name in group if name in scheme.fixed]
            fixed += [self.given.activations[name] for name in group if name in self.given.activations]
            observed = [observe(statistics[name]) for name in group]
            self.ranges.append((min(low for low, _ in observed), max(high for _, high in observed)))
            self.decided.append(fixed[0] if fixed else None)
        for value, number in scheme.operands.values():
            if number is not None:
                array = _array(value)
                low, high = self.ranges[number]
                self.ranges[number] = min(low, float(array.min())), max(high, float(array.max()))
        self._take_grids(samples)

    def _take_grids(self, samples: Samples) -> None:
        for name, grid in samples.grids.items():
            number = self.number.get(name)
            if number is not None and self.decided[number] is None and self._is_source(name, number):
                self.decided[number] = grid_parameters(grid, *self.ranges[number])

    def _is_source(self, name: str, number: int) -> bool:
        """Whether everything in a group is copied from this one model input."""
        return self.scheme.groups[number][0] == name and not any(
            other in self.scheme.sources for other in self.scheme.groups[number][1:]
        )

    def plan(self) -> QdqPlan:
        """Activations first, then constants, which depend on them; output scales are widened where int32 asks for it."""
        plan = QdqPlan()
        for _ in range(_WIDENING_ROUNDS):
            plan = self._attempt()
            if not self._widen(plan):
                break
        return plan

    def _attempt(self) -> QdqPlan:
        plan = QdqPlan()
        found = [
            decided or activation_parameters(*extent) for decided, extent in zip(self.decided, self.ranges, strict=True)
        ]
        for name, number in self.number.items():
            plan.activations[name] = self.given.activations.get(name, found[number])
        for key, (value, number) in self.scheme.operands.items():
            plan.constants[key] = quantize_constant(_array(value), None if number is None else found[number])
        for layer in self.scheme.layers:
            for key, constant in _quantize_layer(layer, plan).items():
                plan.constants[key] = constant
        plan.constants.update({key: self.given.constants[key] for key in self.given.constants})
        return plan

    def _widen(self, plan: QdqPlan) -> bool:
        """Raise the output scale of layers whose shifted accumulator leaves int32; whether there was one."""
        widened = False
        for layer in self.scheme.layers:
            number = self.number[layer.y]
            scale = plan.activations[layer.y].scale
            least = least_output_scale(_headroom(layer, plan), scale)
            if least > scale and self.decided[number] is None:
                low, high = self.ranges[number]
                low, high = min(low, 0.0), max(high, 0.0)
                factor = least / scale
                # A single zero has no range to stretch: its scale of 1 stands for [0, 255].
                self.ranges[number] = (low * factor, high * factor) if high > low else (0.0, 255.0 * factor)
                widened = True
        return widened


def _quantize_layer(layer: Layer, plan: QdqPlan) -> dict[tuple[str, int], object]:
    raise NotImplementedError


def _array(value: onnx_ir.Value) -> Array:
    assert value.const_value is not None  # the scheme lists constants only
    return np.asarray(value.const_value.numpy())
