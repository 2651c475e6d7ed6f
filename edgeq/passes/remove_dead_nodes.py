"""Remove nodes whose results nothing reads."""

from __future__ import annotations

from edgeq.ir import Graph, Node
from edgeq.passes.base import Pass, Property


def run(graph: Graph) -> int:
    """Drop every node from which no output can be reached; return how many."""
    kept = _alive(graph)
    removed = len(graph.nodes) - len(kept)
    graph.replace_nodes(kept)
    return removed


def _alive(graph: Graph) -> list[Node]:
    """The nodes from which an output can be reached, in schedule order."""
    needed = set(graph.sinks())
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    return kept[::-1]


NO_DEAD_NODES = Property("no dead nodes", lambda graph: len(_alive(graph)) == len(graph.nodes))
PASS = Pass("remove_dead_nodes", run, ensures=(NO_DEAD_NODES,))
