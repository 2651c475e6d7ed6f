"""The static memory plan: a place for every buffer and every step's scratch.

First fit places blocks: the largest first, then what stood in the way first, and where results may trail their operands
in orders with a block moved at random, too. Such a result lies as close as its distance allows. ``check`` recomputes it
all on its own and never calls this file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

from edgeq.errors import EdgeqError
from edgeq.memory.blocks import Task, aligned, task_of
from edgeq.memory.schedule import Place, Plan, Schedule

# Orders that follow from one, moves at random for each block; and for each of both, rivals that are looked at in all.
_ROUNDS: Final = 50
_MOVES: Final = 100
_WORK: Final = 400_000


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
        ValueError: a view, or a state, of buffers that cannot lie so.
    """
    task = task_of(schedule)
    placed, bounds = _place(task)
    places = [(block, Place(placed[number].region, placed[number].start)) for number, block in enumerate(task.blocks)]
    return Plan(
        places={name: place.moved(at) for block, place in places for name, at in block.buffers.items()},
        scratch={block.step: place for block, place in places if block.step is not None},
        used_bytes=_tops(task, placed),
        bound_bytes=bounds,
    )


def place_blocks(task: Task) -> tuple[list[int], int]:
    """The offset of every block of a task with one region without a size, and the bytes that they use in all."""
    placed, _ = _place(task)
    return [placed[number].start for number in range(len(task.blocks))], sum(_tops(task, placed).values())


class _Search:
    """First fit in one order after another, and the best that came of it.

    Attributes:
        order: of the best.
        placed: where everything lies; None until an order found room for all blocks.
        top: the bytes that it uses.
        bounds: by region, what no plan with these regions can beat.
        is_best: the bounds are reached.
        failed: the last block for which there was no room.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.order: list[int] = []
        self.placed: _Placed | None = None
        self.top = 0
        self.bounds: dict[str, int] = {}
        self.is_best = False
        self.failed = 0
        self._homes: dict[tuple[str, ...], dict[str, int]] = {}

    def offer(self, order: list[int], *, or_equal: bool = False) -> AbstractSet[int]:
        """Try an order, and keep it if it beats the best; what stood in the way of a better one."""
        placed, misfit = _first_fit(self.task, order)
        if misfit is not None:
            self.failed = misfit
            return {misfit}
        tops = _tops(self.task, placed)
        if self.placed is None or sum(tops.values()) < self.top + or_equal:
            self.order, self.placed, self.top = order, placed, sum(tops.values())
            self.bounds = self._bounds_of(placed)
            self.is_best = tops == self.bounds
        return {number for number in order if placed[number].end == tops[placed[number].region]}

    def _bounds_of(self, placed: _Placed) -> dict[str, int]:
        homes = tuple(placed[number].region for number in range(len(placed)))
        if homes not in self._homes:
            self._homes[homes] = _bounds(self.task, placed)
        return self._homes[homes]


def _place(task: Task) -> tuple[_Placed, dict[str, int]]:
    """Places by first fit, in orders that follow from a few, then from the best one with a block moved at random.

    It ends where the bounds are reached. The same input gives the same plan.

    Raises:
        EdgeqError: EQ0401, no order found room for everything.
    """
    search = _Search(task)
    rivals = sum(len(each) + 1 for each in task.rivals)
    rounds = min(_ROUNDS, 1 + _WORK // max(1, rivals))
    for first in _orders(task):
        order = first
        seen: set[tuple[int, ...]] = set()
        while not search.is_best and len(seen) < rounds and tuple(order) not in seen:
            seen.add(tuple(order))
            early = search.offer(order)
            order = [*(i for i in order if i in early), *(i for i in order if i not in early)]
    if search.placed is None:
        raise _too_small(task, search.failed)
    draw = Random(0)  # noqa: S311  # the same numbers in every run
    moves = min(_MOVES * len(search.order), _WORK // max(1, rivals))
    for _ in range(moves if task.distances else 0):
        if search.is_best:
            break
        order = list(search.order)
        moved = order.pop(draw.randrange(len(order)))
        order.insert(draw.randrange(len(order) + 1), moved)
        search.offer(order, or_equal=True)
    return search.placed, search.bounds


def _orders(task: Task) -> Iterator[list[int]]:
    """Orders to begin with: the largest first, where results may lie below what they trail the last of equals first.

    Then by what others find harder to place: bytes times steps, steps alone, and in the order of time from both ends.
    """
    blocks = task.blocks
    free = [number for number, block in enumerate(blocks) if block.offset is None]
    steps = [block.last - block.first + 1 for block in blocks]
    if task.distances:
        yield sorted(free, key=lambda i: (-blocks[i].size_bytes, -blocks[i].first, i))
    yield sorted(free, key=lambda i: (-blocks[i].size_bytes, blocks[i].first, i))
    if task.distances:
        yield sorted(free, key=lambda i: (-blocks[i].first, -blocks[i].size_bytes, i))
    yield sorted(free, key=lambda i: (-blocks[i].size_bytes * steps[i], i))
    yield sorted(free, key=lambda i: (-steps[i], -blocks[i].size_bytes, i))
    yield sorted(free, key=lambda i: (blocks[i].first, -blocks[i].size_bytes, i))
    yield sorted(free, key=lambda i: (-blocks[i].last, -blocks[i].size_bytes, i))


def _too_small(task: Task, number: int) -> EdgeqError:
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


def _first_fit(task: Task, order: Sequence[int]) -> tuple[_Placed, int | None]:
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


def _lowest_gap(task: Task, placed: _Placed, number: int, region: str) -> int:
    """The lowest offset at which a block is apart from all placed ones that it must not meet, or trails as it may."""
    size, align = task.size(number, region), task.regions[region].align_bytes
    taken = sorted(
        (span.start, span.end, other)
        for other in task.rivals[number]
        if (span := placed.get(other)) is not None and span.region == region
    )
    offset, found = 0, -1
    while found != offset:
        found = offset
        for start, end, other in taken:
            if offset + size > start and offset < end:
                offset = _next_offset(task, (number, other), (start, end), offset, align)
    return offset


def _next_offset(task: Task, pair: tuple[int, int], span: tuple[int, int], offset: int, align: int) -> int:
    """The first offset from one at which a block would meet a placed one where it may lie."""
    number, other = pair
    start, end = span
    below, above = task.distances.get((number, other)), task.distances.get((other, number))
    if below is not None:
        least, step = below.between(align)
        down = (start - offset) // step * step
        return start - down if down >= least else aligned(end, align)
    if above is not None:
        least, step = above.between(align)
        return min(start + max(least, aligned(offset - start, step)), aligned(end, align))
    return aligned(end, align)


def _tops(task: Task, placed: _Placed) -> dict[str, int]:
    """By region, the end of its highest block."""
    found = dict.fromkeys(task.regions, 0)
    for span in placed.values():
        found[span.region] = max(found[span.region], span.end)
    return found


def _bounds(task: Task, placed: _Placed) -> dict[str, int]:
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
            together = max(*sizes, sizes[1] + distance.between(task.regions[region].align_bytes).least)
            step = task.blocks[result].first
            add(region, step, step, min(0, together - sum(sizes)))
    return {region: max(accumulate(steps[at] for at in sorted(steps)), default=0) for region, steps in change.items()}
