"""What ends the programs of an edgeq that was killed.

SIGKILL leaves edgeq no time for that: a guard, a small shell that was started with the first child and waits for
the end of a pipe from edgeq, kills every process that carries this edgeq's mark in its environment. The kernel's own
parent-death signal (PR_SET_PDEATHSIG) was decided against: Python can set it only between fork and exec, and a fork of
a process with numpy's and onnxruntime's threads can hang in their fork handlers; besides it reaches gcc and not the
cc1 that gcc starts. The guard needs ``/proc``, hence Linux; elsewhere children survive a SIGKILL of edgeq.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import subprocess
import threading
from pathlib import Path
from typing import Final

MARK: Final = "EDGEQ_STARTED_BY"
# Three rounds, because a program may start another while the first round runs.
_GUARD: Final = """trap '' HUP INT TERM
PATH=/usr/bin:/bin
read word && exit
for round in 1 2 3; do
  for file in /proc/[0-9]*/environ; do
    if grep -qs -- "$1" "$file"; then process=${file#/proc/}; kill -9 "${process%/environ}"; fi
  done
done
"""


class _Guards:
    """The guard of this process, started with the first child; a forked process gets one of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._mark = ""
        self._guard: subprocess.Popen[bytes] | None = None

    def mark(self) -> str:
        """The mark of this process's children; starts the guard."""
        with self._lock:
            if self._owner != os.getpid():
                self._owner, self._mark = os.getpid(), secrets.token_hex(16)
                self._guard = self._start()
                atexit.register(self._leave)
            return self._mark

    def _start(self) -> subprocess.Popen[bytes] | None:
        if not Path("/proc/self/environ").exists():
            return None
        try:
            return subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "edgeq-guard", f"{MARK}={self._mark}"],
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            return None

    def _leave(self) -> None:
        """Let the guard go at the end of the process that started it."""
        guard = self._guard
        if guard is not None and self._owner == os.getpid() and guard.stdin is not None:
            with contextlib.suppress(OSError):
                guard.stdin.write(b"end\n")
                guard.stdin.close()
            guard.wait()


GUARDS: Final = _Guards()
