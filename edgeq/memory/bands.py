"""A chain of steps cut into bands of rows, so that what lies between the steps need not exist as a whole.

The last step's result is made some rows at a time; each band computes of every other result what this one asks for.
Two ways to hold them:

* **ring**: every row is computed once. What later bands read again stays in a strip, whose rows move down before a band
  adds new ones. Bands before the first one that gives a row of the end fill the strips at the same pace, so that no
  strip is larger at the start than later.
* **patch**: a band computes all rows that it needs anew, and nothing outlives it. Takes less memory where a chain is
  long, and more instructions.

Rows are counted from the first one that exists; padding has none. Nothing here knows operators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Way = Literal["ring", "patch"]


class Rows(NamedTuple):
    """Rows ``first`` to ``end``, the end excluded."""

    first: int
    end: int

    def __len__(self) -> int:
        return max(0, self.end - self.first)


class Window(NamedTuple):
    """The rows of an operand that a row r of the result reads: ``reach`` of them from r·stride - pad."""

    reach: int = 1
    stride: int = 1
    pad: int = 0

    def under(self, rows: Rows, height: int) -> Rows:
        """What rows of the result read of an operand with so many rows."""
        first = rows.first * self.stride - self.pad
        end = (rows.end - 1) * self.stride - self.pad + self.reach
        return Rows(min(max(first, 0), height), min(max(end, 0), height))


@dataclass(frozen=True)
class RowStep:
    """One step of a chain.

    Attributes:
        reads: the tensors that it reads by rows, and how.
        writes: the tensor that it gives.
    """

    reads: tuple[tuple[str, Window], ...]
    writes: str


class Piece(NamedTuple):
    """Rows of a step's result, and the rows of each operand that they read."""

    step: int
    rows: Rows
    reads: tuple[Rows, ...]


class Move(NamedTuple):
    """Rows of a strip that move to its start."""

    tensor: str
    rows: Rows


@dataclass(frozen=True)
class Band:
    """What is done for some rows of the end.

    Attributes:
        moves: of strips, before anything is computed.
        starts: by inner tensor, the row at the start of its strip; below 0 where padding has a place there.
        ends: by inner tensor, the row behind the last one that its strip holds.
        pieces: in order.
        kept: by inner tensor, the first row that a later band reads; absent where none does.
    """

    moves: tuple[Move, ...]
    starts: Mapping[str, int]
    ends: Mapping[str, int]
    pieces: tuple[Piece, ...]
    kept: Mapping[str, int]


@dataclass(frozen=True)
class Bands:
    """A chain in bands.

    Attributes:
        bands: in order.
        capacity: by inner tensor, the rows of its strip.
        lasting: the inner tensors of which a band leaves rows to the next one.
    """

    bands: tuple[Band, ...]
    capacity: Mapping[str, int]
    lasting: frozenset[str]


