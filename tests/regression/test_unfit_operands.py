"""Operands and attributes that contradict each other are refused by name; onnx's shape inference lets them pass."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edgeq.errors import EdgeqError
from edgeq.frontend import is_quantized, normalize, normalize_qdq, normalize_structure
from edgeq.integers import to_integer_graph
from edgeq.onnxio import read_model_bytes

node = helper.make_node
Shape = tuple[int, ...]


def model(
    nodes: list[NodeProto], shape: Shape, outputs: dict[str, Shape], constants: Mapping[str, object]
) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in outputs.items()],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def through_qdq(inner: NodeProto, shape: Shape, out: Shape, scale: float = 0.1) -> ModelProto:
    """The operator between Quantize and Dequantize; it reads ``d`` and gives ``f``."""
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"], name="first"),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        inner,
        node("QuantizeLinear", ["f", "t", "z"], ["r"]),
        node("DequantizeLinear", ["r", "t", "z"], ["y"]),
    ]
    return model(nodes, shape, {"y": out}, {"s": np.float32(0.1), "t": np.float32(scale), "z": np.int8(0)})


def per_channel(scales: int, axis: int) -> ModelProto:
    """A Gemm whose weight has a number of scales along an axis."""
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], name="weight", axis=axis),
        node("Gemm", ["d", "wd"], ["f"]),
        node("QuantizeLinear", ["f", "s", "z"], ["r"]),
        node("DequantizeLinear", ["r", "s", "z"], ["y"]),
    ]
    constants = {"s": np.float32(0.1), "z": np.int8(0), "w": np.ones((4, 3), np.int8)}
    constants |= {"ws": np.full(scales, 0.1, np.float32), "wz": np.zeros(scales, np.int8)}
    return model(nodes, (1, 4), {"y": (1, 3)}, constants)


WRONG: dict[str, tuple[str, ModelProto]] = {
    "transpose of fewer axes": (
        "EQ0232",
        model([node("Transpose", ["x"], ["y"], perm=[1, 0, 2])], (1, 4, 6, 7), {"y": (4, 1, 6, 7)}, {}),
    ),
    "transpose of fewer axes, quantized": (
        "EQ0232",
        through_qdq(node("Transpose", ["d"], ["f"], perm=[1, 0, 2]), (1, 4, 6, 7), (4, 1, 6, 7)),
    ),
    "gemm with a third operand of another size": (
        "EQ0232",
        model([node("Gemm", ["x", "w", "w"], ["y"])], (1, 12), {"y": (1, 5)}, {"w": np.ones((12, 5), np.float32)}),
    ),
    "an infinite attribute": (
        "EQ0313",
        through_qdq(node("LeakyRelu", ["d"], ["f"], alpha=float("inf")), (1, 4), (1, 4)),
    ),
    "scales too far apart": ("EQ0358", through_qdq(node("Identity", ["d"], ["f"]), (1, 4), (1, 4), 1e-33)),
    "a scale too few": ("EQ0261", per_channel(2, 1)),
    "scales along an axis that is not there": ("EQ0261", per_channel(3, 2)),
    "a split into more parts than it states": (
        "EQ0232",
        model([node("Split", ["x"], ["y", "u"], axis=-1, num_outputs=1)], (1, 7), {"y": (1, 4), "u": (1, 3)}, {}),
    ),
    "the same output twice": (
        "EQ0204",
        model([node("Relu", ["x"], ["y"])], (1, 4), {"y": (1, 4)}, {}),
    ),
}
# What onnx's shape inference does not survive.
_ABORTS = {"a split into more parts than it states"}
WRONG["the same output twice"][1].graph.output.append(WRONG["the same output twice"][1].graph.output[0])


def lowered(proto: ModelProto) -> None:
    """As far as the model goes."""
    read = read_model_bytes(proto.SerializeToString())
    if is_quantized(read):
        to_integer_graph(normalize_qdq(normalize_structure(read)), "highmul", "net")
    else:
        normalize(read)


@pytest.mark.parametrize("case", WRONG)
def test_contradictions_are_refused_by_name(case: str) -> None:
    code, proto = WRONG[case]
    if case not in _ABORTS:
        onnx.shape_inference.infer_shapes(proto)
    with pytest.raises(EdgeqError) as caught:
        lowered(proto)
    found = [problem for problem in caught.value.problems if problem.code == code]
    assert found, str(caught.value)
    assert all(problem.where for problem in found)


def test_an_empty_tensor_is_refused() -> None:
    for dims in ((1, 0, 4), (1, 4)):
        nodes = [node("Relu", ["x"], ["y"])]
        if 0 not in dims:
            nodes = [node("Slice", ["x", "a", "b", "c"], ["s"]), node("Relu", ["s"], ["y"])]
        ends = {"a": np.array([2]), "b": np.array([2]), "c": np.array([1])}
        proto = model(nodes, dims, {"y": dims}, ends)
        del proto.graph.output[0].type.tensor_type.shape.dim[:]
        proto.graph.output[0].type.tensor_type.ClearField("shape")
        with pytest.raises(EdgeqError, match="EQ0304"):
            lowered(proto)
