"""Starting other programs: found by name, run without a shell, under a time limit, their talk kept for messages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgeq.errors import EdgeqError

_TAIL_LINES: Final = 12


@dataclass(frozen=True)
class Tool:
    """A program that may be missing.

    Attributes:
        program: its name on the search path.
        code: the error when it is missing.
        purpose: what it is needed for, "to run an image".
        install: the command that installs it.
        other_names: names that do as well.
        of_python: it may also stand beside this Python, in an environment that is not activated.
    """

    program: str
    code: str
    purpose: str
    install: str
    other_names: tuple[str, ...] = ()
    of_python: bool = False

    def find(self) -> str | None:
        """The program's path, or None."""
        for name in (self.program, *self.other_names):
            found = shutil.which(name)
            if found is None and self.of_python:
                found = shutil.which(name, path=str(Path(sys.executable).parent))
            if found is not None:
                return found
        return None

    def reason(self) -> str | None:
        """None when the program is here, else why it cannot be used."""
        return None if self.find() else f"{self.program} is not installed ({self.install})"

    def need(self) -> str:
        """The program's path.

        Raises:
            EdgeqError: the tool's own code, it is missing.
        """
        found = self.find()
        if found is None:
            raise EdgeqError(
                self.code,
                f"{self.program} is needed {self.purpose} and is not installed",
                got="not found in PATH",
                hint=self.install,
            )
        return found


@dataclass(frozen=True)
class Finished:
    """A program that ended by itself: its exit code (negative: the signal), and all that it printed."""

    code: int
    text: str

    @property
    def tail(self) -> str:
        """The last lines that it printed."""
        return "\n".join(self.text.strip().splitlines()[-_TAIL_LINES:])


def run_program(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    timeout_seconds: float,
    stdin: Path | None = None,
    stdout: Path | None = None,
) -> Finished:
    """Run a program to its end.

    Args:
        command: the program's path and its arguments.
        cwd: its working folder.
        timeout_seconds: after this it is killed.
        stdin: a file that it reads; None: nothing.
        stdout: a file that it writes; None: kept with the talk on its standard error.

    Raises:
        subprocess.TimeoutExpired: it was killed.
    """
    talk = cwd / "talk.txt"
    with (
        talk.open("wb") as errors,
        (stdin or Path(os.devnull)).open("rb") as source,
        (stdout or talk).open("ab") as sink,
    ):
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            stdin=source,
            stdout=sink,
            stderr=sink if stdout is None else errors,
            timeout=timeout_seconds,
            check=False,
        )
    return Finished(done.returncode, talk.read_text(encoding="utf-8", errors="replace"))
