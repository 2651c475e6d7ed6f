"""Two tables in a row are one table: exact, since a table holds the result for every int8 value."""

from __future__ import annotations

from edgeq.ir import Graph, Tensor
from edgeq.passes.base import Pass
from edgeq.passes.rewriting import producers


def run(graph: Graph) -> int:
    """Compose lookup(lookup(x)) where nothing else reads the value between; return how many were composed."""
    changes = 0
    while _compose_one(graph):
        changes += 1
    return changes


def _compose_one(graph: Graph) -> bool:
    made = producers(graph)
    for position, node in enumerate(graph.nodes):
        first = made.get(node.inputs[0]) if node.op == "lookup" else None
        if first is None or first.op != "lookup":
            continue
        between = first.outputs[0]
        if between in graph.sinks() or len(graph.consumers(between)) != 1:
            continue
        inner, outer = (graph.tensors[step.inputs[1]].value() for step in (first, node))
        table = outer[inner.astype(int) + 128]
        name = graph.add_tensor(Tensor.constant(graph.fresh_name(f"{node.outputs[0]}.table"), table))
        function = f"{first.text('function')}, {node.text('function')}"
        composed = node.with_(inputs=(first.inputs[0], name), source=first.source + node.source)
        graph.nodes[position] = composed.with_attrs(function=function)
        graph.replace_nodes(step for step in graph.nodes if step is not first)
        return True
    return False


PASS = Pass("compose_lookups", run)
