"""average_pool, mean and max_pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from edgeq.backends.c import orders
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.reduce import reduction_loops
from edgeq.backends.c.bindings.scaling import (
    centred_limit,
    clamp_fields,
    constant,
    formula_of,
    highmul_fields,
    scalar,
    scalar_fields,
    wide_fields,
)
from edgeq.backends.c.runtime import Isa
from edgeq.ir import DType, Graph, Node
from edgeq.numerics.array import Array

Fields = dict[str, int]

# Positions in one window and terms of one mean: the kernels' sums stay inside int32 (see their headers).
MAX_WINDOW = 1 << 15
MAX_MEAN = 1 << 22


def _window_fields(node: Node, graph: Graph) -> Fields:
    x, out = graph.operands(node)[0], graph.results(node)[0]
    kernel, strides, pads = node.integers("kernel"), node.integers("strides"), node.integers("pads")
    return {
        "in_height": x.shape[1],
        "in_width": x.shape[2],
        "channels": x.shape[3],
        "out_height": out.shape[1],
        "out_width": out.shape[2],
        "kernel_height": kernel[0],
        "kernel_width": kernel[1],
        "stride_y": strides[0],
        "stride_x": strides[1],
        "pad_top": pads[0],
        "pad_left": pads[1],
    }


def _windowed(
    kernel: str, fields: Fields, node: Node, graph: Graph, constants: Mapping[str, Array | None] | None = None
) -> Call:
    """A call whose windows are read channel by channel."""
    item = graph.results(node)[0].dtype.size_bytes
    order = orders.by_channel(fields, item, item)
    return Call(kernel, fields, node.inputs[:1], node.outputs, constants or {}, trailing=orders.trail(order))


def _reduced(kernel: str, fields: Fields, node: Node, graph: Graph) -> Call:
    order = orders.reduction(*reduction_loops(node, graph), graph.operands(node)[0], graph.results(node)[0])
    return Call(kernel, fields, node.inputs[:1], node.outputs, trailing=orders.trail(order))


def _average_refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    large = max(node.integers("counts")) > MAX_WINDOW
    return f"a window has more than {MAX_WINDOW} positions" if large else None


def _average_highmul(node: Node, graph: Graph, isa: Isa) -> Call:
    """The multiplier by the number of valid positions: folded where there is one, else a table indexed by it."""
    counts, multipliers = node.integers("counts"), constant(node, graph, "multiplier").astype(np.int64)
    in_zero = node.integer("in_zero")
    # The sum over n positions times the multiplier of n: the largest product decides `narrow`.
    products = [(count * centred_limit(in_zero), int(m)) for count, m in zip(counts, multipliers, strict=True)]
    fields = _window_fields(node, graph) | {"in_zero": in_zero}
    largest = max(products, key=lambda pair: pair[0] * pair[1])
    fields |= highmul_fields(node, int(multipliers[0]), largest)
    fields |= clamp_fields(node)
    return _windowed("eq_average_pool_s8", fields, node, graph, {"multipliers": _by_count(node, graph)})


def _by_count(node: Node, graph: Graph) -> Array | None:
    """The multiplier at each number of valid positions; None where there is one number."""
    counts = node.integers("counts")
    if len(counts) == 1:
        return None
    table = np.zeros(max(counts) + 1, np.int32)
    table[list(counts)] = constant(node, graph, "multiplier")
    return table


def _average_int16(node: Node, graph: Graph, isa: Isa) -> Call:
    multiplier = scalar(node, graph, "multiplier")
    fields = _window_fields(node, graph) | {"multiplier": multiplier, "shift": node.integer("shift")}
    fields |= clamp_fields(node)
    return _windowed("eq_average_pool_s16", fields, node, graph, {"multipliers": _by_count(node, graph)})


def _average_integers(node: Node, graph: Graph, isa: Isa) -> Call:
    fields = _window_fields(node, graph) | clamp_fields(node)
    return _windowed("eq_average_pool_tflite_s8", fields, node, graph)


def _mean_refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    return f"a mean has more than {MAX_MEAN} terms" if reduction_loops(node, graph)[1] > MAX_MEAN else None


def _mean(node: Node, graph: Graph, isa: Isa) -> Call:
    outer, reduce, inner = reduction_loops(node, graph)
    in_zero = node.integer("in_zero")
    fields: Fields = {"outer": outer, "reduce": reduce, "inner": inner, "in_zero": in_zero}
    fields |= scalar_fields(node, graph, reduce * centred_limit(in_zero)) | clamp_fields(node)
    return _reduced(_MEANS[formula_of(node)], fields, node, graph)


def _mean_int16(node: Node, graph: Graph, isa: Isa) -> Call:
    outer, reduce, inner = reduction_loops(node, graph)
    fields: Fields = {"outer": outer, "reduce": reduce, "inner": inner, "multiplier": scalar(node, graph, "multiplier")}
    fields |= wide_fields(node) | clamp_fields(node)
    return _reduced("eq_mean_s16", fields, node, graph)


def _max(node: Node, graph: Graph, isa: Isa) -> Call:
    fields = _window_fields(node, graph) | clamp_fields(node)
    return _windowed(_MAXIMA[graph.results(node)[0].dtype], fields, node, graph)


_MAXIMA: Final = {DType.INT8: "eq_max_pool_s8", DType.INT16: "eq_max_pool_s16"}
_MEANS: Final = {"highmul": "eq_mean_s8", "double": "eq_mean_tflite_s8"}
BINDINGS: tuple[Binding, ...] = (
    Binding("average_pool", "eq_average_pool_s8", _average_refusal, _average_highmul, "highmul"),
    Binding("average_pool", "eq_average_pool_tflite_s8", _average_refusal, _average_integers, "integer_mean"),
    Binding("average_pool", "eq_average_pool_s16", _average_refusal, _average_int16, "highmul"),
    *(Binding("max_pool", kernel, None, _max) for kernel in _MAXIMA.values()),
    *(Binding("mean", kernel, _mean_refusal, _mean, formula) for formula, kernel in _MEANS.items()),
    Binding("mean", "eq_mean_s16", _mean_refusal, _mean_int16, "highmul", ("i32", "i64")),
)
