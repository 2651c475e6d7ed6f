"""Text that may stand in C: identifiers from a fixed alphabet, and names from a model made harmless for comments."""

from __future__ import annotations

import re

from edgeq.errors import EdgeqError

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,39}")
_HARMLESS = re.compile(r"[^A-Za-z0-9_.:/ -]")
_RESERVED = frozenset({"main", "eq", "int", "auto", "static", "void", "for", "if", "do", "long", "char", "const"})


def check_model_name(name: str) -> str:
    """The name if it can prefix C symbols.

    Raises:
        EdgeqError: EQ0102 where it cannot.
    """
    if not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
        raise EdgeqError(
            "EQ0102",
            "the model's name cannot prefix C symbols",
            where="--name",
            got=repr(name),
            allowed="a lower-case letter, then lower-case letters, digits and underscores, at most 40 in all",
            hint="pass --name with such a word",
        )
    return name


def model_name_of(stem: str) -> str:
    """A name for C symbols from a file's stem."""
    word = re.sub(r"[^a-z0-9_]+", "_", stem.lower()).strip("_")[:40] or "model"
    return word if word[0].isalpha() and word not in _RESERVED else f"m_{word}"[:40]


def comment(text: str) -> str:
    """A name from a model as it may stand in a C comment: no ``*/``, no line ends, no trigraphs."""
    return _HARMLESS.sub("_", text).replace("//", "/")[:120]
