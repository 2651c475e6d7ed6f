"""softmax along the last axis."""

from __future__ import annotations

import numpy as np

from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.scaling import constant
from edgeq.backends.c.runtime import Isa
from edgeq.ir import DType, Graph, Node
from edgeq.ops.softmax import mask_rows


def _rows(node: Node, graph: Graph) -> dict[str, int]:
    x = graph.operands(node)[0]
    return {"rows": x.elements // x.shape[-1], "length": x.shape[-1]}


def _table(node: Node, graph: Graph, isa: Isa) -> Call:
    kernel, dtype = _TABLES[graph.results(node)[0].dtype]
    table = {"table": constant(node, graph, "table").astype(dtype)}
    return Call(kernel, _rows(node, graph), node.inputs[:1], node.outputs, table, in_place=((0, 0),))


def _fixed_point(node: Node, graph: Graph, isa: Isa) -> Call:
    record = _rows(node, graph)
    record |= {key: node.integer(key) for key in ("input_multiplier", "input_left_shift", "diff_min")}
    return Call("eq_softmax_tflite_s8", record, node.inputs[:1], node.outputs, in_place=((0, 0),))


def _masked(node: Node, graph: Graph, isa: Isa) -> Call:
    x, mask = graph.operands(node)[:2]
    kernel, dtype = _MASKED[x.dtype]
    found = mask_rows(x.shape, mask.shape)
    assert found is not None  # the operator's shape has been checked
    record = _rows(node, graph) | {"repeat": found[0], "period": found[1]}
    constants = {"table": constant(node, graph, "table").astype(dtype)}
    if mask.is_constant:
        constants["mask"] = mask.value().reshape(-1)
    inputs = node.inputs[: 1 if mask.is_constant else 2]
    return Call(kernel, record, inputs, node.outputs, constants, in_place=((0, 0),))


_MASKED = {DType.INT8: ("eq_masked_softmax_s8", np.uint32), DType.INT16: ("eq_masked_softmax_s16", np.uint16)}
_TABLES = {DType.INT8: ("eq_softmax_s8", np.uint32), DType.INT16: ("eq_softmax_s16", np.uint16)}
BINDINGS: tuple[Binding, ...] = (
    Binding("masked_softmax", "eq_masked_softmax_s8", None, _masked),
    Binding("masked_softmax", "eq_masked_softmax_s16", None, _masked),
    Binding("softmax", "eq_softmax_s8", None, _table, "highmul"),
    Binding("softmax", "eq_softmax_s16", None, _table, "highmul"),
    Binding("softmax", "eq_softmax_tflite_s8", None, _fixed_point, "fixed_point"),
)
