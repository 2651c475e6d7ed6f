"""The part of the C runtime that one model needs: the headers that its kernels reach, first match in search order.

A bundle carries them flat in ``runtime/``, so that a user's project needs one include path and nothing of edgeq.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from edgeq.resources import runtime_dir

Isa = tuple[str, ...]
"""Instruction sets in the order in which a build searches ``runtime_c/arch``, ``("mve", "dsp", "generic")``."""
COMPACT: Final = "-compact"
"""Behind an instruction set, where estimates are for short loops and gcc's ``-Os``; where there are none, the others
serve."""

# Headers of one folder of arch/ name each other in angle brackets, so that the search order decides, not the neighbour.
_INCLUDE = re.compile(r'^\s*#\s*include\s+["<](eq_[^">]+)[">]', re.MULTILINE)


def runtime_headers(kernels: Iterable[str], isa: Isa) -> dict[str, bytes]:
    """File name → contents of every runtime header that the kernels include, directly or not.

    Raises:
        FileNotFoundError: a kernel or header is not part of this installation.
    """
    root = runtime_dir()
    folders = [root / "include", root / "kernels", *(root / "arch" / name for name in isa)]
    waiting = [f"{kernel}.h" for kernel in kernels] + ["eq_common.h"]
    found: dict[str, bytes] = {}
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = _first(folders, name).read_bytes()
        waiting += _INCLUDE.findall(found[name].decode("utf-8"))
    return dict(sorted(found.items()))


def _first(folders: list[Path], name: str) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{name} is not in the C runtime")
