"""What one command may use: memory, time and bytes of input.

A command makes one :class:`Budget` and runs inside ``with budget.active()``. Code that is about to allocate asks
:func:`need`, loops call :func:`tick`, readers call :func:`take`; outside of a command these allow everything. The
budget travels in a context variable: it belongs to the whole call, as a deadline does, and not to a function's result.

Memory is bounded twice: by what a step states that it needs, before it begins, and by the growth of the process since
the command began. Libraries that run in C++ are stopped only between two of their calls.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final

from edgeq.errors import EdgeqError

MEMORY_BYTES: Final = 768 << 20
MEMORY_PER_MODEL_BYTE: Final = 16  # added for what the model file itself holds
SECONDS: Final = 1800.0
READ_BYTES: Final = 4 << 30
_STATM: Final = Path("/proc/self/statm")
_UNITS: Final = (("GiB", 30), ("MiB", 20), ("KiB", 10))


def _resident_bytes() -> int:
    """Memory of this process that is in RAM; 0 where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return 0
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


@dataclass
class Budget:
    """The limits of one command, and what of them is used.

    Attributes:
        memory_bytes: by how much the process may grow; None means the default, which follows the model file's size.
        seconds: wall-clock time from the creation of the budget on.
        read_bytes: bytes of input, expanded where they are compressed.
    """

    memory_bytes: int | None = None
    seconds: float = SECONDS
    read_bytes: int = READ_BYTES
    _began: float = field(default_factory=monotonic, repr=False)
    _resident: int = field(default_factory=_resident_bytes, repr=False)
    _taken: int = field(default=0, repr=False)
    _model_bytes: int = field(default=0, repr=False)

    @contextmanager
    def active(self) -> Iterator[Budget]:
        """Make this the budget of everything inside the ``with`` block."""
        token = _CURRENT.set(self)
        try:
            yield self
        finally:
            _CURRENT.reset(token)

    @property
    def memory(self) -> int:
        """Bytes by which the process may grow."""
        if self.memory_bytes is not None:
            return self.memory_bytes
        return MEMORY_BYTES + MEMORY_PER_MODEL_BYTE * self._model_bytes

    def take_model(self, size_bytes: int, where: str) -> None:
        """Count the bytes of a model file; the default of the memory grows with them.

        Raises:
            EdgeqError: EQ0246.
        """
        self.take(size_bytes, where)
        self._model_bytes = max(self._model_bytes, size_bytes)

    def need(self, size_bytes: int, what: str, where: str | None = None) -> None:
        """Refuse a step that needs more memory than the budget has.

        Raises:
            EdgeqError: EQ0244.
        """
        if size_bytes > self.memory:
            raise _over_memory(what, shown_bytes(size_bytes), self.memory, where)

    def take(self, size_bytes: int, where: str) -> None:
        """Count bytes of input.

        Raises:
            EdgeqError: EQ0246.
        """
        self._taken += size_bytes
        if self._taken > self.read_bytes:
            raise EdgeqError(
                "EQ0246",
                "the command reads more input than it may",
                where=where,
                got=f"{shown_bytes(self._taken)} or more",
                allowed=shown_bytes(self.read_bytes),
                hint="raise --max-read, or give fewer samples: a few hundred are enough for calibration",
            )

    def tick(self, where: str | None = None) -> None:
        """Refuse to go on when time is up or the process has grown too far.

        Raises:
            EdgeqError: EQ0245 time, EQ0244 memory.
        """
        used = monotonic() - self._began
        if used > self.seconds:
            raise EdgeqError(
                "EQ0245",
                "the command takes longer than it may",
                where=where,
                got=f"{used:.0f} s",
                allowed=f"{self.seconds:g} s",
                hint="raise --max-seconds, or use a smaller model or less data",
            )
        grown = _resident_bytes() - self._resident
        if grown > self.memory:
            raise _over_memory("the command", shown_bytes(grown), self.memory, where)


_CURRENT: Final[ContextVar[Budget | None]] = ContextVar("edgeq.budget", default=None)


@contextmanager
def ensured() -> Iterator[Budget]:
    """The active budget, or a new one with the defaults for the ``with`` block."""
    found = _CURRENT.get()
    if found is not None:
        yield found
        return
    with Budget().active() as fresh:
        yield fresh


def need(size_bytes: int, what: str, where: str | None = None) -> None:
    """:meth:`Budget.need` of the active budget."""
    found = _CURRENT.get()
    if found is not None:
        found.need(size_bytes, what, where)


def take(size_bytes: int, where: str) -> None:
    """:meth:`Budget.take` of the active budget."""
    found = _CURRENT.get()
    if found is not None:
        found.take(size_bytes, where)


def take_model(size_bytes: int, where: str) -> None:
    """:meth:`Budget.take_model` of the active budget."""
    found = _CURRENT.get()
    if found is not None:
        found.take_model(size_bytes, where)


def tick(where: str | None = None) -> None:
    """:meth:`Budget.tick` of the active budget."""
    found = _CURRENT.get()
    if found is not None:
        found.tick(where)


def shown_bytes(size_bytes: int) -> str:
    """A size with three significant digits, ``1.25 GiB``."""
    for unit, shift in _UNITS:
        if size_bytes >= 1 << shift:
            return f"{size_bytes / (1 << shift):.3g} {unit}"
    return f"{size_bytes} bytes"


def _over_memory(what: str, got: str, allowed: int, where: str | None) -> EdgeqError:
    return EdgeqError(
        "EQ0244",
        f"{what} needs more memory than it may",
        where=where,
        got=got,
        allowed=shown_bytes(allowed),
        hint="raise --max-memory, or use a smaller model",
    )
