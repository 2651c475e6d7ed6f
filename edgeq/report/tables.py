"""Tables and bars for people, as wide as the terminal and no wider.

The width is the terminal's, or 80 columns where there is none (``COLUMNS`` sets it). A table that is too wide drops its
optional columns, folds prose at spaces, and shortens long names in the middle; identifiers are never folded, so that
``grep`` and a double click find them whole. On a terminal the header is bold; ``NO_COLOR`` and a dumb terminal get
plain text.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edgeq.report.colour import Style, paint
from edgeq.report.printable import printable

BAR_WIDTH: Final = 24
WIDTH: Final = 80
_GAP: Final = "  "
_LEAST: Final = 8
_FULL: Final = 0.9
_SIGNIFICANT: Final = 3
_LARGE: Final = 1000


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: the header.
        numeric: right-aligned.
        optional: where the table is too wide, columns are dropped in this order; 0: never.
        shorten: names that may lose their middle; elsewhere only text with spaces gives way, by folding.
    """

    name: str
    numeric: bool = False
    optional: int = 0
    shorten: bool = False


def print_table(
    title: str, header: Sequence[str | Column], rows: Sequence[Sequence[object]], numeric: Sequence[int] = ()
) -> None:
    """Print a table.

    Args:
        title: a line above it, or nothing.
        header: the columns.
        rows: cells; numbers are formatted here.
        numeric: columns that are right-aligned, where ``header`` gives names alone.
    """
    columns = [
        name if isinstance(name, Column) else Column(name, index in numeric, shorten=True)
        for index, name in enumerate(header)
    ]
    sys.stdout.write(plain_table(title, columns, [[_text(cell) for cell in row] for row in rows], terminal_width()))


def terminal_width() -> int:
    """Columns of the terminal, of ``COLUMNS``, or 80."""
    return max(shutil.get_terminal_size((WIDTH, 24)).columns, 2 * _LEAST)


def plain_table(title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int = WIDTH) -> str:
    """The table as text: columns two spaces apart, a rule below the header, no spaces at the end of a line."""
    shown, cells = _without_optional(columns, rows, width)
    widths = _fitted(shown, cells, width)
    lines = [title] if title else []
    head = [column.name for column in shown]
    lines += [paint(line, "bold") for line in _lines(shown, head, widths)]
    lines += _lines(shown, ["-" * size for size in widths], widths)
    for row in cells:
        lines += _lines(shown, row, widths)
    return "\n".join(lines) + "\n"


def _natural(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(column.name), *(len(row[i]) for row in rows), 0) for i, column in enumerate(columns)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _least(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """The narrowest that each column can become: its longest word, or a few characters where names may be shortened."""
    found = []
    for index, column in enumerate(columns):
        words = [len(word) for row in rows for word in row[index].split()]
        least = max([len(column.name), *words, 1])
        found.append(min(least, max(len(column.name), 2 * _LEAST)) if column.shorten else least)
    return found


def _without_optional(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int
) -> tuple[list[Column], list[list[str]]]:
    kept = list(range(len(columns)))
    for drop in sorted((column.optional, index) for index, column in enumerate(columns) if column.optional):
        part = [columns[index] for index in kept]
        if _total(_least(part, [[row[index] for index in kept] for row in rows])) <= width:
            break
        kept.remove(drop[1])
    return [columns[index] for index in kept], [[row[index] for index in kept] for row in rows]


def _fitted(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Widths that fit: the widest column that may, gives way first."""
    widths, least = _natural(columns, rows), _least(columns, rows)
    while _total(widths) > width:
        spare = [index for index in range(len(widths)) if widths[index] > least[index]]
        if not spare:
            break
        widest = max(spare, key=lambda index: widths[index])
        widths[widest] -= 1
    return widths


def _lines(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """One row as lines: text with spaces folds, names lose their middle."""
    stacks = [_cell(cell, width) for cell, width in zip(row, widths, strict=True)]
    lines = []
    for number in range(max(map(len, stacks))):
        parts = []
        for column, stack, width in zip(columns, stacks, widths, strict=True):
            text = stack[number] if number < len(stack) else ""
            parts.append(text.rjust(width) if column.numeric else text.ljust(width))
        lines.append(_GAP.join(parts).rstrip())
    return lines


def _cell(cell: str, width: int) -> list[str]:
    if len(cell) <= width:
        return [cell]
    words = " ".join(shortened(word, width) for word in cell.split(" "))
    return textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False) or [""]


def first_of(names: str) -> str:
    """The first of the ONNX nodes that became a step, and how many there are more: ``Conv_3+1``."""
    first, *others = names.split(", ")
    return f"{first}+{len(others)}" if others else first


def wrapped(label: str, text: str) -> str:
    """``label: text`` in lines of the terminal's width; no word is broken."""
    return textwrap.fill(
        f"{label}: {text}",
        terminal_width(),
        subsequent_indent=" " * (len(label) + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def shortened(name: str, width: int) -> str:
    """A name that is too long without its middle, a path without its beginning: ``...0/depthwise/Conv``."""
    if len(name) <= width:
        return name
    kept = max(width - 3, 2)
    head = 0 if "/" in name else kept // 2
    return f"{name[:head]}...{name[len(name) - kept + head :]}"


def bar(label: str, used: int, available: int | None, detail: str) -> str:
    """``RAM   [=====     ]  31.2 %  16,724 of 65,536 bytes``, and the parts below."""
    if available is None:
        return _below(f"{label:6}{used:,} bytes", detail)
    share = used / available if available else 1.0
    filled = min(BAR_WIDTH, -(-BAR_WIDTH * used // available)) if available else BAR_WIDTH
    colour: Style = "red" if share > 1 else "yellow" if share > _FULL else "green"
    drawn = paint(f"{'=' * filled:{BAR_WIDTH}}", colour)
    return _below(f"{label:6}[{drawn}] {figure(100 * share):>5} %  {used:,} of {available:,} bytes", detail)


def _below(line: str, detail: str) -> str:
    return "\n".join([line, *textwrap.wrap(detail, WIDTH, initial_indent=" " * 7, subsequent_indent=" " * 7)])


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A GitHub table."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    lines += [f"| {' | '.join(_text(cell).replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def figure(value: float) -> str:
    """A measured number with 3 significant digits, without an exponent where that is shorter."""
    if abs(value) >= _LARGE:
        return f"{value:,.0f}"
    return f"{value:#.{_SIGNIFICANT}g}".rstrip(".")


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}"
    return figure(cell) if isinstance(cell, float) else printable(str(cell))
