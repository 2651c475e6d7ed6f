"""An independent check of a chain: its calls and moves are played on tagged bytes, row by row.

It shares nothing with what laid the chain out but the types. Each byte of the memory knows which byte of which tensor
it holds. A call must find every byte that it reads, poisons its scratch and tags its result; a move carries tags.
Where a result overlaps an operand of its own call, each byte must have been read for the last time when it goes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from edgeq.memory.check import broken, overwritten_early
from edgeq.memory.rows import Access, RowCall, RowMove, RowProgram

_POISON = -1
_APART = 1 << 40


def check_rows(
    name: str, program: RowProgram, places: Mapping[str, int], sizes: Mapping[str, int], own: int, arena_bytes: int
) -> None:
    """Play a chain in the arena.

    Args:
        name: of the step, for messages.
        program: what it does.
        places: offset in the arena by tensor that the chain is given, and of its result.
        sizes: their bytes.
        own: offset of the chain's own memory.
        arena_bytes: of the arena.

    Raises:
        EdgeqError: EQ0905, an internal error that names the call.
    """
    _Player(name, program, places, sizes, own, arena_bytes).play()


class _Player:
    def __init__(
        self,
        name: str,
        program: RowProgram,
        places: Mapping[str, int],
        sizes: Mapping[str, int],
        own: int,
        arena_bytes: int,
    ) -> None:
        self.name = name
        self.program = program
        self.places = places
        self.own = own
        self.memory = np.full(arena_bytes, _POISON, np.int64)
        calls = list(program.calls)
        self.end = calls[-1].write.tensor
        self.size = sizes[self.end]
        self.written = 0
        given = dict.fromkeys(access.tensor for call in calls for access in call.reads if not access.inside)
        inner = dict.fromkeys(call.write.tensor for call in calls)
        self.tags = {tensor: number * _APART for number, tensor in enumerate((*given, *inner))}
        for tensor in given:
            at, size = places[tensor], sizes[tensor]
            self._inside(at, size, tensor)
            self.memory[at : at + size] = self.tags[tensor] + np.arange(size)
        self._inside(own, program.size_bytes, "the strips")
        held = self.memory[own : own + program.size_bytes]
        if np.any(held != _POISON):
            raise broken(name, "the strips overlap what the step reads")

    def play(self) -> None:
        for event in self.program.events:
            if isinstance(event, RowMove):
                self._move(event)
            else:
                self._call(event)
        at = self.places[self.end]
        if not np.array_equal(self.memory[at : at + self.size], self.tags[self.end] + np.arange(self.size)):
            raise broken(self.name, "the result is not whole behind the last call")

    def _inside(self, at: int, size: int, what: str) -> None:
        if at < 0 or at + size > len(self.memory):
            raise broken(self.name, f"{what} lies outside the arena: {at} to {at + size}")

    def _start(self, access: Access) -> int:
        return access.at + (self.own if access.inside else self.places[access.tensor])

    def _tagged(self, tensor: str, first: int, end: int) -> npt.NDArray[np.int64]:
        return self.tags[tensor] + np.arange(first, end)

    def _move(self, move: RowMove) -> None:
        size = move.end - move.first
        at, to = self.own + move.at, self.own + move.to
        if not self.own <= to <= at <= at + size <= self.own + self.program.size_bytes:
            raise broken(self.name, f"rows of {move.tensor} move from {move.at} to {move.to}")
        wanted = self._tagged(move.tensor, move.first, move.end)
        if not np.array_equal(self.memory[at : at + size], wanted):
            raise broken(self.name, f"rows of {move.tensor} were overwritten before they moved")
        self.memory[at : at + size] = _POISON
        self.memory[to : to + size] = wanted

    def _call(self, call: RowCall) -> None:
        scratch = np.empty(0, np.int64)
        if call.scratch is not None:
            start = self.own + call.scratch
            self._inside(start, call.scratch_bytes, "scratch")
            scratch = self.memory[start : start + call.scratch_bytes]
            scratch[:] = _POISON
        for access in call.reads:
            start = self._start(access)
            found = self.memory[start : start + access.end - access.first]
            if not np.array_equal(found, self._tagged(access.tensor, access.first, access.end)):
                what = f"bytes {access.first} to {access.end} of {access.tensor}"
                raise broken(call.name, f"{what} are not where they are read")
        self._require_apart(call)
        start, size = self._start(call.write), call.write.end - call.write.first
        self._inside(start, size, call.write.tensor)
        if call.write.inside and not self.own <= start <= start + size <= self.own + self.program.size_bytes:
            raise broken(call.name, "a strip leaves the memory of its step")
        self.memory[start : start + size] = self._tagged(call.write.tensor, call.write.first, call.write.end)
        if np.any(scratch != _POISON):
            raise broken(call.name, "a result overlaps the scratch")

    def _require_apart(self, call: RowCall) -> None:
        start, end = self._start(call.write), self._start(call.write) + call.write.end - call.write.first
        for number, access in enumerate(call.reads):
            first, last = self._start(access), self._start(access) + access.end - access.first
            if end <= first or last <= start or (start == first and number in call.in_place):
                continue
            orders = [order for operand, order in call.trailing if operand == number]
            shared = np.arange(max(start, first), min(end, last))
            if not orders or overwritten_early(orders[0], shared - start, shared - first).any():
                raise broken(call.name, f"{call.write.tensor} is written over {access.tensor} too early")
