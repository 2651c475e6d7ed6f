"""Each step of an imported model against onnxruntime: what is compared, what is named instead, and what is a defect."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quant_models import parse

from edgeq.analysis import comparison, model_values
from edgeq.analysis.verify import VerifyResult, verify_folder
from edgeq.folder import Compiled
from edgeq.interp import run
from edgeq.ir import Node
from edgeq.job import CompileOptions
from edgeq.numerics.array import Array
from edgeq.onnxio import read_model, write_model
from edgeq.onnxio.cut import cut_at_quantizers
from edgeq.pipeline import compile_model

FIXTURES = Path(__file__).resolve().parent.parent / "quantized" / "fixtures"
NAMES = (
    "onnxruntime_channel_int8",
    "onnxruntime_channel_uint8",
    "onnxruntime_tensor_int8",
    "torch_fx_qat",
    "torch_pt2e",
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled for this computer: what models of other quantizers became."""
    base = tmp_path_factory.mktemp("imported")
    for name in NAMES:
        compile_model(FIXTURES / f"{name}.onnx", None, base / name, CompileOptions("native", "net"))
    return base


def verified(folder: Path, samples: int = 6) -> VerifyResult:
    return verify_folder(Compiled.open(folder), ["native"], samples)


@pytest.mark.parametrize("name", NAMES)
def test_every_step_of_a_fixture_is_within_one_step(name: str, folders: Path) -> None:
    report = verified(folders / name)
    found = report.onnxruntime
    assert report.ok
    assert found is not None
    steps = Compiled.open(folders / name).manifest.program.steps
    assert found.steps == len(steps)
    assert not found.not_compared
    assert found.elements >= 6 * sum(int(np.prod(result.shape)) for step in steps for result in step.results) / 2
    assert found.largest <= 1
    assert found.wrong == 0
    assert found.agreement is not None


def test_float_models_are_not_compared_with_onnxruntime(compiled_example: object) -> None:
    folder: Path = compiled_example()  # type: ignore[operator]
    assert verify_folder(Compiled.open(folder), ["native"], 1).onnxruntime is None


@pytest.mark.parametrize(("shift", "wrong"), [(1, 0), (2, 1)])
def test_one_step_is_rounding_and_two_are_a_defect(
    shift: int, wrong: int, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference errs in one element of one convolution; later steps get that element too, and are not blamed."""
    compiled = Compiled.open(folders / "torch_pt2e")
    victim = next(node for node in compiled.graph.nodes if node.op == "conv2d")

    def erring(graph: object, inputs: Sequence[Array], *rest: object, **options: object) -> object:
        done: list[int] = []

        def known(node: Node, operands: Sequence[Array]) -> Sequence[Array] | None:
            if node.name != victim.name or done:
                return None
            done.append(1)
            (result,) = run_node(node, operands)
            spoilt = np.array(result)
            at = int(np.argmax(np.abs(spoilt.reshape(-1).astype(int)) < 100))
            spoilt.reshape(-1)[at] += shift
            return [spoilt]

        return run(graph, inputs, known=known)  # type: ignore[arg-type]

    def run_node(node: Node, operands: Sequence[Array]) -> list[Array]:
        from edgeq.ops import BY_NAME

        return BY_NAME[node.op].evaluate(node, operands)

    clean = verified(compiled.path, 1).onnxruntime
    monkeypatch.setattr(comparison, "run", erring)
    monkeypatch.setattr(model_values, "run", erring)
    report = verified(compiled.path, 1)
    found = report.onnxruntime
    assert clean is not None
    assert found is not None
    assert clean.different == 0
    assert (found.different, found.largest, found.wrong) == (1, shift, wrong)
    if wrong:
        assert found.first is not None
        assert found.first.tensor in victim.source
        assert not report.ok


def test_values_that_are_not_known_stay_inside_their_step() -> None:
    text = """g (float[1,4] x) => (float[1,4] y) {
        xq = QuantizeLinear(x, s, z)
        xd = DequantizeLinear(xq, s, z)
        a = Relu(xd)
        aq = QuantizeLinear(a, s, z)
        ad = DequantizeLinear(aq, s, z)
        b = Sigmoid(ad)
        bq = QuantizeLinear(b, s, z)
        y = DequantizeLinear(bq, s, z)
    }"""
    constants = {"s": np.float32(0.05), "z": np.int8(3)}
    model = parse(text, constants)
    values = cut_at_quantizers(model, {"xq", "aq", "bq"})
    assert [(value.integers, value.is_step) for value in values] == [("xq", False), ("aq", True), ("bq", True)]
    assert [value.name for value in model.graph.inputs] == ["xq.given", "aq.given", "bq.given"]
    assert [value.name for value in model.graph.outputs] == ["aq", "bq"]
    joined = parse(text, constants)
    assert [value.integers for value in cut_at_quantizers(joined, {"xq", "bq"})] == ["xq", "bq"]
    assert [value.name for value in joined.graph.outputs] == ["bq"]
    unsigned = replace(values[0], dtype=np.dtype(np.uint8))
    assert unsigned.shaped(np.array([-128, 0, 3, 127], np.int8)).tolist() == [[0, 128, 131, 255]]


def test_integer_inputs_are_given_as_they_are(tmp_path: Path) -> None:
    text = """g (int8[1,4] x) => (int8[1,4] y) {
        a = DequantizeLinear(x, s, z)
        r = Sigmoid(a)
        y = QuantizeLinear(r, t, low)
    }"""
    constants = {"s": np.float32(0.05), "z": np.int8(3), "t": np.float32(1 / 256), "low": np.int8(-128)}
    write_model(parse(text, constants), tmp_path / "m.onnx")
    compile_model(tmp_path / "m.onnx", None, tmp_path / "out", CompileOptions("native", "m"))
    report = verified(tmp_path / "out")
    assert report.onnxruntime is not None
    assert (report.onnxruntime.steps, report.onnxruntime.wrong, report.ok) == (1, 0, True)
    assert read_model(tmp_path / "out" / "model.qdq.onnx").graph.inputs[0].name == "x"


def test_text_says_what_was_compared_and_what_decides_nothing(folders: Path, run_edgeq: Callable[..., Any]) -> None:
    arguments = ("verify", folders / NAMES[0], "--samples", "3")
    text, document = run_edgeq(*arguments), json.loads(run_edgeq(*arguments, "--json").stdout)
    assert text.returncode == 0
    found = document["onnxruntime"]
    assert f"onnxruntime, {found['steps']} steps alone: 0 of {found['elements']:,} elements differ" in text.stdout
    assert "end to end (no gate): arg max agrees in 100 % of the samples, SQNR" in text.stdout
    assert found["sqnr_db"] > 30
