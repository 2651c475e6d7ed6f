"""Rank 0, outputs that are constants, inputs or views, and Concat of anything: through the whole road to firmware."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx_ir
import pytest

from edgeq.analysis.verify import verify_folder
from edgeq.folder import Compiled
from edgeq.frontend import normalize_qdq, normalize_structure
from edgeq.integers import to_integer_graph
from edgeq.interp import run
from edgeq.job import CompileOptions
from edgeq.numerics.array import Array
from edgeq.onnxio import Session
from edgeq.onnxio.reader import read_model_bytes
from edgeq.pipeline import compile_model

_HALVES = np.array([0.5, 1.0, -0.25], np.float32)
_PARTS = 20
_SPLIT = f"{', '.join(f's{i}' for i in range(_PARTS))} = Split <axis = 1, num_outputs = {_PARTS}> (x)"
_REVERSED = ", ".join(f"s{i}" for i in reversed(range(_PARTS)))
_BETWEEN = ", ".join(f"s{i}, k" for i in range(_PARTS))
# Graph in text form, constants, and the outputs' shapes by their names.
MODELS: dict[str, tuple[str, Mapping[str, Array], dict[str, tuple[int, ...]]]] = {
    "relu-rank0": ("(float x) => (float y) { y = Relu (x) }", {}, {"y": ()}),
    "add-rank0": ("(float x, float z) => (float y) { y = Add (x, z) }", {}, {"y": ()}),
    "mean-rank0": ("(float[1,4] x) => (float y) { y = ReduceMean <keepdims = 0> (x) }", {}, {"y": ()}),
    "mean-keep": ("(float[2,4] x) => (float[1,1] y) { y = ReduceMean (x) }", {}, {"y": (1, 1)}),
    "input-is-output": ("(float[1,4] x) => (float[1,4] y, float[1,4] x) { y = Relu (x) }", {}, {"x_output": (1, 4)}),
    "input-alone": ("(float[1,4] x) => (float[1,4] x) { }", {}, {"x_output": (1, 4)}),
    "views-alone": (
        "(float[1,2,3] x) => (float[1,6] y, float[1,2,3] z) { y = Flatten (x) z = Identity (x) }",
        {},
        {"y": (1, 6), "z": (1, 2, 3)},
    ),
    "constant-node": (
        "(float[1,4] x) => (float[1,4] y, float[3] z) { y = Relu(x) z = Constant <value_floats = [0.5, 1.0, 2.5]> () }",
        {},
        {"y": (1, 4), "z": (3,)},
    ),
    "constant-rank0": (
        "(float[1,4] x) => (float[1,4] y, float c) { y = Relu (x) }",
        {"c": np.array(2.5, np.float32)},
        {"c": ()},
    ),
    "constant-that-is-read": (
        "(float[1,3] x) => (float[1,3] y, float[3] c) { y = Add (x, c) }",
        {"c": _HALVES},
        {"c": (3,)},
    ),
    "constants-alone": ("(float[1,4] x) => (float[3] y) { y = Add (c, c) }", {"c": _HALVES}, {"y": (3,)}),
    "output-twice": (
        "(float[1,4] x) => (float[1,4] y, float[1,4] z) { y = Relu (x) z = Identity (y) }",
        {},
        {"y": (1, 4), "z": (1, 4)},
    ),
    "concat-of-20": (
        f"(float[1,40] x) => (float[1,40] y) {{ {_SPLIT} y = Concat <axis = 1> ({_REVERSED}) }}",
        {},
        {"y": (1, 40)},
    ),
    "concat-with-constants-between": (
        f"(float[1,20] x) => (float[1,80] y) {{ {_SPLIT} y = Concat <axis = 1> ({_BETWEEN}) }}",
        {"k": _HALVES[np.newaxis]},
        {"y": (1, 80)},
    ),
}


def compiled(name: str, folder: Path, backends: tuple[str, ...]) -> Path:
    """The folder of one of the models."""
    text, constants, _ = MODELS[name]
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]>\ng {text}')
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, key) for key, array in constants.items())
    onnx.save(proto, folder / "m.onnx")
    generator = np.random.default_rng(0)
    shapes = {item.name: [dim.dim_value for dim in item.type.tensor_type.shape.dim] for item in proto.graph.input}
    np.savez(
        folder / "d.npz",
        allow_pickle=False,
        **{key: generator.normal(size=(40, *shape)).astype(np.float32) for key, shape in shapes.items()},
    )
    options = CompileOptions("native", "m", backends=backends)
    notes = compile_model(folder / "m.onnx", folder / "d.npz", folder / "out", options).notes
    assert not [note for note in notes if "compiler" in str(note)], notes
    return folder / "out"


@pytest.mark.parametrize("name", MODELS)
def test_model_has_the_reference_bits_and_its_shapes(name: str, tmp_path: Path) -> None:
    out = compiled(name, tmp_path, ("c",))
    report = verify_folder(Compiled.open(out), ["native"], 2, tmp_path / "d.npz")
    assert report.mismatches == 0
    manifest = json.loads((out / "manifest.json").read_text())
    shapes = {item["name"]: tuple(item["shape"]) for item in manifest["outputs"]}
    assert MODELS[name][2].items() <= shapes.items()


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_other_backends_have_the_reference_bits(name: str, tmp_path: Path) -> None:
    pytest.importorskip("tvm", reason="the extra `tvm` is not installed")
    pytest.importorskip("ai_edge_litert", reason="the extra `tflite` is not installed")
    out = compiled(name, tmp_path, ("tflite", "tvm"))
    assert verify_folder(Compiled.open(out), ["tflite", "tvm"], 2, tmp_path / "d.npz").mismatches == 0


_Q = "a = QuantizeLinear(x, s, z) b = DequantizeLinear(a, s, z)"
_RELU = "r = Relu(b) c = QuantizeLinear(r, s, z) y = DequantizeLinear(c, s, z)"
QUANTIZED = {
    "input-is-output": f"(float[1,4] x) => (float[1,4] b) {{ {_Q} }}",
    "constant": f"(float[1,4] x) => (float[1,4] y, float[3] o) {{ {_Q} {_RELU} o = DequantizeLinear(k, s, z) }}",
    "input-beside": f"(float[1,4] x) => (float[1,4] y, float[1,4] b) {{ {_Q} {_RELU} }}",
    "relu-rank0": f"(float x) => (float y) {{ {_Q} {_RELU} }}",
    "mean-rank0": f"(float[1,4] x) => (float y) {{ {_Q} r = ReduceMean <keepdims = 0> (b) "
    "c = QuantizeLinear(r, s, z) y = DequantizeLinear(c, s, z) }",
    "turned-constant": f"(float[1,3] x) => (float[1,3] y) {{ {_Q} u = DequantizeLinear(m, s, z) v = Transpose(u) "
    "e = QuantizeLinear(v, t, z) f = DequantizeLinear(e, t, z) r = Add(b, f) "
    "c = QuantizeLinear(r, s, z) y = DequantizeLinear(c, s, z) }",
}


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_model_computes_the_same(name: str) -> None:
    constants: dict[str, Array] = {
        "s": np.array(0.02, np.float32),
        "t": np.array(0.0437, np.float32),  # no sum at the two scales is a tie
        "z": np.array(3, np.int8),
        "k": np.array([1, -5, 100], np.int8),
        "m": np.array([[7], [-50], [120]], np.int8),
    }
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]>\ng {QUANTIZED[name]}')
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, key) for key, array in constants.items())
    qdq = normalize_qdq(normalize_structure(read_model_bytes(proto.SerializeToString())))
    graph = to_integer_graph(qdq, "highmul", "m")
    shape = [dim.dim_value for dim in proto.graph.input[0].type.tensor_type.shape.dim]
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    wanted = Session(onnx_ir.from_proto(proto)).run({"x": np.asarray(x)})
    integers = np.clip(np.rint(x / np.float32(0.02)) + 3, -128, 127).astype(np.int8)
    for output, tensor_name, got in zip(proto.graph.output, graph.outputs, run(graph, [integers]).outputs, strict=True):
        quant = graph.tensors[tensor_name].quant
        assert quant is not None
        real = (got.astype(np.float64) - quant.zero_point[0]) * quant.scale[0]
        assert real.shape == wanted[output.name].shape
        assert float(np.abs(real - wanted[output.name]).max()) < 0.51 * quant.scale[0] + 1e-6
