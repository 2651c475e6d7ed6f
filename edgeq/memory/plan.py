"""The static memory plan: a place for every buffer and every step's scratch.

Buffers that share an address become one block: an alias is the same bytes under another name, what a run leaves in a
state lies where the next one reads it, and a step that may write
its result over an operand does so where that operand dies with it. Then each block has a size and an interval of steps,
and first fit places them: the largest first, then what stood in the way first. A result that may trail an operand lies
below it as close as its distance allows. ``check`` recomputes everything on its own and never calls this file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple

from edgeq.errors import EdgeqError
from edgeq.memory.schedule import Buffer, Place, Plan, Region, Schedule, Trailing

_ROUNDS: Final = 200


@dataclass(frozen=True)
class _Block:
    """Buffers at one address, alive from step ``first`` to step ``last``, both included; scratch has no buffers."""

    buffers: tuple[str, ...]
    size_bytes: int
    first: int
    last: int
    regions: tuple[str, ...]
    offset: int | None = None


@dataclass(frozen=True)
class _Task:
    """What is to be placed: blocks by number, the pairs alive in one step, and how far one may trail another."""

    regions: Mapping[str, Region]
    blocks: Sequence[_Block]
    rivals: Sequence[Sequence[int]]
    distances: Mapping[tuple[int, int], int]

    def size(self, number: int, region: str) -> int:
        """Bytes that a block takes of a region."""
        return _aligned(self.blocks[number].size_bytes, self.regions[region].align_bytes)


class _Span(NamedTuple):
    """A region, and the first byte and the end of a block in it, its size rounded up to the alignment."""

    region: str
    start: int
    end: int


_Placed = dict[int, _Span]


def plan_memory(schedule: Schedule) -> Plan:
    """Place every buffer and all scratch.

    Returns:
        The plan; ``used_bytes`` equals ``bound_bytes`` where it is provably the smallest.

    Raises:
        EdgeqError: EQ0401, the memories are too small for what must lie in them.
        ValueError: an alias, or a state, of buffers that cannot share an address.
    """
    blocks = _blocks(schedule)
    scratch = [(number, step) for number, step in enumerate(schedule.steps) if step.scratch is not None]
    everything = [*blocks, *(_scratch_block(step.scratch, number) for number, step in scratch if step.scratch)]
    regions = {region.name: region for region in schedule.regions}
    task = _Task(regions, everything, _rivals(everything), _distances(schedule, blocks))
    placed, bounds = _place(task)
    places = {number: Place(span.region, span.start) for number, span in placed.items()}
    return Plan(
        places={name: places[number] for number, block in enumerate(blocks) for name in block.buffers},
        scratch={step.name: places[number] for number, (_, step) in enumerate(scratch, len(blocks))},
        used_bytes=_tops(task, placed),
        bound_bytes=bounds,
    )


def trailing_distance(trailing: Trailing, operand_bytes: int, result_bytes: int) -> int:
    """How many bytes a result must begin below its operand, at least; negative: it may begin above by so many.

    Row w of the result ends at ``(w + 1)·result_row_bytes``, and what is still needed of the operand begins at row
    ``w·stride + ahead``: the first must not lie above the second for any w.

    Args:
        trailing: how the step reads and writes.
        operand_bytes: size of the operand.
        result_bytes: size of the result.
    """
    rows = operand_bytes // trailing.operand_row_bytes
    found = -operand_bytes
    for row in range(result_bytes // trailing.result_row_bytes):
        done = max(0, row * trailing.stride + trailing.ahead)
        if done < rows:
            found = max(found, (row + 1) * trailing.result_row_bytes - done * trailing.operand_row_bytes)
    return found


def _scratch_block(scratch: Buffer, step: int) -> _Block:
    return _Block((), scratch.size_bytes, step, step, scratch.regions, scratch.offset)


def _blocks(schedule: Schedule) -> list[_Block]:
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
        _Block(
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


def _distances(schedule: Schedule, blocks: Sequence[_Block]) -> dict[tuple[int, int], int]:
    """(result's block, operand's block) → how far the first must lie below the second, where both live in one step."""
    block_of = {name: number for number, block in enumerate(blocks) for name in block.buffers}
    found: dict[tuple[int, int], int] = {}
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
                found[result, operand] = max(distances)
    return found


def _distance(schedule: Schedule, item: Trailing) -> int:
    operand, result = schedule.buffers[item.operand], schedule.buffers[item.result]
    return trailing_distance(item, operand.size_bytes, result.size_bytes)


def _place(task: _Task) -> tuple[_Placed, dict[str, int]]:
    """Places by first fit, at first by decreasing size; then whatever ends at the top is placed earlier, and again.

    The first order that reaches the bound, or the best of :data:`_ROUNDS`, wins; the same input gives the same plan.
    """
    blocks = task.blocks
    free = [number for number, block in enumerate(blocks) if block.offset is None]
    order = sorted(free, key=lambda i: (-blocks[i].size_bytes, blocks[i].first, i))
    best: _Placed | None = None
    best_top = 0
    bounds: dict[str, int] = {}
    best_bounds = bounds
    homes: list[str] | None = None
    failed = 0
    seen: set[tuple[int, ...]] = set()
    while len(seen) < _ROUNDS and tuple(order) not in seen:
        seen.add(tuple(order))
        placed, misfit = _first_fit(task, order)
        if misfit is not None:
            failed = misfit
            order = [misfit, *(i for i in order if i != misfit)]
            continue
        tops = _tops(task, placed)
        if homes != (now := [placed[i].region for i in range(len(blocks))]):
            homes, bounds = now, _bounds(task, placed)
        if best is None or sum(tops.values()) < best_top:
            best, best_top, best_bounds = placed, sum(tops.values()), bounds
        if tops == bounds:
            break
        highest = {i for i in order if placed[i].end == tops[placed[i].region]}
        order = [*(i for i in order if i in highest), *(i for i in order if i not in highest)]
    if best is None:
        raise _too_small(task, failed)
    return best, best_bounds


def _too_small(task: _Task, number: int) -> EdgeqError:
    block = task.blocks[number]
    sizes = (f"{name} of {task.regions[name].size_bytes} bytes" for name in block.regions)
    return EdgeqError(
        "EQ0401",
        "the model's buffers do not fit in the memories that they may lie in",
        where=f"buffer {', '.join(block.buffers) or 'scratch'}",
        got=f"{block.size_bytes} bytes, alive from step {block.first} to {block.last}",
        allowed=" or ".join(sizes),
        hint="allow it another memory, or use a smaller model",
    )


def _rivals(blocks: Sequence[_Block]) -> list[list[int]]:
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


def _first_fit(task: _Task, order: Sequence[int]) -> tuple[_Placed, int | None]:
    """Places in an order, behind the pinned blocks; and the first block for which there is no room."""
    placed: _Placed = {}
    for number, block in enumerate(task.blocks):
        if block.offset is not None:
            region = block.regions[0]
            placed[number] = _Span(region, block.offset, block.offset + task.size(number, region))
    for number in order:
        for region in task.blocks[number].regions:
            size, limit = task.size(number, region), task.regions[region].size_bytes
            offset = _lowest_gap(task, placed, number, region)
            if limit is None or offset + size <= limit:
                placed[number] = _Span(region, offset, offset + size)
                break
        else:
            return placed, number
    return placed, None


def _lowest_gap(task: _Task, placed: _Placed, number: int, region: str) -> int:
    size, align = task.size(number, region), task.regions[region].align_bytes
    offset = 0
    for start, end in sorted(_taken(task, placed, number, region)):
        if offset + size <= start:
            break
        offset = max(offset, _aligned(end, align))
    return offset


def _taken(task: _Task, placed: _Placed, number: int, region: str) -> Iterator[tuple[int, int]]:
    """The bytes of a region that placed blocks keep another one from."""
    for other in task.rivals[number]:
        span = placed.get(other)
        if span is None or span.region != region:
            continue
        start, end = span.start, span.end
        if task.distances:
            below, above = task.distances.get((number, other)), task.distances.get((other, number))
            if below is not None:  # this one may begin at `start - below`, wherever it ends
                start += task.size(number, region) - below
            elif above is not None:
                end = start + above
        yield start, end


def _tops(task: _Task, placed: _Placed) -> dict[str, int]:
    """By region, the end of its highest block."""
    found = dict.fromkeys(task.regions, 0)
    for span in placed.values():
        found[span.region] = max(found[span.region], span.end)
    return found


def _bounds(task: _Task, placed: _Placed) -> dict[str, int]:
    """By region, the largest number of aligned bytes alive at one step, less what trailing results may share."""
    change: dict[str, dict[int, int]] = {region: {} for region in task.regions}

    def add(region: str, first: int, last: int, size: int) -> None:
        steps = change[region]
        steps[first] = steps.get(first, 0) + size
        steps[last + 1] = steps.get(last + 1, 0) - size

    for number, span in placed.items():
        add(span.region, task.blocks[number].first, task.blocks[number].last, span.end - span.start)
    for (result, operand), distance in task.distances.items():
        region = placed[result].region
        if region == placed[operand].region:
            sizes = task.size(result, region), task.size(operand, region)
            together = max(*sizes, sizes[1] + distance)
            step = task.blocks[result].first
            add(region, step, step, min(0, together - sum(sizes)))
    return {region: max(accumulate(steps[at] for at in sorted(steps)), default=0) for region, steps in change.items()}


def _aligned(size: int, align: int) -> int:
    return -(-size // align) * align
