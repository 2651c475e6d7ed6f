"""The bundled model on every board, and what must hold of every image: size, stack, digest, no float."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.ir.serialize import load_graph, save_graph
from edgeq.target import list_boards, load_board
from edgeq.writing.owned import seal

CHIPS = [name for name in list_boards() if load_board(name).flash is not None]


def parsed(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON document of a command that succeeded."""
    assert done.returncode == 0, done.stderr + done.stdout
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.qemu
@pytest.mark.parametrize("board", CHIPS)
def test_every_board_runs_it_with_the_same_bits(
    board: str, compiled_example: Callable[..., Path], run_edgeq: Callable[..., Any], example: Any
) -> None:
    folder = compiled_example(board)
    arguments = ("--data", example.evaluation, "--samples", "3", "--on", "native,qemu", "--json")
    found = parsed(run_edgeq("verify", folder, *arguments))
    assert found["mismatches"] == 0
    assert found["elements"] > 0


@pytest.mark.parametrize("board", CHIPS)
def test_arena_in_the_manifest_is_the_arena_in_the_map(board: str, compiled_example: Callable[..., Path]) -> None:
    folder = compiled_example(board)
    manifest = json.loads((folder / "manifest.json").read_text())
    text = (folder / "image.map").read_text()
    sections = re.findall(r"^\.arena\s+0x[0-9a-f]+\s+0x([0-9a-f]+)", text, re.MULTILINE)
    assert [int(size, 16) for size in sections] == [manifest["programs"]["c"]["arena_bytes"]]


@pytest.mark.qemu
@pytest.mark.parametrize("board", CHIPS)
def test_painted_stack_is_within_the_bound(
    board: str, compiled_example: Callable[..., Path], run_edgeq: Callable[..., Any]
) -> None:
    found = parsed(run_edgeq("emulate", compiled_example(board), "--samples", "2", "--json"))
    manifest = json.loads((compiled_example(board) / "manifest.json").read_text())
    assert 0 < found["stack_bytes"] <= manifest["programs"]["c"]["stack_bytes"]


