"""A file that is there whole or not at all: written beside its place under another name, then renamed."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from edgeq import signals
from edgeq.writing.lock import lock_now
from edgeq.writing.names import fresh_name, stale_entries


def write_whole(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write a file in one step, replacing an old one; its mode follows the umask.

    A symbolic link at `path` is replaced, not followed. What a killed edgeq left beside the file is removed: regular
    files of this user, of the name that this function gives, without a lock.

    Args:
        path: the file; its folder exists.
        data: the contents.
        mode: permission bits before the umask.

    Raises:
        OSError: the file cannot be written; an old one is as it was.
    """
    _sweep(path)
    part = path.with_name(f".{path.name}.{fresh_name()}.part")
    with signals.shield():
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                lock_now(file.fileno())
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise


def _sweep(path: Path) -> None:
    for stale in stale_entries(path.parent, f".{path.name}.", ".part"):
        with contextlib.suppress(OSError):
            descriptor = os.open(stale, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if stat.S_ISREG(os.fstat(descriptor).st_mode) and lock_now(descriptor):
                    stale.unlink()
            finally:
                os.close(descriptor)
