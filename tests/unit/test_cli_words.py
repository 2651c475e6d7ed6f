"""What the shell completes, and lists that are filtered."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgeq.cli.main import run
from edgeq.cli.progress import duration


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("edgeq compl", ["completion"]),
        ("edgeq compile x.onnx --board microbit", ["microbit-v1", "microbit-v2"]),
        ("edgeq check x.onnx --board pine", ["pinetime"]),
        ("edgeq compile x.onnx --backend c,t", ["c,tflite", "c,tvm"]),
        ("edgeq compile x.onnx --observer m", ["mae", "minmax", "mse"]),
        ("edgeq explain EQ040", ["EQ0401", "EQ0402", "EQ0403", "EQ0404"]),
        ("edgeq verify d --on native,q", ["native,qemu"]),
        ("edgeq eval d --metric to", ["top1"]),
        ("edgeq flash d --with py", ["pyocd"]),
        ("edgeq profile d --on qe", ["qemu"]),
    ],
)
def test_shell_completes(line: str, expected: list[str], root: Path) -> None:
    words = line.split()
    environment = {
        **os.environ,
        "PYTHONPATH": str(root),
        "_EDGEQ_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run([sys.executable, "-m", "edgeq"], env=environment, capture_output=True, text=True, check=False)
    found = [entry.partition(",")[2] for entry in done.stdout.splitlines()]
    assert found == expected, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_valid_for_its_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_EDGEQ_COMPLETE" in script
    if shutil.which(shell) is not None:
        checked = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "key", "names"),
    [
        ("boards NRF51", "boards", ["microbit-v1"]),
        ("boards cortex-m55", "boards", ["mps3-an547"]),
        ("ops softmax", "ops", ["float_reduce", "masked_softmax", "softmax"]),
        ("ops HardSigmoid", "ops", ["float_unary", "lookup"]),
    ],
)
def test_lists_are_filtered(words: str, key: str, names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words.split(), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [entry["name" if key == "boards" else "op"] for entry in document[key]] == names
    assert run(words.split()) == 0
    assert names[0] in capsys.readouterr().out


def test_filter_that_matches_nothing_has_a_guess(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["boards", "pinetme"]) == 2
    assert "did you mean pinetime?" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["boards", "doctor", "explain", "methods", "ops", "targets"])
@pytest.mark.parametrize("columns", [80, 100])
def test_lists_fit_the_terminal(
    words: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert run(words.split()) in {0, 5}
    table = [line for line in capsys.readouterr().out.splitlines() if "install --no-install" not in line]
    assert max(map(len, table)) <= columns


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (10.4, "10 s"), (59.6, "1 min 0 s"), (125.0, "2 min 5 s")]
)
def test_duration_is_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text
