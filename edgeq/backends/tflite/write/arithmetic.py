"""maximum, minimum: MAXIMUM, MINIMUM with numpy's broadcasting, which compare integers of one scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edgeq.backends.tflite.draft import Draft, Writer, by_type, too_many_axes
from edgeq.ir import Node

_BROADCAST_RANK: Final = 4


def write_extreme(draft: Draft, node: Node) -> None:
    """The operator of the same name."""
    a, b, result = draft.of(node, "a", "b", "result")
    if a.shape != b.shape and len(result.shape) > _BROADCAST_RANK:
        raise too_many_axes(node, result.shape, _BROADCAST_RANK)
    version = by_type(a, 2, 3)
    draft.append(node.op.upper(), version, (a.name, b.name), result.name, "MaximumMinimumOptions")


WRITERS: Final[Mapping[str, Writer]] = {"maximum": write_extreme, "minimum": write_extreme}
