"""What is read as float32: other float types, and integer inputs that are only cast. What is no tensor is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper
from quant_models import parse

from edgeq.errors import EdgeqError, Problem
from edgeq.frontend import check_support, normalize
from edgeq.notes import gathered
from edgeq.onnxio import Session
from edgeq.onnxio.reader import read_model_bytes
from edgeq.onnxio.samples import Samples
from edgeq.quant import QuantizeOptions, quantize

KINDS: dict[int, np.dtype[Any]] = {
    TensorProto.FLOAT16: np.dtype(np.float16),
    TensorProto.DOUBLE: np.dtype(np.float64),
    TensorProto.BFLOAT16: helper.tensor_dtype_to_np_dtype(TensorProto.BFLOAT16),
}


def read(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, tuple[int, list[int]]],
    outputs: dict[str, tuple[int, list[int]]],
    constants: dict[str, np.ndarray] | None = None,
    opset: int = 21,
) -> ir.Model:
    """A model, through the reader."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, *what) for name, what in inputs.items()],
        [helper.make_tensor_value_info(name, *what) for name, what in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return read_model_bytes(model.SerializeToString())


def normalized(model: ir.Model) -> tuple[ir.Model, list[Problem]]:
    """The normalized model and the notes that were given."""
    with gathered() as notes:
        made = normalize(model)
    assert check_support(made) == []
    return made, notes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("opset", [13, 21, 22])
def test_other_float_types_become_float32_with_one_note(kind: int, opset: int) -> None:
    weight = np.linspace(-1, 1, 20).reshape(4, 5).astype(KINDS[kind])
    nodes = [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(weight[0], "c")),
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["f"], ["h"], to=kind),
        helper.make_node("MatMul", ["h", "w"], ["m"]),
        helper.make_node("Add", ["m", "c"], ["y"]),
    ]
    if kind == TensorProto.BFLOAT16 and opset == 13:
        nodes[3:] = [helper.make_node("Gemm", ["h", "w", "c"], ["y"])]
    made, notes = normalized(read(nodes, {"x": (kind, [1, 4])}, {"y": (kind, [1, 5])}, {"w": weight}, opset))
    assert [value.dtype for value in (*made.graph.inputs, *made.graph.outputs)] == [ir.DataType.FLOAT] * 2
    assert [(note.code, note.severity) for note in notes] == [("EQ0233", "note")]
    x = np.array([[1, -2, 0.5, 0.25]], np.float32)
    wanted = x @ weight.astype(np.float32) + weight[0].astype(np.float32)
    np.testing.assert_allclose(Session(made).run({"x": x})["y"], wanted, rtol=1e-5)


def test_numbers_beyond_float32_are_named() -> None:
    nodes = [helper.make_node("Mul", ["x", "huge"], ["y"])]
    double = (TensorProto.DOUBLE, [1, 4])
    model = normalize(read(nodes, {"x": double}, {"y": double}, {"huge": np.array(1e300)}))
    (problem,) = check_support(model)
    assert problem.code == "EQ0309"


def test_types_that_do_not_fit_together_are_not_made_to_fit() -> None:
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    border = (TensorProto.FLOAT, [1, 4])
    model = read(nodes, {"x": border}, {"y": border}, {"w": np.ones((1, 4), np.float16)})
    with pytest.raises(EdgeqError, match="EQ0225"):
        normalize(model)


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32, TensorProto.INT64])
def test_integer_input_that_is_cast_is_float32_and_exact(kind: int) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "k"], ["y"]),
    ]
    shape = [1, 4]
    constants = {"k": np.array(1 / 255, np.float32)}
    made, notes = normalized(read(nodes, {"x": (kind, shape)}, {"y": (TensorProto.FLOAT, shape)}, constants))
    assert [(note.code, note.where) for note in notes] == [("EQ0234", "input x")]
    pixels = np.array([[[0, 1, 200, 255]], [[3, 4, 5, 6]]], np.uint8)
    assert made.graph.inputs[0].dtype == ir.DataType.FLOAT
    options = QuantizeOptions(observer="minmax", bias_correction="off")
    qdq = quantize(made, Samples.of({"x": pixels}, made), options).model
    scale = next(iter(node for node in qdq.graph if node.op_type == "QuantizeLinear")).inputs[1]
    assert scale is not None
    assert scale.const_value is not None
    assert float(scale.const_value.numpy()) == 1.0


@pytest.mark.parametrize("which", ["input", "output"])
def test_borders_that_are_no_tensors_are_named(which: str) -> None:
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 4])
    odd = helper.make_optional_type_proto(helper.make_sequence_type_proto(tensor))
    x, y = (odd, odd)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [helper.make_value_info("x", x)],
        [helper.make_value_info("y", y)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    with pytest.raises(EdgeqError) as caught:
        read_model_bytes(model.SerializeToString())
    problems = {str(problem.where).split(": ")[-1].split()[0]: problem for problem in caught.value.problems}
    assert problems[which].code == "EQ0235"
    assert problems[which].got == "optional(sequence(tensor))"


@pytest.mark.parametrize("typed", [True, False])
def test_output_without_shape_or_type_is_inferred(typed: bool) -> None:
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None) if typed else onnx.ValueInfoProto(name="y")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    made, _ = normalized(read_model_bytes(model.SerializeToString()))
    (output,) = made.graph.outputs
    assert tuple(output.shape or ()) == (1, 6)
    assert output.dtype == ir.DataType.FLOAT


def test_dimension_of_minus_one_is_open() -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [-1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [-1, 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    made, _ = normalized(read_model_bytes(model.SerializeToString()))
    assert tuple(made.graph.inputs[0].shape or ()) == (1, 4)


def test_states_that_come_from_outside_are_floats_as_the_sequence_is() -> None:
    """Their type in integers is fixed, which does not make them integers in ONNX."""
    states = {name: np.zeros((1, 4 * 5, size), np.float32) for name, size in (("w", 3), ("r", 5))}
    text = """g (float[2,1,3] x, float[1,1,5] h, float[1,1,5] c) => (float[2,1,1,5] y) {
        y = LSTM <hidden_size = 5> (x, w, r, , , h, c)
    }"""
    assert check_support(normalize(parse(text, states))) == []
