"""Examples under --help are command lines that edgeq accepts, and errors never show Python's None."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.cli.main import COMMANDS, run


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_of_help_are_accepted(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files in them do not exist; what is refused is a file, never an option or a word."""
    monkeypatch.chdir(tmp_path)
    assert run([name, "--help"]) == 0
    found = re.findall(rf"^  (?:source <\()?edgeq ({name}\b[^>)\n]*)", capsys.readouterr().out, re.MULTILINE)
    assert len(found) >= 2
    for line in found:
        arguments = shlex.split(line)
        code = run([*arguments, *([] if "--json" in arguments else ["--json"])])
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        codes = {problem["code"] for problem in document.get("problems", ())}
        assert codes <= {"EQ0104", "EQ0110", "EQ0201"}, line
        assert document["ok"] == (code == 0) or name == "doctor", line


def test_no_message_says_none(
    example: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("empty.npz")
    np.savez("other.npz", a=np.zeros((4, 2)), b=np.zeros((4, 2)))
    np.savez("short.npz", x=np.zeros((0, 28, 28), np.float32))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "manifest.json").write_text("{}")
    (tmp_path / "board.toml").write_text('target = "cortex-m4"\n')
    model = str(example.model)
    for arguments in (
        *(["quantize", model, "--data", f"{name}.npz", "-o", "q.onnx"] for name in ("empty", "other", "short", "none")),
        ["compile", model, "--data", "empty.npz", "--board", "native", "-o", "out"],
        ["compile", model, "--data", "empty.npz", "--board", "board.toml", "-o", "out"],
        ["check", model, "--dim", "n=3"],
        *([verb, "folder"] for verb in ("verify", "emulate", "profile", "flash")),
        ["eval", "folder", "--data", "empty.npz"],
        ["check", "folder"],
    ):
        assert run(arguments) in {2, 3, 4}, arguments
        said = capsys.readouterr().err
        assert "None" not in said, said
        assert "EQ09" not in said, said
        assert "Error:" not in said, said


def test_all_missing_arrays_are_named_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from quant_models import parse

    from edgeq.onnxio import write_model

    model = parse("g (float[1,4] left, float[1,4] right) => (float[1,4] y) { y = Add(left, right) }")
    write_model(model, tmp_path / "two.onnx")
    np.savez(tmp_path / "data.npz", something=np.zeros((40, 4), np.float32))
    arguments = ["quantize", tmp_path / "two.onnx", "--data", tmp_path / "data.npz", "-o", tmp_path / "q.onnx"]
    assert run([*map(str, arguments), "--json"]) == 2
    said = json.dumps(json.loads(capsys.readouterr().out)["problems"])
    assert "left" in said
    assert "right" in said
    assert str(tmp_path / "data.npz") in said
    assert "something" in said


def _on_a_terminal(arguments: list[str], cwd: Path, **more: str) -> str:
    """What a command writes to a terminal of 80 columns."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", **more}
    process = subprocess.Popen(
        [sys.executable, "-m", "edgeq", *arguments], cwd=cwd, env=environment, stdout=slave, stderr=slave, stdin=slave
    )
    os.close(slave)
    parts = []
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:  # Linux's answer when the last writer has gone
            break
        if not part:
            break
        parts.append(part)
    os.close(master)
    process.wait()
    return b"".join(parts).decode("utf-8", "replace")


def test_terminal_gets_a_progress_line_and_colour(example: Any, tmp_path: Path, root: Path) -> None:
    words = ["quantize", str(example.model), "--data", str(example.calibration), "-o", "q.onnx", "--observer", "minmax"]
    said = _on_a_terminal(words, tmp_path, PYTHONPATH=str(root))
    assert re.search(r"calibrate .*0:00:0\d", said)
    assert "%" in said
    assert "done in " in said
    assert "\x1b[?25h" in said  # the cursor is shown again
    refused = _on_a_terminal(["check", "none.onnx"], tmp_path, PYTHONPATH=str(root))
    assert "\x1b[1;31mEQ0201:\x1b[0m" in refused
    plain = _on_a_terminal(["check", "none.onnx"], tmp_path, PYTHONPATH=str(root), NO_COLOR="1")
    assert "\x1b" not in plain
    quiet = _on_a_terminal([*words, "-q"], tmp_path, PYTHONPATH=str(root), NO_COLOR="1")
    assert "\x1b" not in quiet


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminals_without_unicode_get_the_tables(encoding: str, example: Any, root: Path) -> None:
    for words in (["check", str(example.model), "--board", "all"], ["boards"], ["ops"], ["explain"], ["methods"]):
        done = subprocess.run(
            [sys.executable, "-m", "edgeq", *words],
            env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(root)},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0
        assert done.stdout.decode(encoding).isascii(), words
        assert "\\u" not in done.stdout.decode(encoding), words
