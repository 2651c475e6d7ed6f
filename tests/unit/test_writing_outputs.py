"""No command writes over its input, under whatever name, and over no file that edgeq did not write."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import pytest

from edgeq.cli.main import run
from edgeq.errors import EdgeqError
from edgeq.writing import check_apart, check_file


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def call_edgeq(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process, in the folder of the test."""
    monkeypatch.chdir(place)

    def call(*arguments: str | Path) -> Done:
        code = run(list(map(str, arguments)))
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call


def snapshot(folder: Path) -> dict[str, bytes | str | None]:
    """Every entry: a file's contents, a link's target, None for a folder."""
    return {
        str(path.relative_to(folder)): (
            str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        )
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def place(tmp_path: Path, example: Any) -> Path:
    """A folder with a model, data, and other names for both."""
    shutil.copy(example.model, tmp_path / "model.onnx")
    shutil.copy(example.calibration, tmp_path / "calib.npz")
    (tmp_path / "soft").symlink_to("model.onnx")
    os.link(tmp_path / "model.onnx", tmp_path / "hard")
    (tmp_path / "folder").mkdir()
    shutil.copy(example.model, tmp_path / "folder" / "inside.onnx")
    (tmp_path / "inside").symlink_to("folder/inside.onnx")
    (tmp_path / "way").symlink_to("folder")
    (tmp_path / "thesis.txt").write_text("years of work")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


SAME = {
    "itself": ("model.onnx", "model.onnx"),
    "dots": ("model.onnx", "folder/../model.onnx"),
    "output is a link": ("model.onnx", "soft"),
    "input is a link": ("soft", "model.onnx"),
    "hard link": ("model.onnx", "hard"),
    "data": ("model.onnx", "calib.npz"),
}


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("case", SAME)
def test_quantize_refuses_to_write_over_an_input(case: str, force: list[str], place: Path, call_edgeq: Run) -> None:
    model, output = SAME[case]
    before = snapshot(place)
    done = call_edgeq("quantize", model, "--data", "calib.npz", "-o", output, *force)
    assert (done.returncode, done.stderr[:6]) == (2, "EQ0123"), done.stderr
    assert snapshot(place) == before


OTHERS = {
    "a file": ("thesis.txt", "EQ0124"),
    "a link": ("soft", "EQ0124"),
    "a pipe": ("pipe", "EQ0124"),
    "a device": ("/dev/null", "EQ0124"),
    "a folder": ("folder", "EQ0101"),
    "below a file": ("thesis.txt/q.onnx", "EQ0101"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_quantize_refuses_what_it_did_not_write(case: str, place: Path, call_edgeq: Run) -> None:
    output, code = OTHERS[case]
    before = snapshot(place)
    done = call_edgeq("quantize", "folder/inside.onnx", "--data", "calib.npz", "-o", output)
    assert (done.returncode, done.stderr[:6]) == (2, code), done.stderr
    assert snapshot(place) == before


def test_quantize_replaces_its_own_and_keeps_others_by_force(place: Path, call_edgeq: Run) -> None:
    command = ("quantize", "model.onnx", "--data", "calib.npz", "--observer", "minmax", "-o")
    for _ in range(2):
        assert call_edgeq(*command, "q.onnx").returncode == 0
    own = (place / "q.onnx").read_bytes()
    done = call_edgeq(*command, "thesis.txt", "--force")
    assert done.returncode == 0, done.stderr
    assert "thesis.txt.kept-1" in done.stdout
    assert (place / "thesis.txt.kept-1").read_text() == "years of work"
    assert (place / "thesis.txt").read_bytes() == own


INSIDE = {
    "model": ("folder/inside.onnx", "calib.npz", "folder"),
    "link to the model": ("inside", "calib.npz", "folder"),
    "output through a link": ("folder/inside.onnx", "calib.npz", "way"),
    "folder above": ("folder/inside.onnx", "calib.npz", "."),
    "output is the model": ("model.onnx", "calib.npz", "model.onnx"),
    "output is the data": ("model.onnx", "calib.npz", "calib.npz"),
}


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("case", INSIDE)
def test_compile_refuses_to_replace_an_input(case: str, force: list[str], place: Path, call_edgeq: Run) -> None:
    model, data, output = INSIDE[case]
    before = snapshot(place)
    done = call_edgeq("compile", model, "--data", data, "--board", "native", "-o", output, *force)
    assert done.returncode == 2
    assert done.stderr[:6] in {"EQ0103", "EQ0123"}, done.stderr
    assert snapshot(place) == before


def test_compile_refuses_the_folder_of_its_board(place: Path, call_edgeq: Run) -> None:
    (place / "mine").mkdir()
    (place / "mine" / "board.toml").write_text('inherits = "mps2-an386"\n')
    before = snapshot(place)
    for board in ("mine/board.toml", "./mine"):
        done = call_edgeq("compile", "model.onnx", "--data", "calib.npz", "--board", board, "-o", "mine")
        assert (done.returncode, done.stderr[:6]) == (2, "EQ0123"), done.stderr
    assert snapshot(place) == before


def test_compiled_folder_is_not_compiled_into_itself(
    place: Path, call_edgeq: Run, compiled_example: Callable[..., Path]
) -> None:
    shutil.copytree(compiled_example(), place / "out")
    before = snapshot(place / "out")
    done = call_edgeq("compile", "out/model.qdq.onnx", "--board", "native", "-o", "out")
    assert (done.returncode, done.stderr[:6]) == (2, "EQ0123"), done.stderr
    assert snapshot(place / "out") == before


@pytest.mark.parametrize(
    "command",
    [
        ("quantize", "beside.onnx", "--data", "calib.npz", "-o", "weights/data.bin", "--force"),
        ("compile", "beside.onnx", "--data", "calib.npz", "--board", "native", "-o", "weights", "--force"),
    ],
    ids=lambda command: str(command[0]),
)
def test_weights_beside_the_model_are_an_input(command: tuple[str, ...], place: Path, call_edgeq: Run) -> None:
    (place / "weights").mkdir()
    model = onnx.load(place / "model.onnx")
    onnx.save(model, place / "beside.onnx", save_as_external_data=True, location="weights/data.bin", size_threshold=0)
    before = snapshot(place)
    done = call_edgeq(*command)
    assert (done.returncode, done.stderr.count("EQ0123")) == (2, 1), done.stderr
    assert "data.bin" in done.stderr
    assert snapshot(place) == before


def test_compile_moves_what_is_not_its_own_by_force(
    place: Path, call_edgeq: Run, compiled_example: Callable[..., Path]
) -> None:
    model = compiled_example() / "model.qdq.onnx"
    command = ("compile", model, "--board", "native", "-o", "folder", "--sources-only")
    done = call_edgeq(*command)
    assert (done.returncode, done.stderr[:6]) == (2, "EQ0103"), done.stderr
    assert "inside.onnx" in done.stderr
    before = snapshot(place / "folder")
    done = call_edgeq(*command, "--force")
    assert done.returncode == 0, done.stderr
    assert "folder.kept-1" in done.stdout
    assert snapshot(place / "folder.kept-1") == before
    assert (place / "folder" / "manifest.json").is_file()


def test_absent_inputs_and_other_folders_pass(tmp_path: Path) -> None:
    check_apart(tmp_path / "out", {"the model": tmp_path / "model.onnx", "the data": None})
    check_apart(tmp_path / "out", {"the model": tmp_path / "out.onnx"})
    with pytest.raises(EdgeqError, match="EQ0123"):
        check_apart(tmp_path / "missing.onnx", {"the model": tmp_path / "missing.onnx"})
    check_file(tmp_path / "new.onnx", own=False)
