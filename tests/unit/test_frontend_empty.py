"""Results that follow from shapes alone, tensors without elements, and inputs that state a shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest

from edgeq import frontend
from edgeq.errors import EdgeqError
from edgeq.notes import gathered
from edgeq.numerics.array import Array
from edgeq.onnxio.reader import read_model_bytes
from tests.conformance.node_tests import NodeTest, Outcome, judge, run_float

HEADER = '<ir_version: 10, opset_import: ["" : 21]>\n'


def judged(text: str, inputs: Sequence[Array]) -> Outcome:
    """What becomes of a model whose expected outputs are onnxruntime's."""
    model = onnx.parser.parse_model(HEADER + text)
    wanted = run_float(model, {f"x{number}": array for number, array in enumerate(inputs)})
    return judge(NodeTest("empty", model, tuple(inputs), tuple(wanted), 1e-5, 1e-5))


def noted(text: str) -> list[tuple[str, str | None]]:
    with gathered() as notes:
        frontend.normalize(read_model_bytes(onnx.parser.parse_model(HEADER + text).SerializeToString()))
    return [(problem.code, problem.where) for problem in notes]


X = np.random.default_rng(3).uniform(-1, 1, (2, 4)).astype(np.float32)


def test_empty_parts_add_nothing() -> None:
    """Those of a Split, in front and behind, as exporters write rotations of a part."""
    text = """g (float[2,4] x0) => (float[2,4] y) <int64[3] sizes = {0, 4, 0}> {
        front, all, behind = Split<axis=1>(x0, sizes)
        twice = Mul(all, all)
        y = Concat<axis=1>(front, twice, behind) }"""
    assert judged(text, [X]) == Outcome("passed")


def test_reduction_over_nothing_is_neutral() -> None:
    text = """g (float[2,4] x0) => (float[2,4] y) <int64[2] sizes = {4, 0}, int64[1] axis = {1}> {
        all, nothing = Split<axis=1>(x0, sizes)
        product = ReduceProd<keepdims=1>(nothing, axis)
        total = ReduceSum<keepdims=1>(nothing, axis)
        scaled = Mul(all, product)
        y = Add(scaled, total) }"""
    assert judged(text, [X]) == Outcome("passed")


def test_product_of_empty_matrices_is_zero() -> None:
    text = """g (float[2,4] x0) => (float[2,4] y) <int64[2] sizes = {4, 0}, int64[2] turned = {1, 0}> {
        all, nothing = Split<axis=1>(x0, sizes)
        across = Transpose<perm=[1,0]>(nothing)
        square = MatMul(nothing, across)
        product = MatMul(square, x0)
        y = Add(x0, product) }"""
    assert judged(text, [X]) == Outcome("passed")


def test_identity_matrix_follows_from_the_shape() -> None:
    text = """g (float[2,4] x0) => (float[2,4] y) {
        eye = EyeLike<k=1, dtype=1>(x0)
        y = Sub(x0, eye) }"""
    assert judged(text, [X]) == Outcome("passed")


def test_infinite_neutral_element_is_refused() -> None:
    text = """g (float[2,4] x0) => (float[2,4] y) <int64[2] sizes = {4, 0}, int64[1] axis = {1}> {
        all, nothing = Split<axis=1>(x0, sizes)
        most = ReduceMax<keepdims=1>(nothing, axis)
        y = Add(all, most) }"""
    assert judged(text, [X]).code == "EQ0304"


@pytest.mark.parametrize(
    ("text", "array"),
    [
        ("g (float[2,4] x0, int64[2] x1) => (float[4,2] y) { y = Reshape(x0, x1) }", [4, 2]),
        ("g (float[2,4] x0, int64[3] x1) => (float[3,2,4] y) { y = Expand(x0, x1) }", [3, 2, 4]),
    ],
)
def test_input_that_states_a_shape_is_that_shape(text: str, array: list[int]) -> None:
    assert judged(text, [X, np.array(array)]) == Outcome("passed")
    assert noted(text) == [("EQ0265", "input x1"), ("EQ0264", "input x1")]


def test_length_of_a_window_follows_from_the_declared_output() -> None:
    text = """g (float[2,8] x0, int64 x1) => (float[2,8] y, float[8] window) {
        window = HannWindow<periodic=0>(x1)
        y = Mul(x0, window) }"""
    assert judged(text, [np.tile(X, (1, 2)), np.array(8)]) == Outcome("passed")


def test_input_that_does_more_than_state_a_shape_stays_open() -> None:
    """What is repeated how often does not follow from the shape of an output that was summed up."""
    text = "g (float[2,4] x0, int64[2] x1) => (float[6,8] y) { y = Tile(x0, x1) }"
    with pytest.raises(EdgeqError, match="EQ0226"):
        noted(text)


def test_declared_shape_that_no_value_gives_stays_open() -> None:
    text = "g (float[2,4] x0, int64[2] x1) => (float[3,3] y) { y = Reshape(x0, x1) }"
    with pytest.raises(EdgeqError, match="EQ0226"):
        noted(text)
