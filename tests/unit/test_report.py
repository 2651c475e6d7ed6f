"""What is printed: plain tables that tools can read, nothing that a terminal would obey, documents of valid JSON."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq.report.documents import print_document
from edgeq.report.printable import printable
from edgeq.report.tables import Column, bar, figure, markdown_table, plain_table, print_table, shortened


@given(st.text())
def test_printable_text_has_nothing_to_obey(text: str) -> None:
    shown = printable(text)
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)
    shown.encode("utf-8")  # no lone surrogate is left
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("conv/1 [same]", "conv/1 [same]"),
        ("größe", "größe"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\x9bb", "a\\x9bb"),
        ("a\u202eb", "a\\u202eb"),
        ("line\nend", "line\\nend"),
        ("\udcff", "\\udcff"),
    ],
)
def test_printable_escapes_what_acts(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_printable_keeps_line_ends_where_asked() -> None:
    assert printable("a\n\x07b", keep="\n") == "a\n\\x07b"


def test_plain_table_is_aligned_and_ends_its_lines() -> None:
    columns = [Column("name"), Column("bytes", numeric=True)]
    text = plain_table("title", columns, [["a", "1"], ["longer", "1,000"]])
    assert text == "title\nname    bytes\n------  -----\na           1\nlonger  1,000\n"


def test_empty_table_is_a_header() -> None:
    assert plain_table("", [Column("a"), Column("b")], []) == "a  b\n-  -\n"


@given(st.lists(st.lists(st.text("abc/._ ", max_size=60), min_size=3, max_size=3), max_size=6), st.integers(40, 120))
def test_table_is_as_wide_as_allowed_and_breaks_no_identifier(rows: list[list[str]], width: int) -> None:
    columns = [Column("name", shorten=True), Column("what"), Column("why", optional=1)]
    words = [word for row in rows for word in row[1].split()]
    text = plain_table("", columns, rows, max(width, max(map(len, words), default=0) + 2 + 16))
    assert max(map(len, text.splitlines())) <= max(width, max(map(len, words), default=0) + 2 + 16)
    for word in words:
        assert word in text


def test_optional_columns_go_first_and_names_lose_their_middle() -> None:
    columns = [Column("layer", shorten=True), Column("shape", optional=2), Column("flash", numeric=True, optional=1)]
    row = ["features.0/features.0.0/Conv_output", "1x32x32x16", "12,345"]
    assert "12,345" in plain_table("", columns, [row], 60)
    assert plain_table("", columns, [row], 32) == (
        "layer                 shape\n"
        "--------------------  ----------\n"
        "...s.0.0/Conv_output  1x32x32x16\n"
    )  # fmt: skip
    assert plain_table("", columns, [row], 20).splitlines()[0] == "layer"


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [
        ("conv", 4, "conv"),
        ("abcdefghij", 10, "abcdefghij"),
        ("abcdefghijk", 10, "abc...hijk"),
        ("abcdef", 5, "a...f"),
        ("block.0/conv/Conv", 12, "...conv/Conv"),
    ],
)
def test_shortened_name_keeps_both_ends(name: str, width: int, shown: str) -> None:
    assert shortened(name, width) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.00"),
        (0.91849, "0.918"),
        (1.0, "1.00"),
        (31.44, "31.4"),
        (120.6, "121"),
        (12345.6, "12,346"),
        (4e-7, "4.00e-07"),
    ],
)
def test_figure_has_three_significant_digits(value: float, shown: str) -> None:
    assert figure(value) == shown


@pytest.mark.parametrize("terminal", [True, False])
def test_markup_in_a_name_is_text(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    print_table("[/title]", ["name", "n"], [["conv[/b]\x1b[31m", 1000], [None, 0.5]])
    text = capsys.readouterr().out
    assert "[/title]" in text
    assert "conv[/b]\\x1b[31m" in text
    assert "1,000" in text


@pytest.mark.parametrize(("used", "code"), [(50, "32"), (95, "33"), (101, "1;31")])
def test_bar_is_coloured_on_a_terminal(used: int, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert bar("RAM", used, 100, "").startswith(f"RAM   [\033[{code}m=")
    monkeypatch.setenv("NO_COLOR", "1")
    assert bar("RAM", used, 100, "").startswith("RAM   [=")


def test_no_color_asks_for_plain_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    print_table("", ["a"], [["b"]])
    assert capsys.readouterr().out == "a\n-\nb\n"


@pytest.mark.parametrize(
    ("used", "available", "start"),
    [
        (0, 100, "RAM   [                        ]  0.00 %  0 of 100 bytes\n       arena"),
        (50, 100, "RAM   [============            ]  50.0 %  50 of 100 bytes"),
        (1, 100, "RAM   [=                       ]  1.00 %"),
        (300, 100, "RAM   [========================]   300 %"),
        (1234, None, "RAM   1,234 bytes\n       arena"),
    ],
)
def test_bar_fills_with_use(used: int, available: int | None, start: str) -> None:
    assert bar("RAM", used, available, "arena").startswith(start)


def test_markdown_cells_hold_no_pipe() -> None:
    assert markdown_table(["a"], [["x|y"]]) == "| a |\n|---|\n| x/y |\n"


def test_document_is_ascii_and_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_document("eval", {"value": math.nan, "list": [math.inf, 1.5], "name": "größe\udcff"})
    text = capsys.readouterr().out
    assert text.isascii()
    expected = {"schema": "edgeq/eval/1", "ok": True, "value": None, "list": [None, 1.5], "name": "größe\udcff"}
    expected["notes"] = []
    assert json.loads(text) == expected
