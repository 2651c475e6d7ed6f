"""conv2d → C kernels: pointwise, depthwise, then the general one; one generic kernel for the tflite mode.

Every kernel writes its pixels in rows; how far behind what it reads, its order says.
"""

from __future__ import annotations

import numpy as np

from edgeq.backends.c import orders, packing
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.scaling import clamp_fields, constant
from edgeq.backends.c.declarations import numbers
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.numerics.array import Array


def constants(node: Node, graph: Graph) -> tuple[Array, Array, Array]:
    """Weights as they are, bias and multiplier as int32 [out_channels]."""
    weight, bias, multiplier = (constant(node, graph, slot) for slot in ("weight", "bias", "multiplier"))
    return weight, bias, np.broadcast_to(multiplier, bias.shape).astype(np.int32)


def requantization(node: Node, weights: Array, bias: Array, multiplier: Array) -> dict[str, int]:
    """The fields of the record that requantize: ``shift`` to ``narrow``; weights [out_channels, …]."""
    shift = node.integer("shift")
    rows = weights.reshape(weights.shape[0], -1)
    return {
        "shift": shift,
        "out_zero": node.integer("out_zero"),
        **clamp_fields(node),
        "narrow": int(packing.is_narrow(rows, bias, multiplier, shift)),
    }


def refuse_short_scaling(node: Node, graph: Graph, isa: Isa) -> str | None:
    """Why a kernel that scales without a shift, on ARMv6-M by three multiplications, cannot serve a node; or None."""
    fields = requantization(node, *constants(node, graph))
    if fields["shift"]:
        return "the accumulator is shifted to the left"
    if "v6m" in isa and not fields["narrow"]:
        return "the product of accumulator and multiplier may leave 48 bits"
    return None


def is_pointwise(node: Node, graph: Graph) -> bool:
    """Whether a convolution is one matrix product over pixels."""
    kernel = graph.operands(node)[1].shape[1:3]
    return kernel == (1, 1) and node.integer("group") == 1 and not any(node.integers("pads"))


def _match_columns(node: Node, graph: Graph, isa: Isa) -> str | None:
    del node, graph
    return "columns are widened with the DSP extension" if packing.provider(isa, "columns") == "dsp" else None


def _match_pointwise_direct(node: Node, graph: Graph, isa: Isa) -> str | None:
    return _match_columns(node, graph, isa) or refuse_one_by_one(node, graph)


def refuse_one_by_one(node: Node, graph: Graph) -> str | None:
    """Why a convolution is no matrix product over pixels, or None."""
    return None if is_pointwise(node, graph) else "the kernel is not 1x1 without padding and groups"


def is_depthwise(node: Node, graph: Graph) -> bool:
    """Whether each output channel has a group, and an input channel, for itself."""
    return node.integer("group") == graph.operands(node)[0].shape[3] == graph.results(node)[0].shape[3]


def refuse_grouping(node: Node, graph: Graph) -> str | None:
    """Why a convolution is not depthwise, or None."""
    return None if is_depthwise(node, graph) else "not one output channel per input channel with a group each"


def pixel_sizes(node: Node, graph: Graph) -> dict[str, int]:
    """Sizes and strides of a 1x1 convolution; where every pixel is read, all are one row."""
    (_, _, in_w, in_c), (_, out_h, out_w, out_c) = graph.operands(node)[0].shape, graph.results(node)[0].shape
    stride_h, stride_w = node.integers("strides")
    if (stride_h, stride_w) == (1, 1):
        in_w, out_h, out_w = out_h * out_w, 1, out_h * out_w
    return {
        "in_w": in_w,
        "in_c": in_c,
        "out_h": out_h,
        "out_w": out_w,
        "out_c": out_c,
        "stride_h": stride_h,
        "stride_w": stride_w,
    }


def _bind_pointwise(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    sizes = pixel_sizes(node, graph)
    in_c, out_c = sizes["in_c"], sizes["out_c"]
    stored = packing.stored_channels(out_c, isa)
    record = {
        **sizes,
        **requantization(node, weights, bias, multiplier),
    }
    pixels = orders.pixels_of(record, in_c, graph.operands(node)[0].size_bytes, 2)
    block = numbers("eq_pointwise_direct_s8", isa)["EQ_COLUMNS_BLOCK"]
    return Call(
        kernel="eq_pointwise_direct_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={
            "weights": packing.pack_columns(weights.reshape(1, out_c, 1, in_c), isa),
            "bias": packing.pad_last(bias, stored),
            "multiplier": packing.pad_last(multiplier, stored),
        },
        trailing=orders.trail(orders.pointwise(pixels, out_c, 1, block)),
    )


