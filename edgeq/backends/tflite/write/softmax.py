"""softmax: SOFTMAX over the last axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edgeq.backends.tflite.draft import Draft, Writer, by_type, scalar_quant
from edgeq.backends.tflite.exactness import require_equal
from edgeq.ir import Node


def write_softmax(draft: Draft, node: Node) -> None:
    """SOFTMAX with beta 1, result of scale 1/256, zero point -128; of int16 1/32768 and 0."""
    (x,) = draft.of(node, "x")
    _, derived = draft.scaling.choose_softmax(scalar_quant(x)[0], x.dtype.numpy)
    for key, value in derived.items():
        require_equal(node, key, node.integer(key), value)
    draft.append("SOFTMAX", by_type(x, 2, 3), (x.name,), node.outputs[0], "SoftmaxOptions", Beta=1.0)


WRITERS: Final[Mapping[str, Writer]] = {"softmax": write_softmax}
