"""What a board may tell other programs: a board file, or a compiled folder's board.json, may come from anywhere.

Compilers, QEMU, pyOCD and OpenOCD get words of a board as arguments. Some of their arguments name files to write, or
scripts to run (``-icount rr=record,rrfile=…``, ``-M …,dumpdtb=…``, any OpenOCD script). So each word must match a
pattern that has no room for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

QEMU_ARGUMENTS: Final = {
    "-cpu": r"[a-z0-9-]+(,[a-z0-9-]+=(on|off))*",
    "-icount": r"(shift=)?([0-9]|10|auto)(,(align|sleep)=(on|off))*",
    "-m": r"(size=)?[0-9]{1,5}[KMG]?",
    "-smp": r"(cpus=)?[0-9]{1,2}",
}
"""QEMU's options that a board may give, each with the pattern of its value."""
MACHINE: Final = r"[a-z0-9][a-z0-9.-]*"
CPU: Final = r"[a-z0-9][a-z0-9.+-]*"
FLAG: Final = r"-m[a-z0-9-]+(=[a-z0-9.+-]+)?"
TRIPLE: Final = r"[a-z0-9][a-z0-9._-]*"
PYOCD: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
OPENOCD: Final = r"(board|interface|target)(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+\.cfg"
VOLUME: Final = r"[A-Za-z0-9_-][A-Za-z0-9_. -]*"
BANK: Final = r"[a-z][a-z0-9_]{0,15}"
NAME: Final = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"


@dataclass(frozen=True)
class BadWord:
    """A word that a board may not say.

    Attributes:
        key: of the board file, ``emulator.args``.
        got: the word.
        allowed: what may stand there.
    """

    key: str
    got: str
    allowed: str


def bad_words(key: str, words: Sequence[str | None], pattern: str, allowed: str) -> Iterator[BadWord]:
    """The words that do not match a pattern as a whole; None is none."""
    for word in words:
        if word is not None and not re.fullmatch(pattern, word, re.ASCII):
            yield BadWord(key, word, allowed)


def bad_qemu_arguments(key: str, words: Sequence[str]) -> Iterator[BadWord]:
    """Arguments for QEMU that are not pairs of an option of :data:`QEMU_ARGUMENTS` and its value."""
    if len(words) % 2:
        yield BadWord(key, " ".join(words), "pairs of an option and its value")
    for option, value in zip(words[::2], words[1::2], strict=False):
        pattern = QEMU_ARGUMENTS.get(option)
        if pattern is None:
            yield BadWord(key, option, ", ".join(QEMU_ARGUMENTS))
        else:
            yield from bad_words(key, [value], pattern, f"a plain value of {option}")
