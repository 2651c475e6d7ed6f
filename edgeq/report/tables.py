"""Tables and bars for people: rich on a terminal, plain text elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

BAR_WIDTH = 24


def print_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[object]], numeric: Sequence[int] = ()
) -> None:
    """Print a table; the columns ``numeric`` are right-aligned."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD)
    for index, name in enumerate(header):
        table.add_column(name, justify="right" if index in numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    console = Console(soft_wrap=False)
    if not console.is_terminal:
        console = Console(width=160)
    console.print(table)


def bar(label: str, used: int, available: int | None, detail: str) -> str:
    """``RAM   [=====     ]  31.2 %  16,724 of 65,536 bytes: arena …``."""
    if available is None:
        return f"{label:6}{used:,} bytes: {detail}"
    filled = min(BAR_WIDTH, -(-BAR_WIDTH * used // available)) if available else BAR_WIDTH
    share = 100 * used / available if available else 100.0
    return f"{label:6}[{'=' * filled:{BAR_WIDTH}}] {share:5.1f} %  {used:,} of {available:,} bytes: {detail}"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A GitHub table."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    lines += [f"| {' | '.join(_text(cell).replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _text(cell: object) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}"
    return f"{cell:.4f}" if isinstance(cell, float) else str(cell)
