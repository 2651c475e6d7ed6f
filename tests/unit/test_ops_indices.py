"""What operators that are told places refuse, and what integers divided by zero give."""

from __future__ import annotations

from collections.abc import Mapping

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
    ("op", "attrs", "shapes", "what"),
    [
        ("gather_elements", {"axis": 0}, ((3,), (2, 1)), "shapes do not match"),
        ("gather_elements", {"axis": 1}, ((3, 4, 1), (3, 2)), "shapes do not match"),
        ("gather_elements", {"axis": 1}, ((3, 4), (2, 4)), "shapes do not match"),
        ("scatter_elements", {"axis": 0}, ((3, 1), (2, 1), (1, 1)), "updates have another shape than indices"),
        ("gather_nd", {"batch": 0}, ((3, 4), (2, 3)), "indices have too many components"),
        ("gather_nd", {"batch": 1}, ((3, 4), (3, 2)), "indices have too many components"),
        ("gather_nd", {"batch": 0}, ((0, 4), (2, 1)), "indices have too many components"),
        ("gather_nd", {"batch": 1}, ((3, 4), (2, 1)), "batch axes differ"),
        ("gather_nd", {"batch": 1}, ((3, 4), (3,)), "batch axes differ"),
    ],
)
def test_places_that_do_not_fit_are_refused(op: str, attrs: Mapping[str, Attr], shapes: Shapes, what: str) -> None:
    with pytest.raises(EdgeqError, match=f"EQ0903: {op}: {what}"):
        infer(*node_of(op, attrs, shapes))


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
