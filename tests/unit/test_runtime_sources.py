"""Rules of the C runtime that no compiler checks."""

from __future__ import annotations

import re
from itertools import pairwise
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


def constant_predicates(text: str) -> list[str]:
    """MVE predicates that are written as numbers."""
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    number = r"\(?(0[xX][0-9a-fA-F]+|\d+)[uU]?\)?"
    given = re.findall(rf"mve_pred16_t\)? *(?:\w+ *= *)?{number}\b", code)
    return [*given, *re.findall(rf"\bv\w+_[pzmx](?:_\w+)?\((?:[^();]|\([^();]*\))*, *{number}\)", code)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(_ROOT / "runtime_c")))
def test_the_only_constant_predicate_has_all_lanes(path: Path) -> None:
    """gcc 12.2 takes any constant predicate of 16- or 32-bit lanes whose bit 0 is set for 0xffff."""
    assert set(constant_predicates(path.read_text(encoding="utf-8"))) <= {"0xffff"}


def test_constant_predicates_are_found() -> None:
    text = (
        "f((mve_pred16_t)0x0f0f); const mve_pred16_t lanes = 255; x = vldrbq_z_s16(from(2), 0x3333); vaddq_p(a, lanes);"
    )
    assert constant_predicates(text) == ["0x0f0f", "255", "0x3333"]


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


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(_ROOT / "runtime_c")))
def test_addresses_of_labels_count_from_a_multiple_of_4(path: Path) -> None:
    """ADR counts from the program counter rounded down to 4 bytes; -Os puts functions at any multiple of 2."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        if re.search(r"\badr(\.w)? r|\badr(\.w)? lr", line):
            assert ".balign 4" in before, line
