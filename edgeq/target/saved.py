"""A resolved board as one JSON document, so that a compiled folder needs no board file of its user's any more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args, get_origin, get_type_hints

from edgeq.errors import EdgeqError
from edgeq.files import DAMAGE, read_json, reason_of
from edgeq.target.board import Board, words_refused

_MAX_NUMBER: Final = 1 << 32


def save_board(board: Board, path: Path) -> None:
    """Write a board with everything it inherits."""
    path.write_text(json.dumps(asdict(board), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load_saved_board(path: Path) -> Board:
    """Read what :func:`save_board` wrote.

    Raises:
        EdgeqError: EQ0104 where the file is missing or something else.
    """
    try:
        board = _read(Board, read_json(path))
    except DAMAGE as error:
        raise EdgeqError(
            "EQ0104",
            "the compiled folder does not say for which board it is",
            where=str(path),
            got=reason_of(error),
            hint="compile the model again",
        ) from error
    assert isinstance(board, Board)  # _read gives what it is asked for
    for bad in words_refused(board):
        raise EdgeqError(
            "EQ0126",
            "the compiled folder's board says what no board may say",
            where=f"{path}: {bad.key}",
            got=bad.got,
            allowed=bad.allowed,
            hint="where does this folder come from? Compile the model again",
        )
    return board


def _read(kind: Any, value: Any) -> Any:  # noqa: ANN401 - any type of a field, any JSON
    """The value of a field, by the field's type: data classes, tuples, optional ones, and what JSON has itself."""
    options = [option for option in get_args(kind) if option is not NoneType]
    if options and get_origin(kind) is not tuple:
        return None if value is None else _read(options[0], value)
    if isinstance(kind, type) and is_dataclass(kind):
        names = {field.name for field in fields(kind)}
        if not isinstance(value, Mapping) or set(value) != names:
            raise TypeError(f"{kind.__name__} has other keys")
        types = get_type_hints(kind)
        return kind(**{name: _read(types[name], value[name]) for name in names})
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise TypeError("a list has another type")
        return tuple(_read(options[0], item) for item in value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"a value has another type than {kind.__name__}")
    if isinstance(value, int) and not 0 <= value <= _MAX_NUMBER:
        raise ValueError("a number is out of range")
    return value
