"""Notes reach the result whatever the logging module is set to, each once, and only the block that gathers them."""

from __future__ import annotations

import logging

from edgeq.errors import Problem
from edgeq.notes import gathered, note, tell, warn


def test_notes_are_gathered_once_and_in_order_under_a_quiet_root_logger() -> None:
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.CRITICAL)
    logging.disable(logging.CRITICAL)
    try:
        with gathered() as found:
            warn("EQ0172", "first", where="node a", got=3)
            note("EQ0501", "second", hint="do so")
            warn("EQ0172", "first", where="node a", got=3)
    finally:
        logging.disable(logging.NOTSET)
        root.setLevel(level)
    assert found == [
        Problem("EQ0172", "first", where="node a", got="3", severity="warning"),
        Problem("EQ0501", "second", hint="do so", severity="note"),
    ]


def test_notes_go_to_the_innermost_block_and_to_a_given_list() -> None:
    mine: list[Problem] = []
    with gathered(mine) as outer:
        assert outer is mine
        with gathered() as inner:
            note("EQ0172", "inside")
        note("EQ0172", "outside")
    note("EQ0172", "nobody listens")
    assert [problem.what for problem in inner] == ["inside"]
    assert [problem.what for problem in mine] == ["outside"]


def test_a_note_that_exists_is_told_once() -> None:
    problem = Problem("EQ0173", "few", severity="warning")
    with gathered() as found:
        tell(problem, problem)
        tell(problem)
    assert found == [problem]


def test_text_and_json_say_the_severity() -> None:
    assert str(Problem("EQ0302", "no")) == "EQ0302: no"
    assert str(Problem("EQ0173", "few", severity="warning")) == "warning: EQ0173: few"
    assert str(Problem("EQ0501", "none", "PATH", severity="note")) == "note: EQ0501: none\n  where:   PATH"
    assert Problem("EQ0501", "none", severity="note").to_json()["severity"] == "note"
