"""Compute once what several nodes compute alike: the same operator with the same attributes of the same operands.

Nodes are functions of what they state: what a model keeps from one run to the next comes and goes by tensors of its
own. Constants are the same where their contents are. A result that the graph gives, or carries on as a state, stays
under its name; two of them that are alike stay two, since each has memory of its own.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from edgeq.ir import Graph, Node, Tensor
from edgeq.passes.base import Pass


def run(graph: Graph) -> int:
    """Merge equal nodes in place; return how many went."""
    sinks = set(graph.sinks())
    contents: dict[str, Hashable] = {}
    same: dict[str, str] = {}
    kept: dict[Hashable, int] = {}
    nodes: list[Node] = []
    before = len(graph.nodes)
    for old in graph.nodes:
        node = old.with_(inputs=tuple(_last(same, name) for name in old.inputs))
        key = _key(graph, node, contents)
        place = kept.setdefault(key, len(nodes))
        if place == len(nodes):
            nodes.append(node)
            continue
        first = nodes[place]
        if not sinks.isdisjoint(node.outputs):
            if not sinks.isdisjoint(first.outputs):
                nodes.append(node)
                continue
            # What the graph gives keeps its name, and is computed as early as the first reader wants it.
            nodes[place] = node.with_(source=_both(first, node))
            same |= dict(zip(first.outputs, node.outputs, strict=True))
            continue
        nodes[place] = first.with_(source=_both(first, node))
        same |= dict(zip(node.outputs, first.outputs, strict=True))
    if len(nodes) < before:
        graph.replace_nodes(node.with_(inputs=tuple(_last(same, name) for name in node.inputs)) for node in nodes)
    return before - len(nodes)


def _last(same: dict[str, str], name: str) -> str:
    """The name by which a tensor goes in the end: one that was kept may have been merged into an output later."""
    while name in same:
        name = same[name]
    return name


def _both(first: Node, second: Node) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first.source, *second.source)))


def _key(graph: Graph, node: Node, contents: dict[str, Hashable]) -> Hashable:
    """What two nodes share that compute the same, into tensors of the same meaning."""
    operands = tuple(_content(graph.tensors[name], contents) for name in node.inputs)
    meanings = tuple(tensor.quant for tensor in graph.results(node))
    return node.op, tuple(sorted(node.attrs.items())), operands, meanings


def _content(tensor: Tensor, contents: dict[str, Hashable]) -> Hashable:
    """The name of what is computed; type, shape and bytes of a constant."""
    if tensor.data is None:
        return tensor.name
    if tensor.name not in contents:
        contents[tensor.name] = tensor.dtype, tensor.shape, tensor.bits, tensor.data.tobytes()
    return contents[tensor.name]


PASS: Final = Pass("merge_equal_nodes", run)
