"""Locks between processes: flock on an open folder, which needs no lock file and is dropped when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edgeq import signals

_POLL_SECONDS: Final = 0.05


def open_folder(path: Path) -> int:
    """A descriptor of a folder, never through a symbolic link; children do not inherit it.

    Raises:
        OSError: there is no folder.
    """
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def lock_now(descriptor: int) -> bool:
    """Take the lock if it is free. On a file system without locks (some network ones) it counts as taken.

    Returns:
        False when another process, or another descriptor of this one, holds it.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def lock_within(descriptor: int, seconds: float, waiting: Callable[[], None] = lambda: None) -> bool:
    """Wait for the lock.

    Args:
        descriptor: of :func:`open_folder`.
        seconds: give up after this time.
        waiting: called once when the lock is not free at once.

    Returns:
        False when the time is up.
    """
    end = time.monotonic() + seconds
    told = False
    while not lock_now(descriptor):
        if not told:
            waiting()
            told = True
        if time.monotonic() >= end:
            return False
        signals.check()
        time.sleep(_POLL_SECONDS)
    return True