@pytest.mark.qemu
def test_verify_finds_one_changed_weight(
    compiled_example: Callable[..., Path], run_edgeq: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(compiled_example(), folder)
    graph = load_graph(folder / "graph.json", folder / "graph.npz")
    node = next(node for node in graph.nodes if node.op == "conv2d")
    weight = graph.tensors[node.inputs[1]]
    values = weight.value().copy()
    values.reshape(-1)[3] += 1 if values.reshape(-1)[3] < 127 else -1
    graph.tensors[weight.name] = weight.with_(data=values)
    save_graph(graph, folder / "graph.json", folder / "graph.npz")
    seal(folder)
    done = run_edgeq("verify", folder, "--on", "native,qemu", "--samples", "4", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert all(result["mismatches"] > 0 for result in found["results"])
    assert found["first_mismatch"]["tensor"] == node.outputs[0]
    assert found["first_mismatch"]["step"] == 0


@pytest.mark.qemu
def test_accuracy_is_the_same_number_everywhere(
    compiled_example: Callable[..., Path], run_edgeq: Callable[..., Any], example: Any
) -> None:
    arguments = ("--data", example.evaluation, "--samples", "200", "--on", "reference,native,qemu", "--json")
    found = parsed(run_edgeq("eval", compiled_example(), *arguments))
    assert len({result["value"] for result in found["results"]}) == 1
    assert found["samples"] == 200
    assert found["value"] >= found["float_value"] - 0.01
    assert found["agreement"] >= 0.975


def test_same_inputs_from_another_folder_give_the_same_bytes(
    compiled_example: Callable[..., Path], run_edgeq: Callable[..., Any], example: Any, tmp_path: Path
) -> None:
    first = compiled_example()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for source in (example.model, example.calibration):
        shutil.copy(source, elsewhere)
    arguments = ("compile", "model.onnx", "--data", "calib.npz", "--board", "mps2-an386", "-o", "out")
    done = run_edgeq(*arguments, cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    second = elsewhere / "out"
    names = sorted(str(path.relative_to(first)) for path in first.rglob("*") if path.is_file())
    assert names == sorted(str(path.relative_to(second)) for path in second.rglob("*") if path.is_file())
    for name in names:
        digests = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for folder in (first, second)]
        assert digests[0] == digests[1], f"{name} differs"


def test_quantized_model_compiles_to_the_same_graph(
    compiled_example: Callable[..., Path], run_edgeq: Callable[..., Any], tmp_path: Path
) -> None:
    first = compiled_example()
    out = tmp_path / "from_qdq"
    name = json.loads((first / "manifest.json").read_text())["name"]
    done = run_edgeq("compile", first / "model.qdq.onnx", "--board", "mps2-an386", "--name", name, "-o", out)
    assert done.returncode == 0, done.stderr
    assert not (out / "float.onnx").exists()
    for file in ("model.c", "model_weights.c"):
        assert (out / file).read_bytes() == (first / file).read_bytes()


class Images:
    """Calibration data as onnxruntime's quantizer reads it."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as archive:
            self.left = list((archive["x"][:32].astype(np.float32) / 255).reshape(32, 1, 1, 28, 28))

    def get_next(self) -> dict[str, Any] | None:
        return {"image": self.left.pop()} if self.left else None


@pytest.mark.filterwarnings("ignore")
def test_partly_quantized_model_is_completed_from_data(
    run_edgeq: Callable[..., Any], example: Any, tmp_path: Path
) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    partial = tmp_path / "partial.onnx"
    quantization.quantize_static(
        str(example.model), str(partial), Images(example.calibration), op_types_to_quantize=["Conv"], per_channel=True
    )
    out = tmp_path / "out"
    refused = run_edgeq("compile", partial, "--board", "native", "-o", out)
    assert refused.returncode == 3
    assert "EQ0250" in refused.stderr or "EQ0251" in refused.stderr
    done = run_edgeq("compile", partial, "--data", example.calibration, "--board", "native", "-o", out)
    assert done.returncode == 0, done.stderr
    assert parsed(run_edgeq("verify", out, "--samples", "3", "--json"))["mismatches"] == 0
    arguments = ("--data", example.evaluation, "--samples", "200", "--on", "native", "--json")
    found = parsed(run_edgeq("eval", out, *arguments))
    assert found["float_value"] is None
    assert found["value"] > 0.88


def test_board_of_the_users_own_folder_is_remembered(
    run_edgeq: Callable[..., Any], example: Any, root: Path, tmp_path: Path
) -> None:
    own = tmp_path / "bench"
    own.mkdir()
    (own / "board.toml").write_text('inherits = "mps2-an386"\ndescription = "My bench"\n', encoding="utf-8")
    out = tmp_path / "out"
    done = run_edgeq("compile", example.model, "--data", example.calibration, "--board", own, "-o", out)
    assert done.returncode == 0, done.stderr
    (own / "board.toml").unlink()
    for command in (("emulate",), ("verify", "--samples", "1"), ("profile", "--samples", "1"), ("flash", "--dry-run")):
        done = run_edgeq(command[0], out, *command[1:])
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("missing", "codes"), [("arm", ["EQ0501"]), ("host", ["EQ0502"]), ("both", ["EQ0501", "EQ0502"])]
)
def test_without_a_compiler_nothing_is_written_and_the_way_out_is_named(
    missing: str,
    codes: list[str],
    run_edgeq: Callable[..., Any],
    example: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    needs_program: Callable[[str], str],
) -> None:
    arm = needs_program("arm-none-eabi-gcc")
    monkeypatch.setenv("EDGEQ_GCC", "no-such-compiler" if missing != "host" else arm)
    if missing != "arm":
        monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "out"
    # With data given, the compilers are looked for before the model is read: this one is none.
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    arguments = ("--data", example.calibration, "--board", "mps2-an386", "-o", out, "--json")
    done = run_edgeq("compile", tmp_path / "broken.onnx", *arguments)
    assert done.returncode == 5
    problems = json.loads(done.stdout)["problems"]
    assert [problem["code"] for problem in problems] == codes
    for problem in problems:
        assert "apt-get install" in problem["hint"]
        assert "--sources-only" in problem["hint"]
    assert not out.exists()


@pytest.mark.parametrize("backend", ["c", "c,tvm"])
def test_sources_only_needs_no_compiler_and_the_other_verbs_say_what_is_missing(
    backend: str, run_edgeq: Callable[..., Any], example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend == "c,tvm":
        pytest.importorskip("tvm")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EDGEQ_GCC", "no-such-compiler")
    out = tmp_path / "out"
    arguments = ("compile", example.model, "--data", example.calibration, "--board", "mps2-an386", "-o", out)
    found = parsed(run_edgeq(*arguments, "--sources-only", "--backend", backend, "--json"))
    assert found["images"] == {}
    assert list(out.glob("*.c"))
    assert not list(out.rglob("*.elf"))
    for command in (("verify",), ("emulate",), ("profile",), ("verify", "--on", "native"), ("flash",)):
        done = run_edgeq(command[0], out, *command[1:], "--json")
        assert done.returncode == 2
        (problem,) = json.loads(done.stdout)["problems"]
        assert (problem["code"], problem["where"]) == ("EQ0160", str(out))
        assert "--sources-only" in problem["hint"]


def test_too_big_for_the_board_is_said_before_linking(run_edgeq: Callable[..., Any], data_dir: Path) -> None:
    source, data = data_dir / "models" / "ic_resnet8.onnx", data_dir / "data" / "ic_calib.npz"
    done = run_edgeq("compile", source, "--data", data, "--board", "microbit-v1", "-o", "too_big")
    assert done.returncode == 4
    assert "EQ0401" in done.stderr
    assert "Traceback" not in done.stderr


def test_old_folder_stays_whole_when_a_compilation_fails(
    compiled_example: Callable[..., Path], run_edgeq: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(compiled_example(), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    done = run_edgeq("compile", broken, "--board", "mps2-an386", "-o", folder)
    assert done.returncode == 3
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.onnx", "out"]
