"""Standard output and error: a reader that leaves, a disk that is full, a terminal that is gone are no tracebacks."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Final

from edgeq.errors import EXIT_OK, EXIT_USAGE

_STREAMS: Final = ("stdout", "stderr")


class _Lasting(io.FileIO):
    """A descriptor whose reader may leave: what comes after that is dropped, and the command does its work."""

    def write(self, data: object, /) -> int:
        """Write, or drop where the reader of a pipe has left."""
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            return len(memoryview(data))  # type: ignore[arg-type]


def guard_streams() -> None:
    """Let ``edgeq ... | head -1`` end well, and show escapes for characters that a terminal does not have."""
    for name in _STREAMS:
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue
        raw = _Lasting(stream.fileno(), "wb", closefd=False)
        # Standard error is written at once, as Python's own is; errors must not wait in a buffer.
        lasting = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=stream.line_buffering or name == "stderr",
            write_through=name == "stderr",
        )
        stream.flush()
        setattr(sys, name, lasting)


def flush_output(code: int) -> int:
    """Write what is buffered.

    Returns:
        `code`, or that of wrong usage where output that was asked for cannot be written (a full disk).
    """
    for name in _STREAMS:
        stream = getattr(sys, name)
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            _silence(stream)
            say_last(f"EQ0120: standard {name[3:]}put cannot be written: {getattr(error, 'strerror', error)}")
            code = code if code != EXIT_OK else EXIT_USAGE
    return code


def say_last(text: str) -> None:
    """A line on standard error, if anybody is left to read it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def _silence(stream: io.TextIOWrapper) -> None:
    """Drop what a broken stream holds, or Python tries again at its end and complains."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        stream.flush()
