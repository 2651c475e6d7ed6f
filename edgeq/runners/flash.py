"""Choosing a flasher for a board and running it, or only saying what it would run."""

from __future__ import annotations

import shlex
from typing import Final

from edgeq.errors import EdgeqError, Problem
from edgeq.runners.base import FlashRequest, FlashResult
from edgeq.runners.table import load_flasher

_EMULATOR_ONLY: Final = "gdb"


def flash(request: FlashRequest, with_: str | None = None, *, dry_run: bool = False) -> FlashResult:
    """Write an image into a board.

    Args:
        request: the image and the board.
        with_: the flasher's name; None takes the first of the board's that is available.
        dry_run: plan only; needs no tool and no board.

    Raises:
        EdgeqError: EQ0170 no such flasher, EQ0612 the board has none or not this one, EQ052x its tool is missing,
            EQ0601 no probe, EQ0161 no image, EQ06xx the transfer failed.
    """
    name = with_ or choose_flasher(request, dry_run=dry_run)
    flasher = load_flasher(name)
    if not dry_run:
        return flasher.flash(request)
    plan = flasher.plan(request)
    return FlashResult(name, plan.command, plan.image, plan.server_command, dry_run=True, detail="nothing was written")


def choose_flasher(request: FlashRequest, *, dry_run: bool = False) -> str:
    """The first of the board's flashers that is available; for a dry run with none available, the first.

    ``gdb`` is taken by itself only where the board has nothing else: its default server is an emulator, and the user of
    a real board must not be told that it was flashed.

    Raises:
        EdgeqError: EQ0612 the board has no flasher, EQ0526 the tools of all of them are missing.
    """
    board = request.board
    methods = [name for name in board.flash_with.methods if name != _EMULATOR_ONLY]
    methods = methods or list(board.flash_with.methods)
    if not methods:
        raise EdgeqError(
            "EQ0612",
            "the board cannot be flashed",
            where=board.name,
            hint="a computer needs no flashing: copy the program there and run it" if board.is_hosted else None,
        )
    reasons: list[Problem] = []
    for name in methods:
        reason = load_flasher(name).available(request)
        if reason is None:
            return name
        reasons.append(Problem("EQ0526", f"{name}: {reason}", where=board.name))
    if dry_run:
        return methods[0]
    raise EdgeqError.of(reasons)


def shell_line(command: tuple[str, ...]) -> str:
    """A command as one would type it."""
    return shlex.join(command)
