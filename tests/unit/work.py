"""How much work a call does, as a number that is the same on every computer: the Python functions that it enters."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType


def calls_of(action: Callable[[], object]) -> int:
    """The number of Python and C functions called while an action runs."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


def is_linear(prepare: Callable[[int], Callable[[], object]], sizes: tuple[int, int] = (100, 400)) -> bool:
    """Whether the work of an action grows no faster than its size, 15 % apart.

    Args:
        prepare: makes the action for a size.
        sizes: the two sizes compared; a quadratic action needs 16 times the work for 4 times the size.
    """
    small, large = (calls_of(prepare(size)) for size in sizes)
    return large <= 1.15 * small * sizes[1] / sizes[0]
