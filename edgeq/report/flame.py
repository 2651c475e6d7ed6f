"""Pictures of where instructions go, as SVG: bars below bars, each as wide as its share of the one above.

The file stands alone: no script, no font, no link. Pointing at a bar shows its whole text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from edgeq.files import open_regular
from edgeq.report.printable import printable

MARK: Final = "<!-- written by edgeq: "
_WIDTH: Final = 1200
_ROW: Final = 22
_LETTER: Final = 6.6  # width of one at the size of the text
_LEAST: Final = 0.2  # narrower bars cannot be seen
_COLOURS: Final = ("#c7e0f4", "#f6d6b8", "#cfe8c9", "#e7d3ee", "#f4e6a8", "#f2c6c6", "#d5d9e0")


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        text: what it says.
        count: what its width shows; that of its parts together at most.
        parts: the bars below it, from the left.
        colour: a number; bars of one number have one colour.
    """

    text: str
    count: int
    parts: Sequence[Bar] = ()
    colour: int = 0


def flame_svg(title: str, whole: Bar, unit: str) -> bytes:
    """The picture of a bar and all below it.

    Args:
        title: the line above.
        whole: the bar at the top.
        unit: what is counted.

    Returns:
        An SVG file in UTF-8; its last line seals it, see :func:`drew`.
    """
    rows = _depth(whole) + 2
    look = 'font-family="sans-serif" font-size="12"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {rows * _ROW}" {look}>',
        f'<text x="4" y="{_ROW - 6}" font-weight="bold">{_safe(title)}</text>',
        *_bars(whole, 0.0, float(_WIDTH), 1, max(whole.count, 1), unit),
        "</svg>",
    ]
    return sealed(("\n".join(lines) + "\n").encode())


def sealed(content: bytes) -> bytes:
    """A picture with the line behind it by which :func:`drew` knows it."""
    return content + _seal(content)


def drew(path: Path) -> bool:
    """Whether edgeq drew the contents of a file, and nobody has changed them since."""
    try:
        with open_regular(path) as file:
            content = file.read()
    except OSError:
        return False
    end = len(content) - len(_seal(b""))
    return end > 0 and content[end:] == _seal(content[:end])


def _seal(content: bytes) -> bytes:
    return f"{MARK}{sha256(content).hexdigest()} -->\n".encode()


def _depth(bar: Bar) -> int:
    return 1 + max(map(_depth, bar.parts), default=0)


def _bars(bar: Bar, left: float, width: float, row: int, whole: int, unit: str) -> Iterator[str]:
    if width < _LEAST:
        return
    top = row * _ROW
    text = f"{bar.text}: {bar.count:,} {unit}, {100 * bar.count / whole:.1f} %"
    colour = _COLOURS[bar.colour % len(_COLOURS)]
    yield f"<g><title>{_safe(text)}</title>"
    yield (
        f'<rect x="{left:.2f}" y="{top}" width="{width:.2f}" height="{_ROW - 1}" fill="{colour}" stroke="#ffffff"'
        ' stroke-width="0.5"/>'
    )
    shown = text if len(text) * _LETTER < width else bar.text
    if len(shown) * _LETTER < width:
        yield f'<text x="{left + 4:.2f}" y="{top + _ROW - 7}">{_safe(shown)}</text>'
    yield "</g>"
    for part in bar.parts:
        taken = width * part.count / max(bar.count, 1)
        yield from _bars(part, left, taken, row + 1, whole, unit)
        left += taken


def _safe(text: str) -> str:
    return escape(printable(text))
