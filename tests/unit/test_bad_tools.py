"""Tools that lie, hang or never stop, and full disks: each an error with a code, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeq.errors import EdgeqError
from edgeq.firmware import toolchain
from edgeq.firmware.toolchain import run_both
from edgeq.runners import counting
from edgeq.writing.problems import NO_SPACE

Run = Callable[..., subprocess.CompletedProcess[str]]

# What `gcc` does besides telling its version, and the error's code.
LIARS = {
    "makes nothing": ("exit 0", "EQ0528"),
    "makes an empty object": ('for word; do last=$word; done; : > "$last"', "EQ0528"),
    "prints without end": ("exec yes warning", "EQ0527"),
    "fails without a word": ("exit 3", "EQ0503"),
    "has no disk": (f"echo 'model.c: {NO_SPACE}' >&2; exit 1", "EQ0120"),
}


def fake(folder: Path, name: str, script: str) -> Path:
    """A program of that name."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\ncase $1 in -dump*) echo 12.2.1; exit;; esac\n{script}\n")
    path.chmod(0o755)
    return path


def compile_with(model: Path, programs: Path, folder: Path, root: Path) -> subprocess.CompletedProcess[str]:
    """Compile into ``out`` of a folder, programs of a folder first; temporary files in ``tmp`` of it."""
    (folder / "tmp").mkdir()
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(root),
        "TMPDIR": str(folder / "tmp"),
    }
    command = [sys.executable, "-m", "edgeq", "compile", str(model), "--board", "native", "-o", "out"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("liar", LIARS)
def test_compiler_that_lies_is_an_error(
    liar: str, compiled_example: Callable[..., Path], tmp_path: Path, root: Path
) -> None:
    script, code = LIARS[liar]
    fake(tmp_path / "bin", "gcc", script)
    work = tmp_path / "work"
    work.mkdir()
    done = compile_with(compiled_example() / "model.qdq.onnx", tmp_path / "bin", work, root)
    assert code in done.stderr
    assert done.returncode in {2, 5}
    assert "Traceback" not in done.stderr
    assert [path.name for path in work.iterdir()] == ["tmp"]
    assert list((work / "tmp").iterdir()) == []


def test_hanging_tool_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_TIMEOUT_SECONDS", 0.3)
    with pytest.raises(EdgeqError, match="EQ0510"):
        run_both([str(fake(tmp_path, "gcc", "exec sleep 60"))])


@pytest.mark.parametrize("script", ["", "exit 0"])
def test_file_that_is_no_program_is_an_error(script: str, tmp_path: Path) -> None:
    path = tmp_path / "gcc"
    path.write_text(script)
    path.chmod(0o755 if not script else 0o644)
    with pytest.raises(EdgeqError, match="EQ0505"):
        run_both([str(path)])


def test_compiler_that_builds_no_plugin_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEQ_CACHE", str(tmp_path / "cache"))
    for number, script in enumerate(("exit 0", "exec yes", "exit 1")):
        programs = tmp_path / f"bin{number}"
        fake(programs, "cc", script)
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        with pytest.raises(EdgeqError, match="EQ0522"):
            counting.build_plugin()
    assert list((tmp_path / "cache").iterdir()) == []


LIMITED = """
import resource, runpy, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.argv = ["edgeq", *sys.argv[2:]]
runpy.run_module("edgeq", run_name="__main__")
"""


@pytest.mark.parametrize("limit", [0, 1000, 20000])
@pytest.mark.parametrize("command", ["compile", "quantize"])
def test_full_disk_is_an_error_and_leaves_the_old_output(
    command: str, limit: int, example: Any, compiled_example: Callable[..., Path], tmp_path: Path, root: Path
) -> None:
    """A limit on the size of files fails as a full disk does, at a place that is the same each time."""
    arguments = {
        "compile": ["compile", compiled_example() / "model.qdq.onnx", "--board", "native", "-o", "out"],
        "quantize": ["quantize", example.model, "--data", example.calibration, "--observer", "minmax", "-o", "q.onnx"],
    }[command]
    work, temporary = tmp_path / "work", tmp_path / "tmp"
    work.mkdir()
    temporary.mkdir()
    # The limit would also end a coverage measurement's own file, and its complaint the test.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), *map(str, arguments)],
        cwd=work,
        env={**environment, "PYTHONPATH": str(root), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "EQ0120" in done.stderr, done.stderr
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert list(work.iterdir()) == list(temporary.iterdir()) == []


def test_nothing_is_written_elsewhere_and_nothing_reports(run_edgeq: Run, example: Any, tmp_path: Path) -> None:
    """onnxruntime keeps a device's number, a queue of events and a session's number, unless it is told not to."""
    places = {name: tmp_path / name for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    for place in places.values():
        place.mkdir()
    work = tmp_path / "work"
    work.mkdir()
    arguments = ("quantize", example.model, "--data", example.calibration, "--observer", "minmax", "-o", "q.onnx")
    done = run_edgeq(*arguments, cwd=work, environment={name: str(place) for name, place in places.items()})
    assert done.returncode == 0, done.stderr
    assert {name: list(place.iterdir()) for name, place in places.items()} == {name: [] for name in places}
    assert [path.name for path in work.iterdir()] == ["q.onnx"]
