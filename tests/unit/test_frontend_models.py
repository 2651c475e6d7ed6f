"""The models of the data folder, and quantized ones, through the frontend."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.frontend import check_support, is_quantized, normalize, normalize_structure
from edgeq.frontend.facts import known_shape
from edgeq.onnxio import Session, model_bytes, read_model, write_model

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("EDGEQ_DATA", ROOT.parent / "shared" / "data"))
SUPPORTED = (
    "ad_autoencoder", "arm_kws_cnn_s", "arm_kws_dnn_s", "arm_kws_ds_cnn_s", "har3_cnn", "ic_resnet8", "ic_resnet_large",
    "kws_dscnn", "mww_vad_stream", "sww_ref", "vww_mobilenetv1_025",
)  # fmt: skip
# They take operators that move data, such as the transposes around recurrent layers.
FURTHER = (
    "arm_kws_basic_lstm_s", "mnist_lstm", "silero_vad_16k_static", "stories260k_step128", "stories260k_window64",
)  # fmt: skip


def data_model(name: str) -> Path:
    """The file of a model, or a skip."""
    path = DATA / "models" / f"{name}.onnx"
    if not path.is_file():
        pytest.skip(f"no {path}: set EDGEQ_DATA to the data folder")
    return path


def feeds_of(model: ir.Model, seed: int = 1) -> dict[str, np.ndarray]:
    """Random inputs in a range in which softmax is not saturated."""
    rng = np.random.default_rng(seed)
    feeds = {}
    for value in model.graph.inputs:
        shape = known_shape(value) or ()
        assert value.dtype is not None
        if value.dtype == ir.DataType.FLOAT:
            feeds[value.name or ""] = rng.normal(0, 0.5, shape).astype(np.float32)
        else:
            feeds[value.name or ""] = rng.integers(0, 100, shape).astype(value.dtype.numpy())
    return feeds


def worst_difference(first: ir.Model, second: ir.Model) -> float:
    """The largest difference of any output, relative to the output's largest value."""
    sessions = Session(first), Session(second)
    assert sessions[0].outputs == sessions[1].outputs
    worst = 0.0
    for seed in range(3):
        feeds = feeds_of(second, seed)
        before, after = (session.run(feeds) for session in sessions)
        for name, array in before.items():
            scale = max(float(np.abs(array).max()), 1e-6)
            worst = max(worst, float(np.abs(after[name] - array).max()) / scale)
    return worst


@pytest.mark.parametrize("name", [*SUPPORTED, *FURTHER])
def test_data_model_computes_the_same(name: str) -> None:
    model = read_model(data_model(name))
    assert worst_difference(model, normalize(model)) < 1e-4


@pytest.mark.parametrize("name", SUPPORTED)
def test_data_model_is_supported(name: str) -> None:
    model = normalize(read_model(data_model(name)))
    assert check_support(model) == []
    assert not is_quantized(model)
    assert sum(node.op_type == "Transpose" for node in model.graph) <= 2


@pytest.mark.parametrize("name", FURTHER)
def test_data_model_of_other_kinds_is_supported(name: str) -> None:
    assert check_support(normalize(read_model(data_model(name)))) == []


def test_normalized_bytes_do_not_depend_on_the_process(tmp_path: Path) -> None:
    """Another hash seed and another folder give the same file."""
    path = data_model("sww_ref")
    script = (
        "import sys; from edgeq.frontend import normalize; from edgeq.onnxio import read_model, write_model; "
        "write_model(normalize(read_model(sys.argv[1])), sys.argv[2])"
    )
    digests = set()
    for seed in ("1", "2"):
        target = tmp_path / f"{seed}.onnx"
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [sys.executable, "-c", script, str(path), str(target)], check=True, env=environment, cwd=tmp_path
        )
        digests.add(hashlib.sha256(target.read_bytes()).hexdigest())
    assert len(digests) == 1


def qdq_model(path: Path) -> None:
    """Q, DQ, Conv with an int8 weight, Flatten, Q, DQ: as an exporter writes it, opset 13, dynamic batch."""
    rng = np.random.default_rng(2)
    tensors = [
        numpy_helper.from_array(np.array(0.05, dtype=np.float32), "s"),
        numpy_helper.from_array(np.array(120, dtype=np.uint8), "z"),
        numpy_helper.from_array(rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8), "w"),
        numpy_helper.from_array(np.full(4, 0.01, dtype=np.float32), "ws"),
        numpy_helper.from_array(np.zeros(4, dtype=np.int8), "wz"),
    ]
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=0),
        node("Conv", ["xd", "wd"], ["c"], auto_pad="SAME_UPPER"),
        node("Identity", ["c"], ["i"]),
        node("Flatten", ["i"], ["f"]),
        node("QuantizeLinear", ["f", "s", "z"], ["fq"]),
        node("DequantizeLinear", ["fq", "s", "z"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "qdq",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 6, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 120])],
        tensors,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(made.SerializeToString())


def test_quantized_model_keeps_every_quantization(tmp_path: Path) -> None:
    path = tmp_path / "q.onnx"
    qdq_model(path)
    model = normalize_structure(read_model(path))
    assert [n.op_type for n in model.graph] == [
        "QuantizeLinear", "DequantizeLinear", "DequantizeLinear", "Conv", "Reshape",
        "QuantizeLinear", "DequantizeLinear",
    ]  # fmt: skip
    assert is_quantized(model)
    assert check_support(model) == []
    (conv,) = [n for n in model.graph if n.op_type == "Conv"]
    assert conv.attributes["pads"].as_ints() == (1, 1, 1, 1)
    assert len(conv.inputs) == 2
    feeds = feeds_of(model)
    before, after = Session(read_model(path)).run(feeds), Session(model).run(feeds)
    assert np.array_equal(before["y"], after["y"])


def test_normalized_model_is_read_back_unchanged(tmp_path: Path) -> None:
    model = normalize(read_model(data_model("kws_dscnn")))
    write_model(model, tmp_path / "n.onnx")
    again = normalize(read_model(tmp_path / "n.onnx"))
    assert model_bytes(again) == model_bytes(model)
