"""Where the data folders live: ``targets/``, ``boards/``, ``runtime_c/``, ``examples/``.

In a checkout they stand beside the package; a wheel carries them inside it, under ``edgeq/_data``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def data_root() -> Path:
    """The folder that holds ``targets/``, ``boards/`` and ``runtime_c/``.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "_data", package.parent):
        if (candidate / "targets").is_dir() and (candidate / "boards").is_dir():
            return candidate
    raise FileNotFoundError(f"edgeq's data folders are missing beside {package.name}/: reinstall edgeq")


def targets_dir() -> Path:
    """The folder of the ``*.toml`` target files."""
    return data_root() / "targets"


def boards_dir() -> Path:
    """The folder with one sub-folder a board, and ``common/``."""
    return data_root() / "boards"


def runtime_dir() -> Path:
    """The folder of the C runtime: ``include/ kernels/ arch/ port/``."""
    return data_root() / "runtime_c"