def bands_of(steps: Sequence[RowStep], heights: Mapping[str, int], height: int, way: Way) -> Bands | None:
    """Cut a chain.

    Args:
        steps: in order; every result but the last is read by steps of the chain, and by nothing else.
        heights: rows by tensor.
        height: rows of the last result that a band makes.
        way: how results between the steps are held.

    Returns:
        The bands; None where readers of one tensor want its rows at different rates.
    """
    needs = needs_of(steps, heights, height)
    if needs is None:
        return None
    last = -(-heights[steps[-1].writes] // height)
    first = min((-need.up) // need.rate for need in needs.values()) if way == "ring" else 0
    return _Cutter(steps, heights, needs, way).cut(min(first, 0), last)


@dataclass(frozen=True)
class Need:
    """Band t asks for rows from ``rate·t + low`` to ``rate·(t+1) + up``; no band asks for ``limit`` or what follows."""

    rate: int
    low: int
    up: int
    limit: int

    def end(self, band: int) -> int:
        """Rows that there are behind a band."""
        return max(self.free_end(band), 0)

    def free_end(self, band: int) -> int:
        """The same, as if there were rows before the first one."""
        return min(self.rate * (band + 1) + self.up, self.limit)

    def first(self, band: int) -> int:
        """The first row that a band asks for."""
        return min(max(self.rate * band + self.low, 0), self.limit)


def needs_of(steps: Sequence[RowStep], heights: Mapping[str, int], height: int) -> dict[str, Need] | None:
    """By result of the chain, what bands ask for of it."""
    end = steps[-1].writes
    inner = {step.writes for step in steps[:-1]}
    found = {end: Need(height, 0, 0, heights[end])}
    for step in reversed(steps):
        need = found[step.writes]
        for name, window in step.reads:
            if name not in inner:
                continue
            asked = Need(
                need.rate * window.stride,
                need.low * window.stride - window.pad,
                (need.up - 1) * window.stride - window.pad + window.reach,
                window.under(Rows(0, need.limit), heights[name]).end,
            )
            other = found.get(name, asked)
            if other.rate != asked.rate:
                return None
            found[name] = Need(
                asked.rate, min(asked.low, other.low), max(asked.up, other.up), max(asked.limit, other.limit)
            )
    return found


class _Cutter:
    def __init__(
        self, steps: Sequence[RowStep], heights: Mapping[str, int], needs: Mapping[str, Need], way: Way
    ) -> None:
        self.steps = steps
        self.heights = heights
        self.needs = needs
        self.way = way
        self.inner = [step.writes for step in steps[:-1]]
        self.readers = {
            name: [(step.writes, window) for step in steps for read, window in step.reads if read == name]
            for name in self.inner
        }

    def cut(self, first: int, last: int) -> Bands:
        """The bands ``first`` to ``last - 1``."""
        capacity = {
            name: max(self._end(name, t) - self._start(name, t) for t in range(first, last) if self._end(name, t) > 0)
            for name in self.inner
        }
        bands: list[Band] = []
        starts: dict[str, int] = {}
        lasting: set[str] = set()
        for t in range(first, last):
            moves = []
            for name in self.inner:
                start, before = self._start(name, t), self._end(name, t - 1)
                stays = self._lasts(name, t - 1)
                full = self._end(name, t) - starts.get(name, start) > capacity[name]
                if stays and full:
                    moves.append(Move(name, Rows(max(start, 0), before)))
                if not stays or full:
                    starts[name] = start
            going_on = self.inner if t + 1 < last else []
            kept = {name: self._start(name, t + 1) for name in going_on if self._lasts(name, t)}
            lasting |= kept.keys()
            pieces = tuple(piece for number in range(len(self.steps)) if (piece := self._piece(number, t)) is not None)
            ends = {name: self._end(name, t) for name in self.inner}
            bands.append(Band(tuple(moves), dict(starts), ends, pieces, kept))
        return Bands(tuple(bands), capacity, frozenset(lasting))

    def _end(self, name: str, t: int) -> int:
        return self.needs[name].end(t)

    def _lasts(self, name: str, t: int) -> bool:
        return self.way == "ring" and max(self._start(name, t + 1), 0) < self._end(name, t)

    def _start(self, name: str, t: int) -> int:
        """The first row of an inner tensor that band t or a later one reads or makes."""
        need = self.needs[name]
        if self.way == "patch":
            return need.first(t)
        asked = [
            done * window.stride - window.pad
            for reader, window in self.readers[name]
            if (done := self.needs[reader].free_end(t - 1)) < self.needs[reader].limit
        ]
        return min([need.free_end(t - 1), *asked])

    def _piece(self, number: int, t: int) -> Piece | None:
        step = self.steps[number]
        need = self.needs[step.writes]
        is_end = number == len(self.steps) - 1
        first = need.end(t - 1) if self.way == "ring" or is_end else need.first(t)
        rows = Rows(first, need.end(t))
        if not len(rows):
            return None
        return Piece(number, rows, tuple(window.under(rows, self.heights[name]) for name, window in step.reads))
