"""Forests → eq_trees: nodes as words of 16 bits where everything fits, else of 32."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.numerics.array import Array
from edgeq.numerics.trees import AGGREGATES, LEAF

_INT16: Final = np.iinfo(np.int16)
_LAYOUTS: Final = ((np.int16, 2), (np.int16, 3), (np.int32, 2))
"""Type of a word and words of a node, smallest first."""


def _refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    x, nodes = graph.operands(node)[:2]
    if _packed(nodes.value(), x.shape[1]) is None:
        return "nodes and features are too many for words of 32 bits"
    return None


def _packed(rows: Array, features: int) -> tuple[Array, Array, int, int] | None:
    """Words, the word at which each row begins, words of a node, and bits of a feature; None where nothing fits."""
    leaf = rows[:, 0] == LEAF
    for dtype, words in _LAYOUTS:
        places = np.concatenate([[0], np.cumsum(np.where(leaf, 1, words))])
        bits = max(1, int(features - 1).bit_length()) if words == 2 else 0
        skip = np.where(leaf, 0, places[np.where(leaf, 0, rows[:, 2])] - places[:-1])
        head = np.where(leaf, ~rows[:, 1].astype(np.int64), (skip << bits) | rows[:, 0] if bits else rows[:, 0])
        columns = [head, np.where(leaf, 0, rows[:, 1]), skip][:words]
        limits = np.iinfo(dtype)
        if all(limits.min <= column.min(initial=0) and column.max(initial=0) <= limits.max for column in columns):
            stream = np.zeros(places[-1], dtype)
            stream[places[:-1]] = head
            for offset, column in enumerate(columns[1:], start=1):
                stream[places[:-1][~leaf] + offset] = column[~leaf]
            return stream, places[:-1], words, bits
    return None


def _trees(node: Node, graph: Graph, isa: Isa) -> Call:
    x, nodes, roots, leaves, base = graph.operands(node)
    packed = _packed(nodes.value(), x.shape[1])
    assert packed is not None, "matches() refused this node"
    stream, places, words, bits = packed
    starts = roots.value().copy()
    starts[:, 0] = places[starts[:, 0]]
    values = leaves.value()
    narrow = _INT16.min <= values.min(initial=0) and values.max(initial=0) <= _INT16.max
    stored = values.astype(np.int16 if narrow else np.int32).reshape(-1)
    record = {
        "trees": roots.shape[0],
        "targets": base.shape[0],
        "width": leaves.shape[1],
        "x_bytes": x.dtype.size_bytes,
        "node_bytes": stream.dtype.itemsize,
        "node_words": words,
        "feature_bits": bits,
        "leaf_bytes": stored.dtype.itemsize,
        "aggregate": AGGREGATES.index(node.text("aggregate")),
        "shift": node.integer("shift"),
        "out_bytes": graph.results(node)[0].dtype.size_bytes,
        "clamp_min": node.integer("clamp_min"),
        "clamp_max": node.integer("clamp_max"),
    }
    constants: dict[str, Array | None] = {
        "nodes": stream,
        "roots": starts.reshape(-1),
        "leaves": stored,
        "base": base.value(),
    }
    return Call("eq_trees", record, (x.name,), node.outputs, constants)


BINDINGS: tuple[Binding, ...] = (Binding("trees", "eq_trees", _refusal, _trees),)
