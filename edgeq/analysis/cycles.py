"""Cycles by class of instruction: ``targets/cycles.json``, from Arm's published timings, to rank kernels by.

Nothing of it is shown: ``targets/README.md`` says how far off it is.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Final

from edgeq.resources import targets_dir
from edgeq.runners.base import CLASSES, Counts

_WORD: Final = 4


def cycles_of(counts: Counts, target: str) -> float | None:
    """About the cycles of counted instructions; None where no timings of the processor are known.

    Loads and stores of several words take one more for each further word; those of vectors are counted with these.

    Args:
        counts: what was executed.
        target: the processor's name.
    """
    costs = _costs().get(target)
    if costs is None:
        return None
    by_class = counts.named()
    found = sum(costs[name] * by_class[name] for name in CLASSES)
    if by_class["vector"]:
        return found
    loaded, stored = counts.read_bytes / _WORD, counts.written_bytes / _WORD
    return found + max(loaded - by_class["load"], 0) + max(stored - by_class["store"], 0)


@cache
def _costs() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads((targets_dir() / "cycles.json").read_text("utf-8"))
    return found
