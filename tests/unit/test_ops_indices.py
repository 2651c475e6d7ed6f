"""Operators that choose, find and place elements, worked out by hand; what integers divided by zero give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, DType, Node, Tensor
from edgeq.ops import BY_NAME, infer

Shapes = tuple[tuple[int, ...], ...]


def node_of(op: str, attrs: Mapping[str, Attr], shapes: Shapes) -> tuple[Node, list[Tensor]]:
    """A node that reads int8, then indices, then int8."""
    types = (DType.INT8, DType.INT32, DType.INT8)
    operands = [Tensor(f"t{i}", shape, types[i]) for i, shape in enumerate(shapes)]
    return Node(op, "n", tuple(tensor.name for tensor in operands), ("y",), attrs), operands


@pytest.mark.parametrize(
    ("function", "expected"),
    [("divide", [0, 0, 3, -3, -3, 3]), ("remainder", [0, 0, 1, -1, 1, -1]), ("modulo", [0, 0, 1, 1, -1, -1])],
)
def test_integers_divided_by_zero_are_zero(function: str, expected: list[int]) -> None:
    a = np.array([7, -7, 7, -7, 7, -7], np.int32)
    b = np.array([0, 0, 2, 2, -2, -2], np.int32)
    node = Node("integer", "n", ("a", "b"), ("y",), {"function": function})
    assert BY_NAME["integer"].evaluate(node, [a, b])[0].tolist() == expected


@pytest.mark.parametrize("name", ["exclusive", "reverse"])
def test_a_truth_value_is_0_or_1(name: str) -> None:
    attrs = {"axis": 0, "exclusive": 0, "reverse": 0, "in_zero": 0, "multiplier": 1 << 30, "shift": 30, "out_zero": 0}
    node, operands = node_of("cum_sum", {**attrs, "clamp_min": -128, "clamp_max": 127}, ((3,),))
    assert infer(node, operands) == [((3,), DType.INT8)]
    with pytest.raises(EdgeqError, match=f"attribute {name} is out of range"):
        infer(node.with_attrs(**{name: 2}), operands)


# Operator, attributes, operands, results.
BY_HAND: list[tuple[str, dict[str, Attr], list[Any], list[Any]]] = [
    ("arg_max", {"axis": 1, "last": 0}, [[[3, 9, 9, -1]]], [[[1]]]),
    ("arg_max", {"axis": 1, "last": 1}, [[[3, 9, 9, -1]]], [[[2]]]),
    ("arg_min", {"axis": 1, "last": 0}, [[[3, -7, 9, -7]]], [[[1]]]),
    ("arg_min", {"axis": 0, "last": 1}, [[[3, -7], [3, 9]]], [[[1, 0]]]),
    ("top_k", {"axis": 1, "k": 3, "largest": 1}, [[[3, -128, 9, 3, 127]]], [[[127, 9, 3]], [[4, 2, 0]]]),
    ("top_k", {"axis": 1, "k": 3, "largest": 0}, [[[3, -128, 9, 3, 127]]], [[[-128, 3, 3]], [[1, 0, 3]]]),
    ("gather", {"axis": 0}, [[10, 20, 30], [[2, -3], [0, 1]]], [[[30, 10], [10, 20]]]),
    ("gather", {"axis": 1}, [[[1, 2, 3], [4, 5, 6]], [-1]], [[[3], [6]]]),
    ("gather_elements", {"axis": 1}, [[[1, 2, 3], [4, 5, 6]], [[2, 0], [-1, -2]]], [[[3, 1], [6, 5]]]),
    ("gather_nd", {"batch": 0}, [[[1, 2], [3, 4]], [[1, 0], [0, -1]]], [[3, 2]]),
    ("gather_nd", {"batch": 1}, [[[1, 2], [3, 4]], [[1], [0]]], [[2, 3]]),
    ("scatter_elements", {"axis": 1}, [[[1, 2, 3]], [[2, 0, 2]], [[7, 8, 9]]], [[[8, 2, 9]]]),
    ("scatter_nd", {"batch": 0}, [[1, 2, 3], [[-1], [0], [-1]], [7, 8, 9]], [[8, 2, 9]]),
    ("one_hot", {"axis": 1, "depth": 3}, [[0, 2, -1, 5], [-5, 6]], [[[6, -5, -5], [-5, -5, 6], [-5, -5, 6], [-5] * 3]]),
    ("one_hot", {"axis": 0, "depth": 2}, [[0, 1], [0, 1]], [[[1, 0], [0, 1]]]),
    ("where", {}, [[1, 0, 1], [1, 2, 3], [7, 8, 9]], [[1, 8, 3]]),
    ("concat", {"axis": 1}, [[[1, 2]], [[3]]], [[[1, 2, 3]]]),
    ("slice", {"starts": (0, 1), "ends": (1, 4), "steps": (1, 2)}, [[[5, 6, 7, 8]]], [[[6, 8]]]),
    ("upsample", {"factors": (1, 2)}, [[[[[1], [2]]]]], [[[[[1], [1], [2], [2]]]]]),
    ("transpose", {"perm": (1, 0)}, [[[1, 2, 3], [4, 5, 6]]], [[[1, 4], [2, 5], [3, 6]]]),
    ("pad", {"pads": (0, 1, 0, 2), "value": -7}, [[[1, 2]]], [[[-7, 1, 2, -7, -7]]]),
]


@pytest.mark.parametrize(("op", "attributes", "operands", "expected"), BY_HAND)
def test_results_are_those_by_hand(
    op: str, attributes: dict[str, Attr], operands: list[Any], expected: list[Any]
) -> None:
    arrays = [np.array(operand, np.int8) for operand in operands]
    node = Node(op, "n", tuple(f"x{number}" for number in range(len(arrays))), ("y",), attributes)
    assert [result.tolist() for result in BY_NAME[op].evaluate(node, arrays)] == expected


@pytest.mark.parametrize(
    ("exclusive", "reverse", "expected"),
    [(0, 0, [1, 3, 6]), (1, 0, [0, 1, 3]), (0, 1, [6, 5, 3]), (1, 1, [5, 3, 0])],
)
def test_running_sums_are_those_by_hand(exclusive: int, reverse: int, expected: list[int]) -> None:
    factors = {"in_zero": 10, "multiplier": 1 << 30, "shift": 30, "out_zero": 2, "clamp_min": -128, "clamp_max": 127}
    node = Node("cum_sum", "n", ("x",), ("y",), {"axis": 0, "exclusive": exclusive, "reverse": reverse, **factors})
    (found,) = BY_NAME["cum_sum"].evaluate(node, [np.array([11, 12, 13], np.int8)])
    assert found.tolist() == [value + 2 for value in expected]


@pytest.mark.parametrize(
    ("relation", "expected"), [("equal", [0, 1, 0]), ("less", [1, 0, 0]), ("less_or_equal", [1, 1, 0])]
)
def test_numbers_of_two_scales_are_compared_as_they_are(relation: str, expected: list[int]) -> None:
    """a stands for (a - 1)·2, b for (b + 3)·4·2."""
    a_factors = {"a_zero": 1, "a_multiplier": 2, "a_shift": 0}
    b_factors = {"b_zero": -3, "b_multiplier": 4, "b_shift": 1}
    node = Node("compare", "n", ("a", "b"), ("y",), {"relation": relation, **a_factors, **b_factors})
    (found,) = BY_NAME["compare"].evaluate(node, [np.array([4, 5, 6], np.int8), np.array([-2, -2, -2], np.int8)])
    assert found.tolist() == expected
