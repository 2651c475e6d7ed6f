"""The README cannot lie: its commands run, its support table is what the tool prints."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeq.cli.ops import HEADER, rows, support_table
from edgeq.report.tables import markdown_table


def commands(root: Path) -> list[str]:
    """Every line of the README's `sh` blocks."""
    text = (root / "README.md").read_text(encoding="utf-8")
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.strip().splitlines()]


@pytest.mark.qemu
def test_every_command_runs_in_order(root: Path, run_edgeq: Callable[..., Any], tmp_path: Path) -> None:
    shutil.copytree(root / "examples", tmp_path / "examples")
    lines = commands(root)
    assert len(lines) > 8
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "edgeq"
        done = run_edgeq(*arguments, cwd=tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_support_table_is_the_tools_own(root: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- OPS -->\n(.*?)<!-- /OPS -->", text, re.DOTALL)
    assert shown is not None
    assert shown.group(1) == markdown_table(HEADER, rows(support_table())), "run `make readme`"


def test_every_named_path_exists(root: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (root / target).exists(), target
