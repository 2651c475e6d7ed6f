"""Tables and bars for people: rich on a terminal, plain text elsewhere.

Plain text has no lines, no colours and is never folded: it is read by ``grep`` and by logs. ``NO_COLOR`` and a dumb
terminal ask for it too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from edgeq.report.printable import printable

BAR_WIDTH = 24
_GAP = "  "


def print_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[object]], numeric: Sequence[int] = ()
) -> None:
    """Print a table; the columns ``numeric`` are right-aligned."""
    cells = [[_text(cell) for cell in row] for row in rows]
    if _is_plain():
        sys.stdout.write(plain_table(title, header, cells, numeric))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Text, not str: names from a model are no markup.
    table = Table(title=Text(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD)
    for index, name in enumerate(header):
        table.add_column(name, justify="right" if index in numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def plain_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int] = ()) -> str:
    """The table as text: columns two spaces apart, a rule below the header, no spaces at the end of a line."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [title] if title else []
    for row in (header, ["-" * width for width in widths], *rows):
        shown = [
            cell.rjust(width) if index in numeric else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(_GAP.join(shown).rstrip())
    return "\n".join(lines) + "\n"


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


def _is_plain() -> bool:
    return not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}"
    return f"{cell:.4f}" if isinstance(cell, float) else printable(str(cell))
