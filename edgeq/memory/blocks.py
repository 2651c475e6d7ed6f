"""What is to be placed: blocks of buffers that share an address, and which of them may not meet.

An alias is the same bytes under another name, what a run leaves in a state lies where the next one reads it, and a step
that may write its result over an operand does so where that operand dies with it. So each block has a size and an
interval of steps; two that are alive in one step are rivals, unless one trails the other far enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm
from typing import NamedTuple

from edgeq.memory.schedule import Order, Region, Schedule, Trailing


@dataclass(frozen=True)
class Block:
    """Buffers at one address, or the scratch of a step, alive from step ``first`` to step ``last``, both included."""

    buffers: tuple[str, ...]
    size_bytes: int
    first: int
    last: int
    regions: tuple[str, ...]
    offset: int | None = None
    step: str | None = None


class Distance(NamedTuple):
    """How far a result begins below its operand: at least so many bytes, and a multiple of ``step``."""

    least: int
    step: int

    def between(self, align: int) -> Distance:
        """The distance where both begin at multiples of ``align``."""
        step = lcm(self.step, align)
        return Distance(aligned(self.least, step), step)


@dataclass(frozen=True)
class Task:
    """What is to be placed: blocks by number, the pairs alive in one step, and how far one may trail another."""

    regions: Mapping[str, Region]
    blocks: Sequence[Block]
    rivals: Sequence[Sequence[int]]
    distances: Mapping[tuple[int, int], Distance]

    def size(self, number: int, region: str) -> int:
        """Bytes that a block takes of a region."""
        return aligned(self.blocks[number].size_bytes, self.regions[region].align_bytes)


def task_of(schedule: Schedule) -> Task:
    """What a schedule asks to be placed.

    Raises:
        ValueError: an alias, or a state, of buffers that cannot share an address.
    """
    blocks = _blocks(schedule)
    scratch = [
        Block((), step.scratch.size_bytes, number, number, step.scratch.regions, step.scratch.offset, step.name)
        for number, step in enumerate(schedule.steps)
        if step.scratch is not None
    ]
    everything = [*blocks, *scratch]
    regions = {region.name: region for region in schedule.regions}
    return Task(regions, everything, rivals_of(everything), _distances(schedule, blocks))


def trailing_distance(order: Order, operand_bytes: int) -> int:
    """How many bytes a result must begin below its operand, at least; negative: it may begin above by so many.

    What is written behind unit u ends at ``written[u]``, what is still needed of the operand begins at ``unread[u]``:
    the first must not lie above the second. A distance is a multiple of the planes, whose bytes never meet.

    Args:
        order: how the step reads and writes.
        operand_bytes: size of the operand.
    """
    needed = order.unread < operand_bytes // order.planes
    gaps = (order.written - order.unread)[needed]
    return order.planes * int(gaps.max()) if gaps.size else -operand_bytes


def _blocks(schedule: Schedule) -> list[Block]:
    """Merge buffers that share an address, and give each class its interval."""
    first, last = _lifetimes(schedule)
    members: dict[str, list[str]] = {name: [name] for name in first}
    root = {name: name for name in first}
    ends = dict(last)  # of each class, by its root
    demands = {name: (schedule.buffers[name].regions, schedule.buffers[name].offset) for name in first}

    def merge(kept: str, joined: str) -> bool:
        a, b = root[kept], root[joined]
        if a == b:
            return True
        both = _joint(demands[a], demands[b])
        if both is None:
            return False
        demands[a] = both
        for name in members[b]:
            root[name] = a
        members[a] += members.pop(b)
        ends[a] = max(ends[a], ends[b])
        return True

    for given, kept in schedule.states:
        if not merge(given, kept):
            raise ValueError(f"{kept} cannot lie where the next run reads {given}")
    for step, work in enumerate(schedule.steps):
        if work.is_alias:
            if not merge(work.reads[0], work.writes[0]):
                raise ValueError(f"{work.name}: {work.writes[0]} cannot lie where {work.reads[0]} must lie")
            continue
        for source, result in work.in_place:
            fits = schedule.buffers[result].size_bytes <= schedule.buffers[source].size_bytes
            fresh = root[result] == result and first[result] == step
            same = {(name, result) for name in work.reads if root[name] == root[source]}
            dies = ends[root[source]] == step and same.issubset(work.in_place)
            if fits and fresh and dies and merge(source, result):
                break
    return [
        Block(
            tuple(names),
            max(schedule.buffers[member].size_bytes for member in names),
            min(first[member] for member in names),
            ends[name],
            *demands[name],
        )
        for name, names in members.items()
    ]


_Demand = tuple[tuple[str, ...], int | None]


def _joint(one: _Demand, other: _Demand) -> _Demand | None:
    """The regions that both may lie in, and the offset that one of them must have; None where they cannot agree."""
    regions = tuple(name for name in one[0] if name in other[0])
    pinned = [demand for demand in (one, other) if demand[1] is not None]
    if pinned:
        # Pinned buffers lie in their first region.
        home = pinned[0][0][0]
        regions = (home,) if home in regions else ()
        if any(demand[0][0] != home or demand[1] != pinned[0][1] for demand in pinned):
            return None
    return (regions, pinned[0][1] if pinned else None) if regions else None


def _lifetimes(schedule: Schedule) -> tuple[dict[str, int], dict[str, int]]:
    """First and last step at which each buffer must hold its contents; what is given is there before step 0."""
    first = dict.fromkeys(schedule.given, -1)
    last = dict.fromkeys(schedule.given, -1)
    for number, step in enumerate(schedule.steps):
        for name in step.writes:
            first.setdefault(name, number)
            last[name] = number
        for name in step.reads:
            last[name] = number
    for name in schedule.kept:
        last[name] = len(schedule.steps)
    return first, last


def _distances(schedule: Schedule, blocks: Sequence[Block]) -> dict[tuple[int, int], Distance]:
    """(result's block, operand's block) → how far the first must lie below the second, where both live in one step."""
    block_of = {name: number for number, block in enumerate(blocks) for name in block.buffers}
    found: dict[tuple[int, int], Distance] = {}
    for number, step in enumerate(schedule.steps):
        trails = {(item.operand, item.result): item for item in step.trailing}
        for item in step.trailing:
            result, operand = block_of[item.result], block_of[item.operand]
            # An operand that is read again stays whole, and so does what the result's address held before.
            if result == operand or blocks[operand].last != number or blocks[result].first != number:
                continue
            same = [trails.get((name, item.result)) for name in step.reads if block_of[name] == operand]
            distances = [_distance(schedule, one) for one in same if one is not None]
            if len(distances) == len(same):
                found[result, operand] = Distance(
                    max(each.least for each in distances), lcm(*(each.step for each in distances))
                )
    return found


def _distance(schedule: Schedule, item: Trailing) -> Distance:
    return Distance(trailing_distance(item.order, schedule.buffers[item.operand].size_bytes), item.order.planes)


def rivals_of(blocks: Sequence[Block]) -> list[list[int]]:
    """By block, those that are alive in one of its steps: found in the order of time, not pair by pair."""
    found: list[list[int]] = [[] for _ in blocks]
    alive: list[int] = []
    for number in sorted(range(len(blocks)), key=lambda i: blocks[i].first):
        alive = [other for other in alive if blocks[other].last >= blocks[number].first]
        for other in alive:
            found[number].append(other)
            found[other].append(number)
        alive.append(number)
    return found


def aligned(size: int, align: int) -> int:
    """The next multiple of an alignment."""
    return -(-size // align) * align
