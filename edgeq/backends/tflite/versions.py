"""Since which runtime an operator's version exists: what the file states as its minimum.

From TensorFlow Lite's own table (tools/versioning/runtime_version.cc), as far as this backend writes the versions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

RUNTIMES: Final[dict[tuple[str, int], str]] = {
    ("ADD", 1): "1.5.0",
    ("ADD", 2): "1.14.0",
    ("ADD", 3): "2.4.0",
    ("AVERAGE_POOL_2D", 2): "1.14.0",
    ("AVERAGE_POOL_2D", 3): "2.3.0",
    ("BATCH_MATMUL", 2): "2.3.0",
    ("BATCH_MATMUL", 3): "2.4.0",
    ("CAST", 3): "2.8.0",
    ("CONCATENATION", 2): "1.14.0",
    ("CONCATENATION", 3): "2.3.0",
    ("CONV_2D", 3): "1.14.0",
    ("CONV_2D", 4): "2.3.0",
    ("CONV_2D", 6): "2.9.0",
    ("CONV_2D", 7): "2.11.0",
    ("DEPTHWISE_CONV_2D", 3): "1.14.0",
    ("DEPTHWISE_CONV_2D", 5): "2.3.0",
    ("DEPTHWISE_CONV_2D", 7): "2.11.0",
    ("EXP", 2): "2.12.0",
    ("FULLY_CONNECTED", 4): "1.14.0",
    ("FULLY_CONNECTED", 7): "2.3.0",
    ("FULLY_CONNECTED", 10): "2.11.0",
    ("FULLY_CONNECTED", 13): "2.18.0",
    ("GATHER", 2): "1.14.0",
    ("GELU", 2): "2.9.0",
    ("HARD_SWISH", 1): "1.15.0",
    ("LEAKY_RELU", 1): "1.13.1",
    ("LOGISTIC", 2): "1.14.0",
    ("MAX_POOL_2D", 2): "1.14.0",
    ("MAX_POOL_2D", 3): "2.3.0",
    ("MAXIMUM", 2): "1.14.0",
    ("MAXIMUM", 3): "2.3.0",
    ("MAXIMUM", 4): "2.3.0",
    ("MEAN", 2): "1.14.0",
    ("MEAN", 3): "2.4.0",
    ("MINIMUM", 2): "1.14.0",
    ("MINIMUM", 3): "2.3.0",
    ("MINIMUM", 4): "2.3.0",
    ("MUL", 2): "1.14.0",
    ("MUL", 3): "1.15.0",
    ("MUL", 4): "2.3.0",
    ("PAD", 2): "1.14.0",
    ("PAD", 3): "2.4.0",
    ("PAD", 4): "2.6.0",
    ("PADV2", 2): "1.14.0",
    ("PADV2", 3): "2.4.0",
    ("PADV2", 4): "2.6.0",
    ("QUANTIZE", 1): "1.14.0",
    ("QUANTIZE", 2): "1.15.0",
    ("REDUCE_MAX", 2): "1.14.0",
    ("REDUCE_MAX", 3): "2.5.0",
    ("REDUCE_MIN", 2): "1.14.0",
    ("REDUCE_MIN", 3): "2.5.0",
    ("RELU", 2): "2.1.0",
    ("RELU6", 2): "1.14.0",
    ("RESHAPE", 1): "1.5.0",
    ("RESIZE_NEAREST_NEIGHBOR", 2): "1.14.0",
    ("RESIZE_NEAREST_NEIGHBOR", 3): "2.3.0",
    ("RESIZE_NEAREST_NEIGHBOR", 4): "2.4.0",
    ("SLICE", 2): "1.14.0",
    ("SLICE", 4): "2.4.0",
    ("SLICE", 5): "2.5.0",
    ("SOFTMAX", 2): "1.14.0",
    ("SOFTMAX", 3): "2.3.0",
    ("STRIDED_SLICE", 1): "1.6.0",
    ("STRIDED_SLICE", 2): "1.14.0",
    ("STRIDED_SLICE", 4): "2.2.0",
    ("SUB", 2): "1.14.0",
    ("SUB", 3): "2.3.0",
    ("SUB", 5): "2.4.0",
    ("TANH", 2): "1.14.0",
    ("TRANSPOSE", 2): "1.14.0",
    ("TRANSPOSE", 4): "2.3.0",
    ("TRANSPOSE", 5): "2.4.0",
    ("TRANSPOSE", 6): "2.12.0",
}


def minimum_runtime(codes: Iterable[tuple[str, int]]) -> str:
    """The oldest runtime that knows every (operator, version)."""
    return max((RUNTIMES[code] for code in codes), key=_parts, default="1.5.0")


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
