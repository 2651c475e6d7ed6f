"""softmax: SOFTMAX over the last axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edgeq.backends.tflite.draft import Draft, Writer, by_type, scalar_quant
from edgeq.backends.tflite.exactness import require_equal
from edgeq.ir import Node
from edgeq.numerics.tflite_softmax import softmax_parameters


def write_softmax(draft: Draft, node: Node) -> None:
    """SOFTMAX with beta 1, result on the grid 1/256, -128."""
    x = draft.graph.tensors[node.inputs[0]]
    keys = ("input_multiplier", "input_left_shift", "diff_min")
    require_equal(node, ", ".join(keys), tuple(map(node.integer, keys)), softmax_parameters(scalar_quant(x)[0]))
    draft.append("SOFTMAX", by_type(x, 2, 3), (x.name,), node.outputs[0], "SoftmaxOptions", Beta=1.0)


WRITERS: Final[Mapping[str, Writer]] = {"softmax": write_softmax}
