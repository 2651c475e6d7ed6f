"""Arguments are checked before anything heavy is imported, all of them, so that a typing error costs no waiting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgeq.errors import EdgeqError, Problem
from edgeq.files import open_regular, reason_of


def check_arguments(*checks: Callable[[], object]) -> None:
    """Make every check, and report all that fail at once.

    Raises:
        EdgeqError: what the checks raise, together.
    """
    problems: list[Problem] = []
    for check in checks:
        try:
            check()
        except EdgeqError as error:
            problems += error.problems
    if problems:
        raise EdgeqError.of(problems)


def check_model_file(path: Path) -> None:
    """Refuse a model path that cannot be opened.

    Raises:
        EdgeqError: EQ0201.
    """
    _check_file(path, "EQ0201", "the model file cannot be read", "an .onnx file")


def check_data_file(path: Path | None) -> None:
    """Refuse a data path that cannot be opened; no path is fine.

    Raises:
        EdgeqError: EQ0110.
    """
    if path is not None:
        _check_file(path, "EQ0110", "the data file cannot be read", "a .npz file of numpy arrays")


def check_board(name: str) -> None:
    """Refuse a board that does not exist or whose file is wrong.

    Raises:
        EdgeqError: EQ0180 to EQ0186.
    """
    from edgeq.target import load_board

    load_board(name)


def _check_file(path: Path, code: str, what: str, allowed: str) -> None:
    try:
        open_regular(path).close()
    except (OSError, ValueError) as error:
        raise EdgeqError(code, what, where=str(path), got=reason_of(error), allowed=allowed) from error
