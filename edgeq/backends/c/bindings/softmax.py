"""softmax along the last axis."""

from __future__ import annotations

import numpy as np

from edgeq.backends.c.binding import Binding, Call, Field, Isa
from edgeq.backends.c.bindings.scaling import constant, int8_refusal
from edgeq.ir import Graph, Node


def _refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    del isa
    return int8_refusal(node, graph)


def _rows(node: Node, graph: Graph) -> dict[str, Field]:
    x = graph.operands(node)[0]
    return {"rows": x.elements // x.shape[-1], "length": x.shape[-1]}


def _table(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    fields = {"table": constant(graph, node.inputs[1]).astype(np.uint32)} | _rows(node, graph)
    return Call("eq_softmax_s8", "eq_softmax_s8_t", fields, node.inputs[:1], node.outputs, in_place=((0, 0),))


def _fixed_point(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    fields = _rows(node, graph)
    fields |= {key: node.integer(key) for key in ("input_multiplier", "input_left_shift", "diff_min")}
    kernel = "eq_softmax_tflite_s8"
    return Call(kernel, f"{kernel}_t", fields, node.inputs[:1], node.outputs, in_place=((0, 0),))


BINDINGS: tuple[Binding, ...] = (
    Binding("softmax", "eq_softmax_s8", _refusal, _table, "highmul"),
    Binding("softmax", "eq_softmax_tflite_s8", _refusal, _fixed_point, "fixed_point"),
)
