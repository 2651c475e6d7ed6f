"""Names that are free in a graph."""

from __future__ import annotations


def fresh_name(base: str, taken: set[str]) -> str:
    """``base``, or ``base.1``, ``base.2``, … where that is taken; it is taken from now on."""
    name, number = base, 1
    while name in taken:
        name, number = f"{base}.{number}", number + 1
    taken.add(name)
    return name
