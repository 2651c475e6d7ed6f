"""What post-training quantization chose, and on what grounds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from edgeq.errors import Problem
from edgeq.quant.parameters import Headroom


@dataclass(frozen=True)
class TensorReport:
    """One quantized activation.

    Attributes:
        scale, zero_point: real = scale·(q − zero_point).
        low, high: the extremes seen in calibration.
        clipped: share of the calibration values outside what int8 represents.
    """

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
        output_sqnr_db: by candidate (``mse``, ``mse+bias``), signal-to-noise ratio of the outputs on samples that the
            candidate was not made with.
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
