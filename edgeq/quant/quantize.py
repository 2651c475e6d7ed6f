"""Post-training quantization: a float model and calibration data become a QDQ model.

One calibration pass serves every observer. With ``observer="auto"`` each observer's model is run on calibration samples
that it was not made with; min-max and uncorrected biases stay unless another observer, or corrected biases, bring the
outputs clearly closer to the float model's (see :mod:`edgeq.quant.choose`). Evaluation data is never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.errors import EdgeqError, Problem
from edgeq.onnxio.qdq_form import QdqPlan, write_qdq
from edgeq.quant.calibrate import Progress
from edgeq.quant.choose import BIAS_SUFFIX, Chooser
from edgeq.quant.layer_noise import worst_of
from edgeq.quant.observers import OBSERVERS
from edgeq.quant.plan import headroom_of
from edgeq.quant.report import LayerReport, Report, TensorReport
from edgeq.quant.scheme import Layer, plan_scheme
from edgeq.quant.sharing import drop_idle_copies, separate_scales
from edgeq.quant.statistics import Statistics

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.onnxio.samples import Samples

AUTO: Final = "auto"
BIAS_CORRECTION: Final = (AUTO, "off", "on")
MODES: Final = ("highmul", "tflite")
FEW_SAMPLES: Final = 32
POOR_DB: Final = 15.0


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
    bias_correction: str = AUTO


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
    _check_options(options)
    decided = given or QdqPlan()
    work = model.clone()
    copies = separate_scales(work, options.mode, decided.activations)
    scheme = plan_scheme(work, options.mode, decided.activations)
    chooser = Chooser(work, samples, scheme, copies, decided, progress or (lambda done: None))
    observers = [*OBSERVERS] if options.observer == AUTO else [options.observer]
    observer, plan, ratios = chooser.choose(observers, options.bias_correction)
    key = observer + BIAS_SUFFIX if chooser.is_corrected else observer
    noise = chooser.layer_ratios_db(plan)
    drop_idle_copies(work, plan, copies)
    report = Report(
        observer=observer,
        bias_correction=chooser.is_corrected,
        samples=len(samples),
        output_sqnr_db=ratios,
        held_out=chooser.folds > 1,
        sqnr_db=ratios[key],
        worst_layers=[{"layer": name, "sqnr_db": noise[name]} for name in worst_of(noise)],
        tensors=_tensor_reports(plan, chooser.statistics),
        layers={
            str(layer.node.name): _layer_report(layer, plan, noise[str(layer.node.name)]) for layer in scheme.layers
        },
        warnings=_warnings(len(samples), ratios[key]),
    )
    return Quantized(write_qdq(work, plan), report)


def _check_options(options: QuantizeOptions) -> None:
    for what, flag, got, allowed in (
        ("observer", "--observer", options.observer, (AUTO, *OBSERVERS)),
        ("bias correction", "--bias-correction", options.bias_correction, BIAS_CORRECTION),
        ("mode", "--requantize", options.mode, MODES),
    ):
        if got not in allowed:
            raise EdgeqError("EQ0107", f"there is no such {what}", where=flag, got=got, allowed=", ".join(allowed))


def _tensor_reports(plan: QdqPlan, statistics: Mapping[str, Statistics]) -> dict[str, TensorReport]:
    reports = {}
    for name, params in plan.activations.items():
        seen = statistics[name]
        # Values up to half a step beyond the outermost integer still round to it.
        half = params.scale / 2
        clipped = seen.share_outside(params.low - half, params.high + half)
        low, high = (seen.low, seen.high) if seen.count else (0.0, 0.0)
        reports[name] = TensorReport(params.scale, params.zero_point, low, high, clipped)
    return reports


def _layer_report(layer: Layer, plan: QdqPlan, sqnr_db: float) -> LayerReport:
    name = str(layer.node.name)
    weight, bias = plan.constants[name, layer.weight_index], plan.constants[name, layer.bias_index]
    rows = np.moveaxis(weight.values, weight.axis or 0, 0).reshape(weight.values.shape[weight.axis or 0], -1)
    return LayerReport(
        scale_min=float(weight.scale.min()),
        scale_max=float(weight.scale.max()),
        bias_max=int(np.abs(bias.values.astype(np.int64)).max(initial=0)),
        zero_channels=int((rows == 0).all(axis=1).sum()),
        headroom=headroom_of(layer, plan),
        sqnr_db=sqnr_db,
    )


def _warnings(count: int, ratio: float) -> list[Problem]:
    warnings = []
    if count < FEW_SAMPLES:
        warnings.append(
            Problem(
                "EQ0173",
                f"only {count} calibration samples: ranges are uncertain",
                where="--data",
                allowed=f"{FEW_SAMPLES} or more",
                hint="give a few hundred typical inputs",
                severity="warning",
            )
        )
    if ratio < POOR_DB:
        warnings.append(
            Problem(
                "EQ0175",
                "the quantized outputs are far from the float model's: expect a loss of accuracy",
                got=f"an SQNR of {ratio:.1f} dB on the calibration data",
                allowed=f"{POOR_DB:g} dB or more",
                hint="compare the calibration data with the model's preprocessing; measure with edgeq eval",
                severity="warning",
            )
        )
    return warnings
