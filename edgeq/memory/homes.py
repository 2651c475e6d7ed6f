"""Which blocks lie in which memory: the busiest bytes in the cheapest one, while they fit.

A block's heat is the number of accesses to each of its bytes in one run. The cheapest memory gets as many of the
hottest blocks as a plan fits into it, then every further one that still fits; the next one chooses from what is left.
Blocks are chosen whole, with all buffers that share an address, so that no result in place is lost to the choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from edgeq.errors import EdgeqError
from edgeq.memory.blocks import Block, task_of
from edgeq.memory.plan import plan_memory
from edgeq.memory.schedule import Buffer, Region, Schedule

_TRIES: Final = 24
"""Blocks that are tried one by one for a memory's last bytes."""
_NOWHERE: Final = "nowhere"
"""The region of what has no memory yet."""


@dataclass(frozen=True)
class Home:
    """A memory.

    Attributes:
        name: of a region.
        size_bytes: what buffers may take of it; None: as much as they need.
        wait_cycles: how much longer an access takes than one of the fastest memory.
    """

    name: str
    size_bytes: int | None
    wait_cycles: int = 0


def housed(
    schedule: Schedule,
    homes: Sequence[Home],
    accesses: Mapping[str, float],
    scratch_accesses: Mapping[str, float],
    kept: AbstractSet[str],
) -> Schedule:
    """The same program with one memory for each buffer and scratch.

    Args:
        schedule: what may lie in ``homes[0]`` alone is chosen for; what must lie in another region stays there.
        homes: the memories; of those that cost the same the first is the cheapest.
        accesses: bytes of each buffer that a run reads and writes.
        scratch_accesses: the same of the scratch of steps.
        kept: buffers that stay in ``homes[0]``.

    Raises:
        EdgeqError: EQ0401 what must lie in a memory does not fit there, or something has no place.
    """
    choice = _Choice(schedule, homes, kept)

    def heat(number: int) -> float:
        block = choice.blocks[number]
        touched = sum(accesses[name] for name in block.buffers)
        return (touched if block.step is None else scratch_accesses[block.step]) / max(1, block.size_bytes)

    hottest = sorted(range(len(choice.blocks)), key=lambda number: (-heat(number), number))
    *cheap, last = sorted(homes, key=lambda home: home.wait_cycles)
    for home in cheap:
        choice.fill(home.name, hottest)
    choice.put((number for number in hottest if number not in choice.home_of), last.name)
    return choice.schedule()


class _Choice:
    """Memories of blocks, as far as they are chosen.

    Attributes:
        blocks: those that a memory is chosen for.
        home_of: by number of a block, its memory.
    """

    def __init__(self, schedule: Schedule, homes: Sequence[Home], kept: AbstractSet[str]) -> None:
        self._schedule, self._homes, main = schedule, homes, homes[0].name
        self.blocks: list[Block] = [block for block in task_of(schedule).blocks if block.regions == (main,)]
        self.home_of: dict[int, str] = {}
        self.put((number for number, block in enumerate(self.blocks) if not kept.isdisjoint(block.buffers)), main)

    def put(self, numbers: Iterable[int], home: str) -> None:
        """Choose a memory for blocks."""
        self.home_of |= dict.fromkeys(numbers, home)

    def fill(self, home: str, order: Sequence[int]) -> None:
        """Put blocks without a memory into one, the first ones first, while they fit."""
        free = [number for number in order if number not in self.home_of]
        fits, fails = 0, len(free) + 1  # of prefixes, by their length
        middle = len(free)
        while fails - fits > 1:
            if self._has_room(home, free[:middle]):
                fits = middle
            else:
                fails = middle
            middle = (fits + fails) // 2
        self.put(free[:fits], home)
        for number in free[fits : fits + _TRIES]:
            if self._has_room(home, [number]):
                self.put([number], home)

    def _has_room(self, home: str, more: Sequence[int]) -> bool:
        try:
            plan_memory(self.schedule(dict.fromkeys(more, home)))
        except EdgeqError:
            return False
        return True

    def schedule(self, tried: Mapping[int, str] = MappingProxyType({})) -> Schedule:
        """The program with the memories that are chosen or tried; what has none lies where there is always room."""
        homes = self.home_of | dict(tried)
        places = [(homes.get(number, _NOWHERE), block) for number, block in enumerate(self.blocks)]
        of_buffer = {name: (region,) for region, block in places for name in block.buffers}
        of_scratch = {block.step: (region,) for region, block in places if block.step is not None}
        sizes = {home.name: home.size_bytes for home in self._homes}
        regions = [replace(each, size_bytes=sizes.pop(each.name, None)) for each in self._schedule.regions]
        regions += [Region(name, size) for name, size in sizes.items()]
        if len(homes) < len(self.blocks):
            regions.append(Region(_NOWHERE))
        return replace(
            self._schedule,
            regions=tuple(regions),
            buffers={
                name: replace(buffer, regions=of_buffer.get(name, buffer.regions))
                for name, buffer in self._schedule.buffers.items()
            },
            steps=tuple(
                step if step.scratch is None else replace(step, scratch=_moved(step.scratch, of_scratch.get(step.name)))
                for step in self._schedule.steps
            ),
        )


def _moved(scratch: Buffer, regions: tuple[str, ...] | None) -> Buffer:
    return scratch if regions is None else replace(scratch, regions=regions)
