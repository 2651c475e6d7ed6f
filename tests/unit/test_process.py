"""Programs that edgeq starts: limits of time, memory and disk, and nothing that outlives them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import alive, within

from edgeq.guard import MARK
from edgeq.process import Stopped, run_program, started

SH = "/bin/sh"


def shell(script: str, seconds: float = 20, **options: object) -> object:
    return run_program([SH, "-c", script], timeout_seconds=seconds, **options)  # type: ignore[arg-type]


def test_texts_and_code_come_back(tmp_path: Path) -> None:
    done = run_program([SH, "-c", "echo out; echo err >&2; exit 3"], timeout_seconds=20, apart=True)
    assert (done.code, done.text, done.errors) == (3, "out\n", "err\n")
    done = run_program([SH, "-c", "echo out; echo err >&2"], timeout_seconds=20)
    assert (done.code, done.text, done.errors) == (0, "out\nerr\n", "")
    done = run_program([SH, "-c", "echo out; echo err >&2"], timeout_seconds=20, stdout=tmp_path / "file")
    assert (done.text, (tmp_path / "file").read_text()) == ("err\n", "out\n")


def test_signal_is_a_negative_code() -> None:
    assert run_program([SH, "-c", "kill -SEGV $$"], timeout_seconds=20).code == -signal.SIGSEGV


def test_missing_program_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        run_program(["/nowhere/gcc"], timeout_seconds=20)


def test_time_is_limited_for_grandchildren_too(tmp_path: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(Stopped, match="did not end within") as stopped:
        shell(f"sleep 60 & echo $! > {tmp_path}/pid; echo so far; wait", 0.5)
    assert stopped.value.time
    assert "so far" in stopped.value.text
    assert time.monotonic() - begin < 10
    assert within(5, lambda: not alive(int((tmp_path / "pid").read_text())))


@pytest.mark.parametrize("where", ["", " >&2"])
def test_endless_talk_is_stopped(where: str) -> None:
    with pytest.raises(Stopped, match="printed more than") as stopped:
        shell(f"yes{where}", 60)
    assert not stopped.value.time
    assert len(stopped.value.text) < 1 << 20


def test_endless_file_is_stopped(tmp_path: Path) -> None:
    # The limit comes right after the start; what is written before does not count.
    script = "while [ $(ulimit -f) = unlimited ]; do :; done; exec yes"
    done = run_program([SH, "-c", script], timeout_seconds=60, stdout=tmp_path / "out", file_bytes=1 << 20)
    assert done.code == -signal.SIGXFSZ
    assert (tmp_path / "out").stat().st_size <= 1 << 20


def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    begin = time.monotonic()
    done = run_program([SH, "-c", f"sleep 60 & echo $! > {tmp_path}/pid"], timeout_seconds=30)
    assert done.code == 0
    assert time.monotonic() - begin < 10
    assert within(5, lambda: not alive(int((tmp_path / "pid").read_text())))


def test_temporary_files_of_programs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = run_program([SH, "-c", 'echo x > "$TMPDIR/cc.s"; echo x > here; pwd'], timeout_seconds=20)
    assert Path(done.text.strip()).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_block_that_fails_ends_its_program() -> None:
    process = 0
    sleep = ["sleep", "60"]
    with pytest.raises(ZeroDivisionError), started(sleep, cwd=Path("/")) as child:  # noqa: PT012 - the block fails
        process = child.pid
        raise ZeroDivisionError
    assert not alive(process)


def test_program_speaks_english_and_is_marked() -> None:
    done = run_program([SH, "-c", f"echo $LC_ALL ${MARK}"], timeout_seconds=20)
    language, mark = done.text.split()
    assert language == "C.UTF-8"
    assert len(mark) == 32


KILLED = """
import sys
from pathlib import Path
from edgeq.process import run_program
run_program(["/bin/sh", "-c", "sleep 61 & echo $! $$ > " + sys.argv[1] + "; wait"], timeout_seconds=100)
"""


def test_killed_edgeq_takes_its_programs_along(tmp_path: Path, root: Path) -> None:
    """SIGKILL leaves no time for anything; the guard ends the program and what the program started."""
    note = tmp_path / "pids"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(note)], env={**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}
    ) as process:
        assert within(20, lambda: note.exists() and bool(note.read_text().strip()))
        process.kill()
    pids = [int(word) for word in note.read_text().split()]
    assert len(pids) == 2
    assert within(10, lambda: not any(map(alive, pids)))
    # Its temporary folder goes when the next one starts.
    assert [path.name.split("-")[:2] for path in tmp_path.iterdir() if path.is_dir()] == [["edgeq", "run"]]
    code = "import edgeq.process as p; p.run_program(['true'], timeout_seconds=9)"
    environment = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
