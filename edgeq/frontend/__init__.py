"""The way in: reads a model safely, makes every shape static, normalizes it, and says what is not supported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.lazily import export

if TYPE_CHECKING:
    from edgeq.frontend.class_output import give_class
    from edgeq.frontend.joining import join_features
    from edgeq.frontend.normalize import is_quantized, normalize, normalize_structure
    from edgeq.frontend.normalize_qdq import Recovered, normalize_qdq, recover_plan, restore_integer_values
    from edgeq.frontend.states import take_states
    from edgeq.frontend.support import check_support

__all__ = [
    "Recovered",
    "check_support",
    "give_class",
    "is_quantized",
    "join_features",
    "normalize",
    "normalize_qdq",
    "normalize_structure",
    "recover_plan",
    "restore_integer_values",
    "take_states",
]

export(
    __name__,
    {
        "Recovered": "normalize_qdq",
        "join_features": "joining",
        "check_support": "support",
        "give_class": "class_output",
        "is_quantized": "normalize",
        "normalize": "normalize",
        "normalize_qdq": "normalize_qdq",
        "normalize_structure": "normalize",
        "recover_plan": "normalize_qdq",
        "restore_integer_values": "normalize_qdq",
        "take_states": "states",
    },
)
