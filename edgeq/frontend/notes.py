"""What the import wants its user to know, gathered while it runs.

The frontend's rules log a warning where they change what a model says; a log reaches nobody, a note stands in the
compilation's result.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGER = logging.getLogger("edgeq.frontend")


class _Notes(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.getMessage())


@contextmanager
def gathered() -> Iterator[list[str]]:
    """The list that receives the frontend's warnings while the block runs, each once."""
    handler = _Notes()
    _LOGGER.addHandler(handler)
    propagate, _LOGGER.propagate = _LOGGER.propagate, False
    notes: list[str] = []
    try:
        yield notes
    finally:
        _LOGGER.propagate = propagate
        _LOGGER.removeHandler(handler)
        notes += dict.fromkeys(handler.found)
