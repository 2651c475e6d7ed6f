"""compare, where, and arithmetic of integers and truth values, which broadcast operands; casts and running sums."""

from __future__ import annotations

from math import prod
from typing import Final

from edgeq.backends.c import orders
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.gather import call_with_constants, typed_bytes
from edgeq.backends.c.bindings.reduce import reduction_loops
from edgeq.backends.c.bindings.scaling import clamp_fields
from edgeq.backends.c.bindings.strides import LOOPS, broadcast
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node, Tensor
from edgeq.ops.logic import RELATIONS

# What eq_functions.h calls the functions.
FUNCTIONS: Final = (
    *("add", "subtract", "multiply", "divide", "remainder", "modulo"),
    *("min", "max", "and", "or", "xor"),
    *("power", "shift_left", "shift_right"),
)
_LOOPS: Final = ("n0", "n1", "n2", "n3", "inner")


def _refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    shapes = [tensor.shape for tensor in graph.operands(node)]
    if broadcast(graph.results(node)[0].shape, *shapes) is None:
        return f"the broadcast needs more than {LOOPS} nested loops"
    return None


def _loop_fields(node: Node, graph: Graph, sides: str) -> dict[str, int]:
    loops = broadcast(graph.results(node)[0].shape, *(tensor.shape for tensor in graph.operands(node)))
    assert loops is not None, "matches() refused this node"
    fields = dict(zip(_LOOPS, loops.sizes, strict=True))
    for side, strides in zip(sides, loops.strides, strict=True):
        fields |= dict(zip((f"{side}0", f"{side}1", f"{side}2", f"{side}3", f"{side}_inner"), strides, strict=True))
    return fields


def _pair(kernel: str, fields: dict[str, int], node: Node, graph: Graph) -> Call:
    operands = dict(zip("ab", graph.operands(node), strict=True))
    return call_with_constants(
        kernel, fields, operands, node, orders.broadcasts(fields, operands, graph.results(node)[0])
    )


def _compare(node: Node, graph: Graph, isa: Isa) -> Call:
    a = graph.operands(node)[0]
    fields = _loop_fields(node, graph, "ab")
    fields |= {
        f"{side}_{key}": node.integer(f"{side}_{key}") for side in "ab" for key in ("zero", "multiplier", "shift")
    }
    factors = [node.integer(f"{side}_{key}") for side in "ab" for key in ("multiplier", "shift")]
    fields |= {"item_bytes": typed_bytes(a), "relation": RELATIONS.index(node.text("relation"))}
    # Without factors, differences of int8 and int16, and int32 whose zero points are 0, stay in int32.
    fields["wide"] = int(factors != [1, 0, 1, 0])
    return _pair("eq_compare", fields, node, graph)


def _where(node: Node, graph: Graph, isa: Isa) -> Call:
    (condition, a, b), (out,) = graph.operands(node), graph.results(node)
    fields = _loop_fields(node, graph, "cab") | {"item_bytes": a.dtype.size_bytes}
    trailing = orders.broadcasts(fields, {"c": condition, "a": a, "b": b}, out)
    return call_with_constants("eq_where", fields, {"condition": condition, "a": a, "b": b}, node, trailing)


def _integer(node: Node, graph: Graph, isa: Isa) -> Call:
    a = graph.operands(node)[0]
    fields = _loop_fields(node, graph, "ab")
    fields |= {"item_bytes": typed_bytes(a), "function": FUNCTIONS.index(node.text("function"))}
    return _pair("eq_integer", fields, node, graph)


def _to_integer(node: Node, graph: Graph, isa: Isa) -> Call:
    (x,), (out,) = graph.operands(node), graph.results(node)
    fields = {"elements": x.elements, "x_bytes": x.dtype.size_bytes, "out_bytes": typed_bytes(out)}
    fields |= {key: node.integer(key) for key in ("in_zero", "multiplier", "shift")}
    return Call("eq_to_integer", fields, node.inputs, node.outputs, trailing=orders.by_element(x, out))


def _from_integer(node: Node, graph: Graph, isa: Isa) -> Call:
    (x,), (out,) = graph.operands(node), graph.results(node)
    fields = {"elements": x.elements, "x_bytes": typed_bytes(x), "out_bytes": out.dtype.size_bytes}
    fields |= {key: node.integer(key) for key in ("multiplier", "shift", "out_zero")} | clamp_fields(node)
    return Call("eq_from_integer", fields, node.inputs, node.outputs, trailing=orders.by_element(x, out))


def _convert(node: Node, graph: Graph, isa: Isa) -> Call:
    (x,), (out,) = graph.operands(node), graph.results(node)
    fields = {"elements": x.elements, "x_bytes": typed_bytes(x), "out_bytes": typed_bytes(out)}
    fields["saturate"] = node.integer("saturate")
    return Call("eq_convert", fields, node.inputs, node.outputs, trailing=orders.by_element(x, out))


def _fold(node: Node, graph: Graph, isa: Isa) -> Call:
    (x,) = graph.operands(node)
    fields = dict(zip(("outer", "reduce", "inner"), reduction_loops(node, graph), strict=True))
    fields |= {"item_bytes": typed_bytes(x), "function": FUNCTIONS.index(node.text("function"))}
    order = orders.reduction(*reduction_loops(node, graph), x, graph.results(node)[0])
    return Call("eq_fold", fields, node.inputs, node.outputs, trailing=orders.trail(order))


def _sum_fields(node: Node, x: Tensor) -> dict[str, int]:
    axis = node.integer("axis")
    fields = {"outer": prod(x.shape[:axis]), "length": x.shape[axis], "inner": prod(x.shape[axis + 1 :])}
    return fields | {"item_bytes": typed_bytes(x)} | {key: node.integer(key) for key in ("exclusive", "reverse")}


def _running_sum(node: Node, graph: Graph, isa: Isa) -> Call:
    fields = _sum_fields(node, graph.operands(node)[0])
    return Call("eq_running_sum", fields, node.inputs, node.outputs, in_place=((0, 0),))


def _cum_sum(node: Node, graph: Graph, isa: Isa) -> Call:
    fields = _sum_fields(node, graph.operands(node)[0]) | clamp_fields(node)
    fields |= {key: node.integer(key) for key in ("in_zero", "multiplier", "shift", "out_zero")}
    return Call("eq_cum_sum", fields, node.inputs, node.outputs, in_place=((0, 0),))


BINDINGS: tuple[Binding, ...] = (
    Binding("compare", "eq_compare", _refusal, _compare),
    Binding("convert", "eq_convert", None, _convert),
    Binding("cum_sum", "eq_cum_sum", None, _cum_sum),
    Binding("fold", "eq_fold", None, _fold),
    Binding("from_integer", "eq_from_integer", None, _from_integer),
    Binding("integer", "eq_integer", _refusal, _integer),
    Binding("running_sum", "eq_running_sum", None, _running_sum),
    Binding("to_integer", "eq_to_integer", None, _to_integer),
    Binding("where", "eq_where", _refusal, _where),
)
