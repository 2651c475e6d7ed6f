"""Which boards hold a model's arena and weights, and by how much the others do not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from edgeq.errors import EdgeqError, Problem
from edgeq.target import Board


@dataclass(frozen=True)
class BoardFit:
    """One board and one model; memory that code, stack and the user's program need is not counted.

    Attributes:
        board: name.
        target: the processor's name.
        sold: a board that can be bought, not an emulated machine alone.
        ram_bytes, ram_available_bytes: the arena, and the board's RAM.
        flash_bytes, flash_available_bytes: the weights, and the board's flash.
    """

    board: str
    target: str
    sold: bool
    ram_bytes: int
    ram_available_bytes: int
    flash_bytes: int
    flash_available_bytes: int

    @property
    def ram_left_bytes(self) -> int:
        """RAM that the arena leaves; negative where it is too large."""
        return self.ram_available_bytes - self.ram_bytes

    @property
    def flash_left_bytes(self) -> int:
        """Flash that the weights leave; negative where they are too large."""
        return self.flash_available_bytes - self.flash_bytes

    @property
    def fits(self) -> bool:
        """Whether both fit."""
        return self.ram_left_bytes >= 0 and self.flash_left_bytes >= 0

    def to_json(self) -> dict[str, Any]:
        """The fields by name, and what is left."""
        return {
            "board": self.board,
            "target": self.target,
            "sold": self.sold,
            "fits": self.fits,
            "ram_bytes": self.ram_bytes,
            "ram_available_bytes": self.ram_available_bytes,
            "ram_left_bytes": self.ram_left_bytes,
            "flash_bytes": self.flash_bytes,
            "flash_available_bytes": self.flash_available_bytes,
            "flash_left_bytes": self.flash_left_bytes,
        }


def fits_of(needs: Iterable[tuple[Board, int, int]]) -> tuple[BoardFit, ...]:
    """The fit of each board with memory of a known size: those that are sold first, of these the nearest first.

    A board that fits is the nearer the less it has to spare; one that does not, the less it lacks.

    Args:
        needs: board, arena in bytes, weights in bytes.
    """
    found = [
        BoardFit(
            board.name,
            board.target.name,
            _is_sold(board),
            arena,
            board.ram.app_size_bytes,
            weights,
            board.flash.app_size_bytes,
        )
        for board, arena, weights in needs
        if board.ram is not None and board.flash is not None
    ]
    return tuple(sorted(found, key=_distance))


def problems_of(board: Board, fit: BoardFit) -> tuple[Problem, ...]:
    """EQ0401 and EQ0402 where the board is too small for what is exact."""
    if fit.fits:
        return ()
    from edgeq.firmware import check_fit

    try:
        check_fit(board, ram_bytes=fit.ram_bytes, stack_bytes=0, flash_bytes=fit.flash_bytes)
    except EdgeqError as error:
        return error.problems
    return ()


def _is_sold(board: Board) -> bool:
    """Emulated machines are loaded through GDB alone; boards on sale have a probe or a drive too."""
    return any(method != "gdb" for method in board.flash_with.methods)


def _distance(fit: BoardFit) -> tuple[bool, bool, int, str]:
    missing = max(0, -fit.ram_left_bytes) + max(0, -fit.flash_left_bytes)
    return not fit.sold, not fit.fits, missing or fit.ram_left_bytes, fit.board
