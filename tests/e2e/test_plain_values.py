"""Models with integers and truth values, all the way: from ONNX to images, compared with the reference and ONNX."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from quant_models import parse

import edgeq
from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.job import CompileOptions
from edgeq.numerics.array import Array
from edgeq.onnxio import Session, model_bytes
from edgeq.pipeline import compile_model

BOARD = "mps2-an386"
Run = Callable[..., Any]


def classifier(text: str = "c = ArgMax<axis = 1, keepdims = 0>(l)", result: str = "int64[1] c") -> ir.Model:
    """A convolution, a dense layer, and what makes something of its logits ``l``."""
    draw = np.random.default_rng(2)
    constants = {
        "w": draw.normal(size=(4, 1, 3, 3)).astype(np.float32),
        "b": draw.normal(size=4).astype(np.float32),
        "v": draw.normal(size=(144, 6)).astype(np.float32),
    }
    body = f"""g (float[1,1,8,8] x) => ({result}) {{
        h = Conv(x, w, b)
        r = Relu(h)
        f = Flatten(r)
        l = MatMul(f, v)
        {text}
    }}"""
    return parse(body, constants)


def samples(count: int = 40) -> dict[str, Array]:
    draw = np.random.default_rng(3)
    x = draw.normal(size=(count, 1, 8, 8)).astype(np.float32)
    return {"x": x, "y": draw.integers(0, 6, count)}


def compiled(model: ir.Model, data: Mapping[str, Array], folder: Path, board: str = BOARD) -> Compiled:
    """A folder of a model."""
    onnx.save(ir.to_proto(model), folder / "model.onnx")
    np.savez(folder / "data.npz", **data)  # type: ignore[arg-type]
    options = CompileOptions(board=board, name="model")
    compile_model(folder / "model.onnx", folder / "data.npz", folder / "out", options)
    return Compiled.open(folder / "out")


@pytest.fixture(scope="module")
def argmax_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("argmax")
    compiled(classifier(), samples(), folder)
    return folder


@pytest.mark.qemu
def test_argmax_tail_runs_everywhere_and_says_what_it_gives(argmax_folder: Path, run_edgeq: Run) -> None:
    out, data = argmax_folder / "out", argmax_folder / "data.npz"
    found = json.loads(run_edgeq("verify", out, "--data", data, "--samples", 20, "--json").stdout)
    assert (found["ok"], found["mismatches"]) == (True, 0)
    assert set(found["runners"]) == {"native", "qemu"}
    endpoint = Compiled.open(out).manifest.outputs[0]
    assert (endpoint.name, endpoint.dtype, endpoint.shape, endpoint.scale) == ("c", "int32", (1,), None)
    header = (out / "model.h").read_text("utf-8")
    assert "#define MODEL_OUTPUT_0_TYPE int32_t" in header
    assert "MODEL_OUTPUT_0_SCALE" not in header
    assert "integers as the ONNX model has them" in header
    answers = json.loads(run_edgeq("emulate", out, "--input", data, "--json").stdout)
    session = Session(Compiled.open(out).qdq_model())
    x = samples()["x"]
    wanted = [int(session.run({"x": x[number][None]})["c"][0]) for number in range(len(x))]
    assert len(set(wanted)) > 3
    assert [sample["c"]["values"] for sample in answers["outputs"]] == [[value] for value in wanted]
    assert answers["arg_max"] == wanted
    score = json.loads(run_edgeq("eval", out, "--data", data, "--on", "reference,qemu,float", "--json").stdout)
    assert score["metric"] == "top1"
    assert score["value"] == float(np.mean(np.array(wanted) == samples()["y"]))
    assert score["agreement"] >= 0.9


def embedding(rows: int = 11) -> ir.Model:
    """Tokens, a table, the mean over them, and a dense layer."""
    draw = np.random.default_rng(4)
    constants = {
        "table": draw.normal(size=(rows, 8)).astype(np.float32),
        "w": draw.normal(size=(8, 5)).astype(np.float32),
        "axes": np.array([1]),
    }
    text = """g (int64[1,6] tokens) => (float[1,5] y) {
        e = Gather<axis = 0>(table, tokens)
        m = ReduceMean<keepdims = 0>(e, axes)
        y = MatMul(m, w)
    }"""
    return parse(text, constants)


@pytest.mark.qemu
def test_embedding_takes_tokens_and_refuses_others(tmp_path: Path, run_edgeq: Run) -> None:
    tokens = np.random.default_rng(5).integers(-11, 11, (60, 6))
    out = compiled(embedding(), {"tokens": tokens}, tmp_path).path
    entry = Compiled.open(out).manifest.inputs[0]
    assert (entry.name, entry.dtype, entry.scale, entry.zero_point) == ("tokens", "int32", None, None)
    for data in ([], ["--data", tmp_path / "data.npz"]):
        found = json.loads(run_edgeq("verify", out, *data, "--samples", 12, "--json").stdout)
        assert (found["ok"], found["mismatches"]) == (True, 0)
    score = json.loads(run_edgeq("eval", out, "--data", tmp_path / "data.npz", "--on", "qemu", "--json").stdout)
    assert score["agreement"] is None or score["agreement"] >= 0.9
    tokens[3, 2] = 11
    np.savez(tmp_path / "beyond.npz", tokens=tokens)
    refused = run_edgeq("verify", out, "--data", tmp_path / "beyond.npz")
    assert refused.returncode == 2
    assert "EQ0143" in refused.stderr
    assert "allowed: -11 to 10" in refused.stderr


def test_an_integer_constant_beyond_int32_is_refused(tmp_path: Path) -> None:
    model = parse("g (int64[1,4] a) => (bool[1,4] c) { c = Greater(a, k) }", {"k": np.array(3_000_000_000, np.int64)})
    with pytest.raises(EdgeqError) as caught:
        compiled(model, {"a": np.arange(32).reshape(8, 4)}, tmp_path, "native")
    assert [problem.code for problem in caught.value.problems] == ["EQ0366"]
    assert caught.value.problems[0].got == "3000000000"


QUANTIZED_TABLE = {
    "behind": """i = Gather<axis = 0>(table, tokens)
        e = DequantizeLinear(i, ts, tz)""",
    "before": """t = DequantizeLinear(table, ts, tz)
        e = Gather<axis = 0>(t, tokens)""",
}


@pytest.mark.parametrize("place", QUANTIZED_TABLE)
def test_imported_embedding_and_argmax_have_the_integers_of_onnxruntime(place: str, tmp_path: Path) -> None:
    """A quantized table, a ReduceMean, and an ArgMax of the integers themselves; every step is compared, too."""
    draw = np.random.default_rng(6)
    constants = {
        "table": draw.integers(-128, 128, (11, 8)).astype(np.int8),
        "ts": np.float32(0.02),
        "tz": np.int8(-7),
        "s": np.float32(0.011),
        "z": np.int8(3),
        "axes": np.array([1]),
    }
    text = f"""g (int64[1,6] tokens) => (int64[1,1] c, int64[1,3] best) {{
        {QUANTIZED_TABLE[place]}
        m = ReduceMean<keepdims = 0>(e, axes)
        q = QuantizeLinear(m, s, z)
        c = ArgMax<axis = 1>(q)
        d = DequantizeLinear(q, s, z)
        v, best = TopK<axis = 1>(d, k)
    }}"""
    model = parse(text, constants | {"k": np.array([3])})
    folder = tmp_path / "out"
    found = edgeq.compile(model_bytes(model), board="native", name="net", out=folder)
    tokens = draw.integers(-11, 11, (20, 6))
    result = found.verify("native", data={"tokens": tokens}, samples=20)
    assert result.ok
    assert result.onnxruntime is not None
    assert (result.onnxruntime.wrong, result.onnxruntime.not_compared) == (0, {})
    session = Session(model)
    answers = found.emulate({"tokens": tokens}, "native", samples=20).outputs
    for number, answer in enumerate(answers):
        wanted = session.run({"tokens": tokens[number][None]})
        mean = wanted["c"], wanted["best"]
        assert answer["c"].dtype == answer["best"].dtype == np.int64
        # The mean may be rounded the other way; then neighbours may change places.
        assert answer["best"][0, 0] == answer["c"][0, 0] or mean[0][0, 0] != mean[1][0, 0]
