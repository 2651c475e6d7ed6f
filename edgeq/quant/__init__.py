"""Post-training quantization: what to quantize, how wide its range is, and the QDQ model that says so."""

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
]
