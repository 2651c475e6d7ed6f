"""Passes change layout and order, never a value: outputs and surviving tensors keep their bits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from integer_graphs import ADD, TO_NCHW, TO_NHWC, Build
from work import is_linear

from edgeq.errors import EdgeqError
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.ir.verify import verify_graph
from edgeq.ops import infer
from edgeq.passes import PASSES, Pass, run_passes
from edgeq.passes.base import Property
from edgeq.passes.cancel_transposes import NO_TRANSPOSE_PAIR
from edgeq.passes.order_nodes import peak_bytes
from edgeq.passes.remove_dead_nodes import NO_DEAD_NODES


def frames_as_an_image() -> Graph:
    """A reshape that adds an axis of size 1 stands between two transposes that are inverse but for it."""
    b = Build(1, 9, 4)
    channels_first = b.node("transpose", "t", "x", perm=(0, 2, 1))
    image = b.node("reshape", "r", channels_first, shape=(1, 4, 1, 9))
    return b.done(b.conv("y", b.node("transpose", "n", image, perm=TO_NHWC), 3, 1, 3))


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


def conv_slice_pad_conv() -> Graph:
    """As lowered: every convolution between its own transposes, layout operators on NCHW between two of them."""
    b = Build(1, 3, 6, 7)
    first = b.conv("c1", b.node("transpose", "x.nhwc", "x", perm=TO_NHWC), 4, 3, 1)
    nchw = b.node("transpose", "c1.nchw", first, perm=TO_NCHW)
    piece = b.node("slice", "s", nchw, starts=(0, 1, 2, 0), ends=(1, 4, 6, 7), steps=(1, 1, 2, 3))
    padded = b.node("pad", "p", piece, pads=(0, 1, 0, 2, 0, 0, 3, 1), value=-7)
    second = b.conv("c2", b.node("transpose", "p.nhwc", padded, perm=TO_NHWC), 2, 3, 2)
    return b.done(b.node("transpose", "y", second, perm=TO_NCHW))


def first_of_two_tables_is_an_output() -> Graph:
    b = Build(3, 4)
    first = b.lookup("a", "x", 1)
    return b.done(first, b.lookup("y", first, 2))


def table_with_two_readers() -> Graph:
    b = Build(3, 4)
    first = b.lookup("a", "x", 1)
    return b.done(b.node("add", "y", b.lookup("b", first, 2), b.lookup("c", first, 3), **ADD))


def transposed_outputs() -> Graph:
    """An identity may not make an output of an input, nor one tensor of two outputs."""
    b = Build(1, 2, 3, 4)
    there = b.node("transpose", "t", "x", perm=TO_NHWC)
    back = b.node("transpose", "u", there, perm=TO_NCHW)
    inner = b.lookup("a", "x", 5)
    nhwc = b.node("transpose", "v", inner, perm=TO_NHWC)
    return b.done(back, inner, b.node("transpose", "w", nhwc, perm=TO_NCHW), there)


def gate_beside_an_image() -> Graph:
    """A value for each channel, computed without a transpose, and an image of rank 3 that has one of its own."""
    b = Build(1, 4, 5, 6)
    image = b.node("transpose", "n", b.lookup("a", "x", 1), perm=TO_NCHW)
    piece = b.node("slice", "s", "x", starts=(0, 0, 0, 0), ends=(1, 1, 1, 6), steps=(1, 1, 1, 1))
    gated = b.node("add", "g", image, b.node("reshape", "r", piece, shape=(1, 6, 1, 1)), **ADD)
    flat = b.node("transpose", "f", b.node("reshape", "x3", "x", shape=(4, 5, 6)), perm=(2, 0, 1))
    return b.done(b.node("transpose", "y", b.node("add", "h", flat, gated, **ADD), perm=TO_NHWC))


def tokens_of_an_image() -> Graph:
    """The points of an image become a row of tokens: its channels go first, and last again."""
    b = Build(1, 4, 5, 6)
    nchw = b.node("transpose", "n", b.conv("c", "x", 3, 3, 1), perm=TO_NCHW)
    flat = b.node("reshape", "r", nchw, shape=(1, 3, 20))
    return b.done(b.lookup("y", b.node("transpose", "t", flat, perm=(0, 2, 1)), 2))


def shuffled_channels() -> Graph:
    """Two halves of channels, interleaved channels first, between convolutions."""
    b = Build(1, 4, 5, 6)
    nchw = b.node("transpose", "n", b.conv("c", "x", 8, 3, 1), perm=TO_NCHW)
    halves = b.node("reshape", "r", nchw, shape=(1, 2, 4, 4, 5))
    turned = b.node("transpose", "t", halves, perm=(0, 2, 1, 3, 4))
    back = b.node("transpose", "b", b.node("reshape", "s", turned, shape=(1, 8, 4, 5)), perm=TO_NHWC)
    return b.done(b.conv("y", back, 2, 1, 3))


def columns_of_an_image() -> Graph:
    """Channels and rows of an image become one axis, the columns go first."""
    b = Build(1, 4, 5, 6)
    nchw = b.node("transpose", "n", b.conv("c", "x", 3, 3, 1), perm=TO_NCHW)
    flat = b.node("reshape", "r", nchw, shape=(1, 12, 5))
    columns = b.node("transpose", "t", flat, perm=(2, 0, 1))
    return b.done(b.dense("y", b.node("reshape", "s", columns, shape=(5, 12)), 4, 2))


def frames_between_images() -> Graph:
    """Convolutions over time, written on images of one row; what stands between them sees frames."""
    b = Build(1, 1, 9, 4)
    nchw = b.node("transpose", "n", b.conv("c", "x", 3, 3, 1), perm=TO_NCHW)
    frames = b.lookup("l", b.node("reshape", "r", nchw, shape=(1, 3, 9)), 2)
    padded = b.node("pad", "p", frames, pads=(0, 0, 2, 0, 0, 0), value=-7)
    image = b.node("reshape", "s", padded, shape=(1, 3, 1, 11))
    return b.done(b.conv("y", b.node("transpose", "m", image, perm=TO_NHWC), 2, 3, 3))


def flipped_image() -> Graph:
    """Columns in the opposite order, channels first, between convolutions."""
    b = Build(1, 4, 5, 6)
    nchw = b.node("transpose", "n", b.conv("c", "x", 3, 3, 1), perm=TO_NCHW)
    flipped = b.node("gather", "g", nchw, b.constant("i", np.arange(4, -1, -1, dtype=np.int32)), axis=3)
    return b.done(b.conv("y", b.node("transpose", "m", flipped, perm=TO_NHWC), 2, 3, 3))


CASES = {
    case.__name__: case
    for case in (
        columns_of_an_image,
        concat_slice_pad_of_transposed,
        conv_slice_pad_conv,
        elementwise_between_transposes,
        first_of_two_tables_is_an_output,
        flatten_into_dense,
        flipped_image,
        frames_as_an_image,
        frames_between_images,
        gate_beside_an_image,
        lookup_chain,
        shuffled_channels,
        table_with_two_readers,
        tokens_of_an_image,
        transposed_outputs,
        trivial_transposes,
    )
}
LEFT = {
    "columns_of_an_image": 1,
    "concat_slice_pad_of_transposed": 1,
    "conv_slice_pad_conv": 2,
    "shuffled_channels": 1,
    "transposed_outputs": 1,
}


@pytest.mark.parametrize("name", CASES)
def test_passes_keep_every_bit(name: str) -> None:
    graph = CASES[name]()
    verify_graph(graph, infer)
    data = np.random.default_rng(0).integers(-128, 128, graph.tensors["x"].shape).astype(np.int8)
    before = run(graph.copy(), [data])
    run_passes(graph, PASSES)
    after = run(graph, [data])
    for old, new in zip(before.outputs, after.outputs, strict=True):
        np.testing.assert_array_equal(old, new)
    shared = set(before.tensors) & set(after.tensors)
    for tensor in shared:
        np.testing.assert_array_equal(before.tensors[tensor], after.tensors[tensor])


@pytest.mark.parametrize("name", CASES)
def test_passes_leave_no_needless_transpose(name: str) -> None:
    graph = CASES[name]()
    run_passes(graph, PASSES)
    assert sum(node.op == "transpose" for node in graph.nodes) == LEFT.get(name, 0)


def test_lookups_compose_into_one() -> None:
    graph = lookup_chain()
    run_passes(graph, PASSES)
    assert [node.op for node in graph.nodes] == ["lookup"]


def test_a_table_that_others_read_is_not_computed_twice() -> None:
    for graph in (first_of_two_tables_is_an_output(), table_with_two_readers()):
        names = [node.attrs.get("function") for node in graph.nodes]
        run_passes(graph, PASSES)
        assert sorted(map(str, names)) == sorted(str(node.attrs.get("function")) for node in graph.nodes)


def test_order_lowers_the_peak() -> None:
    """Two long branches from one small input: depth first holds one wide value at a time."""
    b = Build(1, 4)
    wide = [b.node("concat", f"wide{i}", *["x"] * 8, axis=1) for i in range(3)]
    narrow = [b.node("slice", f"n{i}", name, starts=(0, 0), ends=(1, 4), steps=(1, 1)) for i, name in enumerate(wide)]
    graph = b.done(b.node("concat", "y", *narrow, axis=1))
    before = peak_bytes(graph, graph.nodes)
    run_passes(graph, PASSES)
    assert peak_bytes(graph, graph.nodes) < before


def transposes_around_an_idle_reshape() -> Graph:
    b = Build(1, 2, 3, 4)
    inner = b.node("transpose", "n", "x", perm=TO_NHWC)
    same = b.node("reshape", "r", inner, shape=(1, 3, 4, 2))
    return b.done(b.lookup("y", b.node("transpose", "b", same, perm=TO_NCHW), 1))


def dead_node() -> Graph:
    b = Build(1, 4)
    b.lookup("unread", "x", 1)
    return b.done(b.lookup("y", "x", 2))


def undone_transpose() -> Graph:
    b = Build(1, 2, 3, 4)
    inner = b.node("transpose", "n", "x", perm=TO_NHWC)
    return b.done(b.lookup("y", b.node("transpose", "b", inner, perm=TO_NCHW), 1))


@pytest.mark.parametrize(("build", "held"), [(dead_node, NO_DEAD_NODES), (undone_transpose, NO_TRANSPOSE_PAIR)])
def test_what_a_pass_requires_and_ensures_is_enforced(build: Callable[[], Graph], held: Property) -> None:
    graph = build()
    with pytest.raises(EdgeqError, match=f"EQ0901: the integer graph is not valid before idle\n.*{held.name}"):
        run_passes(graph, [Pass("idle", lambda _: 0, requires=(held,))])
    with pytest.raises(EdgeqError, match=f"EQ0901: the integer graph is not valid after idle\n.*{held.name}"):
        run_passes(graph, [Pass("idle", lambda _: 0, ensures=(held,))])
    run_passes(graph, PASSES)
    assert held.holds(graph)


def test_transposes_that_meet_late_cancel() -> None:
    graph = transposes_around_an_idle_reshape()
    run_passes(graph, PASSES)
    assert [node.op for node in graph.nodes] == ["lookup"]


def conv_chain(layers: int) -> Graph:
    """Convolutions and tables in a row, each convolution between its own transposes."""
    b = Build(1, 2, 3, 4)
    x = "x"
    for number in range(layers):
        inner = b.node("transpose", f"n{number}", x, perm=TO_NHWC)
        back = b.node("transpose", f"b{number}", b.conv(f"c{number}", inner, 2, 1, number), perm=TO_NCHW)
        x = b.lookup(f"r{number}", b.lookup(f"l{number}", back, number), number)
    return b.done(x)


def wide_graph(branches: int) -> Graph:
    """As many branches, all from one tensor, added up one by one."""
    b = Build(1, 2, 3, 4)
    total = b.lookup("l", "x", 0)
    for name in [b.lookup(f"l{number}", "x", number) for number in range(branches)]:
        total = b.node("add", f"{name}.sum", total, name, **ADD)
    return b.done(total)


@pytest.mark.parametrize("step", PASSES, ids=lambda step: step.name)
@pytest.mark.parametrize("build", [conv_chain, wide_graph], ids=lambda build: build.__name__)
def test_the_time_of_a_pass_is_linear_in_the_layers(step: Pass, build: Callable[[int], Graph]) -> None:
    def prepare(size: int) -> Callable[[], object]:
        graph = build(size)
        return lambda: step.run(graph)

    assert is_linear(prepare)
