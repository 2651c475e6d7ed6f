"""arg_max and arg_min, which share a kernel, one_hot and top_k."""

from __future__ import annotations

from math import prod

from edgeq.backends.c import orders
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.gather import call_with_constants, typed_bytes
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node


def _arg(node: Node, graph: Graph, isa: Isa) -> Call:
    (x,), axis = graph.operands(node), node.integer("axis")
    fields = {
        "outer": prod(x.shape[:axis]),
        "length": x.shape[axis],
        "inner": prod(x.shape[axis + 1 :]),
        "x_bytes": typed_bytes(x),
        "smallest": int(node.op == "arg_min"),
        "last": node.integer("last"),
    }
    order = orders.reduction(fields["outer"], fields["length"], fields["inner"], x, graph.results(node)[0])
    return Call("eq_arg", fields, node.inputs, node.outputs, trailing=orders.trail(order))


def _top_k(node: Node, graph: Graph, isa: Isa) -> Call:
    (x,), axis = graph.operands(node), node.integer("axis")
    fields = {
        "outer": prod(x.shape[:axis]),
        "length": x.shape[axis],
        "inner": prod(x.shape[axis + 1 :]),
        "x_bytes": typed_bytes(x),
        "k": node.integer("k"),
        "largest": node.integer("largest"),
    }
    return Call("eq_top_k", fields, node.inputs, node.outputs)


def _one_hot(node: Node, graph: Graph, isa: Isa) -> Call:
    indices, values = graph.operands(node)
    axis = node.integer("axis")
    fields = {
        "outer": prod(indices.shape[:axis]),
        "depth": node.integer("depth"),
        "inner": prod(indices.shape[axis:]),
        "item_bytes": values.dtype.size_bytes,
    }
    return call_with_constants("eq_one_hot", fields, {"indices": indices, "values": values}, node)


BINDINGS: tuple[Binding, ...] = (
    Binding("arg_max", "eq_arg", None, _arg),
    Binding("arg_min", "eq_arg", None, _arg),
    Binding("one_hot", "eq_one_hot", None, _one_hot),
    Binding("top_k", "eq_top_k", None, _top_k),
)
