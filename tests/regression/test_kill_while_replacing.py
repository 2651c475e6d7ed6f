"""SIGKILL at any file operation leaves the old folder or the new one, whole, and the next start leaves nothing else.

Renaming the old folder away and the new one into its place lost both names between the two steps. `kill_sweep.py` says
how points are counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SWAPS = """
import sys
from pathlib import Path
from edgeq.writing import replace_folder
for _ in range(int(sys.argv[2])):
    with replace_folder(Path(sys.argv[1])) as folder:
        (folder / "a").write_text(sys.argv[3])
        (folder / "b").write_text(sys.argv[3])
"""


def sweep(root: Path, kind: str, points: int) -> dict[str, Any]:
    command = [sys.executable, "tests/regression/kill_sweep.py", kind, "--points", str(points)]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=3000, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_kill_at_every_operation_of_an_exchange(root: Path) -> None:
    found = sweep(root, "swap", 0)
    assert found["old"] + found["new"] == found["killed"] == found["points"]
    assert found["old"] > 5
    assert found["new"] > 5


def test_kill_at_every_operation_without_exchange(root: Path) -> None:
    """Between its two renames the folder is missing, at that one point, until the next start."""
    found = sweep(root, "fallback", 0)
    assert found["old"] + found["new"] + 1 == found["killed"] == found["points"]
    assert found["missing"] == 1


def test_kill_at_some_operations_of_a_compilation(root: Path) -> None:
    found = sweep(root, "compile", 5)
    assert found["old"] + found["new"] == found["killed"] == 5


@pytest.mark.slow
def test_kill_at_every_operation_of_a_compilation(root: Path) -> None:
    found = sweep(root, "compile", 0)
    assert found["old"] + found["new"] == found["killed"] == found["points"]
    assert found["points"] > 100


def race(root: Path, folder: Path, swaps: int) -> None:
    """Two processes replace one folder again and again; each must succeed every time."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", SWAPS, str(folder / "out"), str(swaps), text],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for text in ("one", "two")
    ]
    said = [writer.communicate(timeout=600)[1] for writer in writers]
    assert (said, [writer.returncode for writer in writers]) == (["", ""], [0, 0])
    texts = {(folder / "out" / name).read_text() for name in ("a", "b")}
    assert texts in ({"one"}, {"two"})
    assert list(folder.iterdir()) == [folder / "out"]


def test_two_writers_take_turns(root: Path, tmp_path: Path) -> None:
    race(root, tmp_path, 25)


@pytest.mark.slow
def test_two_writers_take_turns_600_times(root: Path, tmp_path: Path) -> None:
    race(root, tmp_path, 300)
