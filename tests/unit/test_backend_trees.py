"""How nodes of forests are packed: the stream decoded again, and every layout in images against the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from integer_forests import random_forest

from edgeq.backends.c.bindings import trees
from edgeq.numerics.array import Array
from edgeq.numerics.trees import LEAF
from tests.conformance.images import compare_on
from tests.conformance.zoo import input_sets, zoo


def decoded(stream: Array, at: int, words: int, bits: int) -> list[int]:
    """The row of a node: feature, threshold and the words to its right child; leaf rows as they are in the table."""
    head = int(stream[at])
    if head < 0:
        return [LEAF, ~head, 0]
    if words == 3:
        return [int(item) for item in stream[at : at + 3]]
    return [head & ((1 << bits) - 1), int(stream[at + 1]), head >> bits]


@pytest.mark.parametrize(("features", "kind", "words"), [(7, np.int16, 2), (3000, np.int16, 3), (60000, np.int32, 2)])
def test_nodes_take_the_smallest_layout_and_lead_where_they_did(features: int, kind: type, words: int) -> None:
    rows, _, _ = random_forest(np.random.default_rng(1), 4, features)
    packed = trees._packed(rows, features)
    assert packed is not None
    stream, places, got, bits = packed
    assert (stream.dtype, got) == (np.dtype(kind), words)
    for row, place in zip(rows.tolist(), places.tolist(), strict=True):
        feature, threshold, skip = decoded(stream, place, words, bits)
        assert [feature, threshold] == row[:2]
        if feature != LEAF:
            assert place + skip == places[row[2]]


def test_nodes_beyond_32_bits_are_refused() -> None:
    rows = np.array([[1 << 30, 0, 2], [LEAF, 0, 0], [LEAF, 1, 0]])
    assert trees._packed(rows, (1 << 30) + 1) is None


@pytest.mark.parametrize("layout", [(np.int16, 3), (np.int32, 2)])
def test_every_layout_has_the_reference_bits(
    layout: tuple[type, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "_LAYOUTS", (layout,))
    graph = zoo("trees", "highmul", "s16").graph
    assert compare_on("native", graph, input_sets(graph), tmp_path, sanitize=True).first is None
