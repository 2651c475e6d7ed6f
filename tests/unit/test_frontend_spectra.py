"""Logarithms of bands are recognized in the forms in which exporters write them, and survive writing and reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edgeq.frontend import check_support, normalize
from edgeq.numerics.array import Array
from edgeq.onnxio.reader import read_model_bytes
from tests.conformance.node_tests import run_float

SAMPLES, STEP, LENGTH, BANDS = 160, 32, 64, 7
FRAMES = (SAMPLES - LENGTH) // STEP + 1
RANDOM = np.random.default_rng(3)
MATRIX = np.abs(RANDOM.normal(size=(LENGTH // 2 + 1, BANDS))).astype(np.float32)
CONSTANTS: Mapping[str, Array] = {
    "step": np.array(STEP),
    "window": np.hanning(LENGTH).astype(np.float32),
    "matrix": MATRIX,
    "turned": np.ascontiguousarray(MATRIX.T),
    "epsilon": np.array(1e-3, np.float32),
    "last": np.array([-1]),
    "two": np.array(2, np.float32),
    "zero": np.array(0),
    "one": np.array(1),
    "length": np.array(LENGTH),
    "short": np.hanning(40).astype(np.float32).reshape(1, 1, 40),
    "pads": np.array([0, 0, 0, 24]),
    "padded_window": np.pad(np.hanning(40), (0, 24)).astype(np.float32),
    "negative": -MATRIX,
    "odd": np.hanning(48).astype(np.float32),
    "odd_matrix": MATRIX[:25],
}
STFT = "STFT x step window -> s | onesided=1"
POWER = "ReduceSumSquare s last -> p | keepdims=0"
END = ("MatMul p matrix -> b", "Add b epsilon -> a", "Log a -> y")
FORMS: Mapping[str, Sequence[str]] = {
    "power": (STFT, POWER, *END),
    "magnitude-floor": (
        STFT, "ReduceL2 s last -> p | keepdims=0", "MatMul p matrix -> b", "Max b epsilon -> a", "Log a -> y",
    ),
    "torch": (
        STFT, "Transpose s -> t | perm=0,2,1,3", "ReduceL2 t last -> q | keepdims=0", "Pow q two -> r",
        "Transpose r -> p | perm=0,2,1", "MatMul p matrix -> b", "Transpose b -> c | perm=0,2,1",
        "Add c epsilon -> a", "Log a -> y",
    ),
    "matrix-first": (
        STFT, "Transpose s -> t | perm=0,2,1,3", "Pow t two -> u", "ReduceSum u last -> v | keepdims=0", "Sqrt v -> p",
        "MatMul turned p -> b", "Clip b epsilon -> a", "Log a -> y",
    ),
    "gathered-parts": (
        STFT, "Gather s zero -> re | axis=-1", "Gather s one -> im | axis=-1", "Mul re re -> u", "Pow im two -> v",
        "Add u v -> p", "MatMul p matrix -> b", "Add epsilon b -> a", "Log a -> y",
    ),
    "split-parts": (
        STFT, "Split s -> re im | axis=-1 num_outputs=2", "Squeeze re last -> rs", "Squeeze im last -> is",
        "Mul rs rs -> u", "Mul is is -> v", "Add u v -> w", "Sqrt w -> p", *END,
    ),
    "no-number": (STFT, POWER, "MatMul p matrix -> b", "Log b -> y"),
    "padded": ("Pad x pads -> xp", "STFT xp step padded_window -> s | onesided=1", POWER, *END),
    "frames": ("Mul f short -> xw", "Unsqueeze xw last -> xu", "DFT xu length -> s | axis=2 onesided=1", POWER, *END),
}  # fmt: skip
OTHERS: Mapping[str, tuple[str, Sequence[str]]] = {
    "negative-matrix": ("Gemm", (STFT, POWER, "MatMul p negative -> b", "Add b epsilon -> a", "Log a -> y")),
    "no-power-of-two": (
        "Conv",
        ("STFT x step odd -> s | onesided=1", POWER, "MatMul p odd_matrix -> b", "Add b epsilon -> a", "Log a -> y"),
    ),
    "no-logarithm": ("Conv", (STFT, POWER, "MatMul p matrix -> y")),
}


def node(text: str) -> NodeProto:
    call, _, stated = text.partition(" | ")
    left, _, right = call.partition(" -> ")
    kind, *operands = left.split()
    pairs = [item.split("=") for item in stated.split()]
    attributes: dict[str, Any] = {
        key: [int(item) for item in value.split(",")] if "," in value else int(value) for key, value in pairs
    }
    return helper.make_node(kind, operands, right.split(), **attributes)


def model_of(lines: Sequence[str]) -> tuple[onnx.ModelProto, dict[str, Array]]:
    nodes = [node(line) for line in lines]
    read = {name for each in nodes for name in each.input}
    x = RANDOM.normal(size=(1, SAMPLES)).astype(np.float32)
    name, value = ("f", x.reshape(1, 4, 40)) if "f" in read else ("x", x)
    graph = helper.make_graph(
        nodes,
        "spectra",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape)],
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(array, key) for key, array in CONSTANTS.items() if key in read],
    )
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), {name: value}


def kinds(model: ir.Model) -> list[str]:
    return [each.op_type for each in model.graph if each.op_type not in {"Reshape", "Transpose"}]


@pytest.mark.parametrize("form", FORMS)
def test_chain_becomes_one_operator_that_onnxruntime_runs(form: str) -> None:
    proto, inputs = model_of(FORMS[form])
    found = normalize(read_model_bytes(proto.SerializeToString()))
    assert kinds(found) == ["LogMel"]
    assert not check_support(found)
    (wanted,), (got,) = run_float(proto, inputs), run_float(ir.to_proto(found), inputs)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() < 1e-4
    again = normalize(read_model_bytes(ir.to_proto(found).SerializeToString()))
    assert kinds(again) == ["LogMel"]
    assert np.abs(run_float(ir.to_proto(again), inputs)[0] - wanted).max() < 1e-4


@pytest.mark.parametrize("form", OTHERS)
def test_other_chains_stay_operators_of_their_own(form: str) -> None:
    kind, lines = OTHERS[form]
    proto, inputs = model_of(lines)
    found = normalize(read_model_bytes(proto.SerializeToString()))
    assert kind in kinds(found)
    assert "LogMel" not in kinds(found)
    assert np.allclose(run_float(ir.to_proto(found), inputs)[0], run_float(proto, inputs)[0], atol=1e-3, equal_nan=True)
