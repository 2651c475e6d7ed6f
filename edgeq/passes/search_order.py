"""The order of nodes that keeps the fewest bytes alive: found where the graph has few ways to be run.

What is alive after some nodes have run depends on which they are, not on their order. So the search goes over sets of
nodes that have run, by the smallest peak on the way there, and each set is looked at once. A node that frees as many
bytes as it takes, and needs no higher peak than there was, runs at once: putting it off gains nothing. The number of
tries is bounded, so that the time is, and nothing depends on a clock.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final, NamedTuple

from edgeq.ir import Graph, Node

CHOICES: Final = 20_000
"""Nodes that are tried behind sets of others, at most."""


class _Operand(NamedTuple):
    """A tensor that a node reads: its size, and its readers as a set of bits; it never dies where it is kept."""

    size: int
    readers: int
    is_kept: bool


class _Costs:
    """What running each node does to the bytes that are alive."""

    def __init__(self, graph: Graph) -> None:
        count = len(graph.nodes)
        self.count = count
        number_of = {name: at for at, node in enumerate(graph.nodes) for name in node.outputs}
        readers: dict[str, int] = {}
        for at, node in enumerate(graph.nodes):
            for name in node.inputs:
                readers[name] = readers.get(name, 0) | 1 << at
        sinks = set(graph.sinks())
        self.start = sum(graph.tensors[name].size_bytes for name in dict.fromkeys(graph.sources()) if name in readers)
        self.start += sum(
            graph.tensors[name].size_bytes for name in sinks & set(graph.sources()) if name not in readers
        )
        self.needs = [0] * count
        self.born = [0] * count
        self.unread = [0] * count
        self.operands: list[list[_Operand]] = []
        self.followers: list[list[int]] = [[] for _ in range(count)]
        for at, node in enumerate(graph.nodes):
            before = {number_of[name] for name in node.inputs if name in number_of}
            self.needs[at] = sum(1 << number for number in before)
            for number in sorted(before):
                self.followers[number].append(at)
            self.born[at] = sum(tensor.size_bytes for tensor in graph.results(node))
            self.unread[at] = sum(
                graph.tensors[name].size_bytes for name in node.outputs if name not in readers and name not in sinks
            )
            self.operands.append(
                [
                    _Operand(graph.tensors[name].size_bytes, readers[name], name in sinks)
                    for name in dict.fromkeys(node.inputs)
                    if not graph.tensors[name].is_constant
                ]
            )

    def ready_behind(self, at: int, done: int, before: tuple[int, ...]) -> tuple[int, ...]:
        """The nodes that can run when one of those that could has run, ascending."""
        fresh = [each for each in self.followers[at] if not self.needs[each] & ~done]
        return tuple(sorted([*[each for each in before if each != at], *fresh]))

    def step(self, at: int, done: int, alive: int) -> tuple[int, int]:
        """Bytes alive while a node runs, and behind it."""
        after = done | 1 << at
        during = alive + self.born[at]
        dying = sum(each.size for each in self.operands[at] if not each.is_kept and not each.readers & ~after)
        return during, during - dying - self.unread[at]


def best_order(graph: Graph, below: int) -> list[Node] | None:
    """An order with fewer bytes alive at its peak.

    Args:
        graph: in any order in which it can run.
        below: the peak that is to be beaten.

    Returns:
        The order with the lowest peak; None where none was found: there is none, or too many nodes are to be tried.
    """
    costs = _Costs(graph)
    everything = (1 << costs.count) - 1
    ready = tuple(at for at in range(costs.count) if not costs.needs[at])
    # Peak on the way, a number that orders equal peaks, nodes that have run, alive, ready before the last one, path.
    queue: list[tuple[int, int, int, int, tuple[int, ...], _Path | None]] = [
        (costs.start, 0, 0, costs.start, ready, None)
    ]
    seen: set[int] = set()
    number = tried = 0
    while queue and tried < CHOICES:
        peak, _, done, alive, ready, path = heappop(queue)
        if done in seen:
            continue
        seen.add(done)
        if path is not None:
            ready = costs.ready_behind(path.at, done, ready)
        if done == everything:
            return [graph.nodes[at] for at in _places(path)]
        tried += len(ready)
        choices = [(at, *costs.step(at, done, alive)) for at in ready]
        free = [choice for choice in choices if choice[1] <= peak and choice[2] <= alive]
        for at, during, left in free[:1] or choices:
            after = done | 1 << at
            if max(peak, during) < below and after not in seen:
                number += 1
                heappush(queue, (max(peak, during), -number, after, left, ready, _Path(at, path)))
    return None


class _Path(NamedTuple):
    """The last node of an order, and what came before."""

    at: int
    before: _Path | None


def _places(path: _Path | None) -> list[int]:
    found = []
    while path is not None:
        found.append(path.at)
        path = path.before
    return found[::-1]
