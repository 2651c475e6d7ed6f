"""Temporary folders that go away: at the end of the block, at the end of edgeq, or when the next edgeq starts.

The process that made a folder keeps it locked (flock). A process that is killed with SIGKILL cannot remove its folders;
the next edgeq of the same user removes those whose process is gone and whose lock is free (see ``names.py``).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeq import signals
from edgeq.errors import EdgeqError
from edgeq.writing.lock import lock_now, open_folder
from edgeq.writing.names import fresh_name, stale_entries
from edgeq.writing.problems import disk_problem

_OPEN: dict[tuple[int, Path], int] = {}
"""By process and path the descriptor that holds the lock: a forked process has none of its own."""
_SWEPT: set[tuple[int, Path]] = set()


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """A fresh folder below the system's temporary folder, for this user alone; removed after the block.

    Args:
        purpose: a word of lower-case letters for its name, ``qemu``.

    Raises:
        EdgeqError: EQ0120 the disk is full.
    """
    with signals.shield():
        path = make_scratch(purpose)
    try:
        yield path
    finally:
        with signals.shield():
            remove_folder(path)


def make_scratch(purpose: str) -> Path:
    """A folder as of :func:`scratch_folder` that stays until :func:`remove_scratch`.

    Raises:
        EdgeqError: EQ0120 the disk is full.
    """
    sweep_scratch()
    try:
        path = Path(tempfile.gettempdir()) / fresh_name(purpose)
        make_folder(path, 0o700)
    except FileNotFoundError as error:
        # What Python says when it cannot write into any of the usual folders: a full disk, as a rule.
        raise EdgeqError(
            "EQ0120",
            "no folder for temporary files can be written",
            got=error.strerror,
            hint="free some space, or let TMPDIR name a folder that can be written",
        ) from error
    except OSError as error:
        problem = disk_problem(error)
        raise problem or error from error
    return path


def make_folder(path: Path, mode: int) -> None:
    """Make a folder, lock it, and remember it for :func:`remove_scratch`.

    Raises:
        OSError: it cannot be made.
    """
    path.mkdir(mode=mode)
    _OPEN[os.getpid(), path] = descriptor = open_folder(path)
    lock_now(descriptor)


def remove_folder(path: Path) -> None:
    """Remove a folder of :func:`make_folder`, unless it was forgotten."""
    if (os.getpid(), path) in _OPEN:
        shutil.rmtree(path, ignore_errors=True)
        forget_folder(path)


def forget_folder(path: Path) -> None:
    """Unlock a folder of :func:`make_folder` and leave it."""
    descriptor = _OPEN.pop((os.getpid(), path), None)
    if descriptor is not None:
        os.close(descriptor)


def remove_scratch() -> None:
    """Remove every folder that this process still has, for the end of the process."""
    for process, path in list(_OPEN):
        if process == os.getpid():
            remove_folder(path)


def sweep_scratch() -> None:
    """Remove what killed processes of this user left behind, once in a process."""
    try:
        base = Path(tempfile.gettempdir())
    except FileNotFoundError:
        return
    key = (os.getpid(), base)
    if key in _SWEPT:
        return
    _SWEPT.add(key)
    for path in stale_entries(base, "", "", purpose=True):
        try:
            descriptor = open_folder(path)
        except OSError:
            continue
        try:
            if lock_now(descriptor):
                shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(descriptor)
