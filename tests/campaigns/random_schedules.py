"""Random programs as their memory sees them: each follows from its seed, and needs numpy alone."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import accumulate, repeat
from random import Random
from typing import Final

import numpy as np

from edgeq.memory.schedule import ALIGN_BYTES, Buffer, Order, Region, Schedule, Step, Trailing, View

ARENA: Final = "arena"
_LONGEST: Final = 40


def random_schedule(seed: int) -> Schedule:
    """A program of up to 40 steps, as its memory sees it."""
    draw = Random(seed)
    buffers = {"x": Buffer(_size(draw), (ARENA,)), "state": Buffer(draw.randint(1, 400), (ARENA,))}
    fresh = ["x"]  # read by few so far
    names = ["x", "state"]
    steps: list[Step] = []
    pieces: set[str] = set()  # what lies in another buffer, or around one
    branchy = draw.random()
    for number in range(draw.randint(2, _LONGEST)):
        name = f"t{number}"
        source = draw.choice(names) if draw.random() < branchy / 3 else fresh[-1]
        reads = [source]
        if draw.random() < branchy / 2:
            reads.append(draw.choice(names))
        reads = list(dict.fromkeys(reads))
        scratch = Buffer(draw.randint(1, 2000), (ARENA,)) if draw.random() < 0.4 else None
        size = buffers[source].size_bytes
        kind = draw.choice(("trailing", "trailing", "in_place", "plain", "alias", "slice", "concat"))
        if kind == "alias" and source != "state":
            steps.append(Step(name, (source,), (name,), views=(View(source, name, 0),)))
            pieces.update((source, name))
        elif kind == "slice" and source not in ("state", "x"):
            offset = ALIGN_BYTES * draw.randrange(-(-size // ALIGN_BYTES))
            size = draw.randint(1, size - offset)
            steps.append(Step(name, (source,), (name,), views=(View(source, name, offset),)))
            pieces.update((source, name))
        elif kind == "concat" and (parts := _joinable(draw, buffers, {"state", "x", *pieces})):
            offsets = [0, *accumulate(buffers[each].size_bytes for each in parts)]
            size = offsets.pop()
            steps.append(Step(name, parts, (name,), views=tuple(map(View, repeat(name), parts, offsets))))
            pieces.update((name, *parts))
        elif kind == "in_place":
            pairs = tuple((operand, name) for operand in reads if buffers[operand].size_bytes == size)
            steps.append(Step(name, tuple(reads), (name,), scratch=scratch, in_place=pairs))
        elif kind == "trailing":
            order, size = _order(draw, size)
            steps.append(Step(name, tuple(reads), (name,), scratch=scratch, trailing=(Trailing(source, name, order),)))
        else:
            size = _size(draw)
            steps.append(Step(name, tuple(reads), (name,), scratch=scratch))
        buffers[name] = Buffer(size, (ARENA,))
        names.append(name)
        fresh.append(name)
    buffers["next"] = buffers["state"]
    steps.append(Step("next", (names[-1],), ("next",)))
    return Schedule((Region(ARENA),), buffers, ("x", "state"), (names[-1], "next"), tuple(steps), (("state", "next"),))


def _joinable(draw: Random, buffers: Mapping[str, Buffer], barred: AbstractSet[str]) -> tuple[str, ...]:
    """Two or three buffers that can lie one behind the other; nothing where there are none."""
    found = [name for name, each in buffers.items() if name not in barred and each.size_bytes % ALIGN_BYTES == 0]
    return tuple(draw.sample(found, min(len(found), draw.choice((2, 2, 3))))) if len(found) > 1 else ()


def _size(draw: Random) -> int:
    return draw.choice((16, 48, 100, 768)) * draw.randint(1, 40)


def _order(draw: Random, operand: int) -> tuple[Order, int]:
    """Rows of which one reaches some further ones, as a window over an image; and the bytes of the result."""
    rows = draw.randint(1, 32)
    row = max(1, operand // rows)
    given, reach = draw.randint(1, 2 * row), draw.randint(0, 2)
    number = np.arange(rows, dtype=np.int64)
    unread = np.minimum(np.maximum(number + 1 - reach, 0) * row, operand)
    unread[-1] = operand
    return Order((number + 1) * given, unread), rows * given
