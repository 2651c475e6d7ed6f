"""An independent check of a memory plan, by playing it.

It shares nothing with the planner but the types. Every byte of a memory is tagged with the contents that it holds. A
step must find all bytes of its operands still tagged as theirs; then it poisons its scratch and tags its results. Where
one trails an operand, each byte of the operand must have been read for the last time when it goes. A view leaves its
bytes where they are. What nobody reads any more is poisoned. The program is played twice, because a run must leave its
states where the next one reads them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from edgeq.errors import EdgeqError
from edgeq.memory.schedule import Buffer, Order, Place, Plan, Schedule, Step, Trailing

_FREE = 0
_SCRATCH = 1
_FIRST_TAG = 2

_Bytes = npt.NDArray[np.int32]


def check_plan(schedule: Schedule, plan: Plan) -> None:
    """Play a schedule twice on tagged memories.

    Raises:
        EdgeqError: EQ0905, an internal error that names the step and the buffer.
    """
    memory = _Memory(schedule, plan)
    dying = _last_uses(schedule)
    states = [name for name, _ in schedule.states]
    inputs = [name for name in schedule.given if name not in states]
    for name in states:
        memory.write(name)
    for _ in range(2):
        memory.forget_views()
        for name in inputs:
            memory.write(name)
        for name in (*states, *inputs):
            memory.require(name, "the start")
        for step, dead in zip(schedule.steps, dying, strict=True):
            _play(step, memory)
            for name in dead:
                memory.release(name)
        for name in schedule.kept:
            memory.require(name, "the end")
        memory.carry()


def _last_uses(schedule: Schedule) -> list[list[str]]:
    """By step, the buffers that nobody needs behind it, under the name of the whole that they lie in."""
    inside: dict[str, str] = {}
    for step in schedule.steps:
        for view in step.views:
            part, whole = _outermost(view.part, inside), _outermost(view.whole, inside)
            if part != whole:
                inside[part] = whole
    needed = {_outermost(name, inside) for name in schedule.kept}
    found: list[list[str]] = []
    for step in reversed(schedule.steps):
        used = {_outermost(name, inside) for name in (*step.reads, *step.writes)}
        found.append(sorted(used - needed))
        needed |= used
    return found[::-1]


def _outermost(name: str, inside: Mapping[str, str]) -> str:
    while name in inside:
        name = inside[name]
    return name


def _play(step: Step, memory: _Memory) -> None:
    for name in step.reads:
        memory.require(name, step.name)
    if step.views:
        memory.rename(step)
        return
    memory.require_apart(step)
    used = memory.poison(step)
    for name in step.reads:
        memory.require(name, f"{step.name} (scratch)")
    for name in step.writes:
        memory.write_in_order(step, name)
    for name in step.writes:
        memory.require(name, f"{step.name} (results overlap)")
    if np.any(used != _SCRATCH):
        raise broken(step.name, "a result overlaps the scratch")


class _Memory:
    """Bytes that know whose they are."""

    def __init__(self, schedule: Schedule, plan: Plan) -> None:
        self.schedule = schedule
        self.plan = plan
        self.bytes: dict[str, _Bytes] = {}
        self.align: dict[str, int] = {}
        for region in schedule.regions:
            used = plan.used_bytes[region.name]
            if region.size_bytes is not None and used > region.size_bytes:
                raise broken("-", f"{used} bytes are used of {region.name}, which has {region.size_bytes}")
            self.bytes[region.name] = np.full(used, _FREE, np.int32)
            self.align[region.name] = region.align_bytes
        self.tags: dict[str, int] = {}
        self.forget_views()

    def forget_views(self) -> None:
        """Every buffer has a tag of its own."""
        self.tags = {name: tag for tag, name in enumerate(self.schedule.buffers, start=_FIRST_TAG)}

    def span(self, name: str) -> tuple[str, int, int]:
        """Region, first byte and end of a buffer."""
        return self._checked(name, self.schedule.buffers[name], self.plan.places[name])

    def _checked(self, name: str, buffer: Buffer, place: Place) -> tuple[str, int, int]:
        start, end = place.offset, place.offset + buffer.size_bytes
        if place.region not in buffer.regions:
            raise broken(name, f"it lies in {place.region}, not in {' or '.join(buffer.regions)}")
        if start < 0 or end > len(self.bytes[place.region]):
            size = len(self.bytes[place.region])
            raise broken(name, f"bytes {start}..{end} lie outside the {size} bytes of {place.region}")
        if buffer.offset is not None and (place.region, start) != (buffer.regions[0], buffer.offset):
            raise broken(name, f"it lies at {place.region} + {start}, not at {buffer.regions[0]} + {buffer.offset}")
        if start % self.align[place.region]:
            raise broken(name, f"offset {start} is not a multiple of {self.align[place.region]}")
        return place.region, start, end

    def held(self, name: str) -> _Bytes:
        """A view of the tags of a buffer's bytes."""
        region, start, end = self.span(name)
        return self.bytes[region][start:end]

    def write(self, name: str) -> None:
        """Tag the bytes of a buffer as its own."""
        self.held(name)[:] = self.tags[name]

    def require(self, name: str, reader: str) -> None:
        """The buffer is still whole."""
        if not np.all(self.held(name) == self.tags[name]):
            raise broken(reader, f"{name} was overwritten before it was read")

    def release(self, name: str) -> None:
        """Poison what is left of a buffer that nobody needs."""
        held = self.held(name)
        held[held == self.tags[name]] = _FREE

    def rename(self, step: Step) -> None:
        """The bytes of parts are those of their wholes; a whole that is put together has no bytes of anybody else."""
        for view in step.views:
            (home, start, end), (region, first, last) = self.span(view.whole), self.span(view.part)
            if home != region or first != start + view.offset or last > end:
                raise broken(step.name, f"{view.part} does not lie in {view.whole} at {view.offset}")
        for whole in step.writes:
            parts = [view.part for view in step.views if view.whole == whole]
            tags = {self.tags[part] for part in parts}
            if parts and not np.all(np.isin(self.held(whole), list(tags))):
                raise broken(step.name, f"{whole} is not put together of {', '.join(parts)}")
            if parts:
                self.write(whole)
            for name, tag in self.tags.items():
                if tag in tags:
                    self.tags[name] = self.tags[whole]
        for view in step.views:
            if view.part in step.writes:
                self.tags[view.part] = self.tags[view.whole]

    def carry(self) -> None:
        """What a run leaves of its states is what the next one reads, where it lies."""
        for given, kept in self.schedule.states:
            if self.span(given) != self.span(kept):
                raise broken("the end", f"{kept} does not lie where the next run reads {given}")
        for given, _ in self.schedule.states:
            self.write(given)

    def poison(self, step: Step) -> _Bytes:
        """Overwrite the scratch of a step and return a view of it."""
        if step.scratch is None:
            return np.empty(0, np.int32)
        region, start, end = self._checked(f"{step.name} (scratch)", step.scratch, self.plan.scratch[step.name])
        used = self.bytes[region][start:end]
        used[:] = _SCRATCH
        return used

    def write_in_order(self, step: Step, name: str) -> None:
        """Tag a result; what it overwrites of an operand must have been read for the last time."""
        for item in step.trailing:
            if item.result == name:
                self._require_read(step, item)
        self.write(name)

    def _require_read(self, step: Step, item: Trailing) -> None:
        """Each byte that result and operand share has a time at which it is needed last, and one at which it goes."""
        (home, start, end), (region, first, last) = self.span(item.result), self.span(item.operand)
        shared = np.arange(max(start, first), min(end, last)) if home == region else np.empty(0, np.int64)
        early = shared[overwritten_early(item.order, shared - start, shared - first)] - start
        if early.size:
            raise broken(step.name, f"byte {early[0]} of {item.result} is written over {item.operand} too early")

    def require_apart(self, step: Step) -> None:
        """Operands and results overlap only at one address or where one trails the other, as the step allows."""
        trailing = {(item.operand, item.result) for item in step.trailing}
        for operand in step.reads:
            for result in step.writes:
                a, b = self.span(operand), self.span(result)
                apart = a[0] != b[0] or a[2] <= b[1] or b[2] <= a[1]
                same = a[:2] == b[:2] and (operand, result) in step.in_place
                if not apart and not same and (operand, result) not in trailing:
                    raise broken(step.name, f"{result} overlaps {operand}, which its kernel does not allow")


def overwritten_early(
    order: Order, written: npt.NDArray[np.int64], read: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Of bytes that are both of a result and of an operand, which go before they have been read for the last time.

    Args:
        order: of the step.
        written: the bytes, counted from the start of the result.
        read: the same, counted from the start of the operand.
    """
    return _times(order, order.written, written) < _times(order, order.unread, read)


def _times(order: Order, bounds: npt.NDArray[np.int64], at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The number of units whose bound is at or below each byte, the units of earlier planes counted, too.

    Of ``written`` that is the unit which may write the byte; of ``unread`` the unit before which it must not go.
    """
    plane, inside = at % order.planes, at // order.planes
    return plane * len(bounds) + np.searchsorted(bounds, inside, side="right")


def broken(where: str, what: str) -> EdgeqError:
    """The error of a plan that is not valid."""
    return EdgeqError(
        "EQ0905",
        "the memory plan is not valid",
        where=f"step {where}",
        got=what,
        hint="this is a defect of edgeq: report it with the model",
    )
