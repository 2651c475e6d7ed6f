"""Reductions over neighbouring axes: kernels of both widths, but for those with a table of exponentials."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Final

from edgeq.backends.c import orders
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.scaling import clamp_fields, constant, scalar
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.numerics.array import Array

Fields = dict[str, int]
_TERMS: Final = {"value": 0, "magnitude": 1, "square": 2}


def reduction_loops(node: Node, graph: Graph) -> tuple[int, int, int]:
    """(outer, reduce, inner) of the reduced axes, which are neighbours."""
    shape, axes = graph.operands(node)[0].shape, node.integers("axes")
    return prod(shape[: axes[0]]), prod(shape[axis] for axis in axes), prod(shape[axes[-1] + 1 :])


def _loop_fields(node: Node, graph: Graph) -> Fields:
    return dict(zip(("outer", "reduce", "inner"), reduction_loops(node, graph), strict=True))


def _fields(node: Node, graph: Graph) -> Fields:
    return _loop_fields(node, graph) | {"bytes": graph.operands(node)[0].dtype.size_bytes}


def _call(kernel: str, fields: Fields, node: Node, graph: Graph, constants: Mapping[str, Array] | None = None) -> Call:
    order = orders.reduction(*reduction_loops(node, graph), graph.operands(node)[0], graph.results(node)[0])
    return Call(kernel, fields, node.inputs[:1], node.outputs, constants or {}, trailing=orders.trail(order))


def _extreme(node: Node, graph: Graph, isa: Isa) -> Call:
    """The smallest is the complement of the largest complement."""
    fields = _fields(node, graph) | {"flip": -1 if node.op == "reduce_min" else 0}
    return _call("eq_reduce_max", fields, node, graph)


def _sum(node: Node, graph: Graph, isa: Isa) -> Call:
    shift = node.integer("shift")
    fields = _fields(node, graph) | {"term": _TERMS[node.text("term")], "wide": int(shift < 0), "shift": abs(shift)}
    fields |= {"multiplier": scalar(node, graph, "multiplier"), **_zeros(node), **clamp_fields(node)}
    return _call("eq_reduce_sum", fields, node, graph)


def _zeros(node: Node) -> Fields:
    return {key: node.integer(key) for key in ("in_zero", "out_zero")}


def _root(node: Node, graph: Graph, isa: Isa) -> Call:
    fields = _fields(node, graph) | {key: node.integer(key) for key in ("multiplier", "shift")}
    return _call("eq_reduce_l2", fields | _zeros(node) | clamp_fields(node), node, graph)


def _logarithm_fields(node: Node) -> Fields:
    """The offset as a signed upper and an unsigned lower half, whose bits an int32 holds."""
    offset = node.integer("offset")
    low = offset & 0xFFFFFFFF
    fields = {"offset_high": offset >> 32, "offset_low": low - (1 << 32) if low >> 31 else low}
    return fields | {key: node.integer(key) for key in ("in_zero", "multiplier", "shift")} | clamp_fields(node)


def _log_sum(node: Node, graph: Graph, isa: Isa) -> Call:
    return _call("eq_reduce_log_sum", _fields(node, graph) | _logarithm_fields(node), node, graph)


def _log_sum_exp(node: Node, graph: Graph, isa: Isa) -> Call:
    x = graph.operands(node)[0]
    kernel = f"eq_reduce_log_sum_exp_s{8 * x.dtype.size_bytes}"
    fields = _loop_fields(node, graph) | _logarithm_fields(node) | {"slope": node.integer("slope")}
    return _call(kernel, fields, node, graph, {"table": constant(node, graph, "table")})


BINDINGS: tuple[Binding, ...] = (
    Binding("reduce_l2", "eq_reduce_l2", None, _root),
    Binding("reduce_log_sum", "eq_reduce_log_sum", None, _log_sum),
    Binding("reduce_log_sum_exp", "eq_reduce_log_sum_exp_s8", None, _log_sum_exp),
    Binding("reduce_log_sum_exp", "eq_reduce_log_sum_exp_s16", None, _log_sum_exp),
    Binding("reduce_max", "eq_reduce_max", None, _extreme),
    Binding("reduce_min", "eq_reduce_max", None, _extreme),
    Binding("reduce_sum", "eq_reduce_sum", None, _sum),
)
