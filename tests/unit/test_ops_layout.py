"""Operators that move values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, DType, Node, Tensor
from edgeq.numerics.array import Array
from edgeq.ops import BY_NAME, infer


def evaluate(op: str, attrs: dict[str, Attr], *arrays: Array) -> Array:
    """Evaluate a node, and check the inferred shape and that the result is contiguous."""
    node = Node(op, "n", (), ("y",), attrs)
    (result,) = BY_NAME[op].evaluate(node, arrays)
    operands = [Tensor(f"t{i}", array.shape, DType.of(array)) for i, array in enumerate(arrays)]
    assert BY_NAME[op].infer(node, operands) == [(result.shape, DType.of(result))]
    assert result.flags.c_contiguous
    return result


def ramp(*shape: int) -> Array:
    return (np.arange(int(np.prod(shape))) % 251 - 125).astype(np.int8).reshape(shape)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_transpose_moves_every_element(shape: list[int], random: object) -> None:
    perm = list(range(len(shape)))
    random.shuffle(perm)  # type: ignore[attr-defined]
    x = ramp(*shape)
    y = evaluate("transpose", {"perm": tuple(perm)}, x)
    for index in np.ndindex(*y.shape):
        source = [0] * len(shape)
        for axis, place in zip(perm, index, strict=True):
            source[axis] = place
        assert y[index] == x[tuple(source)]


@settings(deadline=None, max_examples=50)
@given(st.data(), st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_slice_takes_every_step(data: st.DataObject, shape: list[int]) -> None:
    starts = tuple(data.draw(st.integers(0, size - 1)) for size in shape)
    ends = tuple(data.draw(st.integers(start + 1, size)) for start, size in zip(starts, shape, strict=True))
    steps = tuple(data.draw(st.integers(1, 3)) for _ in shape)
    x = ramp(*shape)
    y = evaluate("slice", {"starts": starts, "ends": ends, "steps": steps}, x)
    for index in np.ndindex(*y.shape):
        source = tuple(s + i * step for s, i, step in zip(starts, index, steps, strict=True))
        assert y[index] == x[source]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_concat(axis: int) -> None:
    x = ramp(2, 3, 4)
    y = evaluate("concat", {"axis": axis}, x, -x, x)
    assert np.array_equal(np.take(y, range(x.shape[axis], 2 * x.shape[axis]), axis=axis), -x)


def test_pad() -> None:
    x = ramp(1, 2, 3)
    y = evaluate("pad", {"pads": (0, 1, 2, 1, 0, 3), "value": -7}, x)
    assert y.shape == (2, 3, 8)
    assert np.array_equal(y[:1, 1:, 2:5], x)
    assert (y == -7).sum() >= y.size - x.size


def test_reshape_keeps_the_order() -> None:
    x = ramp(2, 3, 4)
    assert evaluate("reshape", {"shape": (4, 6)}, x).ravel().tolist() == x.ravel().tolist()


@pytest.mark.parametrize(
    ("op", "attrs", "shapes", "what"),
    [
        ("concat", {"axis": 3}, [(1, 2, 3)], "no such axis"),
        ("concat", {"axis": 1}, [(1, 2, 3), (1, 2, 4)], "shapes do not match"),
        ("concat", {"axis": 1}, [(1, 2, 3), (1, 2)], "shapes do not match"),
        ("pad", {"pads": (0, 1), "value": 0}, [(1, 2)], "malformed pads"),
        ("pad", {"pads": (0, 1, 0, -1), "value": 0}, [(1, 2)], "attribute pads is out of range"),
        ("pad", {"pads": (0, 1, 0, 1), "value": 128}, [(1, 2)], "attribute value is out of range"),
        ("reshape", {"shape": (3,)}, [(1, 2)], "element counts differ"),
        ("reshape", {"shape": (2,)}, [(1, 2), (1, 2)], "wrong number of operands"),
        (
            "slice",
            {"starts": (0,), "ends": (1,), "steps": (1,)},
            [(1, 2)],
            "one start, end and step per axis is needed",
        ),
        ("slice", {"starts": (0, 0), "ends": (1, 3), "steps": (1, 1)}, [(1, 2)], "slice out of range"),
        ("slice", {"starts": (0, 0), "ends": (1, 2), "steps": (1, 0)}, [(1, 2)], "attribute steps is out of range"),
        ("transpose", {"perm": (0, 0)}, [(1, 2)], "not a permutation of the axes"),
    ],
)
def test_malformed_nodes_are_refused(op: str, attrs: dict[str, Attr], shapes: list[tuple[int, ...]], what: str) -> None:
    operands = [Tensor(f"t{i}", shape, DType.INT8) for i, shape in enumerate(shapes)]
    with pytest.raises(EdgeqError, match=f"EQ0903: {op}: {what}"):
        infer(Node(op, "n", (), ("y",), attrs), operands)
