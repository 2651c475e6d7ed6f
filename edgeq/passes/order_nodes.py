"""Order the nodes so that fewer bytes are alive at once.

List scheduling: among the nodes whose operands are ready, take the one that leaves the fewest bytes alive, ties by the
old order. The old order is kept where the new one is not better, so a chain never changes.
"""

from __future__ import annotations

from edgeq.ir import Graph, Node
from edgeq.passes.base import Pass


def run(graph: Graph) -> int:
    """Reorder where that lowers the peak of live bytes; return 1 if it did."""
    ordered = _greedy_order(graph)
    if peak_bytes(graph, ordered) >= peak_bytes(graph, graph.nodes):
        return 0
    graph.nodes = ordered
    return 1


def peak_bytes(graph: Graph, nodes: list[Node]) -> int:
    """The largest number of activation bytes alive during any step of a schedule."""
    last = _last_uses(graph, nodes)
    alive = {name for name in graph.sources() if name in last}
    peak = 0
    for step, node in enumerate(nodes):
        alive.update(node.outputs)
        peak = max(peak, sum(graph.tensors[name].size_bytes for name in alive))
        alive = {name for name in alive if last.get(name, step) > step}
    return peak


def _last_uses(graph: Graph, nodes: list[Node]) -> dict[str, int]:
    last: dict[str, int] = {}
    for step, node in enumerate(nodes):
        for name in node.inputs:
            if not graph.tensors[name].is_constant:
                last[name] = step
    for name in graph.sinks():
        last[name] = len(nodes)
    return last


def _greedy_order(graph: Graph) -> list[Node]:
    readers: dict[str, int] = {}
    for node in graph.nodes:
        for name in set(node.inputs):
            readers[name] = readers.get(name, 0) + 1
    for name in graph.sinks():
        readers[name] = readers.get(name, 0) + 1
    known = set(graph.sources()) | {tensor.name for tensor in graph.constants()}
    waiting, ordered = list(graph.nodes), []
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.inputs)]
        chosen = min(ready, key=lambda node: _growth(graph, node, readers))
        waiting.remove(chosen)
        ordered.append(chosen)
        known.update(chosen.outputs)
        for name in set(chosen.inputs):
            readers[name] -= 1
    return ordered


def _growth(graph: Graph, node: Node, readers: dict[str, int]) -> int:
    """Bytes alive after the node, less those alive before it."""
    born = sum(tensor.size_bytes for tensor in graph.results(node))
    dying = [name for name in set(node.inputs) if readers[name] == 1 and not graph.tensors[name].is_constant]
    return born - sum(graph.tensors[name].size_bytes for name in dying)


PASS = Pass("order_nodes", run, requires=("no dead nodes",))
