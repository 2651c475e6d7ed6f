"""A quantized model through whole commands: inputs and outputs have the ONNX model's names, order and types."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
g (uint8[1,3,4,4] picture, float[1,8] extra) => (float[1,4,4,2] map, uint8[1,8] code, float[1,8] sum) {
    p = DequantizeLinear(picture, s, u)
    w = DequantizeLinear(wq, s)
    c = Conv(p, w)
    cq = QuantizeLinear(c, t, z)
    turned = Transpose <perm = [0,2,3,1]> (cq)
    map = DequantizeLinear(turned, t, z)
    eq = QuantizeLinear(extra, s, z)
    e = DequantizeLinear(eq, s, z)
    a = Add(e, e)
    code = QuantizeLinear(a, t, u)
    sum = DequantizeLinear(code, t, u)
}"""
CONSTANTS: dict[str, Any] = {
    "s": np.float32(0.02),
    "t": np.float32(0.05),
    "u": np.uint8(120),
    "z": np.int8(-8),
    "wq": np.arange(-3, 3, dtype=np.int8).reshape(2, 3, 1, 1) * 20,
}
OUTPUTS = ["map", "code", "sum"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = onnx.parser.parse_model(TEXT)
    made.graph.initializer.extend(numpy_helper.from_array(np.asarray(v), k) for k, v in CONSTANTS.items())
    path = tmp_path_factory.mktemp("borders") / "borders.onnx"
    onnx.save(made, path)
    return path


def document(done: Any) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_names_order_and_types_are_those_of_the_onnx_model(
    model: Path, tmp_path: Path, run_edgeq: Callable[..., Any], needs_program: Callable[[str], str]
) -> None:
    needs_program("gcc")
    folder = tmp_path / "out"
    compiled = document(run_edgeq("compile", model, "--board", "native", "--name", "net", "-o", folder, "--json"))
    notes = [(note["code"], note["where"]) for note in compiled["notes"]]
    assert [item for item in notes if item[0] == "EQ0258"] == [("EQ0258", "input picture"), ("EQ0258", "output code")]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [entry["name"] for entry in manifest["inputs"]] == ["picture", "extra"]
    assert [entry["name"] for entry in manifest["outputs"]] == OUTPUTS
    header = (folder / "net.h").read_text()
    places = [header.index(f"/* {name}: int8 ") for name in ["picture", "extra", *OUTPUTS]]
    assert places == sorted(places)

    generator = np.random.default_rng(3)
    pictures = generator.integers(0, 256, (3, 3, 4, 4)).astype(np.uint8)
    extras = generator.normal(size=(3, 8)).astype(np.float32)
    data = tmp_path / "data.npz"
    np.savez(data, picture=pictures, extra=extras)
    shown = document(run_edgeq("emulate", folder, "--input", data, "--on", "native", "--json"))
    session = onnx_session(model)
    for number, outputs in enumerate(shown["outputs"]):
        assert list(outputs) == OUTPUTS
        wanted = session.run(OUTPUTS, {"picture": pictures[number : number + 1], "extra": extras[number : number + 1]})
        for name, array in zip(OUTPUTS, wanted, strict=True):
            got = np.array(outputs[name]["values"]).reshape(array.shape)
            step = 1 if array.dtype == np.uint8 else CONSTANTS["t"]
            assert np.abs(got - array).max() <= 1.01 * step, name
    assert document(run_edgeq("verify", folder, "--data", data, "--json"))["ok"]


def onnx_session(model: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
