"""The way in: reads a model safely, makes every shape static, normalizes it, and says what is not supported."""

from __future__ import annotations

from edgeq.frontend.load import is_quantized, load, load_quantized
from edgeq.frontend.normalize import normalize, normalize_structure
from edgeq.frontend.normalize_qdq import normalize_qdq
from edgeq.frontend.support import check_support

__all__ = [
    "check_support",
    "is_quantized",
    "load",
    "load_quantized",
    "normalize",
    "normalize_qdq",
    "normalize_structure",
]
