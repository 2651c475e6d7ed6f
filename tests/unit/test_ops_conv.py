"""Convolution and dense layers against loops in plain Python integers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, DType, Node, Tensor
from edgeq.numerics.array import Array
from edgeq.ops import BY_NAME, infer

HIGHMUL: dict[str, Attr] = {
    "requant": "highmul",
    "acc": "i32",
    "shift": 1,
    "out_zero": -3,
    "clamp_min": -120,
    "clamp_max": 110,
}


def tensors(arrays: list[Array]) -> list[Tensor]:
    return [Tensor(f"t{i}", array.shape, DType.of(array)) for i, array in enumerate(arrays)]


def scale(acc: int, m: int, s: int = 1, z: int = -3) -> int:
    return min(max(((((acc << s) * m) + 2**31) >> 32) + z, -120), 110)


def convolve(x: Array, weight: Array, bias: Array, m: Array, node: Node) -> Array:
    """The definition of conv2d, one output at a time."""
    (_, height, width, _), (outputs, rows, columns, depth) = x.shape, weight.shape
    strides, pads, dilations = (node.integers(name) for name in ("strides", "pads", "dilations"))
    per_group = outputs // node.integer("group")
    out_height = (height + pads[0] + pads[2] - (rows - 1) * dilations[0] - 1) // strides[0] + 1
    out_width = (width + pads[1] + pads[3] - (columns - 1) * dilations[1] - 1) // strides[1] + 1
    y = np.zeros((1, out_height, out_width, outputs), dtype=np.int8)
    for i, j, o in itertools.product(range(out_height), range(out_width), range(outputs)):
        acc = int(bias[o])
        for r, c, d in itertools.product(range(rows), range(columns), range(depth)):
            row = i * strides[0] - pads[0] + r * dilations[0]
            column = j * strides[1] - pads[1] + c * dilations[1]
            inside = 0 <= row < height and 0 <= column < width
            value = int(x[0, row, column, o // per_group * depth + d]) if inside else node.integer("pad_value")
            acc += value * int(weight[o, r, c, d])
        y[0, i, j, o] = scale(acc, int(m[o]))
    return y


SMALL = st.integers(1, 3)


@settings(deadline=None, max_examples=120)
@given(st.data(), st.integers(0, 2**32 - 1))
def test_conv2d_equals_the_definition(data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    group, depth, multiple = data.draw(SMALL), data.draw(SMALL), data.draw(SMALL)
    rows, columns = data.draw(SMALL), data.draw(SMALL)
    strides, dilations = (data.draw(SMALL), data.draw(SMALL)), (data.draw(SMALL), data.draw(SMALL))
    pads = tuple(data.draw(st.integers(0, 2)) for _ in range(4))
    height = (rows - 1) * dilations[0] + data.draw(SMALL)
    width = (columns - 1) * dilations[1] + data.draw(SMALL)
    outputs = group * multiple
    x = rng.integers(-128, 128, (1, height, width, group * depth)).astype(np.int8)
    weight = rng.integers(-128, 128, (outputs, rows, columns, depth)).astype(np.int8)
    bias = rng.integers(-5000, 5000, outputs).astype(np.int32)
    m = rng.integers(2**20, 2**24, outputs).astype(np.int32)
    attrs: dict[str, Attr] = {
        "strides": strides,
        "dilations": dilations,
        "pads": pads,
        "group": group,
        "pad_value": 11,
        **HIGHMUL,
    }
    node = Node("conv2d", "n", ("t0", "t1", "t2", "t3"), ("y",), attrs)
    arrays: list[Array] = [x, weight, bias, m]
    expected = convolve(x, weight, bias, m, node)
    (got,) = BY_NAME["conv2d"].evaluate(node, arrays)
    assert BY_NAME["conv2d"].infer(node, tensors(arrays)) == [(expected.shape, DType.INT8)]
    assert np.array_equal(got, expected)
    assert BY_NAME["conv2d"].macs(node, tensors(arrays)) == expected.size * rows * columns * depth


def conv_node(**changes: Attr) -> Node:
    attrs: dict[str, Attr] = {
        "strides": (1, 1),
        "dilations": (1, 1),
        "pads": (0, 0, 0, 0),
        "group": 1,
        "pad_value": 0,
        **HIGHMUL,
    }
    return Node("conv2d", "n", ("t0",), ("y",), {**attrs, **changes})


def conv_operands(x: tuple[int, ...], weight: tuple[int, ...], channels: int) -> list[Tensor]:
    return [
        Tensor("x", x, DType.INT8),
        Tensor.constant("w", np.ones(weight, np.int8)),
        Tensor.constant("b", np.zeros(weight[0], np.int32)),
        Tensor.constant("m", np.ones(channels, np.int32)),
    ]


FITTING = ((1, 5, 5, 3), (4, 3, 3, 3), 4)


def test_conv2d_takes_what_fits() -> None:
    assert infer(conv_node(), conv_operands(*FITTING)) == [((1, 3, 3, 4), DType.INT8)]
    assert infer(conv_node(group=3), conv_operands((1, 5, 5, 3), (6, 3, 3, 1), 6)) == [((1, 3, 3, 6), DType.INT8)]


@pytest.mark.parametrize(
    ("node", "operands", "what"),
    [
        (conv_node(), conv_operands((1, 2, 2, 3), (4, 3, 3, 3), 4), "no window fits"),
        (conv_node(), conv_operands((1, 5, 5, 3), (4, 3, 3, 2), 4), "channels and groups do not match"),
        (conv_node(group=3), conv_operands((1, 5, 5, 3), (4, 3, 3, 1), 4), "channels and groups do not match"),
        (conv_node(group=0), conv_operands(*FITTING), "attribute group is out of range 0"),
        (conv_node(), conv_operands((1, 5, 5, 3), (4, 3, 3, 3), 2), "factor m has a wrong shape"),
        (conv_node(), conv_operands((1, 400, 400, 1), (4, 363, 363, 1), 4), "too many products in one sum"),
        (conv_node(strides=(0, 1)), conv_operands(*FITTING), "attribute strides is out of range (0, 1)"),
        (conv_node(pads=(0, 0)), conv_operands(*FITTING), "malformed window"),
        (conv_node(requant="exact"), conv_operands(*FITTING), "attribute requant is out of range"),
        (conv_node(acc="i16"), conv_operands(*FITTING), "attribute acc is out of range"),
        (conv_node(requant="tflite"), conv_operands(*FITTING), "wrong number of operands 4"),
        (conv_node(), conv_operands(*FITTING)[:3], "wrong number of operands 3"),
    ],
)
def test_conv2d_refuses(node: Node, operands: list[Tensor], what: str) -> None:
    with pytest.raises(EdgeqError) as caught:
        infer(node, operands)
    (problem,) = caught.value.problems
    assert problem.code == "EQ0903"
    assert what in f"{problem.what} {problem.got}"


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4), st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_dense_equals_the_definition(rows: int, depth: int, outputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, (rows, depth)).astype(np.int8)
    weight = rng.integers(-128, 128, (outputs, depth)).astype(np.int8)
    bias = rng.integers(-5000, 5000, outputs).astype(np.int32)
    m = rng.integers(2**20, 2**24, outputs).astype(np.int32)
    arrays: list[Array] = [x, weight, bias, m]
    node = Node("dense", "n", ("t0", "t1", "t2", "t3"), ("y",), HIGHMUL)
    acc = x.astype(np.int64) @ weight.T.astype(np.int64) + bias
    expected = [[scale(int(acc[i, o]), int(m[o])) for o in range(outputs)] for i in range(rows)]
    assert BY_NAME["dense"].evaluate(node, arrays)[0].tolist() == expected
    assert BY_NAME["dense"].infer(node, tensors(arrays)) == [((rows, outputs), DType.INT8)]
    assert BY_NAME["dense"].macs(node, tensors(arrays)) == rows * depth * outputs


def test_dense_and_conv2d_round_differently_in_mode_tflite() -> None:
    # 3·2^30·2^-31·2^-1 = 0.75: rounding once gives 1; acc 1 gives 0.25: twice 1 (0.5 → 1, 0.5 → 1), once 0.
    q, e = np.array([2**30], dtype=np.int32), np.array([-1], dtype=np.int32)
    common: dict[str, Attr] = {**HIGHMUL, "requant": "tflite", "shift": 0, "out_zero": 0}
    one, bias = np.ones((1, 1), dtype=np.int8), np.zeros(1, dtype=np.int32)
    dense = Node("dense", "n", (), ("y",), common)
    assert BY_NAME["dense"].evaluate(dense, [one, one, bias, q, e])[0].tolist() == [[0]]
    conv = conv_node(**common)
    cube = one.reshape(1, 1, 1, 1)
    assert BY_NAME["conv2d"].evaluate(conv, [cube, cube, bias, q, e])[0].tolist() == [[[[1]]]]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 300), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_matmul_equals_the_definition(batch: int, rows: int, depth: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(-128, 128, (1, batch, rows, depth)).astype(np.int8)
    b = rng.integers(-128, 128, (1, batch, depth, columns)).astype(np.int8)
    m = np.array([2**21], dtype=np.int32)
    node = Node("matmul", "n", ("t0", "t1", "t2"), ("y",), {**HIGHMUL, "a_zero": -128, "b_zero": 9})
    acc = (a.astype(np.int64) + 128) @ (b.astype(np.int64) - 9)
    expected = np.vectorize(lambda value: scale(int(value), 2**21))(acc)
    assert np.array_equal(BY_NAME["matmul"].evaluate(node, [a, b, m])[0], expected)
    assert BY_NAME["matmul"].infer(node, tensors([a, b, m])) == [((1, batch, rows, columns), DType.INT8)]


@pytest.mark.parametrize("shapes", [((2, 3), (4, 5)), ((1, 2, 3), (3, 5)), ((1, 2, 3), (2, 3, 5)), ((3,), (3,))])
def test_matmul_refuses(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    operands = [Tensor(f"t{i}", shape, DType.INT8) for i, shape in enumerate(shapes)]
    node = Node("matmul", "n", (), ("y",), {**HIGHMUL, "a_zero": 0, "b_zero": 0})
    with pytest.raises(EdgeqError):
        BY_NAME["matmul"].infer(node, [*operands, Tensor("m", (1,), DType.INT32)])
