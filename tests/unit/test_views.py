"""Slices and concatenations that move nothing: which they are, and the same bits where they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from integer_graphs import Build

from edgeq.backends.c import emit_c
from edgeq.backends.views import step_nodes, views_of
from edgeq.ir import Graph
from edgeq.target import load_target
from tests.conformance.images import compare_on

WIDTH, CHANNELS = 4, 4


def joined(axis: int, channels: int = CHANNELS) -> Graph:
    """Two convolutions of one input, one behind the other, of which a third reads the middle rows."""
    b = Build(1, 6, WIDTH, channels)
    a, c = b.conv("a", "x", channels, 3, 1), b.conv("c", "x", channels, 1, 1)
    both = b.node("concat", "both", a, b.lookup("act", c, 3), axis=axis)
    part = both
    if axis == 1:
        ends = (1, 10, WIDTH, channels)
        part = b.node("slice", "middle", both, starts=(0, 2, 0, 0), ends=ends, steps=(1, 1, 1, 1))
    return b.done(b.conv("y", part, 4, 3, 1))


def test_rows_lie_where_they_are_joined_and_sliced() -> None:
    graph = joined(axis=1)
    assert set(views_of(graph)) == {"both", "middle"}
    assert [node.op for node in step_nodes(graph)] == ["conv2d", "conv2d", "lookup", "conv2d"]
    offsets = emit_c(graph, "net", load_target("cortex-m4")).plan.offsets
    at = {name: offset - offsets["both"] for name, offset in offsets.items()}
    assert (at["a"], at["act"], at["middle"]) == (0, 6 * WIDTH * CHANNELS, 2 * WIDTH * CHANNELS)


@pytest.mark.parametrize(
    ("graph", "why"),
    [
        (joined(axis=3), "channels of one pixel lie between those of the next"),
        (joined(axis=1, channels=3), "rows of 12 bytes are not aligned"),
    ],
)
def test_what_lies_in_pieces_or_odd_places_is_moved(graph: Graph, why: str) -> None:
    moving = [node.op for node in step_nodes(graph) if node.op in ("concat", "slice")]
    assert "concat" in moving, why


def test_inputs_copies_and_tensors_that_are_joined_twice_are_moved() -> None:
    b = Build(1, 4, WIDTH, CHANNELS)
    a, c = b.conv("a", "x", CHANNELS, 3, 1), b.conv("c", "x", CHANNELS, 1, 1)
    first = b.node("concat", "first", a, c, axis=1)
    again = b.node("concat", "again", c, a, axis=1)
    twice = b.node("concat", "twice", first, first, axis=1)
    given = b.node("concat", "given", "x", again, axis=1)
    copy = b.node("concat", "copy", again, axis=1)
    graph = b.done(b.node("concat", "y", twice, given, copy, axis=1))
    assert "again" not in views_of(graph)
    assert not {"twice", "given", "copy"} & set(views_of(graph))


def test_a_small_slice_does_not_keep_a_large_tensor() -> None:
    """What is sliced would stay while a tensor of its size is computed."""
    b = Build(1, 8, WIDTH, CHANNELS)
    large = b.conv("large", "x", 16, 3, 1)
    part = b.node("slice", "part", large, starts=(0, 0, 0, 0), ends=(1, 1, WIDTH, 16), steps=(1, 1, 1, 1))
    other = b.conv("other", "x", 16, 3, 1)
    graph = b.done(b.node("concat", "y", b.conv("z", other, 16, 1, 1), part, axis=1))
    assert "part" not in views_of(graph)


@pytest.mark.parametrize("tvm", [False, True])
@pytest.mark.parametrize("board", ["native", pytest.param("mps2-an386", marks=pytest.mark.qemu)])
def test_views_have_the_reference_bits(board: str, tvm: bool, tmp_path: Path) -> None:
    if tvm:
        pytest.importorskip("tvm", reason="the extra `tvm` is not installed")
    graph = joined(axis=1)
    draw = np.random.default_rng(7)
    inputs = [[draw.integers(-128, 128, graph.tensors["x"].shape, np.int8)] for _ in range(3)]
    found = compare_on(board, graph, inputs, tmp_path, tvm=tvm, sanitize=board == "native" and not tvm)
    assert found.mismatches == 0
    assert found.elements
