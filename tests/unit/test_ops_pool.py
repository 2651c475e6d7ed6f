"""Pools and means against loops in plain Python integers."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, DType, Node, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.highmul import choose_multipliers
from edgeq.numerics.rounding import round_half_away, round_half_up
from edgeq.ops import BY_NAME
from edgeq.ops.pool import average_pool_counts

COMMON: dict[str, Attr] = {"acc": "i32", "clamp_min": -100, "clamp_max": 90}
SMALL = st.integers(1, 3)


def windows_of(x: Array, node: Node) -> dict[tuple[int, int, int], list[int]]:
    """The valid values of each window."""
    _, height, width, channels = x.shape
    kernel, strides, pads = (node.integers(name) for name in ("kernel", "strides", "pads"))
    out_height = (height + pads[0] + pads[2] - kernel[0]) // strides[0] + 1
    out_width = (width + pads[1] + pads[3] - kernel[1]) // strides[1] + 1
    found = {}
    for i, j, c in itertools.product(range(out_height), range(out_width), range(channels)):
        rows = [i * strides[0] - pads[0] + r for r in range(kernel[0])]
        columns = [j * strides[1] - pads[1] + k for k in range(kernel[1])]
        found[i, j, c] = [int(x[0, r, k, c]) for r in rows for k in columns if 0 <= r < height and 0 <= k < width]
    return found


@settings(deadline=None, max_examples=80)
@given(st.data(), st.integers(0, 2**32 - 1))
def test_pools_equal_the_definition(data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel, strides = (data.draw(SMALL), data.draw(SMALL)), (data.draw(SMALL), data.draw(SMALL))
    pads = tuple(data.draw(st.integers(0, 2)) for _ in range(4))
    shape = (1, data.draw(st.integers(3, 6)), data.draw(st.integers(3, 6)), data.draw(SMALL))
    x = rng.integers(-128, 128, shape).astype(np.int8)
    window: dict[str, Attr] = {"kernel": kernel, "strides": strides, "pads": pads}
    found = windows_of(x, Node("max_pool", "n", (), (), window))
    assume(all(found.values()))
    counts = average_pool_counts(shape, kernel, strides, pads)
    assert counts == tuple(sorted({len(values) for values in found.values()}))

    m, s = choose_multipliers([0.75 / count for count in counts])
    attrs: dict[str, Attr] = {
        **COMMON,
        **window,
        "counts": counts,
        "in_zero": 11,
        "out_zero": -5,
        "shift": s,
        "requant": "highmul",
    }
    node = Node("average_pool", "n", ("t0", "t1"), ("y",), attrs)
    (got,) = BY_NAME["average_pool"].evaluate(node, [x, m])
    for (i, j, c), values in found.items():
        n = len(values)
        factor = Fraction(int(m[counts.index(n)]) << s, 2**32)
        expected = round_half_up((sum(values) - 11 * n) * factor) - 5
        assert got[0, i, j, c] == min(max(expected, -100), 90)
    operands = [Tensor("t0", shape, DType.INT8), Tensor("t1", m.shape, DType.INT32)]
    assert BY_NAME["average_pool"].infer(node, operands) == [(got.shape, DType.INT8)]

    (got,) = BY_NAME["average_pool"].evaluate(node.with_attrs(requant="tflite"), [x, np.zeros(1, dtype=np.int32)])
    (best,) = BY_NAME["max_pool"].evaluate(node, [x])
    for place, values in found.items():
        mean = round_half_away(Fraction(sum(values), len(values)))
        assert got[(0, *place)] == min(max(mean, -100), 90)
        assert best[(0, *place)] == min(max(*values, *values, -100), 90)


@pytest.mark.parametrize("axes", [(1, 2), (1,), (3,), (2, 3), (1, 2, 3)])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_mean_equals_the_definition(axes: tuple[int, ...], keepdims: int) -> None:
    x = np.random.default_rng(0).integers(-128, 128, (1, 5, 4, 7)).astype(np.int8)
    count = int(np.prod([x.shape[axis] for axis in axes]))
    m, s = choose_multipliers([1.25 / count])
    attrs: dict[str, Attr] = {**COMMON, "requant": "highmul", "shift": s, "out_zero": 2, "in_zero": -9, "axes": axes}
    node = Node("mean", "n", ("t0", "t1"), ("y",), {**attrs, "keepdims": keepdims})
    (got,) = BY_NAME["mean"].evaluate(node, [x, m])
    sums = x.astype(np.int64).sum(axis=axes, keepdims=bool(keepdims)) + 9 * count
    factor = Fraction(int(m[0]) << s, 2**32)
    expected = np.vectorize(lambda value: min(max(round_half_up(int(value) * factor) + 2, -100), 90))(sums)
    assert np.array_equal(got, expected)
    operands = [Tensor("t0", x.shape, DType.INT8), Tensor("t1", (1,), DType.INT32)]
    assert BY_NAME["mean"].infer(node, operands) == [(got.shape, DType.INT8)]


def pool(op: str, **attrs: Attr) -> Node:
    base: dict[str, Attr] = {
        "kernel": (2, 2),
        "strides": (2, 2),
        "pads": (0, 0, 0, 0),
        "counts": (4,),
        "requant": "highmul",
    }
    return Node(op, "n", (), ("y",), {**COMMON, **base, **attrs})


@pytest.mark.parametrize(
    ("node", "channels"),
    [
        (pool("average_pool", counts=(3, 4)), 2),
        (pool("average_pool", pads=(2, 2, 2, 2), counts=(0, 4)), 2),
        (pool("average_pool"), 2),
        (pool("max_pool", pads=(2, 2, 2, 2)), 0),
        (pool("max_pool", kernel=(9, 9)), 0),
        (pool("mean", axes=(1, 3), keepdims=1), 1),
        (pool("mean", axes=(), keepdims=1), 1),
        (pool("mean", axes=(3, 4), keepdims=1), 1),
    ],
)
def test_malformed_nodes_are_refused(node: Node, channels: int) -> None:
    operands = [Tensor("x", (1, 4, 4, 3), DType.INT8)]
    if channels:
        operands.append(Tensor("m", (channels,), DType.INT32))
    with pytest.raises(EdgeqError):
        BY_NAME[node.op].infer(node, operands)
