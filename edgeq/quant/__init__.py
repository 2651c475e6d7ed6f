"""Post-training quantization: what to quantize, how wide its range is, and the QDQ model that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.lazily import export

if TYPE_CHECKING:
    from edgeq.quant.observers import OBSERVERS
    from edgeq.quant.quantize import STEPS, Quantized, quantize, quantize_blindly
    from edgeq.quant.report import LayerReport, Report, TensorReport
    from edgeq.quant.saved import SavedCalibration, wrote_calibration
    from edgeq.quant.state import AUTO, BIAS_CORRECTION, SCHEMES, QuantizeOptions

__all__ = [
    "AUTO",
    "BIAS_CORRECTION",
    "OBSERVERS",
    "SCHEMES",
    "STEPS",
    "LayerReport",
    "QuantizeOptions",
    "Quantized",
    "Report",
    "SavedCalibration",
    "TensorReport",
    "quantize",
    "quantize_blindly",
    "wrote_calibration",
]

export(
    __name__,
    {
        "AUTO": "state",
        "BIAS_CORRECTION": "state",
        "OBSERVERS": "observers",
        "SCHEMES": "state",
        "STEPS": "quantize",
        "LayerReport": "report",
        "QuantizeOptions": "state",
        "Quantized": "quantize",
        "Report": "report",
        "SavedCalibration": "saved",
        "TensorReport": "report",
        "quantize": "quantize",
        "quantize_blindly": "quantize",
        "wrote_calibration": "saved",
    },
)
