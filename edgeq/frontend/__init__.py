"""The way in: reads a model safely, makes every shape static, normalizes it, and says what is not supported."""

from __future__ import annotations

from edgeq.frontend.load import is_quantized, load, load_quantized
from edgeq.frontend.normalize import normalize, normalize_structure
from edgeq.frontend.normalize_qdq import Recovered, normalize_qdq, recover_plan, restore_border
from edgeq.frontend.support import check_support

__all__ = [
    "Recovered",
    "check_support",
    "is_quantized",
    "load",
    "load_quantized",
    "normalize",
    "normalize_qdq",
    "normalize_structure",
    "recover_plan",
    "restore_border",
]
