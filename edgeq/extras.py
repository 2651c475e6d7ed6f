"""The optional parts of edgeq: which packages each brings, and what to say where they are missing."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final

from edgeq.errors import EdgeqError

# Extra of pyproject.toml → the modules that it brings.
EXTRAS: Final = {
    "solver": ("ortools",),
    "tflite": ("ai_edge_litert", "flatbuffers", "tflite"),
    "tvm": ("tvm",),
}

# What pip installs for an extra; equal to pyproject.toml. Hints name these: no index has edgeq itself.
REQUIREMENTS: Final = {
    "flash": ("pyocd>=0.36,<1",),
    "solver": ("ortools>=9.15,<10",),
    "tflite": ("ai-edge-litert>=2.1,<3", "tflite>=2.18,<3", "flatbuffers>=25.2"),
    "tvm": ("apache-tvm==0.27.0.post1",),
}


def install_command(extra: str) -> str:
    """The command that installs the packages of an extra, to be copied into a shell."""
    return shlex.join(["pip", "install", *REQUIREMENTS[extra]])


def missing(extra: str) -> tuple[str, ...]:
    """The modules of an extra that are not installed; nothing is imported."""
    return tuple(module for module in EXTRAS[extra] if find_spec(module) is None)


def require(extra: str) -> None:
    """Make sure that an extra is installed.

    Raises:
        EdgeqError: EQ0530 with the command that installs it.
    """
    absent = missing(extra)
    if absent:
        raise not_installed(extra, absent)


def not_installed(extra: str, absent: Sequence[str]) -> EdgeqError:
    """The error for modules of an extra that are not there, EQ0530."""
    return EdgeqError(
        "EQ0530",
        f"the optional part `{extra}` is not installed",
        got=f"no Python package {', '.join(absent)}",
        hint=install_command(extra),
    )
