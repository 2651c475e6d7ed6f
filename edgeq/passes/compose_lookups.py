"""Two functions of int8 in a row are one table: exact, since a table holds the result for every value.

A change of scale is such a function, too.
"""

from __future__ import annotations

import numpy as np

from edgeq.ir import DType, Graph, Node, Tensor
from edgeq.numerics.array import Array
from edgeq.ops import BY_NAME
from edgeq.passes.base import Pass
from edgeq.passes.rewriting import Rewriter

_FUNCTIONS = ("lookup", "requantize")


def run(graph: Graph) -> int:
    """Compose g(f(x)) where nothing else reads f(x); return how many were composed."""
    return Rewriter(graph).run(dict.fromkeys(_FUNCTIONS, _compose))


def _compose(rewriter: Rewriter, node: Node) -> list[Node] | None:
    graph, first = rewriter.graph, rewriter.producer(node.inputs[0])
    if first is None or first.op not in _FUNCTIONS or not rewriter.is_private(first.outputs[0]):
        return None
    if any(graph.tensors[name].dtype is not DType.INT8 for name in (first.inputs[0], *first.outputs, *node.outputs)):
        return None  # lines between the entries of int16 do not compose
    every = np.arange(DType.INT8.min, DType.INT8.max + 1, dtype=np.int8)
    values = _results(graph, node, _results(graph, first, every))
    table = Tensor.constant(graph.fresh_name(f"{node.outputs[0]}.table"), values)
    function = ", ".join(str(step.attrs.get("function", "change of scale")) for step in (first, node))
    inputs = (first.inputs[0], graph.add_tensor(table))
    sources = tuple(dict.fromkeys(first.source + node.source))
    return [node.with_(op="lookup", inputs=inputs, attrs={"function": function}, source=sources)]


def _results(graph: Graph, node: Node, x: Array) -> Array:
    constants = [graph.tensors[name].value() for name in node.inputs[1:]]
    return BY_NAME[node.op].evaluate(node, [x, *constants])[0]


PASS = Pass("compose_lookups", run)
