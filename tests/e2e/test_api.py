"""edgeq in Python, as the README shows it, and every form of models and data."""

from __future__ import annotations

import gc
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

import edgeq


@pytest.fixture(scope="module")
def calibration(example: Any) -> dict[str, Any]:
    """The first calibration images, as stored: integers with a scale."""
    with np.load(example.calibration) as file:
        return {"x": file["x"][:48], "x_scale": file["x_scale"]}


@pytest.fixture(scope="module")
def evaluation(example: Any) -> dict[str, Any]:
    with np.load(example.evaluation) as file:
        return {"x": file["x"] / 255, "y": file["y"]}


@pytest.fixture(scope="module")
def compiled(example: Any, calibration: dict[str, Any]) -> edgeq.CompiledModel:
    """In a temporary folder, for this computer."""
    return edgeq.compile(example.model, calibration, board="native", observer="minmax")


@pytest.mark.qemu
def test_example_of_the_readme(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    section = (root / "README.md").read_text("utf-8").partition("## Use it from Python")[2].partition("\n## ")[0]
    (source,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (tmp_path / "examples").symlink_to(root / "examples")
    monkeypatch.chdir(tmp_path)
    exec(source, {})  # noqa: S102 - our own text
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert told.err == ""
    assert lines[0].startswith("True ")
    assert "True on every runner, bit for bit" in lines
    assert float(next(line for line in lines if line.endswith(" right")).split()[0]) > 0.85
    assert any("eq_conv2d_s8" in line or "eq_depthwise_s8" in line for line in lines)
    assert "[9, 2, 1] " in told.out


def test_import_loads_nothing() -> None:
    code = (
        "import sys, edgeq; heavy = {'numpy', 'onnx', 'onnx_ir', 'edgeq.api', 'edgeq.pipeline', 'click'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_everything_exported_is_there() -> None:
    assert all(getattr(edgeq, name) for name in edgeq.__all__)
    with pytest.raises(AttributeError):
        _ = edgeq.compiler  # type: ignore[attr-defined]


def test_models_and_data_in_every_form_give_the_same_firmware(example: Any, calibration: dict[str, Any]) -> None:
    images: npt.NDArray[np.float32] = (calibration["x"] * calibration["x_scale"]).astype(np.float32)

    def named() -> Iterator[dict[str, Any]]:
        for image in images:
            yield {"image": image}

    content = example.model.read_bytes()
    pairs: list[tuple[Any, Any]] = [
        (example.model, images),
        (str(example.model), list(images)),
        (content, {"x": images}),
        (onnx.load(example.model), named()),
    ]
    found = [
        edgeq.compile(model, data, board="native", observer="minmax", sources_only=True, name="net").manifest
        for model, data in pairs
    ]
    assert len({manifest.program.bundle_sha256 for manifest in found}) == 1
    assert len({manifest.sources.data_sha256 for manifest in found[:3]}) == 1
    assert found[0].sources.model_sha256 == found[2].sources.model_sha256
    assert found[0].program.sizes is None


def test_results_are_typed_and_nothing_is_printed(
    compiled: edgeq.CompiledModel,
    evaluation: dict[str, Any],
    example: Any,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert [note.code for note in compiled.notes] == []
    assert compiled.quantization is not None
    assert compiled.quantization.observer == "minmax"
    assert compiled.data is not None
    assert compiled.data.samples == 48
    verified = compiled.verify(samples=3)
    assert (verified.ok, verified.mismatches, verified.samples) == (True, 0, 3)
    judged = compiled.eval(evaluation, ["reference", "native"], samples=40)
    by_file = compiled.eval(example.evaluation, samples=40)
    assert judged.value == by_file.value
    assert judged.value is not None
    assert judged.value > 0.8
    assert [score.on for score in judged.results] == ["reference", "native"]
    emulated = compiled.emulate(evaluation["x"][:2])
    assert emulated.outputs[1]["probabilities"].shape == (1, 10)
    assert emulated.arg_max == [9, 2]
    assert compiled.emulate().to_json()["samples"] == 1
    json.dumps([verified.to_json(), judged.to_json(), emulated.to_json()])
    assert capfd.readouterr() == ("", "")


def test_folder_is_kept_where_it_is_named_and_opens_again(
    example: Any, calibration: dict[str, Any], tmp_path: Path
) -> None:
    kept = edgeq.compile(
        example.model, calibration, board="native", observer="minmax", out=tmp_path / "out", sources_only=True
    )
    assert kept.folder == tmp_path / "out"
    again = edgeq.load(tmp_path / "out")
    assert (again.manifest.name, again.notes, again.quantization) == ("model", (), None)
    assert kept.result is not None
    assert replace(again.manifest, files={}, quantization=None) == replace(kept.result.manifest, quantization=None)
    assert {"manifest.json", "model.c", "graph.json"} & set(again.manifest.files) == {"model.c", "graph.json"}
    assert again.eval(example.evaluation, "reference", samples=5).samples == 5
    del kept
    gc.collect()
    assert (tmp_path / "out" / "model.c").is_file()


def test_temporary_folder_lives_as_long_as_the_object(example: Any, calibration: dict[str, Any]) -> None:
    short = edgeq.compile(example.model, calibration, board="native", observer="minmax", sources_only=True)
    folder = short.folder
    assert (folder / "manifest.json").is_file()
    del short
    gc.collect()
    assert not folder.parents[1].exists()


def test_quantized_model_is_plain_onnx_and_compiles_without_data(
    example: Any, calibration: dict[str, Any], tmp_path: Path
) -> None:
    quantized = edgeq.quantize(example.model, calibration, observer="minmax", out=tmp_path / "q.onnx")
    assert quantized.report.samples == quantized.data.samples == 48
    assert onnx.load(tmp_path / "q.onnx").graph == quantized.model.graph
    assert {node.op_type for node in quantized.model.graph.node} >= {"QuantizeLinear", "DequantizeLinear"}
    again = edgeq.compile(quantized.model, board="native", sources_only=True)
    assert (again.quantization, again.manifest.quantization) == (None, None)
    assert edgeq.check(quantized.content).ok
    for asked in ({"int16": "input"}, {"scheme": "w8a16"}):
        with pytest.raises(edgeq.EdgeqError, match="EQ0230"):
            edgeq.compile(quantized.model, board="native", sources_only=True, **asked)  # type: ignore[arg-type]
        assert [problem.code for problem in edgeq.check(quantized.content, **asked).problems] == ["EQ0230"]  # type: ignore[arg-type]


def test_check_returns_what_is_wrong(root: Path, example: Any) -> None:
    found = edgeq.check(root / "tests" / "invalid" / "models" / "unsupported_operators.onnx")
    assert not found.ok
    assert {problem.code for problem in found.problems} == {"EQ0302"}
    (unknown,) = edgeq.check(example.model, int16="inptu").problems
    assert (unknown.code, unknown.where, unknown.got) == ("EQ0179", "--int16", "inptu")
    good = edgeq.check(onnx.load(example.model), board="all")
    assert good.ok
    assert len(good.boards) > 5
    assert good.peak is not None


@pytest.mark.parametrize(
    "choices",
    [{"scheme": "w8a16"}, {"int16": "input"}, {"int16": ["*Relu_output_0"]}, {"requantize": "tflite"}],
    ids=str,
)
def test_check_gives_the_bytes_of_the_firmware(
    choices: edgeq.api.CheckChoices, example: Any, calibration: dict[str, Any]
) -> None:
    """Of the firmware that is compiled with the same choices, for a core with kernels of its own."""
    made = edgeq.compile(
        example.model, calibration, board="microbit-v2", observer="minmax", sources_only=True, **choices
    ).manifest.program
    found = edgeq.check(example.model, board="microbit-v2", **choices)
    assert (found.ram_bytes, [layer.kernel for layer in found.layers]) == (
        made.arena_bytes,
        [kernel for step in made.steps for kernel in (step.kernel or "").split(", ")],
    )
    plain = edgeq.check(example.model, board="microbit-v2")
    assert [layer.kernel for layer in plain.layers] != [layer.kernel for layer in found.layers]


def test_choices_are_keywords_of_their_function_alone(example: Any) -> None:
    """The signature says which, for help() and editors; Python refuses others."""
    keywords = {
        call.__name__: set(inspect.signature(call).parameters) for call in (edgeq.check, edgeq.quantize, edgeq.compile)
    }
    assert {"scheme", "int16", "states", "dims"} <= keywords["check"] < keywords["compile"]
    assert "observer" in keywords["quantize"] - keywords["check"]
    assert "backends" in keywords["compile"] - keywords["quantize"]
    with pytest.raises(TypeError, match="'observer'"):
        edgeq.check(example.model, observer="mse")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'scheem'"):
        edgeq.quantize(example.model, example.calibration, scheem="w8a16")  # type: ignore[call-arg]


FAULTS: dict[str, tuple[Callable[[Any], object], str]] = {
    "board": (lambda e: edgeq.compile(e.model, e.calibration, board="microbit-v9"), "EQ0184"),
    "no data": (lambda e: edgeq.compile(e.model.read_bytes(), board="native"), "EQ0106"),
    "no model": (lambda e: edgeq.compile("absent.onnx", e.calibration, board="native"), "EQ0201"),
    "no file": (lambda e: edgeq.compile(e.model, "absent.npz", board="native"), "EQ0110"),
    "kind": (lambda e: edgeq.compile(e, e.calibration, board="native"), "EQ0193"),
    "backend": (lambda e: edgeq.compile(e.model, e.calibration, board="native", backends="rust"), "EQ0171"),
    "choice": (lambda e: edgeq.compile(e.model, e.calibration, board="native", optimize="-O9"), "EQ0193"),
    "observer": (lambda e: edgeq.quantize(e.model, e.calibration, observer="entropy"), "EQ0107"),
    "arithmetic": (lambda e: edgeq.compile(e.model, e.calibration, board="native", requantize="exact"), "EQ0107"),
    "scheme": (lambda e: edgeq.check(e.model, scheme="w16a8"), "EQ0107"),
    "no int16": (lambda e: edgeq.check(e.model, scheme="w8a16", requantize="tflm"), "EQ0364"),
    "damaged": (lambda e: edgeq.quantize(b"\x08\x0a", e.calibration), "EQ0204"),
    "shape": (lambda e: edgeq.quantize(e.model, np.zeros((4, 3), np.float32)), "EQ0113"),
    "text": (lambda e: edgeq.quantize(e.model, np.array(["a", "b"])), "EQ0113"),
    "constant": (lambda e: edgeq.quantize(e.model, np.ones((40, 28, 28), np.float32)), "EQ0130"),
    "folder": (lambda e: edgeq.load(e.model.parent), "EQ0104"),
    "out": (lambda e: edgeq.compile(e.model, e.calibration, board="native", out=e.model.parent), "EQ0123"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_have_the_codes_of_the_command_line(name: str, example: Any) -> None:
    call, code = FAULTS[name]
    with pytest.raises(edgeq.EdgeqError) as caught:
        call(example)
    assert [problem.code for problem in caught.value.problems] == [code]


def test_several_wrong_arguments_are_told_at_once(example: Any) -> None:
    with pytest.raises(edgeq.EdgeqError) as caught:
        edgeq.compile(example.model, board="no", backends="rust", name="1", dims={"N": 0})
    codes = [problem.code for problem in caught.value.problems]
    assert codes == ["EQ0184", "EQ0171", "EQ0102", "EQ0193", "EQ0106"]


def test_runners_and_metrics_that_do_not_fit_are_named(
    compiled: edgeq.CompiledModel, evaluation: dict[str, Any]
) -> None:
    calls: tuple[tuple[Callable[[], object], str], ...] = (
        (compiled.profile, "EQ0160"),
        (lambda: compiled.verify("quemu"), "EQ0170"),
        (lambda: compiled.emulate(on="nothing"), "EQ0170"),
        (lambda: compiled.eval(evaluation, metric="f1"), "EQ0109"),
    )
    for call, code in calls:
        with pytest.raises(edgeq.EdgeqError) as caught:
            call()
        assert caught.value.problems[0].code == code


def test_limits_are_those_of_the_block(example: Any, calibration: dict[str, Any]) -> None:
    with edgeq.Budget(seconds=0.001).active(), pytest.raises(edgeq.EdgeqError, match="EQ0245"):
        edgeq.quantize(example.model, calibration)
