"""Scattering by rules: what constant indices combine, what computed ones reach, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq import frontend
from edgeq.analysis.verify import verify_folder
from edgeq.folder import Compiled
from edgeq.job import CompileOptions
from edgeq.numerics.array import Array
from edgeq.onnxio.reader import read_model_bytes
from edgeq.pipeline import compile_model
from tests.conformance.node_tests import NodeTest, Outcome, judge, run_float

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
WINDOW: Final[Mapping[str, Any]] = {"kernel_shape": [2, 2], "strides": [2, 2]}


def made(
    nodes: list[onnx.NodeProto],
    inputs: Mapping[str, tuple[int, list[int]]],
    outputs: Mapping[str, tuple[int, list[int]]],
    constants: Mapping[str, Array] | None = None,
    opset: int = 21,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "scattering",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def problems_of(model: onnx.ModelProto) -> list[str]:
    normal = frontend.normalize(read_model_bytes(model.SerializeToString()))
    return [str(problem) for problem in frontend.check_support(normal)]


def pooled_and_unpooled() -> onnx.ModelProto:
    nodes = [
        helper.make_node("MaxPool", ["x"], ["largest", "places"], "pool", **WINDOW),
        helper.make_node("Mul", ["largest", "largest"], ["square"], "square"),
        helper.make_node("MaxUnpool", ["square", "places"], ["y"], "unpool", **WINDOW),
    ]
    return made(nodes, {"x": (FLOAT, [1, 2, 4, 6])}, {"y": (FLOAT, [1, 2, 4, 6])})


def test_places_of_a_pool_lead_back(tmp_path: Path) -> None:
    model = pooled_and_unpooled()
    x = np.random.default_rng(1).uniform(-1, 1, (1, 2, 4, 6)).astype(np.float32)
    (wanted,) = run_float(model, {"x": x})
    assert judge(NodeTest("unpooled", model, (x,), (wanted,), 1e-5, 1e-5)) == Outcome("passed")
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(2).uniform(-1, 1, (4, 2, 4, 6)).astype(np.float32))
    compile_model(tmp_path / "m.onnx", tmp_path / "d.npz", tmp_path / "out", CompileOptions("native", "m"))
    assert verify_folder(Compiled.open(tmp_path / "out"), ["native"], 4, tmp_path / "d.npz").mismatches == 0


@pytest.mark.parametrize("kind", ["add", "mul", "max", "min"])
def test_constant_updates_are_combined_beforehand(kind: str) -> None:
    """The last row gets three, of which two are one by the time that the model runs."""
    updates = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    node = helper.make_node("ScatterND", ["x", "places", "updates"], ["y"], "put", reduction=kind)
    constants = {"places": np.array([[2], [2], [-1]]), "updates": updates}
    model = made([node], {"x": (FLOAT, [3, 2])}, {"y": (FLOAT, [3, 2])}, constants)
    x = np.array([[-1, 1], [0.5, 2], [1.5, -2]], np.float32)
    (wanted,) = run_float(model, {"x": x})
    assert judge(NodeTest(kind, model, (x,), (wanted,), 1e-5, 1e-5)) == Outcome("passed")


def test_reduction_by_computed_indices_is_refused() -> None:
    node = helper.make_node("ScatterElements", ["x", "places", "updates"], ["y"], "put", reduction="add")
    inputs = {"x": (FLOAT, [1, 4]), "places": (INT64, [1, 2]), "updates": (FLOAT, [1, 2])}
    (problem,) = problems_of(made([node], inputs, {"y": (FLOAT, [1, 4])}))
    assert problem.startswith("EQ0313: ScatterElements does not support this reduction")
    assert "constant indices" in problem


def test_reduction_by_an_index_beyond_the_axis_is_refused() -> None:
    node = helper.make_node("ScatterND", ["x", "places", "updates"], ["y"], "put", reduction="max")
    inputs = {"x": (FLOAT, [1, 4]), "updates": (FLOAT, [1])}
    (problem,) = problems_of(made([node], inputs, {"y": (FLOAT, [1, 4])}, {"places": np.array([[0, 4]])}))
    assert problem.startswith("EQ0313: ScatterND does not support this reduction")


def test_more_updates_of_an_element_than_are_written_out_are_refused() -> None:
    node = helper.make_node("ScatterElements", ["x", "places", "updates"], ["y"], "put", reduction="add", axis=1)
    inputs = {"x": (FLOAT, [1, 4]), "updates": (FLOAT, [1, 65])}
    constants = {"places": np.zeros((1, 65), np.int64)}
    (problem,) = problems_of(made([node], inputs, {"y": (FLOAT, [1, 4])}, constants))
    assert problem.startswith("EQ0313: ScatterElements does not support this reduction")


def test_unpooling_to_another_shape_is_refused() -> None:
    """ONNX's definition and onnxruntime read the places differently there."""
    node = helper.make_node("MaxUnpool", ["x", "places", "shape"], ["y"], "unpool", **WINDOW)
    constants = {"places": np.array([5, 7, 13, 15]).reshape(1, 1, 2, 2), "shape": np.array([1, 1, 5, 5])}
    model = made([node], {"x": (FLOAT, [1, 1, 2, 2])}, {"y": (FLOAT, [1, 1, 5, 5])}, constants)
    x = np.ones((1, 1, 2, 2), np.float32)
    assert judge(NodeTest("other", model, (x,), (np.zeros((1, 1, 5, 5), np.float32),), 0, 0)).kind == "refused"


def test_places_in_a_volume_that_count_columns_first_are_refused() -> None:
    volume = {"kernel_shape": [2, 2, 2], "strides": [2, 2, 2]}
    node = helper.make_node("MaxPool", ["x"], ["y", "places"], "pool", **cast(Any, volume), storage_order=1)
    outputs = {"y": (FLOAT, [1, 1, 2, 2, 2]), "places": (INT64, [1, 1, 2, 2, 2])}
    found = problems_of(made([node], {"x": (FLOAT, [1, 1, 4, 4, 4])}, outputs))
    assert [problem[:6] for problem in found] == ["EQ0305", "EQ0307"]
