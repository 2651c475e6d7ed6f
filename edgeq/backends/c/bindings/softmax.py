"""softmax along the last axis."""

from __future__ import annotations

import numpy as np

from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.scaling import constant, int8_refusal
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node


def _refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    del isa
    return int8_refusal(node, graph)


def _rows(node: Node, graph: Graph) -> dict[str, int]:
    x = graph.operands(node)[0]
    return {"rows": x.elements // x.shape[-1], "length": x.shape[-1]}


def _table(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    table = constant(graph, node.inputs[1]).astype(np.uint32)
    return Call(
        "eq_softmax_s8", _rows(node, graph), node.inputs[:1], node.outputs, {"table": table}, in_place=((0, 0),)
    )


def _fixed_point(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    record = _rows(node, graph)
    record |= {key: node.integer(key) for key in ("input_multiplier", "input_left_shift", "diff_min")}
    return Call("eq_softmax_tflite_s8", record, node.inputs[:1], node.outputs, in_place=((0, 0),))


BINDINGS: tuple[Binding, ...] = (
    Binding("softmax", "eq_softmax_s8", _refusal, _table, "highmul"),
    Binding("softmax", "eq_softmax_tflite_s8", _refusal, _fixed_point, "fixed_point"),
)
