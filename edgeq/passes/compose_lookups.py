"""Two tables of int8 in a row are one table: exact, since a table holds the result for every value."""

from __future__ import annotations

from edgeq.ir import DType, Graph, Node, Tensor
from edgeq.ops import BY_NAME
from edgeq.passes.base import Pass
from edgeq.passes.rewriting import Rewriter


def run(graph: Graph) -> int:
    """Compose lookup(lookup(x)) where nothing else reads the value between; return how many were composed."""
    return Rewriter(graph).run({"lookup": _compose})


def _compose(rewriter: Rewriter, node: Node) -> list[Node] | None:
    first = rewriter.producer(node.inputs[0])
    if first is None or first.op != "lookup" or not rewriter.is_private(first.outputs[0]):
        return None
    graph = rewriter.graph
    if graph.tensors[node.inputs[0]].dtype is not DType.INT8:
        return None  # lines between the entries of int16 do not compose
    signature = BY_NAME["lookup"].signature
    inner, outer = (signature.bind(step, graph.operands(step))["table"].value() for step in (first, node))
    table = Tensor.constant(graph.fresh_name(f"{node.outputs[0]}.table"), outer[inner.astype(int) + 128])
    composed = node.with_(inputs=(first.inputs[0], graph.add_tensor(table)), source=first.source + node.source)
    return [composed.with_attrs(function=f"{first.text('function')}, {node.text('function')}")]


PASS = Pass("compose_lookups", run)
