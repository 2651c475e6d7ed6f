"""Local rewrites by a worklist, in schedule order.

A rule looks at a node and at the nodes that compute its operands, never at its readers. So a node is visited again only
where one of its operands has come to be computed otherwise: the time grows with the number of rewrites, and there are
no rounds over the graph.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from edgeq.ir import Graph, Node

Rule = Callable[["Rewriter", Node], "list[Node] | str | None"]
_Place = tuple[int, ...]


class Rewriter:
    """A graph under rewriting: who computes and who reads each tensor.

    Nodes go by the name of their first result. Their place in the schedule is a tuple; nodes that take the place of
    one have a number more.

    Attributes:
        graph: its tensors are up to date, its list of nodes only after :meth:`run`.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph: Final = graph
        self._nodes: dict[str, Node] = {}
        self._places: dict[str, _Place] = {}
        self._made: dict[str, str] = {}
        self._readers: dict[str, dict[str, None]] = {}
        self._sinks = set(graph.sinks())
        self._waiting: list[tuple[_Place, str]] = []
        for place, node in enumerate(graph.nodes):
            self._add(node, (place,))

    def run(self, rules: Mapping[str, Rule]) -> int:
        """Apply rules by operator name until none applies, and return how many rewrites there were.

        A rule returns the nodes that take a node's place (they compute the same tensors, and perhaps new ones), or the
        name of a tensor that has the value of its only result, or None. Nodes and tensors that nothing reads any more
        are dropped at once.
        """
        changes = 0
        self._waiting = [(place, name) for name, place in self._places.items()]
        heapq.heapify(self._waiting)
        while self._waiting:
            place, name = heapq.heappop(self._waiting)
            if self._places.get(name) != place:
                continue
            node = self._nodes[name]
            self._drop_unread(node.outputs)
            rule = rules.get(node.op)
            found = rule(self, node) if rule is not None and name in self._nodes else None
            if found is None:
                continue
            changes += 1
            self._remove(node)
            if isinstance(found, str):
                self._substitute(node.outputs[0], found)
            else:
                for index, new in enumerate(found):
                    self._add(new, place if len(found) == 1 else (*place, index))
                    self._wait(new.outputs[0])
                for output in node.outputs:
                    for reader in self._readers.get(output, ()):
                        self._wait(reader)
            self._drop_unread(node.inputs)
        self.graph.replace_nodes(self._nodes[name] for name in sorted(self._nodes, key=self._places.__getitem__))
        return changes

    def producer(self, name: str) -> Node | None:
        """The node that computes a tensor; None for inputs, states and constants."""
        maker = self._made.get(name)
        return None if maker is None else self._nodes[maker]

    def is_private(self, name: str) -> bool:
        """Whether a tensor is one operand of one node, and no output of the graph."""
        readers = self._readers.get(name, {})
        return name not in self._sinks and sum(self._nodes[reader].inputs.count(name) for reader in readers) == 1

    def may_substitute(self, old: str, new: str) -> bool:
        """Whether ``new`` may stand for ``old``: an output of the graph must stay a computed tensor of its own."""
        if old not in self._sinks:
            return True
        return new not in self._sinks and new not in self.graph.sources() and not self.graph.tensors[new].is_constant

    def _add(self, node: Node, place: _Place) -> None:
        name = node.outputs[0]
        self._nodes[name], self._places[name] = node, place
        self._made.update(dict.fromkeys(node.outputs, name))
        for operand in node.inputs:
            self._readers.setdefault(operand, {})[name] = None

    def _remove(self, node: Node) -> None:
        name = node.outputs[0]
        del self._nodes[name], self._places[name]
        for output in node.outputs:
            del self._made[output]
        for operand in dict.fromkeys(node.inputs):
            del self._readers[operand][name]

    def _wait(self, name: str) -> None:
        heapq.heappush(self._waiting, (self._places[name], name))

    def _substitute(self, old: str, new: str) -> None:
        """Make every reader, the graph's outputs included, read another tensor of the same shape and value."""
        for reader in list(self._readers.get(old, ())):
            node, place = self._nodes[reader], self._places[reader]
            self._remove(node)
            self._add(node.with_(inputs=tuple(new if name == old else name for name in node.inputs)), place)
            self._wait(reader)
        if old in self._sinks:
            self._sinks.remove(old)
            self._sinks.add(new)
            graph = self.graph
            graph.outputs = tuple(new if name == old else name for name in graph.outputs)
            graph.states = tuple(replace(s, output=new) if s.output == old else s for s in graph.states)

    def _is_read(self, name: str) -> bool:
        return name in self._sinks or bool(self._readers.get(name))

    def _drop_unread(self, names: Iterable[str]) -> None:
        """Drop what computes tensors that nothing reads, and constants, with what they alone read."""
        pending = list(names)
        while pending:
            name = pending.pop()
            maker = self._made.get(name)
            if self._is_read(name):
                continue
            if maker is None:
                if name in self.graph.tensors and self.graph.tensors[name].is_constant:
                    del self.graph.tensors[name]
            elif not any(self._is_read(output) for output in self._nodes[maker].outputs):
                node = self._nodes[maker]
                self._remove(node)
                for output in node.outputs:
                    del self.graph.tensors[output]
                pending += node.inputs
