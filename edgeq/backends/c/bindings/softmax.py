"""softmax along the last axis."""

from __future__ import annotations

import numpy as np

from edgeq.backends.c.binding import Binding, Call, Field, Isa
from edgeq.backends.c.bindings.scaling import constant, int8_refusal, mode_refusal
from edgeq.ir import Graph, Node

# Longer rows would shift the result by more than 31 bits (runtime_c/kernels/eq_softmax_tflite_s8.h).
MAX_TFLITE_ROW = 511


def _highmul_refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    del isa
    return mode_refusal(node, "highmul") or int8_refusal(node, graph)


def _tflite_refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    del isa
    reason = mode_refusal(node, "tflite") or int8_refusal(node, graph)
    if reason is None and graph.operands(node)[0].shape[-1] > MAX_TFLITE_ROW:
        reason = f"a row has more than {MAX_TFLITE_ROW} elements"
    return reason


def _rows(node: Node, graph: Graph) -> dict[str, Field]:
    x = graph.operands(node)[0]
    return {"rows": x.elements // x.shape[-1], "length": x.shape[-1]}


def _highmul(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    fields = {"table": constant(graph, node.inputs[1]).astype(np.uint32)} | _rows(node, graph)
    return Call("eq_softmax_s8", "eq_softmax_s8_t", fields, node.inputs[:1], node.outputs, in_place=((0, 0),))


def _tflite(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    fields = _rows(node, graph)
    fields |= {key: node.integer(key) for key in ("input_multiplier", "input_left_shift", "diff_min")}
    kernel = "eq_softmax_tflite_s8"
    return Call(kernel, f"{kernel}_t", fields, node.inputs[:1], node.outputs, in_place=((0, 0),))


BINDINGS: tuple[Binding, ...] = (
    Binding("softmax", "eq_softmax_s8", _highmul_refusal, _highmul),
    Binding("softmax", "eq_softmax_tflite_s8", _tflite_refusal, _tflite),
)
