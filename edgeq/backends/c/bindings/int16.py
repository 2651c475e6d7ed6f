"""conv2d and dense with int16 on either side: pointwise, depthwise and rows of int16, then the general kernel.

The general one widens what it gathers, so that it also serves int8 inputs with int16 results.
"""

from __future__ import annotations

import numpy as np

from edgeq.backends.c import orders, packing
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.conv import constants, geometry, pixel_sizes, refuse_grouping, refuse_one_by_one
from edgeq.backends.c.bindings.scaling import clamp_fields, wide_fields
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.numerics.array import Array

_ACCUMULATORS = ("i32", "i64")
# EQ_SUM_BLOCK of eq_channels_s16.h.
_TAPS_MAX = 504


def _refuse_pointwise(node: Node, graph: Graph, isa: Isa) -> str | None:
    if (reason := refuse_one_by_one(node, graph)) is not None:
        return reason
    depth = graph.operands(node)[0].shape[3]
    if packing.column_segment(depth, isa) != depth:
        return f"{depth} channels are not a multiple of 4"
    return None


def _refuse_depthwise(node: Node, graph: Graph, isa: Isa) -> str | None:
    height, width = graph.operands(node)[1].shape[1:3]
    if (reason := refuse_grouping(node, graph)) is not None:
        return reason
    if height * width > _TAPS_MAX:
        return f"{height * width} taps are more than {_TAPS_MAX}"
    return None


def _bytes(node: Node, graph: Graph) -> dict[str, int]:
    return {
        "x_bytes": graph.operands(node)[0].dtype.size_bytes,
        "out_bytes": graph.results(node)[0].dtype.size_bytes,
    }


def _requantization(node: Node) -> dict[str, int]:
    return {**wide_fields(node), "out_zero": node.integer("out_zero"), **clamp_fields(node)}


def _columns(weights: Array, bias: Array, multiplier: Array, isa: Isa) -> dict[str, Array]:
    """Constants of eq_columns_s16.h, from weights [group, channels, segments, length]; channels padded to 2."""
    group, channels = weights.shape[:2]
    even = np.pad(weights, ((0, 0), (0, channels % 2), (0, 0), (0, 0)))
    return {
        "weights": packing.pack_columns(packing.halfword_order(even, isa), isa),
        "bias": packing.pad_last(bias.reshape(group, channels), 2).reshape(-1),
        "multiplier": packing.pad_last(multiplier.reshape(group, channels), 2).reshape(-1),
    }


def _bind_pointwise(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    sizes = pixel_sizes(node, graph)
    depth, out_c, out_bytes = sizes.pop("in_c"), sizes["out_c"], _bytes(node, graph)["out_bytes"]
    record = {**sizes, "depth": depth, "out_bytes": out_bytes}
    pixels = orders.pixels_of(record, 2 * depth, graph.operands(node)[0].size_bytes, 2)
    return Call(
        "eq_pointwise_s16",
        record | _requantization(node),
        node.inputs[:1],
        node.outputs,
        _columns(weights.reshape(1, out_c, 1, depth), bias, multiplier, isa),
        trailing=orders.trail(orders.pointwise(pixels, out_c, out_bytes, 2)),
    )


def _bind_depthwise(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    sizes = geometry(node, graph)
    sizes["channels"] = sizes.pop("in_c")
    for key in ("out_c", "group"):
        del sizes[key]
    return Call(
        "eq_depthwise_s16",
        sizes | _bytes(node, graph) | _requantization(node),
        node.inputs[:1],
        node.outputs,
        {
            "weights": np.ascontiguousarray(weights.reshape(bias.shape[0], -1).T).reshape(-1),
            "bias": bias,
            "multiplier": multiplier,
        },
        trailing=orders.trail(orders.by_channel(sizes, **_bytes(node, graph))),
    )


def _bind_conv2d(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    out_c, kernel_h, kernel_w, group_c = weights.shape
    sizes = geometry(node, graph)
    group = sizes["group"]
    whole_rows = group == 1 and sizes["dilation_w"] == 1
    segments, length = (kernel_h, kernel_w * group_c) if whole_rows else (kernel_h * kernel_w, group_c)
    depth = segments * packing.column_segment(length, isa)
    packed = _columns(weights.reshape(group, out_c // group, segments, length), bias, multiplier, isa)
    return Call(
        "eq_conv2d_s16",
        sizes | {"depth": depth} | _bytes(node, graph) | _requantization(node),
        node.inputs[:1],
        node.outputs,
        packed,
        trailing=orders.trail(orders.gathered(sizes, **_bytes(node, graph), pixels=2)),
    )


def _bind_dense(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    out_c, depth = weights.shape
    record = {"rows": graph.operands(node)[0].elements // depth, "depth": depth, "out_c": out_c}
    record |= {"out_bytes": _bytes(node, graph)["out_bytes"]}
    return Call(
        "eq_dense_s16",
        record | _requantization(node),
        node.inputs[:1],
        node.outputs,
        {
            "weights": packing.pack_rows(packing.halfword_order(weights, isa), isa),
            "bias": bias,
            "multiplier": multiplier,
        },
        trailing=orders.trail(orders.dense(record, 2, record["out_bytes"])),
    )


def _bind_dense_columns(node: Node, graph: Graph, isa: Isa) -> Call:
    """A dense layer as a 1x1 convolution over its rows, which widens int8 inputs."""
    weights, bias, multiplier = constants(node, graph)
    out_c, depth = weights.shape
    rows = graph.operands(node)[0].elements // depth
    record = dict.fromkeys(("in_h", "out_h", "kernel_h", "kernel_w", "stride_h", "stride_w"), 1)
    record |= {"dilation_h": 1, "dilation_w": 1, "group": 1, "pad_top": 0, "pad_left": 0, "pad_value": 0}
    record |= {"in_w": rows, "out_w": rows, "in_c": depth, "out_c": out_c}
    record |= {"depth": packing.column_segment(depth, isa)}
    packed = _columns(weights.reshape(1, out_c, 1, depth), bias, multiplier, isa)
    record |= _bytes(node, graph) | _requantization(node)
    order = orders.gathered(record, **_bytes(node, graph), pixels=2)
    return Call("eq_conv2d_s16", record, node.inputs[:1], node.outputs, packed, trailing=orders.trail(order))


BINDINGS: tuple[Binding, ...] = (
    Binding("conv2d", "eq_pointwise_s16", _refuse_pointwise, _bind_pointwise, "highmul", _ACCUMULATORS),
    Binding("conv2d", "eq_depthwise_s16", _refuse_depthwise, _bind_depthwise, "highmul", _ACCUMULATORS),
    Binding("conv2d", "eq_conv2d_s16", None, _bind_conv2d, "highmul", _ACCUMULATORS),
    Binding("dense", "eq_dense_s16", None, _bind_dense, "highmul", _ACCUMULATORS),
    Binding("dense", "eq_conv2d_s16", None, _bind_dense_columns, "highmul", _ACCUMULATORS),
)
"""First match wins: the special kernels stand before the general one."""
