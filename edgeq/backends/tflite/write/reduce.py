"""reduce_max, reduce_min: REDUCE_MAX, REDUCE_MIN, which compare integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edgeq.backends.tflite.draft import Draft, Writer, by_type, int32
from edgeq.ir import Node


def write_extreme(draft: Draft, node: Node) -> None:
    """The operator of the same name."""
    x, result = draft.of(node, "x", "result")
    axes = draft.constant(f"{result.name}.axes", int32(*node.integers("axes")))
    keep = bool(node.integer("keepdims"))
    draft.append(node.op.upper(), by_type(x, 2, 3), (x.name, axes), result.name, "ReducerOptions", KeepDims=keep)


WRITERS: Final[Mapping[str, Writer]] = {"reduce_max": write_extreme, "reduce_min": write_extreme}
