"""Remove nodes whose results nothing reads."""

from __future__ import annotations

from edgeq.ir import Graph, Node
from edgeq.passes.base import Pass


def run(graph: Graph) -> int:
    """Drop every node from which no output can be reached; return how many."""
    needed = set(graph.sinks())
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    removed = len(graph.nodes) - len(kept)
    graph.replace_nodes(reversed(kept))
    return removed


PASS = Pass("remove_dead_nodes", run, ensures=("no dead nodes",))
