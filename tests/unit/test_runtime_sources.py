"""Rules of the C runtime that no compiler checks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((_ROOT / "runtime_c").rglob("*.h"))


def assembly(text: str) -> list[str]:
    """Every inline assembly statement, macro definitions included."""
    joined = text.replace("\\\n", " ")
    return [joined[match.start() : _end(joined, match.end())] for match in re.finditer(r"__asm__[^(;]*\(", joined)]


def _end(text: str, start: int) -> int:
    """Behind the parenthesis that closes the one before `start`; strings count as they stand."""
    depth = 1
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position + 1
    return len(text)


def test_there_is_assembly() -> None:
    assert sum(len(assembly(path.read_text(encoding="utf-8"))) for path in SOURCES) > 20


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(_ROOT / "runtime_c")))
def test_assembly_that_reads_memory_is_volatile(path: Path) -> None:
    """Without it gcc moves a statement whose operands do not change out of the loop that fills what it reads."""
    for statement in assembly(path.read_text(encoding="utf-8")):
        if '"memory"' in statement:
            assert statement.startswith("__asm__ volatile"), statement[:80]


def test_no_two_headers_define_one_type() -> None:
    """C takes a second typedef of a compatible type in silence, and its alignment with it.

    Headers of one name are variants of each other: an image has one of them.
    """
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for name in re.findall(r"^(?:typedef [^{]*?|\} )(\w+);", text, re.MULTILINE):
            found.setdefault(name, set()).add(path.name)
    assert {"eq_word_t", "eq_conv2d_s8_t"} <= set(found)
    assert not {name: sorted(paths) for name, paths in found.items() if len(paths) > 1}
