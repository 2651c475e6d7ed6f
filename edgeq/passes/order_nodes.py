"""Order the nodes so that fewer bytes are alive at once.

List scheduling: among the nodes whose operands are ready, take the one that leaves the fewest bytes alive, ties by the
old order. Where no node by itself needs as many bytes as that order, a search over orders follows, which is exact
for graphs with few ways to be run. The old order is kept where the new one is not better, so a chain never changes.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from edgeq.ir import Graph, Node
from edgeq.passes.base import Pass
from edgeq.passes.remove_dead_nodes import NO_DEAD_NODES
from edgeq.passes.search_order import best_order


def run(graph: Graph) -> int:
    """Reorder where that lowers the peak of live bytes; return 1 if it did."""
    ordered, least = list(graph.nodes), peak_bytes(graph, graph.nodes)
    greedy = _greedy_order(graph)
    if (peak := peak_bytes(graph, greedy)) < least:
        ordered, least = greedy, peak
    if least > _largest_node(graph):
        ordered = best_order(graph, least) or ordered
    if ordered == graph.nodes:
        return 0
    graph.nodes = ordered
    return 1


def _largest_node(graph: Graph) -> int:
    """The most bytes that one node needs by itself: no order has a lower peak."""
    return max(
        (
            sum(
                graph.tensors[name].size_bytes
                for name in {*node.inputs, *node.outputs}
                if not graph.tensors[name].is_constant
            )
            for node in graph.nodes
        ),
        default=0,
    )


def peak_bytes(graph: Graph, nodes: list[Node]) -> int:
    """The largest number of activation bytes alive during any step of a schedule."""
    last = _last_uses(graph, nodes)
    alive = sum(graph.tensors[name].size_bytes for name in dict.fromkeys(graph.sources()) if name in last)
    peak = 0
    for step, node in enumerate(nodes):
        alive += sum(graph.tensors[name].size_bytes for name in node.outputs)
        peak = max(peak, alive)
        ending = {name for name in (*node.inputs, *node.outputs) if last.get(name, step) <= step}
        alive -= sum(graph.tensors[name].size_bytes for name in ending if not graph.tensors[name].is_constant)
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
    """Take the ready node of least growth, again and again.

    The growth of a node falls when it becomes the last reader of an operand; it is queued anew then, and the outdated
    entry is skipped. So the time grows with the number of operands (times the logarithm of the ready nodes).
    """
    readers: dict[str, set[int]] = {}
    missing = []
    known = set(graph.sources()) | {tensor.name for tensor in graph.constants()}
    for number, node in enumerate(graph.nodes):
        for name in node.inputs:
            readers.setdefault(name, set()).add(number)
        missing.append({name for name in node.inputs if name not in known})
    sinks = set(graph.sinks())

    def growth(number: int) -> int:
        """Bytes alive after the node, less those alive before it."""
        node = graph.nodes[number]
        born = sum(tensor.size_bytes for tensor in graph.results(node))
        dying = [name for name in set(node.inputs) if readers[name] == {number} and name not in sinks]
        return born - sum(graph.tensors[name].size_bytes for name in dying if not graph.tensors[name].is_constant)

    queue = [(growth(number), number) for number, operands in enumerate(missing) if not operands]
    heapify(queue)
    ordered: list[Node] = []
    taken: set[int] = set()
    while queue:
        _, number = heappop(queue)
        if number in taken:
            continue
        taken.add(number)
        node = graph.nodes[number]
        ordered.append(node)
        changed: set[int] = set()
        for name in set(node.inputs):
            readers[name].discard(number)
            if len(readers[name]) == 1:
                changed |= readers[name]
        for name in node.outputs:
            for reader in readers.get(name, ()):
                missing[reader].discard(name)
                changed.add(reader)
        for reader in changed:
            if not missing[reader]:
                heappush(queue, (growth(reader), reader))
    return ordered


PASS = Pass("order_nodes", run, requires=(NO_DEAD_NODES,))
