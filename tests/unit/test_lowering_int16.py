"""int16 in the integer graph: types of results, sums of 64 bits, joints where types meet, notes on interpolation."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import floats, normal, residual_net, samples_for

from edgeq.errors import EdgeqError
from edgeq.integers import to_integer_graph
from edgeq.interp import run
from edgeq.ir import DType, Graph, Node
from edgeq.notes import gathered
from edgeq.ops import infer
from edgeq.quant import QuantizeOptions, quantize


def graph_of(model: ir.Model, *int16: str) -> Graph:
    options = QuantizeOptions(observer="minmax", bias_correction="off", int16=int16)
    return to_integer_graph(quantize(model, samples_for(model), options).model, "highmul", "net")


def nodes_of(graph: Graph, op: str) -> list[Node]:
    return [node for node in graph.nodes if node.op == op]


def test_an_int16_input_takes_no_further_step() -> None:
    plain, wide = graph_of(residual_net()), graph_of(residual_net(), "input")
    assert [node.op for node in wide.nodes] == [node.op for node in plain.nodes]
    assert wide.tensors["x"].dtype is DType.INT16
    first = nodes_of(wide, "conv2d")[0]
    assert (first.text("result"), first.integer("pad_value")) == ("int8", 0)
    assert "result" not in nodes_of(plain, "conv2d")[0].attrs


def test_a_result_has_the_type_that_its_node_says() -> None:
    graph = graph_of(residual_net(), "input")
    node = nodes_of(graph, "conv2d")[0]
    operands = graph.operands(node)
    assert infer(node, operands)[0][1] is DType.INT8
    rest = {name: value for name, value in node.attrs.items() if name != "result"}
    assert infer(node.with_(attrs=rest), operands)[0][1] is DType.INT16
    with pytest.raises(EdgeqError, match="EQ0903"):
        infer(node.with_attrs(result="int32"), operands)


def test_a_sum_that_leaves_int32_is_shifted_right_and_exact() -> None:
    depth = 3000
    model = floats(
        f"g (float[1,{depth}] x) => (float[1,4] y) {{ y = Gemm <transB = 1> (x, w, b) }}",
        {"w": np.sign(normal(4, depth, seed=1)), "b": normal(4, seed=2)},
    )
    graph = graph_of(model, "*")
    (node,) = nodes_of(graph, "dense")
    assert node.text("acc") == "i64"
    shift = node.integer("shift")
    assert shift < 0
    x, weight, bias, multiplier = (graph.tensors[name] for name in node.inputs)
    values = np.sign(weight.value()[:1].astype(np.int64)) * 32767
    (got,) = run(graph, [values.astype(np.int16)]).outputs
    acc = values @ weight.value().astype(np.int64).T + bias.value()
    assert np.abs(acc).max() >= 2**31
    exact = [
        min(max((((int(a) >> -shift) * int(m) + 2**31) >> 32), -32768), 32767)
        for a, m in zip(acc[0], np.broadcast_to(multiplier.value(), 4), strict=True)
    ]
    assert got[0].tolist() == exact
    assert x.dtype is DType.INT16


def test_types_meet_at_requantize_nodes() -> None:
    graph = graph_of(residual_net(), "s")
    (add,) = nodes_of(graph, "add")
    assert {tensor.dtype for tensor in graph.operands(add)} == {DType.INT16}
    joints = [node for node in nodes_of(graph, "requantize") if node.attrs.get("result") == "int16"]
    assert [node.outputs[0] for node in joints] == list(add.inputs)
    # An int8 value stays what it is: 128 of its int16 steps are one of its own.
    for node in joints:
        (x, *_), result = graph.operands(node), graph.results(node)[0]
        assert x.quant is not None
        assert result.quant is not None
        assert result.quant.scale[0] * 128 == x.quant.scale[0]


def test_what_two_operators_read_in_int16_is_requantized_once() -> None:
    model = floats("g (float[1,40] x) => (float[1,40] y, float[1,40] z) { y = Add(x, x)\n z = Mul(x, x) }")
    graph = graph_of(model, "y", "z")
    assert [node.op for node in graph.nodes if "requantize" in node.op] == ["requantize"]


def test_functions_of_int16_are_refused_by_name_where_the_arithmetic_has_none() -> None:
    model = floats("g (float[1,40] x) => (float[1,40] y) { s = Mul(x, x)\n y = Tanh(s) }")
    options = QuantizeOptions(observer="minmax", bias_correction="off", mode="tflite", scheme="w8a16")
    quantized = quantize(model, samples_for(model), options).model
    with pytest.raises(EdgeqError, match="Tanh of int16") as caught:
        to_integer_graph(quantized, "tflite", "net")
    assert [problem.code for problem in caught.value.problems] == ["EQ0364"]


def test_a_softmax_of_int16_may_give_int8() -> None:
    graph = graph_of(residual_net(), "l")
    assert graph.results(nodes_of(graph, "softmax")[0])[0].dtype is DType.INT16
    assert graph.tensors[graph.outputs[0]].dtype is DType.INT8


def test_far_interpolation_is_told() -> None:
    model = floats("g (float[1,40] x) => (float[1,40] y) { y = Floor(x) }")
    notes: list[object] = []
    with gathered(notes):  # type: ignore[arg-type]
        graph = graph_of(model, "*")
    (node,) = nodes_of(graph, "lookup")
    assert node.text("function").startswith("Floor, up to ")
    (found,) = notes
    assert getattr(found, "code", None) == "EQ0365"
    assert "steps of the result" in str(found)
