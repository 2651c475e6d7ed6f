"""Steps that several passes share: replacing a value by another, and asking who computes it."""

from __future__ import annotations

from edgeq.ir import Graph, Node


def producers(graph: Graph) -> dict[str, Node]:
    """The node that computes each tensor."""
    return {name: node for node in graph.nodes for name in node.outputs}


def replace_uses(graph: Graph, replacements: dict[str, str]) -> None:
    """Make every reader, the graph's outputs included, read another tensor of the same shape and value."""

    def final(name: str) -> str:
        while name in replacements:
            name = replacements[name]
        return name

    nodes = [node.with_(inputs=tuple(final(name) for name in node.inputs)) for node in graph.nodes]
    graph.outputs = tuple(final(name) for name in graph.outputs)
    graph.replace_nodes(nodes)


def may_replace_output(graph: Graph, old: str, new: str) -> bool:
    """Whether ``new`` may stand for ``old``: an output of the graph must stay a computed tensor of its own."""
    if old not in graph.sinks():
        return True
    return new not in graph.sinks() and new not in graph.sources() and not graph.tensors[new].is_constant
