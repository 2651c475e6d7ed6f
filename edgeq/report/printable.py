"""Making text from models, data files and tools safe to print.

Names in a model are chosen by whoever made it. Written raw to a terminal they could move the cursor, change its
title or hide a line, so every control character is shown as its escape.
"""

from __future__ import annotations

import unicodedata
from typing import Final

# Control, format (right-to-left overrides, zero widths), lone surrogates, line and paragraph separators.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str, keep: str = "") -> str:
    r"""The text with each character that a terminal would act on, or not show, as its Python escape (``\x1b``).

    Args:
        text: any text.
        keep: characters left as they are, ``"\n"`` for messages of several lines.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if character not in keep and unicodedata.category(character) in _HIDDEN
        else character
        for character in text
    )
