"""Targets (CPUs) and boards (a target, its memory, console, emulator and flashers), loaded from TOML and validated."""

from __future__ import annotations

from edgeq.target.board import (
    CONSOLE_KINDS,
    Bank,
    Board,
    Console,
    Drive,
    Emulator,
    FlashWith,
    Memory,
    Poke,
    board_file,
    list_boards,
    load_board,
)
from edgeq.target.saved import load_saved_board, save_board
from edgeq.target.target import UNALIGNED_FLAG, Target, list_targets, load_target

__all__ = [
    "CONSOLE_KINDS",
    "UNALIGNED_FLAG",
    "Bank",
    "Board",
    "Console",
    "Drive",
    "Emulator",
    "FlashWith",
    "Memory",
    "Poke",
    "Target",
    "board_file",
    "list_boards",
    "list_targets",
    "load_board",
    "load_saved_board",
    "load_target",
    "save_board",
]
