"""Standard output and error: a reader that leaves, a full disk or a closed descriptor is no traceback.

A descriptor below 3 that is closed would be given to the next file that is opened, and what is printed would go there.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Final

from edgeq.errors import EXIT_OK, EXIT_USAGE

_STREAMS: Final = {"stdin": 0, "stdout": 1, "stderr": 2}


class _Lasting(io.FileIO):
    """A descriptor that takes what is written even where that leads nowhere: the command does its work.

    Attributes:
        failure: why something was lost, other than by a reader that left.
    """

    failure: OSError | None = None

    def write(self, data: object, /) -> int:
        """Write, or drop."""
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            pass
        except OSError as error:
            self.failure = error
        return memoryview(data).nbytes  # type: ignore[arg-type]


_LASTING: Final[dict[str, _Lasting]] = {}


def guard_streams() -> None:
    """Let ``edgeq ... | head -1`` end well, and show escapes for characters that a terminal does not have."""
    for number in _STREAMS.values():
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor, which is this one
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, io.TextIOWrapper):
            continue  # a caller's own
        raw = _LASTING[name] = _Lasting(_STREAMS[name] if stream is None else stream.fileno(), "wb", closefd=False)
        # Standard error is written at once, as Python's own is; errors must not wait in a buffer.
        lasting = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding="utf-8" if stream is None else stream.encoding,
            errors="backslashreplace",
            line_buffering=name == "stderr" or (stream is not None and stream.line_buffering),
            write_through=name == "stderr",
        )
        setattr(sys, name, lasting)


def flush_output(code: int) -> int:
    """Write what is buffered.

    Returns:
        `code`, or that of wrong usage where output that was asked for could not be written (a full disk).
    """
    for name in ("stdout", "stderr"):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            getattr(sys, name).flush()
    failure = _LASTING["stdout"].failure if "stdout" in _LASTING else None
    if failure is None:
        return code
    say_last(f"EQ0120: standard output cannot be written\n  got:     {failure.strerror}")
    return code if code != EXIT_OK else EXIT_USAGE


def say_last(text: str) -> None:
    """A line on standard error, if anybody is left to read it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
