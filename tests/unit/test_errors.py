"""Every error code is explained, every explanation has a code, and every failure has the agreed exit code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgeq.errors import EdgeqError, Problem, exit_code_of
from edgeq.errors_catalogue import CATALOGUE
from edgeq.errors_examples import EXAMPLES, Example
from edgeq.errors_examples.device import DEVICE
from edgeq.errors_examples.internal import INTERNAL
from edgeq.errors_examples.model import MODEL
from edgeq.errors_examples.operators import OPERATORS
from edgeq.errors_examples.tools import TOOLS
from edgeq.errors_examples.usage import USAGE

# Raised by the command line for click's own errors and for defects; every other code is raised where it belongs.
_IN_CATALOGUE_ONLY: set[str] = set()


def used_codes(root: Path) -> set[str]:
    texts = {"errors_catalogue", "errors_examples"}
    sources = [path for path in (root / "edgeq").rglob("*.py") if path.parent.name not in texts]
    return {code for path in sources for code in re.findall(r'"(EQ\d{4})"', path.read_text())}


def test_every_code_is_in_the_catalogue(root: Path) -> None:
    assert used_codes(root) - set(CATALOGUE) == set()


def test_the_catalogue_holds_no_code_that_nothing_raises(root: Path) -> None:
    assert set(CATALOGUE) - used_codes(root) == _IN_CATALOGUE_ONLY


def test_catalogue_is_sorted_and_written_out() -> None:
    assert list(CATALOGUE) == sorted(CATALOGUE)
    for code, (title, text) in CATALOGUE.items():
        assert re.fullmatch(r"EQ\d{4}", code)
        assert title[0].isupper() or (title[0].islower() and not title.endswith(".")), code
        assert text, code


def test_every_code_has_an_example_that_is_wrong_and_one_that_is_right() -> None:
    assert sorted(EXAMPLES) == sorted(CATALOGUE), "a new code needs an entry in edgeq/errors_examples"
    for code, example in EXAMPLES.items():
        assert example.wrong.strip(), code
        assert example.right.strip(), code
        assert example.wrong != example.right, code


@pytest.mark.parametrize("table", [USAGE, MODEL, OPERATORS, TOOLS, DEVICE, INTERNAL])
def test_tables_of_examples_are_sorted(table: dict[str, Example]) -> None:
    assert list(table) == sorted(table)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("EQ0101", 2),
        ("EQ0204", 3),
        ("EQ0302", 3),
        ("EQ0401", 4),
        ("EQ0501", 5),
        ("EQ0601", 6),
        ("EQ0900", 70),
        ("EQ7777", 70),
    ],
)
def test_exit_code_follows_from_the_class(code: str, expected: int) -> None:
    assert exit_code_of(code) == expected


def test_message_has_its_parts_in_order() -> None:
    problem = Problem("EQ0302", "it is wrong", "there", "this", "that", "do so")
    labels = [line.split(":")[0].strip() for line in str(problem).splitlines()]
    assert labels == ["EQ0302", "where", "got", "allowed", "hint"]


def test_many_problems_travel_together() -> None:
    error = EdgeqError.of([Problem("EQ0302", "first"), Problem("EQ0401", "second")])
    assert error.exit_code == 3
    assert "first" in str(error)
    assert "second" in str(error)
    with pytest.raises(ValueError, match="no problem"):
        EdgeqError.of([])
