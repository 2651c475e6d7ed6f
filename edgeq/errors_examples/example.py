"""The form of an example."""

from __future__ import annotations

from typing import NamedTuple


class Example(NamedTuple):
    """What causes an error, and the same without the error."""

    wrong: str
    right: str
