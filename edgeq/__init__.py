"""edgeq: float ONNX models become integer-only firmware with the same bits on every core."""

__version__ = "0.1.0"
