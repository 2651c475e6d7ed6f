"""Post-training quantization: what to quantize, how wide its range is, and the QDQ model that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.lazily import export

if TYPE_CHECKING:
    from edgeq.quant.blind import quantize_blindly
    from edgeq.quant.observers import OBSERVERS
    from edgeq.quant.quantize import AUTO, BIAS_CORRECTION, Quantized, QuantizeOptions, quantize
    from edgeq.quant.report import LayerReport, Report, TensorReport

__all__ = [
    "AUTO",
    "BIAS_CORRECTION",
    "OBSERVERS",
    "LayerReport",
    "QuantizeOptions",
    "Quantized",
    "Report",
    "TensorReport",
    "quantize",
    "quantize_blindly",
]

export(
    __name__,
    {
        "AUTO": "quantize",
        "BIAS_CORRECTION": "quantize",
        "OBSERVERS": "observers",
        "LayerReport": "report",
        "QuantizeOptions": "quantize",
        "Quantized": "quantize",
        "Report": "report",
        "TensorReport": "report",
        "quantize": "quantize",
        "quantize_blindly": "blind",
    },
)
