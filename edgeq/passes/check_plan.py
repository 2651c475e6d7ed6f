"""An independent check of a memory plan, by playing it.

It shares nothing with the planner but the plan. Every byte of an arena is tagged with the value that it holds. A step
must find all bytes of its operands still tagged as theirs; then it poisons its scratch and tags its results. A reshape
leaves its bytes where they are: its result is another name for its operand. At the end the outputs must be whole.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Graph, Node

_SCRATCH = 1
_FIRST_TAG = 2

Pairs = tuple[tuple[str, str], ...]


def check_plan(
    graph: Graph,
    *,
    arena_bytes: int,
    offsets: Mapping[str, int],
    scratch: Mapping[str, tuple[int, int]],
    in_place: Mapping[str, Pairs],
) -> None:
    """Play the schedule on a tagged arena.

    Args:
        graph: in schedule order.
        arena_bytes: size of the arena.
        offsets: byte offset of every activation.
        scratch: (offset, size) by node name.
        in_place: pairs (operand, result) by node name that the node's kernel allows at one address.

    Raises:
        EdgeqError: EQ0905, an internal error that names the step and the tensor.
    """
    arena = _Arena(graph, arena_bytes, offsets)
    for name in graph.sources():
        arena.write(name)
    for name in graph.sources():
        arena.require(name, "the start")
    for node in graph.nodes:
        operands = [name for name in dict.fromkeys(node.inputs) if not graph.tensors[name].is_constant]
        for name in operands:
            arena.require(name, node.name)
        if node.op == "reshape" and operands:
            arena.rename(node, operands[0])
            continue
        arena.require_apart(node, operands, in_place.get(node.name, ()))
        used = arena.poison(node, scratch.get(node.name, (0, 0)))
        for name in operands:
            arena.require(name, f"{node.name} (scratch)")
        for name in node.outputs:
            arena.write(name)
        for name in node.outputs:
            arena.require(name, f"{node.name} (results overlap)")
        if np.any(used != _SCRATCH):
            raise _broken(node.name, "a result overlaps the scratch")
    for name in graph.sinks():
        arena.require(name, "the end")


class _Arena:
    """Bytes that know whose they are."""

    def __init__(self, graph: Graph, size: int, offsets: Mapping[str, int]) -> None:
        self.graph = graph
        self.offsets = offsets
        self.bytes = np.zeros(size, np.int32)
        self.tags = {tensor.name: tag for tag, tensor in enumerate(graph.activations(), start=_FIRST_TAG)}

    def span(self, name: str) -> slice:
        """The bytes of a tensor."""
        start, size = self.offsets[name], self.graph.tensors[name].size_bytes
        if start < 0 or start + size > len(self.bytes):
            raise _broken(name, f"bytes {start}..{start + size} lie outside the arena of {len(self.bytes)}")
        return slice(start, start + size)

    def write(self, name: str) -> None:
        """Tag the bytes of a tensor as its own."""
        self.bytes[self.span(name)] = self.tags[name]

    def require(self, name: str, reader: str) -> None:
        """The tensor is still whole."""
        if not np.all(self.bytes[self.span(name)] == self.tags[name]):
            raise _broken(reader, f"{name} was overwritten before it was read")

    def rename(self, node: Node, operand: str) -> None:
        """The result of a reshape is its operand under another name."""
        (result,) = node.outputs
        if self.offsets[result] != self.offsets[operand]:
            raise _broken(node.name, "a reshape moved its bytes")
        self.tags[result] = self.tags[operand]

    def poison(self, node: Node, where: tuple[int, int]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        """Overwrite the scratch of a step and return a view of it."""
        start, size = where
        if start + size > len(self.bytes):
            raise _broken(node.name, "its scratch lies outside the arena")
        used = self.bytes[start : start + size]
        used[:] = _SCRATCH
        return used

    def require_apart(self, node: Node, operands: list[str], allowed: Pairs) -> None:
        """Operands and results overlap only at one address, and only where the kernel allows it."""
        for operand in operands:
            for result in node.outputs:
                a, b = self.span(operand), self.span(result)
                shared = a.start == b.start and (operand, result) in allowed
                if a.start < b.stop and b.start < a.stop and not shared:
                    raise _broken(node.name, f"{result} overlaps {operand}, which its kernel does not allow")


def _broken(where: str, what: str) -> EdgeqError:
    return EdgeqError(
        "EQ0905",
        "the memory plan is not valid",
        where=f"step {where}",
        got=what,
        hint="this is a defect of edgeq: report it with the model",
    )
