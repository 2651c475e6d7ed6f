"""Addition, subtraction, multiplication, requantization, tables and softmax as operators."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, DType, Node, Tensor
from edgeq.numerics import tflite
from edgeq.numerics.addition import choose_addition
from edgeq.numerics.array import Array
from edgeq.numerics.softmax import exp_table, softmax
from edgeq.numerics.tables import unary_table
from edgeq.numerics.tflite_softmax import softmax as litert_softmax
from edgeq.numerics.tflite_softmax import softmax_parameters
from edgeq.ops import BY_NAME

CLAMP: dict[str, Attr] = {"clamp_min": -128, "clamp_max": 127}
SCALED: dict[str, Attr] = {"requant": "highmul", "acc": "i32", "shift": 0, "out_zero": 4, **CLAMP}
SHAPES = [((1, 4, 3, 5), (1, 4, 3, 5)), ((1, 4, 3, 5), (5,)), ((1, 1, 1, 5), (1, 4, 3, 1)), ((1, 7), ()), ((), (2, 3))]


def draw(shapes: tuple[tuple[int, ...], ...], seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes]


def inferred(node: Node, arrays: list[Array]) -> list[tuple[tuple[int, ...], DType]]:
    operands = [Tensor(f"t{i}", array.shape, DType.of(array)) for i, array in enumerate(arrays)]
    return BY_NAME[node.op].infer(node, operands)


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize(("op", "sign"), [("add", 1), ("sub", -1)])
def test_sum_is_correctly_rounded_on_friendly_scales(
    op: str, sign: int, shapes: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    a, b = draw(shapes, 1)
    c = choose_addition((0.5, 0.25, 1.0), (3, -4, 7), sign)
    attrs = {"a_multiplier": c.a_multiplier, "b_multiplier": c.b_multiplier, "offset": c.offset, "shift": c.shift}
    node = Node(op, "n", ("t0", "t1"), ("y",), {"requant": "highmul", **CLAMP, **attrs})
    (got,) = BY_NAME[op].evaluate(node, [a, b])
    # The ratios 1/2 and 1/4 are exact, so the result is the rounded real sum.
    exact = 0.5 * (a.astype(float) - 3) + sign * 0.25 * (b.astype(float) + 4) + 7
    assert np.array_equal(got, np.clip(np.floor(exact + 0.5), -128, 127))
    assert inferred(node, [a, b]) == [(got.shape, DType.INT8)]


@pytest.mark.parametrize(("op", "sign"), [("add", 1), ("sub", -1)])
def test_sum_in_mode_tflite(op: str, sign: int) -> None:
    a, b = draw(((1, 40), (1, 40)), 2)
    p = tflite.add_parameters(0.05, 0.02, 0.06)
    attrs = {name: getattr(p, name) for name in p.__dataclass_fields__}
    zeros = {"a_zero": 3, "b_zero": -4, "out_zero": 7}
    node = Node(op, "n", ("t0", "t1"), ("y",), {"requant": "tflite", **CLAMP, **zeros, **attrs})
    (got,) = BY_NAME[op].evaluate(node, [a, b])
    exact = 0.05 / 0.06 * (a.astype(float) - 3) + sign * 0.02 / 0.06 * (b.astype(float) + 4) + 7
    assert np.abs(got - np.clip(exact, -128, 127)).max() <= 0.51


def scale(acc: int, m: int, z: int = 4) -> int:
    rounded = Fraction(acc * m, 2**32) + Fraction(1, 2)
    return min(max(rounded.numerator // rounded.denominator + z, -128), 127)


@pytest.mark.parametrize("shapes", SHAPES)
def test_mul_equals_the_definition(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    a, b = draw(shapes, 3)
    m = np.array([2**25 + 12345], dtype=np.int32)
    node = Node("mul", "n", ("t0", "t1", "t2"), ("y",), {**SCALED, "a_zero": -128, "b_zero": 127})
    (got,) = BY_NAME["mul"].evaluate(node, [a, b, m])
    product = (a.astype(np.int64) + 128) * (b.astype(np.int64) - 127)
    assert got.tolist() == np.vectorize(lambda value: scale(int(value), int(m[0])))(product).tolist()
    assert inferred(node, [a, b, m]) == [(got.shape, DType.INT8)]


def test_requantize_equals_the_definition() -> None:
    x = np.arange(-128, 128).astype(np.int8).reshape(2, 128)
    m = np.array([3 * 2**29], dtype=np.int32)
    node = Node("requantize", "n", ("t0", "t1"), ("y",), {**SCALED, "in_zero": -17})
    (got,) = BY_NAME["requantize"].evaluate(node, [x, m])
    assert got.ravel().tolist() == [scale(value + 17, 3 * 2**29) for value in range(-128, 128)]


def test_lookup_reads_the_table() -> None:
    table = unary_table("Tanh", {}, 0.05, 3, 1 / 128, 0)
    x = np.arange(-128, 128).astype(np.int8).reshape(4, 64)[:, ::-1]
    node = Node("lookup", "n", ("t0", "t1"), ("y",), {"function": "Tanh"})
    (got,) = BY_NAME["lookup"].evaluate(node, [x, table])
    assert got.dtype == np.int8
    assert got.tolist() == [[int(table[int(value) + 128]) for value in row] for row in x]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_softmax_in_both_modes(seed: int) -> None:
    (x,) = draw(((1, 3, 17),), seed)
    node = Node("softmax", "n", ("t0", "t1"), ("y",), {"requant": "highmul"})
    table = exp_table(0.05)
    assert np.array_equal(BY_NAME["softmax"].evaluate(node, [x, table])[0], softmax(x, table))
    assert inferred(node, [x, table]) == [(x.shape, DType.INT8)]
    multiplier, left_shift, diff_min = softmax_parameters(0.05)
    attrs = {"input_multiplier": multiplier, "input_left_shift": left_shift, "diff_min": diff_min}
    node = Node("softmax", "n", ("t0",), ("y",), {"requant": "tflite", **attrs})
    expected = litert_softmax(x, multiplier, left_shift, diff_min)
    assert np.array_equal(BY_NAME["softmax"].evaluate(node, [x])[0], expected)


def test_operands_are_checked() -> None:
    x, y = draw(((1, 4), (1, 3)), 0)
    for node, arrays, what in (
        (Node("add", "n", (), ("y",), {"requant": "highmul"}), [x, y], "shapes do not broadcast"),
        (Node("lookup", "n", (), ("y",), {}), [x, x], "a table of int8 has 256 entries"),
        (Node("softmax", "n", (), ("y",), {"requant": "highmul"}), [x, x], "wrong operand types"),
        (Node("mul", "n", (), ("y",), SCALED), [x, x, np.zeros(2, dtype=np.int32)], "factor t2 has a wrong shape"),
        (Node("requantize", "n", (), ("y",), SCALED), [x], "wrong number of operands"),
    ):
        with pytest.raises(EdgeqError) as caught:
            inferred(node, arrays)
        (problem,) = caught.value.problems
        assert (problem.code, problem.what) == ("EQ0903", f"{node.op}: {what}")
