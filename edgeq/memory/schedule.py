"""What is planned: memories, buffers, and the steps that read and write them, in their order. And what a plan states.

These types are all that the planner and the checker have in common.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

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


@dataclass(frozen=True, eq=False)
class Order:
    """The order in which a step reads an operand and writes a result, in units of its own.

    When unit u has been written, the bytes of the result below ``written[u]`` may have been written and none above, and
    what is still read of the operand lies at ``unread[u]`` or above. Neither ever falls.

    Attributes:
        written: by unit, int64, in bytes from the start of the result.
        unread: by unit, int64, in bytes from the start of the operand; its size where nothing is read any more.
        planes: operand and result are so many interleaved planes, plane k the bytes k, k + planes, …; the step takes
            one plane after the other, each in these units, whose bytes are counted inside the plane.
    """

    written: npt.NDArray[np.int64]
    unread: npt.NDArray[np.int64]
    planes: int = 1


@dataclass(frozen=True)
class Trailing:
    """A result that a step may write over an operand from below, while it still reads that.

    Attributes:
        operand: the buffer that is read.
        result: the buffer that is written.
        order: how.
    """

    operand: str
    result: str
    order: Order


@dataclass(frozen=True)
class View:
    """A buffer that is a piece of another.

    Attributes:
        whole: the buffer that the other one lies in.
        part: the piece.
        offset: byte of the whole at which it begins; a multiple of the alignment.
    """

    whole: str
    part: str
    offset: int


@dataclass(frozen=True)
class Step:
    """One step of a program.

    Attributes:
        name: its name, unlike that of any other step.
        reads: names of the buffers that it reads.
        writes: names of the buffers that it writes, whole.
        views: it moves nothing: what it writes is a piece of what it reads, or what it reads are all pieces of what it
            writes, none in more than one whole that is written.
        scratch: working memory that lives for this step only, with no name but the step's.
        in_place: (operand, result) names that may lie at one and the same address.
        trailing: results that may overlap an operand from below.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    views: tuple[View, ...] = ()
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

    def moved(self, by: int) -> Place:
        """The place so many bytes further."""
        return Place(self.region, self.offset + by)


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
