"""softmax along the last axis."""

from __future__ import annotations

from functools import partial

import numpy as np

from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.scaling import constant, type_refusal
from edgeq.backends.c.runtime import Isa
from edgeq.ir import DType, Graph, Node


def _refusal(node: Node, graph: Graph, isa: Isa, dtype: DType = DType.INT8) -> str | None:
    del isa
    return type_refusal(node, graph, dtype=dtype)


def _rows(node: Node, graph: Graph) -> dict[str, int]:
    x = graph.operands(node)[0]
    return {"rows": x.elements // x.shape[-1], "length": x.shape[-1]}


def _table(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    kernel, dtype = _TABLES[graph.results(node)[0].dtype]
    table = {"table": constant(graph, node.inputs[1]).astype(dtype)}
    return Call(kernel, _rows(node, graph), node.inputs[:1], node.outputs, table, in_place=((0, 0),))


def _fixed_point(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    record = _rows(node, graph)
    record |= {key: node.integer(key) for key in ("input_multiplier", "input_left_shift", "diff_min")}
    return Call("eq_softmax_tflite_s8", record, node.inputs[:1], node.outputs, in_place=((0, 0),))


_TABLES = {DType.INT8: ("eq_softmax_s8", np.uint32), DType.INT16: ("eq_softmax_s16", np.uint16)}
BINDINGS: tuple[Binding, ...] = (
    Binding("softmax", "eq_softmax_s8", _refusal, _table, "highmul"),
    Binding("softmax", "eq_softmax_s16", partial(_refusal, dtype=DType.INT16), _table, "highmul"),
    Binding("softmax", "eq_softmax_tflite_s8", _refusal, _fixed_point, "fixed_point"),
)
