"""The arena over time, as SVG: steps from the left to the right, addresses from the bottom up.

The file stands alone, as those of :mod:`edgeq.report.flame`. Pointing at a block shows its whole text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from edgeq.report.flame import sealed
from edgeq.report.printable import printable
from edgeq.report.tables import first_of

if TYPE_CHECKING:
    from edgeq.analysis.arena import Tenant

_HEIGHT: Final = 600
_LEFT: Final = 80
_TOP: Final = 30
_BELOW: Final = 24
_LETTER: Final = 6.6  # width of one at the size of the text
_ROW: Final = 14
_MARKS: Final = 8
_COLOURS: Final = {
    "input": ("#cfe8c9",),
    "output": ("#f4e6a8",),
    "state": ("#e7d3ee",),
    "inner": ("#c7e0f4", "#a9cdea", "#dbeaf6"),
    "scratch": ("#f6d6b8",),
}


def arena_svg(
    title: str, arena_bytes: int, steps: int, tenants: Sequence[Tenant], parts: Sequence[tuple[str, int]] = ()
) -> bytes:
    """The picture.

    Args:
        title: the line above.
        arena_bytes: of the whole arena.
        steps: of the program.
        tenants: what lies in the arena; time has a column before the first step and one behind the last.
        parts: names of further memories, and the first byte of the arena that lies in each.

    Returns:
        An SVG file in UTF-8; its last line seals it, see :func:`edgeq.report.flame.drew`.
    """
    column = min(80, max(18, 1100 // (steps + 2)))
    width, height = _LEFT + column * (steps + 2), _TOP + _HEIGHT + _BELOW
    scale = _HEIGHT / max(arena_bytes, 1)
    look = 'font-family="sans-serif" font-size="12"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {look}>',
        f'<text x="4" y="18" font-weight="bold">{_safe(title)}</text>',
        *_axes(arena_bytes, steps, column, scale),
        *(line for number, tenant in enumerate(tenants) for line in _block(tenant, number, column, scale)),
        *(line for name, start in parts for line in _part(name, start, column * (steps + 2), scale)),
        "</svg>",
    ]
    return sealed(("\n".join(lines) + "\n").encode())


def _axes(arena_bytes: int, steps: int, column: int, scale: float) -> Iterator[str]:
    right = _LEFT + column * (steps + 2)
    for mark in range(_MARKS + 1):
        at = arena_bytes * mark // _MARKS
        y = _TOP + _HEIGHT - at * scale
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#e0e0e0"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{at:,}</text>'
    every = max(1, 30 // column)
    for step in range(0, steps, every):
        x = _LEFT + column * (step + 1.5)
        yield f'<text x="{x:.1f}" y="{_TOP + _HEIGHT + 16}" text-anchor="middle">{step}</text>'


def _part(name: str, start: int, width: int, scale: float) -> Iterator[str]:
    """The line where a part of the arena begins that lies in another memory."""
    y = _TOP + _HEIGHT - start * scale
    yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_LEFT + width}" y2="{y:.1f}" stroke="#404040" stroke-dasharray="6 3"/>'
    yield f'<text x="{_LEFT + width - 4}" y="{y - 4:.1f}" text-anchor="end" font-style="italic">{_safe(name)}</text>'


def _block(tenant: Tenant, number: int, column: int, scale: float) -> Iterator[str]:
    colours = _COLOURS[tenant.kind]
    x, width = _LEFT + column * (tenant.first + 1), column * (tenant.last - tenant.first + 1)
    height = tenant.size_bytes * scale
    y = _TOP + _HEIGHT - tenant.offset * scale - height
    end = tenant.offset + tenant.size_bytes
    text = f"{tenant.name}: {tenant.kind}, {tenant.size_bytes:,} bytes at {tenant.offset:,} to {end:,}"
    yield f"<g><title>{_safe(text)}</title>"
    yield (
        f'<rect x="{x}" y="{y:.2f}" width="{width}" height="{max(height, 0.5):.2f}"'
        f' fill="{colours[number % len(colours)]}" fill-opacity="0.8" stroke="#ffffff" stroke-width="0.5"/>'
    )
    shown = f"{tenant.size_bytes:,} {first_of(tenant.name)}"[: int((width - 6) / _LETTER)]
    if height > _ROW and len(shown) > len(f"{tenant.size_bytes:,}"):
        yield f'<text x="{x + 3}" y="{y + _ROW - 2:.2f}">{_safe(shown)}</text>'
    yield "</g>"


def _safe(text: str) -> str:
    return escape(printable(text))
