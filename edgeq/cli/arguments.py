"""Arguments are checked before anything heavy is imported, all of them, so that a typing error costs no waiting."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edgeq.errors import EdgeqError, Problem
from edgeq.files import open_regular, reason_of

_BLOCK_BYTES: Final = 1 << 20
# Files beyond this are refused by the reader whatever they hold.
_SCANNED_BYTES: Final = 1 << 31
# A part of the name of every operator that makes a model a quantized one.
_QUANTIZED: Final = (b"uantizeLinear", b"QLinear", b"ConvInteger")
_LONGEST_WORD: Final = 32


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


def check_data_given(model: Path, data: Path | None) -> None:
    """Refuse a float model without calibration data, before the compiler is imported.

    A file without any of the words that quantized models are made of is read, which says whether it is a model at all.

    Raises:
        EdgeqError: EQ0106; what reading the model raises.
    """
    if data is not None:
        return
    try:
        with open_regular(model) as file:
            if os.fstat(file.fileno()).st_size > _SCANNED_BYTES:
                return
            before, quantized = b"", False
            while (block := file.read(_BLOCK_BYTES)) and not quantized:
                quantized = any(word in before + block for word in _QUANTIZED)
                before = block[-_LONGEST_WORD:]
    except (OSError, ValueError):
        return  # check_model_file says why
    if quantized:
        return
    from edgeq.onnxio import read_model

    read_model(model)
    raise EdgeqError(
        "EQ0106",
        "a float model needs calibration data",
        where=str(model),
        hint="pass --data CALIB.npz with a few hundred typical inputs under the key x",
    )


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
