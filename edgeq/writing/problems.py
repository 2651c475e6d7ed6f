"""What the operating system says when nothing more can be written, as an error of edgeq."""

from __future__ import annotations

import errno
import os
from typing import Final

from edgeq.errors import EdgeqError

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_UNUSABLE: Final = {errno.EROFS, errno.EIO}
NO_SPACE: Final = "No space left on device"


def disk_problem(error: OSError) -> EdgeqError | None:
    """The error for a disk that is full (also a quota or a limit of file sizes), read-only or broken; None otherwise.

    Returns:
        An EdgeqError with the code EQ0120.
    """
    if error.errno not in _FULL | _UNUSABLE or error.strerror != os.strerror(error.errno):
        return None  # the second: an error of edgeq's own readers, in its own words
    full = error.errno in _FULL
    return EdgeqError(
        "EQ0120",
        "the disk is full" if full else "the disk cannot be written",
        where=str(error.filename) if error.filename else None,
        got=error.strerror,
        hint="free some space; temporary files go to TMPDIR, results beside the output" if full else None,
    )
