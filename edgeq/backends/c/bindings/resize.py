"""resize_linear and resize_nearest: tables beside an image."""

from __future__ import annotations

import numpy as np

from edgeq.backends.c import orders
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.scaling import constant
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.numerics.array import Array
from edgeq.numerics.resampling import NARROW_BITS_MAX


def _nearest(node: Node, graph: Graph, isa: Isa) -> Call:
    x, (_, height, width, channels) = graph.operands(node)[0], graph.results(node)[0].shape
    fields = {"out_height": height, "out_width": width, "in_width": x.shape[2]}
    fields["pixel"] = channels * x.dtype.size_bytes
    tables = {name: constant(node, graph, name) for name in ("rows", "columns")}
    starts = _corners(tables["rows"], tables["columns"], x.shape[2]) * fields["pixel"]
    written = np.arange(1, len(starts) + 1) * fields["pixel"]
    order = orders.copies(starts, written, x.size_bytes)
    return Call("eq_resize_nearest", fields, node.inputs[:1], node.outputs, tables, trailing=orders.trail(order))


def _linear(node: Node, graph: Graph, isa: Isa) -> Call:
    x, (_, height, width, channels) = graph.operands(node)[0], graph.results(node)[0].shape
    bits = node.integer("bits")
    fields = {"out_height": height, "out_width": width, "in_width": x.shape[2], "channels": channels}
    fields |= {"bytes": x.dtype.size_bytes, "bits": bits}
    fields["wide"] = int(x.dtype.size_bytes > 1 or bits > NARROW_BITS_MAX)
    tables = {name: constant(node, graph, name).reshape(-1) for name in ("rows", "columns")}
    rows, columns = (tables[name].reshape(-1, 3)[:, :2].min(axis=1) for name in ("rows", "columns"))
    item = x.dtype.size_bytes
    starts = _corners(rows, columns, x.shape[2]) * channels * item
    order = orders.runs(starts, channels, item, item, x.size_bytes)
    return Call("eq_resize_linear", fields, node.inputs[:1], node.outputs, tables, trailing=orders.trail(order))


def _corners(rows: Array, columns: Array, width: int) -> Array:
    """By pixel of the result, the first pixel that it reads."""
    return (rows.reshape(-1, 1).astype(np.int64) * width + columns.reshape(-1)).reshape(-1)


BINDINGS: tuple[Binding, ...] = (
    Binding("resize_linear", "eq_resize_linear", None, _linear),
    Binding("resize_nearest", "eq_resize_nearest", None, _nearest),
)
