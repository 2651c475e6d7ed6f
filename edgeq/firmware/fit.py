"""Does it fit? Need, have, and what would help, before anything is linked."""

from __future__ import annotations

from edgeq.errors import EdgeqError, Problem
from edgeq.target import Board, list_boards, load_board


def check_fit(
    board: Board,
    *,
    ram_bytes: int,
    stack_bytes: int,
    flash_bytes: int,
    harness_ram_bytes: int = 0,
    harness_flash_bytes: int = 0,
) -> None:
    """Refuse a model that the board cannot hold; the host holds everything.

    Args:
        board: whose memory map decides.
        ram_bytes: arena and state.
        stack_bytes: the whole stack.
        flash_bytes: code and weights of the model.
        harness_ram_bytes: what edgeq's test harness adds, 0 when not known yet.
        harness_flash_bytes: likewise.

    Raises:
        EdgeqError: EQ0401 the RAM, EQ0402 the flash, or both.
    """
    if board.ram is None or board.flash is None:
        return
    ram, flash = ram_bytes + stack_bytes + harness_ram_bytes, flash_bytes + harness_flash_bytes
    have_ram, have_flash = board.ram.app_size_bytes, board.flash.app_size_bytes
    hint = None
    if ram > have_ram or flash > have_flash:
        hint = _what_helps(ram, flash)
    problems = []
    if ram > have_ram:
        parts = f"arena {ram_bytes} + stack {stack_bytes} + harness {harness_ram_bytes}"
        problems.append(_problem("EQ0401", "RAM", board, ram, parts, have_ram, hint))
    if flash > have_flash:
        parts = f"model {flash_bytes} + harness {harness_flash_bytes}"
        problems.append(_problem("EQ0402", "flash", board, flash, parts, have_flash, hint))
    if problems:
        raise EdgeqError.of(problems)


def _problem(code: str, kind: str, board: Board, need: int, parts: str, have: int, hint: str | None) -> Problem:
    return Problem(
        code,
        f"the model does not fit the {kind} of {board.name}",
        where=f"{board.name}:{'ram' if kind == 'RAM' else 'flash'}",
        got=f"needs {need} bytes ({parts}), {need - have} too many",
        allowed=f"{have} bytes",
        hint=hint,
    )


def _what_helps(ram: int, flash: int) -> str:
    """Fitting boards, smallest RAM first, emulated ones included."""
    fitting = []
    for name in list_boards():
        board = load_board(name)
        if board.ram is None or board.flash is None:
            continue
        if board.ram.app_size_bytes >= ram and board.flash.app_size_bytes >= flash:
            fitting.append((board.ram.app_size_bytes, name))
    smaller = "a smaller input or fewer channels in the widest layers shrink the arena, fewer weights the flash"
    if not fitting:
        return smaller
    return f"it fits {', '.join(name for _, name in sorted(fitting))}; {smaller}"
