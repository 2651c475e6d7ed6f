"""A compiled folder remembers its board: every board survives being written and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeq.errors import EdgeqError
from edgeq.target import list_boards, load_board, load_saved_board, save_board


@pytest.mark.parametrize("name", list_boards())
def test_every_board_comes_back_equal(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    save_board(board, tmp_path / "board.json")
    assert load_saved_board(tmp_path / "board.json") == board


def changed(change: Callable[[dict[str, object]], object]) -> str:
    document = json.loads(json.dumps({"target": {"name": "x"}, "name": "b"}))
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '"board"', changed(lambda d: d.update(target=3)), changed(lambda d: d.update(name=[1]))]
)
def test_anything_else_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "board.json"
    path.write_text(text)
    with pytest.raises(EdgeqError, match="EQ0104"):
        load_saved_board(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EdgeqError, match="EQ0104"):
        load_saved_board(tmp_path / "board.json")
