"""Notes and warnings: problems that do not stop a command, gathered where they are found.

Any function below the pipeline may call :func:`note` or :func:`warn`; who runs it gathers them with :func:`gathered`.
They do not pass through the logging module: its levels and handlers belong to the program that calls edgeq, and a root
logger set to ERROR must not lose a warning about the user's model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Unpack

from edgeq.errors import Facts, Problem

_GATHERING: Final[ContextVar[list[Problem] | None]] = ContextVar("edgeq.notes", default=None)


def note(code: str, what: str, **facts: Unpack[Facts]) -> None:
    """Tell the user something that needs no action."""
    tell(Problem.of(code, what, "note", **facts))


def warn(code: str, what: str, **facts: Unpack[Facts]) -> None:
    """Tell the user of something that is probably wrong, but does not stop the command."""
    tell(Problem.of(code, what, "warning", **facts))


def tell(*problems: Problem) -> None:
    """Add notes that exist already to the list that is being gathered, each once; without such a list they are lost."""
    found = _GATHERING.get()
    if found is not None:
        found += [problem for problem in dict.fromkeys(problems) if problem not in found]


def current() -> tuple[Problem, ...]:
    """What has been gathered so far by the innermost block."""
    return tuple(_GATHERING.get() or ())


@contextmanager
def gathered(into: list[Problem] | None = None) -> Iterator[list[Problem]]:
    """The list that receives every note and warning given while the block runs, each once.

    Where the block fails, what was found goes to the block around it: it may explain the failure.

    Args:
        into: the list to use; a new one by default.
    """
    found = [] if into is None else into
    token = _GATHERING.set(found)
    failed = True
    try:
        yield found
        failed = False
    finally:
        _GATHERING.reset(token)
        if failed:
            tell(*found)
