"""The pages of `tests/coverage` say what edgeq takes today."""

from __future__ import annotations

import pytest

from tests.campaigns.coverage_pages import FOLDER, operators_page, outside, pages, results_of, row_of
from tests.conformance.node_tests import chosen

SOME = 25
AGAIN = "`python -m tests.campaigns.coverage_pages` writes the pages anew"


def page(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def test_operators_are_those_of_the_page() -> None:
    assert operators_page() == page("operators.md"), AGAIN


def test_no_node_test_is_wrong_or_an_internal_error() -> None:
    rows = (FOLDER / "node_tests.md").read_text(encoding="utf-8").splitlines()
    results = [row.split(" | ")[1:3] for row in rows if row.startswith("| test_")]
    assert len(results) > 1000
    assert {result for row in results for result in row if not result.startswith("EQ")} <= {"passed", ""}


def test_a_part_of_the_node_tests_has_the_results_of_the_page() -> None:
    rows = set(page("node_tests.md").splitlines())
    found = [row_of(test.name, results_of(test), outside(test)) for test in chosen(SOME, seed=3)]
    assert [row for row in found if row not in rows] == [], AGAIN


@pytest.mark.slow
def test_all_pages_are_of_today() -> None:
    found = pages()
    assert {name: page(name) for name in found} == found, AGAIN
