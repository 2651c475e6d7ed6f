"""The README cannot lie: its commands run, its support table is what the tool prints."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
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


@pytest.mark.parametrize("language", ["C", "CXX"])
def test_project_of_two_models_builds_and_runs(
    language: str,
    root: Path,
    compiled_example: Callable[..., Path],
    run_edgeq: Callable[..., Any],
    needs_program: Callable[[str], str],
    tmp_path: Path,
) -> None:
    cmake = needs_program("cmake")
    text = (root / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Use it in your project")[2].partition("\n## ")[0]
    (listfile,) = re.findall(r"```cmake\n(.*?)```", section, re.DOTALL)
    (source,) = re.findall(r"```c\n(.*?)```", section, re.DOTALL)
    model = compiled_example() / "model.qdq.onnx"
    for name in re.findall(r"add_subdirectory\((\w+)\)", listfile):
        done = run_edgeq("compile", model, "--board", "native", "--name", name, "-o", tmp_path / name)
        assert done.returncode == 0, done.stderr
    program = "app.c" if language == "C" else "app.cc"
    listfile = listfile.replace("app.c", program).replace("firmware C)", f"firmware {language})")
    (tmp_path / "CMakeLists.txt").write_text(listfile)
    (tmp_path / program).write_text(source)
    flags = f"-DCMAKE_{language}_FLAGS=-Wall -Wextra -Wconversion -Wshadow -Werror"
    build = tmp_path / "build"
    for command in ([cmake, "-S", str(tmp_path), "-B", str(build), flags], [cmake, "--build", str(build)]):
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
    done = subprocess.run([build / "firmware"], capture_output=True, text=True, check=True)
    assert len([float(line) for line in done.stdout.split()]) == 10


@pytest.mark.qemu
def test_sample_output_is_what_the_tool_prints(root: Path, run_edgeq: Callable[..., Any], tmp_path: Path) -> None:
    """Numbers differ between compilers; every word and every column must be there."""
    shutil.copytree(root / "examples", tmp_path / "examples")
    text = (root / "README.md").read_text(encoding="utf-8")
    block = next(found for found in re.findall(r"```\n(.*?)```", text, re.DOTALL) if found.startswith("$ "))
    for part in block.split("$ ")[1:]:
        line, _, shown = part.partition("\n")
        done = run_edgeq(*shlex.split(line)[1:], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert _without_figures(done.stdout) == _without_figures(shown)


def _without_figures(text: str) -> str:
    text = re.sub(r"/\S+", "LAYER", re.sub(r"=+ *\]|-+", "", text))
    text = re.sub(r"observer \w+", "observer NAME", text)
    return " ".join(re.sub(r"\d[\d,.]*", "N", text).split())


def test_support_table_is_the_tools_own(root: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- OPS -->\n(.*?)<!-- /OPS -->", text, re.DOTALL)
    assert shown is not None
    assert shown.group(1) == markdown_table(HEADER, rows(support_table())), "run `make readme`"


def test_every_named_path_exists(root: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (root / target).exists(), target


def test_map_of_the_package_names_all_that_is_there_and_nothing_else(root: Path) -> None:
    package = root / "edgeq"
    text = (package / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w./]+(?:/|\.py))`", text))
    assert len(named) > 50
    assert [name for name in sorted(named) if not (package / name).exists()] == []
    linked = re.findall(r"\]\(([^)]+)\)", text)
    assert [link for link in linked if not (package / link).exists()] == []
    tops = {path.name for path in package.glob("*.py")} - {"__init__.py", "__main__.py"}
    tops |= {f"{path.name}/" for path in package.iterdir() if (path / "__init__.py").is_file()}
    assert sorted(tops - {name.partition("/")[0] + ("/" if "/" in name else "") for name in named}) == []
