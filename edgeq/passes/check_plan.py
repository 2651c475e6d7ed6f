"""An independent check of a memory plan, by playing it.

It shares nothing with the planner but the plan. Every byte of an arena is tagged with the value that it holds; each step
must find all bytes of its operands still tagged as theirs, then tags its results and poisons its scratch. A reshape
leaves its bytes where they are and tags them anew as belonging to both names. At the end the outputs must be whole.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Graph

_SCRATCH = 1


def check_plan(
    graph: Graph,
    *,
    arena_bytes: int,
    offsets: Mapping[str, int],
    scratch: Mapping[str, tuple[int, int]],
    in_place: Mapping[str, tuple[tuple[str, str], ...]],
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
    arena = np.zeros(arena_bytes, np.int32)
    tags = {tensor.name: number for number, tensor in enumerate(graph.activations(), start=2)}
    views = {name: name for name in tags}

    def span(name: str) -> slice:
        start, size = offsets[name], graph.tensors[name].size_bytes
        if start < 0 or start + size > arena_bytes:
            raise _broken(name, f"bytes {start}..{start + size} lie outside the arena of {arena_bytes}")
        return slice(start, start + size)

    def write(name: str) -> None:
        arena[span(name)] = tags[views[name]]

    def require(name: str, reader: str) -> None:
        if not np.all(arena[span(name)] == tags[views[name]]):
            raise _broken(reader, f"{name} was overwritten before it was read")

    for name in graph.sources():
        write(name)
    for name in graph.sources():
        require(name, "the start")
    for node in graph.nodes:
        operands = [name for name in dict.fromkeys(node.inputs) if name in tags]
        for name in operands:
            require(name, node.name)
        if node.op == "reshape" and operands:
            if offsets[node.outputs[0]] != offsets[operands[0]]:
                raise _broken(node.name, "a reshape moved its bytes")
            views[node.outputs[0]] = views[operands[0]]
            continue
        _require_apart(graph, node.name, operands, node.outputs, offsets, in_place.get(node.name, ()))
        start, size = scratch.get(node.name, (0, 0))
        if start + size > arena_bytes:
            raise _broken(node.name, "its scratch lies outside the arena")
        if size:
            arena[start : start + size] = _SCRATCH
            for name in operands:
                require(name, f"{node.name} (scratch)")
        for name in node.outputs:
            write(name)
        for name in node.outputs:
            require(name, f"{node.name} (results overlap)")
        if np.any(arena[start : start + size] != _SCRATCH):
            raise _broken(node.name, "a result overlaps the scratch")
    for name in graph.sinks():
        require(name, "the end")


def _require_apart(
    graph: Graph,
    step: str,
    operands: list[str],
    results: tuple[str, ...],
    offsets: Mapping[str, int],
    allowed: tuple[tuple[str, str], ...],
) -> None:
    """Operands and results of one kernel may overlap only at one address and only where the kernel allows it."""
    for operand in operands:
        for result in results:
            a, b = offsets[operand], offsets[result]
            apart = a + graph.tensors[operand].size_bytes <= b or b + graph.tensors[result].size_bytes <= a
            if not apart and not (a == b and (operand, result) in allowed):
                raise _broken(step, f"{result} overlaps {operand}, which its kernel does not allow")


def _broken(where: str, what: str) -> EdgeqError:
    return EdgeqError(
        "EQ0905",
        "the memory plan is not valid",
        where=f"step {where}",
        got=what,
        hint="this is a defect of edgeq: report it with the model",
    )
