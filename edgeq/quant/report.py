"""What post-training quantization chose, and on what grounds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeq.errors import Problem
from edgeq.quant.parameters import Headroom
from edgeq.quant.specification import headroom_of

if TYPE_CHECKING:
    from edgeq.onnxio.qdq_form import QdqPlan
    from edgeq.quant.specification import Layer
    from edgeq.quant.state import State

FEW_SAMPLES: Final = 32
POOR_DB: Final = 15.0
_WORST: Final = 3


@dataclass(frozen=True)
class TensorReport:
    """One quantized activation.

    Attributes:
        dtype: type of its integers.
        scale, zero_point: real = scale·(q − zero_point).
        low, high: the extremes seen in calibration.
        clipped: share of the calibration values outside what the integers represent.
    """

    dtype: str
    scale: float
    zero_point: int
    low: float
    high: float
    clipped: float


@dataclass(frozen=True)
class LayerReport:
    """One multiply-accumulate layer: its weight scales, its largest bias, and the accumulator's headroom.

    ``sqnr_db`` is the signal-to-noise ratio of what the layer alone does, at most 120: its result against the float
    model's, with the float model's values, rounded to the scale of its input, as its operand.
    """

    scale_min: float
    scale_max: float
    bias_max: int
    zero_channels: int
    headroom: Headroom
    sqnr_db: float


@dataclass(frozen=True)
class Report:
    """The whole model.

    Attributes:
        observer: the observer in effect.
        bias_correction: whether biases were corrected.
        samples: number of calibration samples.
        output_sqnr_db: by method (``mse``, ``mse+bias``), signal-to-noise ratio of the outputs on samples that its plan
            was not made with.
        held_out: whether it is so; with too few samples the ratio is that of the calibration data themselves.
        sqnr_db: the ratio of what was chosen.
        worst_layers: at most three layers of the lowest ratio, the lowest first: ``layer`` and ``sqnr_db``.
        tensors: by value name.
        layers: by node name.
        warnings: for the user.
    """

    observer: str
    bias_correction: bool
    samples: int
    output_sqnr_db: dict[str, float]
    held_out: bool
    sqnr_db: float
    worst_layers: list[dict[str, Any]]
    tensors: dict[str, TensorReport]
    layers: dict[str, LayerReport]
    warnings: list[Problem] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def report_of(state: State) -> Report:
    """The report on a finished quantization."""
    noise, choice, samples = state.layer_ratios_db, state.choice, state.calibration.samples
    ratio = choice.ratios_db[choice.method]
    worst = sorted(noise, key=lambda node: (noise[node], node))[:_WORST]
    return Report(
        observer=choice.observer,
        bias_correction=choice.bias_correction,
        samples=samples,
        output_sqnr_db=dict(choice.ratios_db),
        held_out=len(state.calibration.folds) > 1,
        sqnr_db=ratio,
        worst_layers=[{"layer": name, "sqnr_db": noise[name]} for name in worst],
        tensors=_tensor_reports(state),
        layers={
            str(layer.node.name): _layer_report(layer, state.plan, noise[str(layer.node.name)])
            for layer in state.specification.layers
        },
        warnings=_warnings(samples, ratio),
    )


def _tensor_reports(state: State) -> dict[str, TensorReport]:
    reports = {}
    for name, params in state.plan.activations.items():
        seen = state.histogram(name)
        # Values up to half a step beyond the outermost integer still round to it.
        scale, zero = params.single()
        half = scale / 2
        clipped = seen.share_outside(params.low - half, params.high + half)
        low, high = (seen.low, seen.high) if seen.count else (0.0, 0.0)
        reports[name] = TensorReport(params.dtype.value, scale, zero, low, high, clipped)
    return reports


def _layer_report(layer: Layer, plan: QdqPlan, sqnr_db: float) -> LayerReport:
    name = str(layer.node.name)
    weight, bias = plan.constants[name, layer.weight_index], plan.constants[name, layer.bias_index]
    rows = np.moveaxis(weight.values, weight.axis or 0, 0).reshape(weight.values.shape[weight.axis or 0], -1)
    return LayerReport(
        scale_min=float(weight.scales.min()),
        scale_max=float(weight.scales.max()),
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
