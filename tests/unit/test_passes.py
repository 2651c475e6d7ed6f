"""Passes change layout and order, never a value: outputs and surviving tensors keep their bits."""

from __future__ import annotations

import numpy as np
import pytest
from integer_graphs import ADD, TO_NCHW, TO_NHWC, Build

from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.ir.verify import verify_graph
from edgeq.ops import infer
from edgeq.passes import PASSES
from edgeq.passes.order_nodes import peak_bytes


def elementwise_between_transposes() -> Graph:
    b = Build(1, 4, 5, 6)
    inner = b.lookup("a", b.node("transpose", "x.nhwc", "x", perm=TO_NHWC), 1)
    back = b.node("transpose", "back", inner, perm=TO_NCHW)
    table = b.lookup("c", back, 2)
    constant = b.constant("k", np.arange(-2, 2, dtype=np.int8).reshape(4, 1, 1))
    total = b.node("add", "sum", table, constant, **ADD)
    again = b.node("transpose", "sum.nhwc", total, perm=TO_NHWC)
    return b.done(b.node("transpose", "y", b.lookup("d", again, 3), perm=TO_NCHW))


def concat_slice_pad_of_transposed() -> Graph:
    b = Build(1, 4, 5, 6)
    left = b.node("transpose", "l", "x", perm=TO_NHWC)
    right = b.node("transpose", "r", b.lookup("rx", "x", 4), perm=TO_NHWC)
    joined = b.node("concat", "j", b.lookup("ll", left, 5), b.lookup("rr", right, 6), axis=3)
    nchw = b.node("transpose", "jn", joined, perm=TO_NCHW)
    piece = b.node("slice", "s", nchw, starts=(0, 1, 0, 2), ends=(1, 7, 5, 6), steps=(1, 2, 1, 1))
    padded = b.node("pad", "p", piece, pads=(0, 1, 0, 2, 0, 0, 3, 0), value=-7)
    return b.done(b.node("transpose", "y", padded, perm=TO_NHWC))


def flatten_into_dense() -> Graph:
    b = Build(1, 2, 3, 4)
    nchw = b.node("transpose", "n", b.lookup("a", "x", 7), perm=(0, 3, 1, 2))
    flat = b.node("reshape", "f", nchw, shape=(1, 24))
    return b.done(b.dense("y", flat, 5, 8))


def trivial_transposes() -> Graph:
    b = Build(1, 1, 7, 3)
    first = b.node("transpose", "t", "x", perm=TO_NHWC)
    second = b.node("reshape", "r", first, shape=(1, 21))
    return b.done(b.lookup("y", second, 9))


def lookup_chain() -> Graph:
    b = Build(3, 4)
    return b.done(b.lookup("y", b.lookup("b", b.lookup("a", "x", 1), 2), 3))


CASES = {
    case.__name__: case
    for case in (
        concat_slice_pad_of_transposed,
        elementwise_between_transposes,
        flatten_into_dense,
        lookup_chain,
        trivial_transposes,
    )
}
LEFT = {"concat_slice_pad_of_transposed": 1}


@pytest.mark.parametrize("name", CASES)
def test_passes_keep_every_bit(name: str) -> None:
    graph = CASES[name]()
    verify_graph(graph, infer)
    data = np.random.default_rng(0).integers(-128, 128, graph.tensors["x"].shape).astype(np.int8)
    before = run(graph.copy(), [data])
    for step in PASSES:
        step.run(graph)
        verify_graph(graph, infer, after=step.name)
    after = run(graph, [data])
    for old, new in zip(before.outputs, after.outputs, strict=True):
        np.testing.assert_array_equal(old, new)
    shared = set(before.tensors) & set(after.tensors)
    for tensor in shared:
        np.testing.assert_array_equal(before.tensors[tensor], after.tensors[tensor])


@pytest.mark.parametrize("name", CASES)
def test_passes_leave_no_needless_transpose(name: str) -> None:
    graph = CASES[name]()
    for step in PASSES:
        step.run(graph)
    assert sum(node.op == "transpose" for node in graph.nodes) == LEFT.get(name, 0)


def test_lookups_compose_into_one() -> None:
    graph = lookup_chain()
    for step in PASSES:
        step.run(graph)
    assert [node.op for node in graph.nodes] == ["lookup"]


def test_order_lowers_the_peak() -> None:
    """Two long branches from one small input: depth first holds one wide value at a time."""
    b = Build(1, 4)
    wide = [b.node("concat", f"wide{i}", *["x"] * 8, axis=1) for i in range(3)]
    narrow = [b.node("slice", f"n{i}", name, starts=(0, 0), ends=(1, 4), steps=(1, 1)) for i, name in enumerate(wide)]
    graph = b.done(b.node("concat", "y", *narrow, axis=1))
    before = peak_bytes(graph, graph.nodes)
    for step in PASSES:
        step.run(graph)
        verify_graph(graph, infer, after=step.name)
    assert peak_bytes(graph, graph.nodes) < before
