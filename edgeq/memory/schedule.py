"""What is planned: memories, buffers, and the steps that read and write them, in their order. And what a plan states.

These types are all that the planner and the checker have in common.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# The widest load of any core, MVE's, has 16 bytes.
ALIGN_BYTES: Final = 16


@dataclass(frozen=True)
class Region:
    """One memory.

    Attributes:
        name: its name.
        size_bytes: its size; None: as large as the plan needs.
        align_bytes: what the offset of every buffer in it is a multiple of.
    """

    name: str
    size_bytes: int | None = None
    align_bytes: int = ALIGN_BYTES


@dataclass(frozen=True)
class Buffer:
    """Bytes that stay at one place while they are needed.

    Attributes:
        size_bytes: how many.
        regions: names of the memories in which they may lie; the planner takes the first with room for them.
        offset: where they must lie in the first of the regions; None: where the planner likes.
    """

    size_bytes: int
    regions: tuple[str, ...]
    offset: int | None = None


@dataclass(frozen=True)
class Trailing:
    """How a step writes a result while it still reads an operand: row by row, from the lowest address up.

    When it writes row w of the result, it has read the rows of the operand below ``w·stride + ahead`` for the last
    time. A function of single elements has stride 1 and ahead 1; a window of 3 rows over a padding of 1, stride 1 and
    ahead 0, since row w is read once more for row w + 1.

    Attributes:
        operand: the buffer that is read.
        result: the buffer that is written.
        operand_row_bytes: size of one row of the operand, which is a whole number of rows.
        result_row_bytes: likewise of the result.
        stride: rows of the operand to one row of the result.
        ahead: rows that are read before row 0 of the result is written; negative: rows of the result that are written
            before the first row of the operand is done with.
    """

    operand: str
    result: str
    operand_row_bytes: int
    result_row_bytes: int
    stride: int = 1
    ahead: int = 1


@dataclass(frozen=True)
class Step:
    """One step of a program.

    Attributes:
        name: its name, unlike that of any other step.
        reads: names of the buffers that it reads.
        writes: names of the buffers that it writes, whole.
        is_alias: it moves nothing: the one buffer that it writes is another name for the bytes of the one it reads.
        scratch: working memory that lives for this step only, with no name but the step's.
        in_place: (operand, result) names that may lie at one and the same address.
        trailing: results that may overlap an operand from below.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    is_alias: bool = False
    scratch: Buffer | None = None
    in_place: tuple[tuple[str, str], ...] = ()
    trailing: tuple[Trailing, ...] = ()


@dataclass(frozen=True)
class Schedule:
    """A program as its memory sees it.

    Attributes:
        regions: the memories.
        buffers: by name.
        given: buffers that hold their contents before the first step: inputs and, from the run before, states.
        kept: buffers that hold their contents behind the last step: outputs, and what the next run reads.
        steps: in the order in which they run.
        states: (given, kept) names: what the second holds behind the last step is what the first holds in the next
            run, so that both lie at one place.
    """

    regions: tuple[Region, ...]
    buffers: Mapping[str, Buffer]
    given: tuple[str, ...]
    kept: tuple[str, ...]
    steps: tuple[Step, ...]
    states: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Place:
    """Where a buffer lies: a region's name, and bytes from the region's start."""

    region: str
    offset: int


@dataclass(frozen=True)
class Plan:
    """A place for everything.

    Attributes:
        places: by buffer.
        scratch: by step, of those that have scratch.
        used_bytes: by region, the size that the plan needs of it: a multiple of its alignment.
        bound_bytes: by region, the largest number of bytes that must lie there during one step: for the buffers that
            the plan has put there, no plan needs less.
    """

    places: Mapping[str, Place]
    scratch: Mapping[str, Place]
    used_bytes: Mapping[str, int]
    bound_bytes: Mapping[str, int]
