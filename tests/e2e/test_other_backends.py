"""TVM and TFLite through whole commands: images on boards, another Linux, several backends in one folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tvm", reason="the extra `tvm` is not installed")

MODELS = {"ad": "ad_autoencoder", "ic": "ic_resnet8", "kws": "kws_dscnn", "vww": "vww_mobilenetv1_025"}
EVERYWHERE = ["native", "passes", "qemu", "tflite", "tvm", "tvm-qemu"]
PROGRAMS = {
    "linux-aarch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64"),
    "mps2-an386": ("arm-none-eabi-gcc", "qemu-system-arm"),
    "mps3-an547": ("arm-none-eabi-gcc", "qemu-system-arm"),
}
ALL = ("--backend", "c,tvm,tflite")


def document(done: Any) -> dict[str, Any]:
    """The JSON document of a command that must succeed."""
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.qemu
@pytest.mark.parametrize("board", PROGRAMS)
def test_every_backend_has_the_same_bits(
    board: str,
    compiled_example: Callable[..., Path],
    run_edgeq: Callable[..., Any],
    needs_program: Callable[[str], str],
) -> None:
    for program in PROGRAMS[board]:
        needs_program(program)
    folder = compiled_example(board, *ALL)
    found = document(run_edgeq("verify", folder, "--samples", "4", "--json"))
    assert sorted(result["on"] for result in found["results"]) == EVERYWHERE
    assert found["mismatches"] == 0
    c, tvm = (
        document(run_edgeq("profile", folder, "--samples", "2", "--on", runner, "--json"))
        for runner in ("qemu", "tvm-qemu")
    )
    assert len(c["layers"]) == len(tvm["layers"])
    assert c["instructions"] != tvm["instructions"]
    for counted in (c, tvm):
        assert sum(layer["instructions"] for layer in counted["layers"]) <= counted["instructions"]
        if counted["stack_bytes"] is not None:
            assert 0 < counted["stack_measured_bytes"] <= counted["stack_bytes"]


@pytest.mark.qemu
@pytest.mark.parametrize("backend", ["tflite", "tvm"])
def test_backend_alone_fills_a_folder(
    backend: str, compiled_example: Callable[..., Path], run_edgeq: Callable[..., Any], example: Any
) -> None:
    folder = compiled_example("mps2-an386", "--backend", backend)
    assert not (folder / "model.c").exists()
    assert document(run_edgeq("verify", folder, "--samples", "2", "--json"))["mismatches"] == 0
    assert document(run_edgeq("emulate", folder, "--json"))["on"] == {"tflite": "tflite", "tvm": "qemu"}[backend]
    arguments = ("--data", example.evaluation, "--samples", "40", "--on", f"reference,{backend},float", "--json")
    values = {result["on"]: result["value"] for result in document(run_edgeq("eval", folder, *arguments))["results"]}
    assert values["reference"] == values["tvm"] if backend == "tvm" else values["tflite"] > 0.7
    # A TFLite file runs on this computer, where nothing counts instructions.
    assert run_edgeq("profile", folder).returncode == {"tflite": 2, "tvm": 0}[backend]


@pytest.mark.qemu
def test_tflite_file_says_which_arithmetic_it_means(compiled_example: Callable[..., Path]) -> None:
    manifest = json.loads((compiled_example("mps2-an386", *ALL) / "manifest.json").read_text("utf-8"))
    assert manifest["options"]["mode"] == "highmul"
    assert manifest["programs"]["tflite"]["arithmetic"] == "tflite"
    assert manifest["backends"] == ["c", "tflite", "tvm"]


@pytest.mark.qemu
def test_same_inputs_give_the_same_bytes(
    compiled_example: Callable[..., Path], run_edgeq: Callable[..., Any], example: Any, tmp_path: Path
) -> None:
    first, second = compiled_example("mps2-an386", *ALL), tmp_path / "again"
    arguments = ("compile", example.model, "--data", example.calibration, "--board", "mps2-an386", *ALL)
    assert run_edgeq(*arguments, "-o", second).returncode == 0
    files = sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert [str(path) for path in files if (first / path).read_bytes() != (second / path).read_bytes()] == []


@pytest.mark.data
@pytest.mark.qemu
@pytest.mark.parametrize("board", PROGRAMS)
@pytest.mark.parametrize(
    "model", [name if name == "kws" else pytest.param(name, marks=pytest.mark.slow) for name in MODELS]
)
def test_real_model_has_the_same_bits_everywhere(
    model: str, board: str, data_dir: Path, run_edgeq: Callable[..., Any], tmp_path: Path
) -> None:
    source, calibration = data_dir / "models" / f"{MODELS[model]}.onnx", data_dir / "data" / f"{model}_calib.npz"
    done = run_edgeq("compile", source, "--data", calibration, "--board", board, *ALL, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    evaluation = data_dir / "data" / f"{model}_eval.npz"
    arguments = ("verify", tmp_path / "out", "--data", evaluation, "--samples", "20", "--json")
    found = document(run_edgeq(*arguments, timeout=600))
    assert found["samples"] == 20
    assert {result["on"]: result["mismatches"] for result in found["results"]} == dict.fromkeys(EVERYWHERE, 0)
