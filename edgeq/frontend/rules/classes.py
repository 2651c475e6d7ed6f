"""LogSoftmax and Hardmax, written with reductions and arg max."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import integer, name_of, required, shape_of


def subtract_log_sum(node: ir.Node, edit: Edit) -> str | None:
    """LogSoftmax(x) becomes x less the logarithm of the sum of exponentials of its row."""
    x, result = required(node, 0), node.outputs[0]
    shape, base = shape_of(x), name_of(result)
    if x.dtype != ir.DataType.FLOAT or not shape:
        return "not float, or without axes"
    axis = integer(node, "axis", -1) % len(shape)
    axes = edit.constant(np.array([axis], np.int64), f"{base}_axes")
    one = (*shape[:axis], 1, *shape[axis + 1 :])
    attributes = {"keepdims": 1, "noop_with_empty_axes": 0}
    total = edit.node("ReduceLogSumExp", [x, axes], attributes, base=f"{base}_total", shape=one)
    edit.supersede(result, edit.node("Sub", [x, total], base=f"{base}_less", shape=shape))
    return None


def mark_largest(node: ir.Node, edit: Edit) -> str | None:
    """Hardmax becomes OneHot of ArgMax."""
    x, result = required(node, 0), node.outputs[0]
    shape, base = shape_of(x), name_of(result)
    if x.dtype != ir.DataType.FLOAT or not shape:
        return "not float, or without axes"
    axis = integer(node, "axis", -1) % len(shape)
    found = edit.node(
        "ArgMax",
        [x],
        {"axis": axis, "keepdims": 0, "select_last_index": 0},
        base=f"{base}_place",
        shape=(*shape[:axis], *shape[axis + 1 :]),
        dtype=ir.DataType.INT64,
    )
    depth = edit.constant(np.array(shape[axis], np.int64), f"{base}_depth")
    values = edit.constant(np.array([0, 1], np.float32), f"{base}_values")
    made = edit.node(
        "OneHot", [found, depth, values], {"axis": axis}, base=f"{base}_marks", shape=shape, dtype=ir.DataType.FLOAT
    )
    edit.supersede(result, made)
    return None


RULES = (
    Rule("mark_largest", ("Hardmax",), mark_largest),
    Rule("subtract_log_sum", ("LogSoftmax",), subtract_log_sum),
)
