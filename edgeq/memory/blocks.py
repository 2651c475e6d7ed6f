"""What is to be placed: blocks of buffers that lie at fixed distances, and which of them may not meet.

A view lies inside its whole, what a run leaves in a state lies where the next one reads it, and a step that may write
its result over an operand does so where that operand dies with it. So each block has a size and an interval of steps;
two that are alive in one step are rivals, unless one trails the other far enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm
from typing import NamedTuple

from edgeq.memory.schedule import Buffer, Order, Place, Region, Schedule, Step, Trailing


@dataclass(frozen=True)
class Block:
    """Buffers at fixed distances, or the scratch of a step, alive from step ``first`` to step ``last``, both included.

    ``buffers`` has the byte of the block at which each begins.
    """

    buffers: Mapping[str, int]
    size_bytes: int
    first: int
    last: int
    regions: tuple[str, ...]
    offset: int | None = None
    step: str | None = None

    def place(self, places: Mapping[str, Place]) -> Place:
        """Where the block begins, from where its buffers do."""
        name, at = next(iter(self.buffers.items()))
        return places[name].moved(-at)


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
        ValueError: a view, or a state, of buffers that cannot lie so.
    """
    blocks = _blocks(schedule)
    scratch = [
        Block({}, step.scratch.size_bytes, number, number, step.scratch.regions, step.scratch.offset, step.name)
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


class _Classes:
    """Buffers that lie at fixed distances from each other, each class named by one of them.

    Attributes:
        root: by buffer its class.
        at: by buffer the byte at which it begins, counted from the class's buffer of that name.
        members: by class its buffers.
        ends: by class the last step that needs one of them.
        demands: by class the regions that all of them may lie in, and where byte 0 must lie.
    """

    def __init__(self, buffers: Mapping[str, Buffer], last: Mapping[str, int]) -> None:
        self.root = {name: name for name in last}
        self.at = dict.fromkeys(last, 0)
        self.members = {name: [name] for name in last}
        self.ends = dict(last)
        self.demands = {name: (buffers[name].regions, buffers[name].offset) for name in last}

    def is_alone(self, name: str) -> bool:
        """Whether nothing lies at a fixed distance from a buffer yet."""
        return len(self.members[self.root[name]]) == 1

    def merge(self, whole: str, part: str, offset: int = 0) -> bool:
        """Let a buffer begin at a byte of another; False where it cannot."""
        a, b = self.root[whole], self.root[part]
        shift = self.at[whole] + offset - self.at[part]
        if a == b:
            return shift == 0
        regions, pinned = self.demands[b]
        both = _joint(self.demands[a], (regions, None if pinned is None else pinned - shift))
        if both is None:
            return False
        self.demands[a] = both
        for name in self.members[b]:
            self.root[name] = a
            self.at[name] += shift
        self.members[a] += self.members.pop(b)
        self.ends[a] = max(self.ends[a], self.ends[b])
        return True


def _blocks(schedule: Schedule) -> list[Block]:
    """Merge buffers that lie at fixed distances, and give each class its interval."""
    first, last = _lifetimes(schedule)
    classes = _Classes(schedule.buffers, last)
    for given, kept in schedule.states:
        if not classes.merge(given, kept):
            raise ValueError(f"{kept} cannot lie where the next run reads {given}")
    # First what is put together, as other names of a piece lead to it: a piece does not take the place of its operand.
    pieces = {view.part for work in schedule.steps for view in work.views if view.part in work.reads}
    for work in reversed(schedule.steps):
        if any(view.part in pieces for view in work.views):
            pieces.update(view.whole for view in work.views if view.part in work.writes)
            _merge_views(classes, work)
    for step, work in enumerate(schedule.steps):
        if work.views:
            _merge_views(classes, work)
            continue
        for source, result in work.in_place:
            home = classes.root[source]
            fits = schedule.buffers[result].size_bytes <= schedule.buffers[source].size_bytes
            fresh = classes.is_alone(result) and first[result] == step
            # Whatever else is read of the block must be allowed there too, and begin there.
            same = [name for name in work.reads if classes.root[name] == home]
            allowed = all((name, result) in work.in_place and classes.at[name] == classes.at[source] for name in same)
            dies = classes.ends[home] == step
            if fits and fresh and dies and allowed and classes.merge(source, result):
                break
    return [_block_of(schedule, classes, name, first) for name in classes.members]


def _merge_views(classes: _Classes, step: Step) -> None:
    for view in step.views:
        if not classes.merge(view.whole, view.part, view.offset):
            raise ValueError(f"{step.name}: {view.part} cannot lie in {view.whole} at {view.offset}")


def _block_of(schedule: Schedule, classes: _Classes, name: str, first: Mapping[str, int]) -> Block:
    members = classes.members[name]
    start = min(classes.at[member] for member in members)
    buffers = {member: classes.at[member] - start for member in members}
    regions, pinned = classes.demands[name]
    return Block(
        buffers,
        max(at + schedule.buffers[member].size_bytes for member, at in buffers.items()),
        min(first[member] for member in members),
        classes.ends[name],
        regions,
        None if pinned is None else pinned + start,
    )


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
            offsets = blocks[result].buffers[item.result], blocks[operand].buffers
            distances = [
                _distance(schedule, one, offsets[0] - offsets[1][one.operand]) for one in same if one is not None
            ]
            if len(distances) == len(same) and None not in distances:
                found[result, operand] = Distance(
                    max(each.least for each in distances if each), lcm(*(each.step for each in distances if each))
                )
    return found


def _distance(schedule: Schedule, item: Trailing, shift: int) -> Distance | None:
    """Between blocks in which the result begins so many bytes further than the operand; None where planes meet."""
    if shift % item.order.planes:
        return None
    least = trailing_distance(item.order, schedule.buffers[item.operand].size_bytes)
    return Distance(least + shift, item.order.planes)


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
