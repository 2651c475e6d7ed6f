"""Renaming in one step what Python's ``os`` cannot: exchanging two entries, and never replacing one.

Linux's renameat2 does both, through the C library. Where the C library or the file system lacks it (some network
and FUSE file systems, other systems), callers fall back on plain renames and say so.
"""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache
from pathlib import Path
from typing import Any, Final

_AT_FDCWD: Final = -100
_NOREPLACE: Final = 1
_EXCHANGE: Final = 2
_LACKING: Final = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}


@cache
def _renameat2() -> Any:  # noqa: ANN401 - a foreign function
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return function


def exchange(one: Path, other: Path) -> bool:
    """Let two entries take each other's place, in one step.

    Returns:
        False where the system cannot, and nothing has happened.

    Raises:
        OSError: one of them does not exist, or may not be renamed.
    """
    return _rename(one, other, _EXCHANGE)


def rename_new(source: Path, target: Path) -> None:
    """Rename an entry to a name that is free.

    Where the system cannot refuse a taken name in the same step, the name is looked up before.

    Raises:
        FileExistsError: the name is taken.
        OSError: it may not be renamed.
    """
    if _rename(source, target, _NOREPLACE):
        return
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    source.rename(target)


def _rename(source: Path, target: Path, flags: int) -> bool:
    function = _renameat2()
    if function is None:
        return False
    if function(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags) == 0:
        return True
    number = ctypes.get_errno()
    if number in _LACKING:
        return False
    raise OSError(number, os.strerror(number), str(source), None, str(target))
