"""Colour on a terminal, and nothing elsewhere.

``NO_COLOR`` (https://no-color.org), a dumb terminal, and output that is no terminal get plain text.
"""

from __future__ import annotations

import os
import sys
from typing import Final, Literal, TextIO

Style = Literal["bold", "dim", "green", "red", "yellow"]

_CODES: Final[dict[Style, str]] = {"bold": "1", "dim": "2", "green": "32", "red": "1;31", "yellow": "33"}


def is_plain(stream: TextIO | None = None) -> bool:
    """Whether a stream, by default standard output, must not get escape sequences."""
    out = sys.stdout if stream is None else stream
    return not out.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def paint(text: str, style: Style, stream: TextIO | None = None) -> str:
    """The text in a style, or as it is."""
    return text if is_plain(stream) or not text else f"\033[{_CODES[style]}m{text}\033[0m"
