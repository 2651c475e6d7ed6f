"""Recurrent layers with other functions, clipping or peepholes: written out, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq import frontend
from edgeq.analysis.verify import verify_folder
from edgeq.folder import Compiled
from edgeq.frontend.rules.functions import Function, functions_of
from edgeq.job import CompileOptions
from edgeq.numerics.array import Array
from edgeq.onnxio.reader import read_model_bytes
from edgeq.pipeline import compile_model
from tests.conformance.node_tests import NodeTest, Outcome, judge, run_float

GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}


def layer(kind: str, attributes: Mapping[str, Any], *, steps: int = 4, samples: int = 1) -> onnx.ModelProto:
    """A layer from 5 values to 3."""
    draw, rows = np.random.default_rng(7), GATES[kind] * 3
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    constants = {
        "w": draw.normal(size=(directions, rows, 5)) * 0.5,
        "r": draw.normal(size=(directions, rows, 3)) * 0.5,
        "b": draw.normal(size=(directions, 2 * rows)) * 0.5,
    }
    node = helper.make_node(kind, ["x", *constants], ["y"], "layer", hidden_size=3, **attributes)
    graph = helper.make_graph(
        [node],
        kind,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [steps, samples, 5])],
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def problems_of(model: onnx.ModelProto) -> list[str]:
    normal = frontend.normalize(read_model_bytes(model.SerializeToString()))
    return [str(problem) for problem in frontend.check_support(normal)]


def outcome(model: onnx.ModelProto, x: Array) -> Outcome:
    (wanted,) = run_float(model, {"x": x})
    return judge(NodeTest("layer", model, (x,), (wanted,), 1e-5, 1e-5))


@pytest.mark.parametrize("kind", GATES)
def test_both_directions_of_several_samples_are_clipped(kind: str) -> None:
    """Splitting a layer by direction and by sample keeps what changes its function."""
    model = layer(kind, {"direction": "bidirectional", "clip": 0.125}, samples=2)
    x = np.random.default_rng(1).uniform(-2, 2, (4, 2, 5)).astype(np.float32)
    assert outcome(model, x) == Outcome("passed")


def test_written_out_layer_has_the_reference_bits_in_c(tmp_path: Path) -> None:
    model = layer("RNN", {"activations": ["Relu"]})
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    x = np.random.default_rng(2).uniform(-1, 1, (6, 4, 1, 5)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x)
    compile_model(tmp_path / "m.onnx", tmp_path / "d.npz", tmp_path / "out", CompileOptions("native", "m"))
    assert verify_folder(Compiled.open(tmp_path / "out"), ["native"], 4, tmp_path / "d.npz").mismatches == 0


def test_default_functions_leave_the_layer_to_its_kernel() -> None:
    model = layer("LSTM", {"activations": ["sigmoid", "tanh", "tanh"]})
    normal = frontend.normalize(read_model_bytes(model.SerializeToString()))
    (found,) = [node for node in normal.graph if node.op_type == "LSTM"]
    assert sorted(found.attributes) == ["hidden_size"]


@pytest.mark.parametrize("name", ["Affine", "ScaledTanh", "ThresholdedRelu"])
def test_parameters_without_a_default_have_to_be_stated(name: str) -> None:
    (problem,) = problems_of(layer("RNN", {"activations": [name]}))
    assert problem.startswith("EQ0313: RNN does not support this list of activations")


def test_unknown_function_is_refused() -> None:
    (problem,) = problems_of(layer("GRU", {"activations": ["Sigmoid", "Cosine"]}))
    assert problem.startswith("EQ0313: GRU does not support this list of activations")


def test_more_steps_than_are_written_out_are_refused() -> None:
    (problem,) = problems_of(layer("RNN", {"clip": 2.0}, steps=257))
    assert problem.startswith("EQ0313: RNN does not support this clip")
    assert "256 steps" in problem


def test_parameters_are_taken_by_the_functions_that_have_them() -> None:
    stated = {
        "activations": ["Tanh", "leakyrelu", "HardSigmoid", "Affine", "Elu", "Relu"],
        "activation_alpha": [0.5, 0.25, 2.0],
        "activation_beta": [0.75, -1.0],
        "direction": "bidirectional",
    }
    node = read_model_bytes(layer("LSTM", stated).SerializeToString()).graph.node(0)
    assert functions_of(node) == [
        Function("Tanh"),
        Function("LeakyRelu", 0.5),
        Function("HardSigmoid", 0.25, 0.75),
        Function("Affine", 2.0, -1.0),
        Function("Elu", 1.0),
        Function("Relu"),
    ]
