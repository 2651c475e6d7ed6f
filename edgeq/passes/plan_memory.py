"""The static memory plan: an offset in one arena for every activation and every kernel's scratch.

Buffers are classes of tensors that share an address: a reshape is the same bytes under another shape, and a kernel
that may write its result over an operand does so where that operand dies with it. Then each buffer has a size and
an interval of steps, and first fit places them: the largest first, then what stood in the way first. ``check_plan``
recomputes lifetimes on its own and never calls this file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from edgeq.ir import Graph

ALIGN_BYTES = 16
_ROUNDS = 200


@dataclass(frozen=True)
class StepMemory:
    """What the kernel of one node asks of the planner.

    Attributes:
        scratch_bytes: working memory that lives for this step only.
        in_place: (operand, result) names that the kernel allows at one and the same address.
    """

    scratch_bytes: int = 0
    in_place: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Buffer:
    """Tensors at one address, alive from step ``first`` to step ``last``, both included."""

    tensors: tuple[str, ...]
    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """Offsets in bytes from the start of the arena.

    Attributes:
        arena_bytes: the arena's size, a multiple of the alignment.
        offsets: by activation name.
        scratch: offset of the scratch of each step that has one, by node name.
        bound_bytes: the largest sum of bytes alive in one step: no plan can be smaller.
    """

    arena_bytes: int
    offsets: Mapping[str, int]
    scratch: Mapping[str, int]
    bound_bytes: int


def plan_memory(graph: Graph, needs: Mapping[str, StepMemory]) -> Plan:
    """Place every activation and scratch buffer of a graph.

    Args:
        graph: in schedule order.
        needs: by node name; a node without an entry needs nothing.

    Returns:
        The plan; ``arena_bytes`` equals ``bound_bytes`` where it is provably the smallest.
    """
    buffers = _buffers(graph, needs)
    scratch = {
        node.name: Buffer((), needs[node.name].scratch_bytes, step, step)
        for step, node in enumerate(graph.nodes)
        if node.name in needs and needs[node.name].scratch_bytes
    }
    everything = [*buffers, *scratch.values()]
    placed = _place(everything)
    offsets = {name: placed[id(buffer)] for buffer in buffers for name in buffer.tensors}
    ends = [placed[id(buffer)] + _aligned(buffer.size_bytes) for buffer in everything]
    return Plan(
        arena_bytes=max(ends, default=0),
        offsets=offsets,
        scratch={name: placed[id(buffer)] for name, buffer in scratch.items()},
        bound_bytes=_bound(everything),
    )


def _buffers(graph: Graph, needs: Mapping[str, StepMemory]) -> list[Buffer]:
    """Merge tensors that share an address, and give each class its interval."""
    first, last = _lifetimes(graph)
    members: dict[str, list[str]] = {name: [name] for name in first}
    root = {name: name for name in first}
    ends = dict(last)  # of each class, by its root

    def merge(kept: str, joined: str) -> None:
        a, b = root[kept], root[joined]
        for name in members[b]:
            root[name] = a
        members[a] += members.pop(b)
        ends[a] = max(ends[a], ends[b])

    for step, node in enumerate(graph.nodes):
        if node.op == "reshape" and not graph.tensors[node.inputs[0]].is_constant:
            merge(node.inputs[0], node.outputs[0])
            continue
        for source, result in needs.get(node.name, StepMemory()).in_place:
            fits = graph.tensors[result].size_bytes <= graph.tensors[source].size_bytes
            if fits and ends[root[source]] == step and root[result] == result:
                merge(source, result)
                break
    return [
        Buffer(
            tuple(names),
            max(graph.tensors[member].size_bytes for member in names),
            min(first[member] for member in names),
            ends[name],
        )
        for name, names in members.items()
    ]


def _lifetimes(graph: Graph) -> tuple[dict[str, int], dict[str, int]]:
    """First and last step at which each activation must hold its value; inputs are there before step 0."""
    first = dict.fromkeys(graph.sources(), -1)
    last = dict.fromkeys(graph.sources(), -1)
    for step, node in enumerate(graph.nodes):
        for name in node.outputs:
            first[name] = last[name] = step
        for name in node.inputs:
            if name in last:
                last[name] = step
    for name in graph.sinks():
        last[name] = len(graph.nodes)
    return first, last


def _place(buffers: Sequence[Buffer]) -> dict[int, int]:
    """Offsets by first fit, at first by decreasing size; then whatever ends at the top is placed earlier, and again.

    The first order that reaches the bound, or the best of :data:`_ROUNDS`, wins; the same input gives the same plan.
    """
    bound = _bound(buffers)
    rivals = _rivals(buffers)
    order = sorted(range(len(buffers)), key=lambda i: (-buffers[i].size_bytes, buffers[i].first, i))
    best: dict[int, int] = {}
    best_top = -1
    seen: set[tuple[int, ...]] = set()
    while len(seen) < _ROUNDS and tuple(order) not in seen:
        seen.add(tuple(order))
        placed = _first_fit(buffers, rivals, order)
        ends = {i: placed[i] + _aligned(buffers[i].size_bytes) for i in order}
        top = max(ends.values(), default=0)
        if best_top < 0 or top < best_top:
            best, best_top = placed, top
        if top == bound:
            break
        highest = [i for i in order if ends[i] == top]
        order = [*highest, *(i for i in order if ends[i] != top)]
    return {id(buffers[i]): offset for i, offset in best.items()}


def _rivals(buffers: Sequence[Buffer]) -> list[list[int]]:
    """By buffer, those that are alive in one of its steps: found in the order of time, not pair by pair."""
    found: list[list[int]] = [[] for _ in buffers]
    alive: list[int] = []
    for number in sorted(range(len(buffers)), key=lambda i: buffers[i].first):
        alive = [other for other in alive if buffers[other].last >= buffers[number].first]
        for other in alive:
            found[number].append(other)
            found[other].append(number)
        alive.append(number)
    return found


def _first_fit(buffers: Sequence[Buffer], rivals: Sequence[Sequence[int]], order: Sequence[int]) -> dict[int, int]:
    placed: dict[int, int] = {}
    for number in order:
        size = _aligned(buffers[number].size_bytes)
        offset = 0
        taken = ((placed[i], placed[i] + _aligned(buffers[i].size_bytes)) for i in rivals[number] if i in placed)
        for start, end in sorted(taken):
            if offset + size <= start:
                break
            offset = max(offset, end)
        placed[number] = offset
    return placed


def _bound(buffers: Sequence[Buffer]) -> int:
    """The largest number of aligned bytes alive at one step."""
    change: dict[int, int] = {}
    for buffer in buffers:
        size = _aligned(buffer.size_bytes)
        change[buffer.first] = change.get(buffer.first, 0) + size
        change[buffer.last + 1] = change.get(buffer.last + 1, 0) - size
    return max(accumulate(change[step] for step in sorted(change)), default=0)


def _aligned(size: int) -> int:
    return -(-size // ALIGN_BYTES) * ALIGN_BYTES
