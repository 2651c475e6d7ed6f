"""What a chain of steps does with memory, call by call: what the C is printed from, and what the checker plays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

from edgeq.memory.schedule import Order

_HEIGHT: Final = 1
_WIDTH: Final = 2


def row_axis(shape: Sequence[int]) -> int:
    """The axis whose places are rows: the width of a picture of one row, as convolutions over time have them."""
    return _WIDTH if len(shape) > _WIDTH and shape[_HEIGHT] == 1 else _HEIGHT


class Access(NamedTuple):
    """Bytes ``first`` to ``end`` of a tensor, and where they lie.

    ``at`` counts from the start of the chain's own memory where ``inside``, else from the place of the tensor.
    """

    tensor: str
    first: int
    end: int
    at: int
    inside: bool


class RowCall(NamedTuple):
    """One call of a kernel.

    Attributes:
        name: of the node.
        reads: in the order of the kernel's operands.
        write: the result.
        scratch: where it lies in the chain's own memory; None: the kernel takes none.
        scratch_bytes: how much.
        trailing: (operand, order): how far the result may trail an operand; those that are not here lie apart.
        in_place: operands at whose very address the result may lie.
    """

    name: str
    reads: tuple[Access, ...]
    write: Access
    scratch: int | None
    scratch_bytes: int
    trailing: tuple[tuple[int, Order], ...]
    in_place: tuple[int, ...]


class RowMove(NamedTuple):
    """Bytes ``first`` to ``end`` of a strip, which move down from ``at`` to ``to``, both in the chain's own memory."""

    tensor: str
    first: int
    end: int
    at: int
    to: int


Event = RowCall | RowMove


@dataclass(frozen=True)
class RowProgram:
    """Everything that a chain does, in order.

    Attributes:
        bands: calls and moves, band by band.
        size_bytes: of the chain's own memory.
    """

    bands: tuple[tuple[Event, ...], ...]
    size_bytes: int

    @property
    def events(self) -> Iterator[Event]:
        """All calls and moves."""
        return chain.from_iterable(self.bands)

    @property
    def calls(self) -> Iterator[RowCall]:
        """The calls alone."""
        return (event for event in self.events if isinstance(event, RowCall))

    @property
    def moved_bytes(self) -> int:
        """Bytes that are moved in all."""
        return sum(event.end - event.first for event in self.events if isinstance(event, RowMove))
