"""Local rewrites in one sweep over the schedule.

A rule looks at a node and at the nodes that compute its operands, never at its readers. So one sweep in schedule order,
in which the nodes of a replacement are visited again before what follows them, ends in a graph that no rule changes:
its time grows linearly with the number of nodes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from edgeq.ir import Graph, Node

Rule = Callable[["Rewriter", Node], "list[Node] | str | None"]


class Rewriter:
    """The state of one sweep: who computes each tensor so far, and how many operands read it.

    Attributes:
        graph: the graph under rewriting; its tensors are up to date, its list of nodes only after :meth:`run`.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph: Final = graph
        self._made: dict[str, Node] = {}
        self._kept: dict[str, Node] = {}  # by first output, in schedule order
        self._stands_for: dict[str, str] = {}
        self._sinks = set(graph.sinks())
        self._reads: dict[str, int] = {}
        for node in graph.nodes:
            self._count(node, 1)

    def run(self, rules: Mapping[str, Rule]) -> int:
        """Apply rules by operator name and return how many rewrites there were.

        A rule returns the nodes that take a node's place (they compute the same tensors, and perhaps new ones), or the
        name of a tensor that has the value of its only result, or None. Nodes and tensors that nothing reads any more
        are dropped at once.
        """
        changes = 0
        waiting = deque(self.graph.nodes)
        while waiting:
            node = self._resolved(waiting.popleft())
            if not any(self._is_read(name) for name in node.outputs):
                self._count(node, -1)
                continue
            rule = rules.get(node.op)
            found = rule(self, node) if rule is not None else None
            if found is None:
                self._kept[node.outputs[0]] = node
                self._made.update(dict.fromkeys(node.outputs, node))
                continue
            changes += 1
            if isinstance(found, str):
                self._substitute(node.outputs[0], found)
                self._count(node, -1)
                continue
            for new in found:
                self._count(new, 1)
            self._count(node, -1)
            waiting.extendleft(reversed(found))
        self.graph.replace_nodes(self._kept.values())
        return changes

    def producer(self, name: str) -> Node | None:
        """The node that computes a tensor; None for inputs, states and constants."""
        return self._made.get(name)

    def is_private(self, name: str) -> bool:
        """Whether a tensor has one reader and is no output of the graph."""
        return name not in self._sinks and self._reads.get(name, 0) == 1

    def may_substitute(self, old: str, new: str) -> bool:
        """Whether ``new`` may stand for ``old``: an output of the graph must stay a computed tensor of its own."""
        if old not in self._sinks:
            return True
        return new not in self._sinks and new not in self.graph.sources() and not self.graph.tensors[new].is_constant

    def _resolved(self, node: Node) -> Node:
        if self._stands_for.keys().isdisjoint(node.inputs):
            return node
        return node.with_(inputs=tuple(self._stands_for.get(name, name) for name in node.inputs))

    def _substitute(self, old: str, new: str) -> None:
        """Make every later reader, the graph's outputs included, read another tensor of the same shape and value."""
        self._stands_for[old] = new
        self._reads[new] = self._reads.get(new, 0) + self._reads.pop(old, 0)
        if old in self._sinks:
            self._sinks.remove(old)
            self._sinks.add(new)
            self.graph.outputs = tuple(new if name == old else name for name in self.graph.outputs)
            states = self.graph.states
            self.graph.states = tuple(replace(each, output=new) if each.output == old else each for each in states)

    def _is_read(self, name: str) -> bool:
        return name in self._sinks or self._reads.get(name, 0) > 0

    def _count(self, node: Node, change: int) -> None:
        """Add or take the reads of a node's operands; what is not read any more goes, with what it alone read."""
        pending = [(node, change)]
        while pending:
            reader, step = pending.pop()
            for name in reader.inputs:
                name = self._stands_for.get(name, name)  # noqa: PLW2901
                self._reads[name] = self._reads.get(name, 0) + step
                if step > 0 or self._is_read(name):
                    continue
                maker = self._made.get(name)
                if maker is None:
                    if self.graph.tensors[name].is_constant:
                        del self.graph.tensors[name]
                elif not any(self._is_read(output) for output in maker.outputs):
                    del self._kept[maker.outputs[0]]
                    for output in maker.outputs:
                        del self._made[output], self.graph.tensors[output]
                    pending.append((maker, -1))