def geometry(node: Node, graph: Graph) -> dict[str, int]:
    """Sizes, strides, padding, dilation and groups."""
    (_, in_h, in_w, in_c), (_, out_h, out_w, out_c) = graph.operands(node)[0].shape, graph.results(node)[0].shape
    kernel_h, kernel_w = graph.operands(node)[1].shape[1:3]
    stride_h, stride_w = node.integers("strides")
    dilation_h, dilation_w = node.integers("dilations")
    pad_top, pad_left = node.integers("pads")[:2]
    return {
        "in_h": in_h,
        "in_w": in_w,
        "in_c": in_c,
        "out_h": out_h,
        "out_w": out_w,
        "out_c": out_c,
        "kernel_h": kernel_h,
        "kernel_w": kernel_w,
        "stride_h": stride_h,
        "stride_w": stride_w,
        "pad_top": pad_top,
        "pad_left": pad_left,
        "dilation_h": dilation_h,
        "dilation_w": dilation_w,
        "group": node.integer("group"),
        "pad_value": node.integer("pad_value"),
    }


def _match_depthwise(node: Node, graph: Graph, isa: Isa) -> str | None:
    channels = graph.operands(node)[0].shape[3]
    if (reason := refuse_grouping(node, graph)) is not None:
        return reason
    return packing.refuse_taps(constants(node, graph)[0].reshape(channels, -1).T, isa)


def _bind_depthwise(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    sizes = geometry(node, graph)
    channels = bias.shape[0]
    for key in ("in_c", "out_c", "group"):
        del sizes[key]
    record = {**sizes, "channels": channels, **requantization(node, weights, bias, multiplier)}
    return Call(
        kernel="eq_depthwise_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={
            "weights": np.ascontiguousarray(weights.reshape(channels, -1).T).reshape(-1),
            "bias": packing.pack_lanes(bias, isa),
            "multiplier": packing.pack_lanes(multiplier, isa),
        },
        trailing=orders.trail(orders.by_channel(record, 1, 1)),
    )


def _bind_conv2d(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    out_c, kernel_h, kernel_w, group_c = weights.shape
    group = node.integer("group")
    whole_rows = group == 1 and node.integers("dilations")[1] == 1
    segments, length = (kernel_h, kernel_w * group_c) if whole_rows else (kernel_h * kernel_w, group_c)
    depth = segments * packing.column_segment(length, isa)
    stored = packing.stored_channels(out_c // group, isa)
    record = {**geometry(node, graph), "depth": depth, **requantization(node, weights, bias, multiplier)}
    return Call(
        kernel="eq_conv2d_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={
            "weights": packing.pack_columns(weights.reshape(group, out_c // group, segments, length), isa),
            "bias": packing.pad_last(bias.reshape(group, -1), stored).reshape(-1),
            "multiplier": packing.pad_last(multiplier.reshape(group, -1), stored).reshape(-1),
        },
        trailing=orders.trail(orders.gathered(record, 1, 1, 2)),
    )


def exponent_constants(node: Node, graph: Graph) -> dict[str, Array]:
    """The constants of a kernel with an exponent for each channel, in logical order."""
    weights, bias, multiplier = constants(node, graph)
    exponent = np.broadcast_to(constant(node, graph, "exponent"), bias.shape).astype(np.int32)
    flat = np.ascontiguousarray(weights).reshape(-1)
    return {"weights": flat, "bias": bias, "multiplier": multiplier, "exponent": exponent}


def _bind_double(node: Node, graph: Graph, isa: Isa) -> Call:
    record = {**geometry(node, graph), "out_zero": node.integer("out_zero"), **clamp_fields(node)}
    return Call(
        kernel="eq_conv2d_tflite_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants=exponent_constants(node, graph),
        trailing=orders.trail(orders.rereading(record)),
    )


BINDINGS: tuple[Binding, ...] = (
    Binding("conv2d", "eq_pointwise_direct_s8", _match_pointwise_direct, _bind_pointwise, "highmul"),
    Binding("conv2d", "eq_depthwise_s8", _match_depthwise, _bind_depthwise, "highmul"),
    Binding("conv2d", "eq_conv2d_s8", _match_columns, _bind_conv2d, "highmul"),
    Binding("conv2d", "eq_conv2d_tflite_s8", None, _bind_double, "double"),
)
"""First match wins: the special kernels stand before the general one."""
