"""SIGINT, SIGTERM and SIGHUP end edgeq at once, with everything that it has started and every temporary folder.

SIGTERM and SIGHUP left gcc, QEMU and temporary folders behind, and Ctrl-C waited for a gcc that hung.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from processes import alive, within

from edgeq.errors import EXIT_HUNG_UP, EXIT_INTERRUPTED, EXIT_TERMINATED

EXIT_CODES = {
    signal.SIGHUP: EXIT_HUNG_UP,
    signal.SIGINT: EXIT_INTERRUPTED,
    signal.SIGTERM: EXIT_TERMINATED,
}
WORDS = {signal.SIGHUP: "hung up", signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
# A program that hangs with a child of its own, and leaves a file where compilers put theirs.
HANGS = 'echo x > "$TMPDIR/cc.s"; sleep 97 & echo $! $$ > {pids}; wait'
PROGRAMS = {
    "gcc": "case $1 in -dump*) echo 12.2.1;; *) {hang};; esac",
    "qemu-system-arm": "{hang}",
}


@dataclass(frozen=True)
class Place:
    """A working folder with programs of its own.

    Attributes:
        folder: where edgeq runs.
        pids: where a hanging program tells its number and its child's.
        environment: for edgeq.
    """

    folder: Path
    pids: Path
    environment: dict[str, str]

    @property
    def temporary(self) -> Path:
        """The folder for temporary files."""
        return Path(self.environment["TMPDIR"])


@pytest.fixture
def place(tmp_path: Path, root: Path) -> Place:
    programs, temporary, folder = (tmp_path / name for name in ("bin", "tmp", "work"))
    for path in (programs, temporary, folder):
        path.mkdir()
    pids = tmp_path / "pids"
    for name, script in PROGRAMS.items():
        path = programs / name
        path.write_text("#!/bin/sh\n" + script.format(hang=HANGS.format(pids=pids)) + "\n")
        path.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(root),
        "TMPDIR": str(temporary),
    }
    return Place(folder, pids, environment)


def start(place: Place, arguments: list[str]) -> subprocess.Popen[str]:
    """Start edgeq and wait until its program hangs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edgeq", *arguments],
        cwd=place.folder,
        env=place.environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert within(60, lambda: place.pids.exists() and len(place.pids.read_text().split()) == 2)
    return process


@pytest.fixture
def arguments(compiled_example: Callable[..., Path], example: Any) -> dict[str, list[str]]:
    model = str(compiled_example() / "model.qdq.onnx")
    return {
        "gcc": ["compile", model, "--board", "native", "-o", "out"],
        "qemu-system-arm": ["emulate", str(compiled_example())],
    }


@pytest.mark.parametrize("number", EXIT_CODES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_signal_ends_everything_at_once(
    program: str, number: signal.Signals, place: Place, arguments: dict[str, list[str]]
) -> None:
    with start(place, arguments[program]) as process:
        pids = [int(word) for word in place.pids.read_text().split()]
        begin = time.monotonic()
        process.send_signal(number)
        assert process.stderr is not None
        said = process.stderr.read()
    assert time.monotonic() - begin < 10
    assert process.returncode == EXIT_CODES[number]
    assert said.endswith(f"{WORDS[number]}\n")
    assert "Traceback" not in said
    assert within(5, lambda: not any(map(alive, pids)))
    assert list(place.temporary.iterdir()) == []
    assert list(place.folder.iterdir()) == []


def test_second_signal_does_not_cut_the_first_one_short(place: Place, arguments: dict[str, list[str]]) -> None:
    with start(place, arguments["gcc"]) as process:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process.send_signal(number)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert process.returncode in EXIT_CODES.values()
    assert list(place.temporary.iterdir()) == []
    assert list(place.folder.iterdir()) == []


def test_ignored_hang_up_stays_ignored(place: Place, arguments: dict[str, list[str]]) -> None:
    """As under nohup."""
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start(place, arguments["gcc"])
    finally:
        signal.signal(signal.SIGHUP, old)
    with process:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 143


def test_killed_edgeq_leaves_what_the_next_one_removes(place: Place, arguments: dict[str, list[str]]) -> None:
    with start(place, arguments["gcc"]) as process:
        process.kill()
    pids = [int(word) for word in place.pids.read_text().split()]
    assert within(10, lambda: not any(map(alive, pids)))
    done = subprocess.run(
        [sys.executable, "-m", "edgeq", *arguments["gcc"]],
        cwd=place.folder,
        env={**place.environment, "PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(place.temporary.iterdir()) == []
    assert [path.name for path in place.folder.iterdir()] == ["out"]
