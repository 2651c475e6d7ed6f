"""Loops of a fixed number of steps are written out, and compute what onnxruntime computes of the loop."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import parser

from edgeq.errors import EdgeqError
from edgeq.frontend import check_support, normalize
from edgeq.frontend.unroll import MAX_NODES
from edgeq.onnxio import read_model_bytes

LOOP = """<ir_version: 8, opset_import: ["": 17]>
g (float[1,3] x) => (float[1,3] last, float[4,1,3] all) {
    steps = Constant<value_int=4>()
    last, all = Loop<body=step (int64 i, bool before, float[1,3] h) => (bool after, float[1,3] next, float[1,3] seen) {
        after = Identity(before)
        number = Cast<to=1>(i)
        seen = Add(h, number)
        next = Tanh(seen)
    }>(steps, , x)
}"""
# The number of steps is arithmetic of shapes, the body reads a value of the main graph, and holds a loop of its own.
NESTED = """<ir_version: 8, opset_import: ["": 17]>
g (float[5,2] x) => (float[5,2] y) {
    shape = Shape<start=0, end=1>(x)
    steps = Squeeze(shape)
    y = Loop<body=outer (int64 i, bool before, float[5,2] h) => (bool after, float[5,2] next) {
        after = Constant<value=bool {1}>()
        two = Constant<value_int=2>()
        inside = Loop<body=inner (int64 j, bool b, float[5,2] k) => (bool a, float[5,2] m) {
            a = Identity(b)
            half = Constant<value_float=0.5>()
            scaled = Mul(k, half)
            m = Add(scaled, x)
        }>(two, before, h)
        next = Sigmoid(inside)
    }>(steps, , x)
}"""
SCAN = """<ir_version: 8, opset_import: ["": 17]>
g (float[2] h, float[2,5] x, float[5,2] z) => (float[2] last, float[2,5] sums, float[5,2] seen) {
    last, sums, seen = Scan<num_scan_inputs=2, scan_input_axes=[1,0], scan_input_directions=[0,1],
        scan_output_axes=[-1,0], scan_output_directions=[0,1],
        body=step (float[2] state, float[2] a, float[2] b) => (float[2] next, float[2] sum, float[2] difference) {
            difference = Sub(a, b)
            sum = Add(state, difference)
            next = Tanh(sum)
    }>(h, x, z)
}"""
NEVER = """<ir_version: 8, opset_import: ["": 17]>
g (float[2] x) => (float[2] y) {
    steps = Constant<value_int=3>()
    no = Constant<value=bool {0}>()
    y = Loop<body=step (int64 i, bool before, float[2] h) => (bool after, float[2] next) {
        after = Identity(before)
        next = Exp(h)
    }>(steps, no, x)
}"""
COUNTED = """<ir_version: 8, opset_import: ["": 17]>
g (float[2] x) => (float[2] y) {
    steps = Constant<value_int=STEPS>()
    y = Loop<body=step (int64 i, bool before, float[2] h) => (bool after, float[2] next) {
        AFTER
        next = Tanh(h)
    }>(steps, , x)
}"""


def of_text(text: str) -> onnx.ModelProto:
    return parser.parse_model(text)


def run(proto: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return [np.asarray(value) for value in session.run(None, feeds)]


@pytest.mark.parametrize("text", [LOOP, NESTED, SCAN, NEVER], ids=["loop", "nested", "scan", "never"])
def test_copies_compute_what_the_loop_computes(text: str) -> None:
    proto = of_text(text)
    normal = normalize(read_model_bytes(proto.SerializeToString()))
    assert not check_support(normal)
    assert not {"Loop", "Scan"} & {node.op_type for node in normal.graph.all_nodes()}
    generator = np.random.default_rng(0)
    feeds = {
        value.name: generator.normal(size=[dim.dim_value for dim in value.type.tensor_type.shape.dim]).astype("f4")
        for value in proto.graph.input
    }
    for got, wanted in zip(run(ir.to_proto(normal), feeds), run(proto, feeds), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
    assert [value.name for value in normal.graph.outputs] == [value.name for value in proto.graph.output]


@pytest.mark.parametrize(
    ("steps", "after"),
    [
        (MAX_NODES + 1, "after = Identity(before)"),
        (3, "sum = ReduceSum<keepdims=0>(h)\n zero = Constant<value_float=0.0>()\n after = Greater(sum, zero)"),
    ],
    ids=["too long", "until something holds"],
)
def test_other_loops_are_refused_by_name(steps: int, after: str) -> None:
    text = COUNTED.replace("STEPS", str(steps)).replace("AFTER", after)
    with pytest.raises(EdgeqError) as caught:
        normalize(read_model_bytes(of_text(text).SerializeToString()))
    assert [problem.code for problem in caught.value.problems] == ["EQ0302"]
    assert "steps" in str(caught.value.problems[0].hint)


def test_scan_with_a_batch_is_refused() -> None:
    text = """<ir_version: 8, opset_import: ["": 8]>
    g (float[1,2] h, float[1,3,2] x) => (float[1,2] y, float[1,3,2] z) {
        y, z = Scan<num_scan_inputs=1, body=step (float[2] a, float[2] b) => (float[2] c, float[2] d) {
            c = Add(a, b)
            d = Identity(c)
        }>( , h, x)
    }"""
    with pytest.raises(EdgeqError) as caught:
        normalize(read_model_bytes(of_text(text).SerializeToString()))
    assert caught.value.problems[0].code == "EQ0217"
