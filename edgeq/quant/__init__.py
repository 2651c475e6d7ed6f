"""Post-training quantization: what to quantize, how wide its range is, and the QDQ model that says so."""

from edgeq.quant.observers import OBSERVERS
from edgeq.quant.quantize import AUTO, Quantized, QuantizeOptions, Report, quantize

__all__ = ["AUTO", "OBSERVERS", "QuantizeOptions", "Quantized", "Report", "quantize"]
