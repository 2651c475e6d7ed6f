"""Reads files that users name: regular files only, and never more bytes than the caller allows.

A path from outside may be a named pipe that nobody writes to, a device without end, a socket, or a file that grows
while it is read. Every reader of edgeq comes through here, so that none of them waits or fills the memory.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import struct
import tokenize
import zipfile
import zlib
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

# What the standard library and numpy raise on damaged contents. A reader turns all of it into its own error code.
DAMAGE: Final[tuple[type[Exception], ...]] = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,  # RecursionError and NotImplementedError are RuntimeErrors
    SyntaxError,
    TypeError,
    ValueError,  # UnicodeDecodeError and JSONDecodeError are ValueErrors
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
MAX_JSON_BYTES: Final = 32 << 20  # parsed JSON takes up to 20 times its text
MAX_TOML_BYTES: Final = 1 << 20

_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_LONGEST_REASON: Final = 200


class FileRefusedError(OSError):
    """A path that names no regular file; ``strerror`` says what it is."""


class FileTooLargeError(OSError):
    """A file that is larger than its reader allows; ``strerror`` has the sizes."""


def open_regular(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a regular file for reading, without waiting for a writer.

    Raises:
        FileRefusedError: the path names a folder, a pipe, a device or a socket.
        OSError: it does not exist or may not be read.
        ValueError: the path holds a null character.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        if error.errno == errno.ENXIO:  # what opening a socket answers
            raise FileRefusedError(errno.EINVAL, "it is a socket, not a regular file") from error
        raise
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = next((name for test, name in _KINDS if test(mode)), "something else")
        raise FileRefusedError(errno.EINVAL, f"it is {kind}, not a regular file")
    return os.fdopen(handle, "rb")


def read_limited(path: str | os.PathLike[str], limit: int) -> bytes:
    """The contents of a regular file of at most ``limit`` bytes.

    Raises:
        FileRefusedError: it is no regular file.
        FileTooLargeError: it is larger.
        OSError: it cannot be read.
        ValueError: the path holds a null character.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(limit + 1) if size <= limit else b""
    if size > limit or len(data) > limit:
        raise FileTooLargeError(errno.EFBIG, f"it has {max(size, len(data))} bytes or more; {limit} are allowed")
    return data


def below(folder: str, name: str) -> str:
    """A file's path below a folder that may be the top, which has no name."""
    return f"{folder}/{name}" if folder else name


def read_json(path: Path) -> Any:  # noqa: ANN401 - any JSON
    """The value that a JSON file holds.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger than :data:`MAX_JSON_BYTES`.
        ValueError: it is not JSON, not UTF-8 or nested too deep.
    """
    try:
        return json.loads(read_limited(path, MAX_JSON_BYTES).decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def reason_of(error: BaseException) -> str:
    """Why reading failed, on one line and without Python's words for it.

    Args:
        error: one of :data:`DAMAGE`.
    """
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KeyError):
        return f"{error.args[0] if error.args else 'an entry'} is missing"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    text = " ".join(str(error).split())
    text = text if text.isprintable() else ascii(text)[1:-1]
    if not text:
        return "it is damaged"
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "…"
