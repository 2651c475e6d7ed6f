"""The names of what edgeq writes aside: who made it stands in the name, so that a later process can tell what is stale.

The kernel drops the locks of a dead process, but a lock alone does not tell a stale entry from one that was made a
moment ago and is not locked yet; the process number does. It alone does not do either: containers may share a folder
without sharing process numbers. Whoever removes something asks for both.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_RANDOM_BYTES: Final = 8


@dataclass(frozen=True)
class Made:
    """An entry that some edgeq of this user made.

    Attributes:
        path: where it is.
        alive: a process of its maker's number runs.
    """

    path: Path
    alive: bool


def fresh_name(purpose: str = "") -> str:
    """``edgeq-PID-RANDOM``, or ``edgeq-PURPOSE-PID-RANDOM``; the purpose is a word of lower-case letters."""
    words = ["edgeq", purpose] if purpose else ["edgeq"]
    return "-".join([*words, str(os.getpid()), secrets.token_hex(_RANDOM_BYTES)])


def made_entries(folder: Path, before: str, after: str, *, purpose: bool = False) -> list[Made]:
    """Entries of this user whose name :func:`fresh_name` has made, sorted by name.

    Args:
        folder: where to look; one that cannot be read holds none.
        before: the name's beginning.
        after: its end.
        purpose: names with a purpose instead of those without.
    """
    word = "[a-z]+-" if purpose else ""
    name = re.compile(rf"{re.escape(before)}edgeq-{word}([0-9]+)-[0-9a-f]{{{2 * _RANDOM_BYTES}}}{re.escape(after)}")
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                match = name.fullmatch(entry.name)
                if match and entry.stat(follow_symlinks=False).st_uid == os.getuid():
                    found.append(Made(Path(entry.path), _alive(int(match[1]))))
    except OSError:
        return []
    return sorted(found, key=lambda made: made.path)


def stale_entries(folder: Path, before: str, after: str, *, purpose: bool = False) -> list[Path]:
    """Those of :func:`made_entries` whose process is gone."""
    return [made.path for made in made_entries(folder, before, after, purpose=purpose) if not made.alive]


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
