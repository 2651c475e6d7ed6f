"""Operators in software float: one generic kernel each. Operands of two of them may be constants."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Final

from edgeq.backends.c import orders
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.gather import call_with_constants
from edgeq.backends.c.bindings.scaling import clamp_fields
from edgeq.backends.c.bindings.strides import broadcast_fields, broadcast_refusal, dense_strides
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.numerics.floating import BINARY, REDUCTIONS, UNARY
from edgeq.ops.logic import RELATIONS

# What the kernels call the functions: their places in the tables.
_UNARY: Final = tuple(UNARY)
_BINARY: Final = tuple(BINARY)


def _refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    return broadcast_refusal(graph.results(node)[0].shape, *(tensor.shape for tensor in graph.operands(node)))


def _pair(kernel: str, node: Node, graph: Graph, chosen: Mapping[str, int]) -> Call:
    a, b = graph.operands(node)
    fields = broadcast_fields(graph.results(node)[0].shape, {"a": a.shape, "b": b.shape})
    trailing = orders.broadcasts(fields, {"a": a, "b": b}, graph.results(node)[0])
    return call_with_constants(kernel, fields | dict(chosen), {"a": a, "b": b}, node, trailing)


def _binary(node: Node, graph: Graph, isa: Isa) -> Call:
    return _pair("eq_float_binary", node, graph, {"kind": _BINARY.index(node.text("function"))})


def _compare(node: Node, graph: Graph, isa: Isa) -> Call:
    return _pair("eq_float_compare", node, graph, {"relation": RELATIONS.index(node.text("relation"))})


def _unary(node: Node, graph: Graph, isa: Isa) -> Call:
    (x,) = graph.operands(node)
    fields = {"elements": x.elements, "kind": _UNARY.index(node.text("function"))}
    fields |= {name: node.integer(name) for name in ("alpha", "beta")}
    return Call("eq_float_unary", fields, node.inputs, node.outputs, in_place=((0, 0),))


def _dequantize(node: Node, graph: Graph, isa: Isa) -> Call:
    (x,) = graph.operands(node)
    fields = {"elements": x.elements, "item_bytes": x.dtype.size_bytes}
    fields |= {"zero": node.integer("in_zero"), "scale": node.integer("scale")}
    trailing = orders.by_element(x, graph.results(node)[0])
    return Call("eq_float_dequantize", fields, node.inputs, node.outputs, trailing=trailing)


def _quantize(node: Node, graph: Graph, isa: Isa) -> Call:
    (x,), (out,) = graph.operands(node), graph.results(node)
    fields = {"elements": out.elements, "item_bytes": out.dtype.size_bytes}
    fields |= {"scale": node.integer("scale"), "zero": node.integer("out_zero")} | clamp_fields(node)
    return Call("eq_float_quantize", fields, node.inputs, node.outputs, trailing=orders.by_element(x, out))


def _reduce(node: Node, graph: Graph, isa: Isa) -> Call:
    (x,) = graph.operands(node)
    axis = node.integer("axis")
    fields = {"outer": prod(x.shape[:axis]), "length": x.shape[axis], "inner": prod(x.shape[axis + 1 :])}
    order = orders.reduction(fields["outer"], fields["length"], fields["inner"], x, graph.results(node)[0])
    fields["kind"] = REDUCTIONS.index(node.text("function"))
    return Call("eq_float_reduce", fields, node.inputs, node.outputs, trailing=orders.trail(order))


def _matmul_refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    batch = prod(graph.results(node)[0].shape[:-2])
    for tensor in graph.operands(node):
        if prod(tensor.shape[:-2]) not in {1, batch}:
            return f"some leading axes of {tensor.name} are broadcast, and others are not"
    return None


def _matmul(node: Node, graph: Graph, isa: Isa) -> Call:
    a, b = graph.operands(node)
    *leading, rows, columns = graph.results(node)[0].shape
    batch = prod(leading)
    (a_row, a_depth), (b_depth, b_column) = (dense_strides(tensor.shape)[-2:] for tensor in (a, b))
    a_batch, b_batch = (0 if prod(tensor.shape[:-2]) == 1 else prod(tensor.shape[-2:]) for tensor in (a, b))
    fields = {"batch": batch, "rows": rows, "depth": a.shape[-1], "columns": columns}
    fields |= {"a_batch": a_batch, "a_row": a_row, "a_depth": a_depth}
    fields |= {"b_batch": b_batch, "b_depth": b_depth, "b_column": b_column}
    return call_with_constants("eq_float_matmul", fields, {"a": a, "b": b}, node)


def _determinant(node: Node, graph: Graph, isa: Isa) -> Call:
    (x,) = graph.operands(node)
    fields = {"count": prod(x.shape[:-2]), "size": x.shape[-1]}
    return Call("eq_float_determinant", fields, node.inputs, node.outputs)


BINDINGS: tuple[Binding, ...] = (
    Binding("float_binary", "eq_float_binary", _refusal, _binary),
    Binding("float_compare", "eq_float_compare", _refusal, _compare),
    Binding("float_dequantize", "eq_float_dequantize", None, _dequantize),
    Binding("float_determinant", "eq_float_determinant", None, _determinant),
    Binding("float_matmul", "eq_float_matmul", _matmul_refusal, _matmul),
    Binding("float_quantize", "eq_float_quantize", None, _quantize),
    Binding("float_reduce", "eq_float_reduce", None, _reduce),
    Binding("float_unary", "eq_float_unary", None, _unary),
)
