"""eval: the float model that is named, what is refused before anything runs, and integers that stand for numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quant_models import parse

from edgeq.analysis import evaluate
from edgeq.analysis.evaluate import evaluate_folder
from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.job import CompileOptions
from edgeq.onnxio import write_model
from edgeq.pipeline import compile_model

FIXTURE = Path(__file__).resolve().parent.parent / "quantized" / "fixtures" / "onnxruntime_channel_int8.onnx"


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """The bundled model as onnxruntime quantized it: the folder has no float model."""
    out = tmp_path_factory.mktemp("imported") / "out"
    compile_model(FIXTURE, None, out, CompileOptions("native", "net", sources_only=True))
    return Compiled.open(out)


def test_named_float_model_gives_the_figures_of_the_folders_own(
    imported: Compiled, compiled_example: Callable[..., Path], example: Any
) -> None:
    alone = evaluate_folder(imported, example.evaluation, (), None, 30).to_json()
    assert (alone["float_value"], alone["agreement"], alone["metric"]) == (None, None, "top1")
    named = evaluate_folder(imported, example.evaluation, ["reference", "float"], None, 30, float_model=example.model)
    own = evaluate_folder(Compiled.open(compiled_example()), example.evaluation, ["float"], None, 30)
    assert named.float_value == own.float_value
    assert named.results[0].value == alone["value"]
    assert named.results[0].agreement is not None
    assert named.results[1].agreement == 1.0
    mse = evaluate_folder(imported, example.evaluation, (), "mse", 30, float_model=example.model)
    assert 0 < mse.results[0].value < 0.01


OTHERS = {
    "input": "g (float[1,5] x) => (float[1,10] y) { y = Gemm(x, w) }",
    "output": "g (float[1,1,28,28] image) => (float[1,1,28,28] y) { y = Relu(image) }",
    "two inputs": "g (float[1,1,28,28] image, float[1,10] b) => (float[1,10] y) { y = Relu(b) z = Relu(image) }",
}


@pytest.mark.parametrize("kind", [*OTHERS, "quantized"])
def test_another_float_model_is_refused(kind: str, imported: Compiled, example: Any, tmp_path: Path) -> None:
    path = FIXTURE
    if kind != "quantized":
        path = tmp_path / "other.onnx"
        write_model(parse(OTHERS[kind], {"w": np.zeros((5, 10), np.float32)} if kind == "input" else {}), path)
    with pytest.raises(EdgeqError) as caught:
        evaluate_folder(imported, example.evaluation, (), None, 5, float_model=path)
    (problem,) = caught.value.problems
    assert (problem.code, problem.where, caught.value.exit_code) == ("EQ0166", f"--float {path}", 2)


def test_the_option_is_named_where_the_float_model_is_missing(imported: Compiled, example: Any) -> None:
    for runners, metric in ((["float"], None), (["reference"], "agreement"), (["reference"], "mse")):
        with pytest.raises(EdgeqError, match="EQ0109") as caught:
            evaluate_folder(imported, example.evaluation, runners, metric, 5)
        assert "--float MODEL.onnx" in str(caught.value)


def test_what_cannot_be_computed_is_said_before_anything_runs(
    compiled_example: Callable[..., Path], example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = Compiled.open(compiled_example())
    monkeypatch.setattr(evaluate, "outputs_of", lambda *rest: pytest.fail("ran"))
    arrays = dict(np.load(example.evaluation))
    labels = arrays.pop("y")
    files = {"none": {}, "renamed": {"labels": labels}, "short": {"y": labels[:-1]}, "empty": {}}
    for name, extra in files.items():
        kept = {key: value[:0] if name == "empty" and key == "x" else value for key, value in arrays.items()}
        np.savez(tmp_path / f"{name}.npz", **kept, **extra)
    for name, metric, code in (
        ("renamed", None, "EQ0109"),
        ("none", "top1", "EQ0109"),
        ("short", "top1", "EQ0109"),
        ("empty", "mse", "EQ0114"),
    ):
        with pytest.raises(EdgeqError) as caught:
            evaluate_folder(compiled, tmp_path / f"{name}.npz", ["native"], metric)
        assert (caught.value.problems[0].code, caught.value.exit_code) == (code, 2)
    with pytest.raises(EdgeqError, match="--metric top1"):
        evaluate_folder(compiled, example.evaluation, ["native"], "auc")
    bare = Compiled(compiled.path, replace(compiled.manifest, images={}))
    with pytest.raises(EdgeqError, match="EQ0160"):
        evaluate_folder(bare, example.evaluation, ["reference", "native"])


def test_fewer_samples_than_asked_for_are_a_note(compiled_example: Callable[..., Path], example: Any) -> None:
    with np.load(example.evaluation) as arrays:
        held = len(arrays["x"])
    report = evaluate_folder(Compiled.open(compiled_example()), example.evaluation, (), None, held + 1)
    assert report.samples == held
    assert [note.code for note in report.notes] == ["EQ0164"]
    assert report.to_json()["notes"][0]["code"] == "EQ0164"


def test_keys_that_nobody_reads_are_told(
    compiled_example: Callable[..., Path], example: Any, tmp_path: Path, run_edgeq: Callable[..., Any]
) -> None:
    arrays = dict(np.load(example.evaluation)) | {"idx": np.arange(3), "also": np.zeros(2)}
    np.savez(tmp_path / "d.npz", **arrays)
    compiled = Compiled.open(compiled_example())
    extra = sorted(set(arrays) - {"x", "x_scale", "x_offset"})
    for metric, used in (("top1", {"y"}), ("mse", set())):
        report = evaluate_folder(compiled, tmp_path / "d.npz", (), metric, 5)
        assert report.to_json()["unused_keys"] == [key for key in extra if key not in used]
    done = run_edgeq("eval", compiled_example(), "--data", tmp_path / "d.npz", "--samples", "5")
    assert f"not used: {', '.join(key for key in extra if key != 'y')}" in done.stdout


def test_integer_outputs_are_compared_as_what_they_stand_for(tmp_path: Path) -> None:
    """The model gives int8; the float model gives numbers, from which the integers are up to half a step away."""
    text = """g (int8[1,4] x) => (int8[1,4] y) {
        a = DequantizeLinear(x, s, z)
        r = Sigmoid(a)
        y = QuantizeLinear(r, t, low)
    }"""
    constants = {"s": np.float32(0.05), "z": np.int8(3), "t": np.float32(1 / 256), "low": np.int8(-128)}
    write_model(parse(text, constants), tmp_path / "m.onnx")
    write_model(parse("g (float[1,4] x) => (float[1,4] y) { y = Sigmoid(x) }", {}), tmp_path / "float.onnx")
    compile_model(tmp_path / "m.onnx", None, tmp_path / "out", CompileOptions("native", "m", sources_only=True))
    x = np.random.default_rng(0).integers(-128, 128, (50, 4), np.int8)
    np.savez(tmp_path / "d.npz", x=x)
    compiled = Compiled.open(tmp_path / "out")
    report = evaluate_folder(compiled, tmp_path / "d.npz", (), "mse", float_model=tmp_path / "float.onnx")
    # Rounding to steps of 1/256: an even distribution of half a step has a twelfth of its square.
    assert 0 < report.results[0].value < (1 / 256) ** 2 / 4
    assert report.float_value == 0
