"""Text that may stand in C: identifiers from a fixed alphabet, and names from a model made harmless for comments."""

from __future__ import annotations

import re

from edgeq.errors import EdgeqError

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,39}")
_HARMLESS = re.compile(r"[^A-Za-z0-9_.:/ -]")
# NAME.h must hide no header, and NAME be no word of C or C++, no file of the harness and no target that CMake keeps.
_RESERVED = frozenset(
    """
    auto bool break case catch char class const continue default delete do double else enum explicit export extern
    false float for friend goto if inline int long main mutable namespace new operator private protected public register
    restrict return short signed sizeof static struct switch template this throw true try typedef typename union
    unsigned using virtual void volatile while

    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic
    stdbool stddef stdint stdio stdlib stdnoreturn string strings tgmath threads time uchar wchar wctype
    alloca dirent endian fcntl malloc memory poll pthread sched semaphore unistd

    all clean help install package test

    console eq example fault harness uart
    """.split()
)


def check_model_name(name: str) -> str:
    """The name if it can prefix C symbols.

    Raises:
        EdgeqError: EQ0102 where it cannot.
    """
    if not _IDENTIFIER.fullmatch(name) or _is_reserved(name):
        raise EdgeqError(
            "EQ0102",
            "the model's name cannot prefix C symbols",
            where="--name",
            got=repr(name),
            allowed="a lower-case letter, then lower-case letters, digits and underscores, at most 40 in all; "
            "no word of C, no header of the C library, no target of CMake, nothing that begins with eq_",
            hint="pass --name with such a word",
        )
    return name


def model_name_of(stem: str) -> str:
    """A name for C symbols from a file's stem."""
    word = re.sub(r"[^a-z0-9_]+", "_", stem.lower()).strip("_")[:40] or "model"
    return word if word[0].isalpha() and not _is_reserved(word) else f"m_{word}"[:40]


def _is_reserved(word: str) -> bool:
    return word in _RESERVED or word.startswith("eq_")


def comment(text: str) -> str:
    """A name from a model as it may stand in a C comment: no ``*/``, no line ends, no trigraphs."""
    return _HARMLESS.sub("_", text).replace("//", "/")[:120]
