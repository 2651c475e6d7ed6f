"""conv2d and dense → the kernel of the DSP extension that takes all of them in few bytes of code."""

from __future__ import annotations

from edgeq.backends.c import orders, packing
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.conv import (
    constants,
    geometry,
    is_pointwise,
    pixel_sizes,
    refuse_one_by_one,
)
from edgeq.backends.c.bindings.scaling import clamp_fields
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.numerics.array import Array

_KERNEL = "eq_conv2d_short_s8"
_TOGETHER = 3
"""Pixels that are read before they are written."""


def _match_pixels(node: Node, graph: Graph, isa: Isa) -> str | None:
    return _match(node, graph, isa) or refuse_one_by_one(node, graph)


def _match_windows(node: Node, graph: Graph, isa: Isa) -> str | None:
    found = _match(node, graph, isa)
    return "pixels have a variant of their own" if found is None and is_pointwise(node, graph) else found


def _match(node: Node, graph: Graph, isa: Isa) -> str | None:
    if packing.provider(isa, "columns") != "dsp":
        return "it needs the DSP extension and no vectors"
    if node.op == "conv2d" and (node.integer("group") > 1 or node.integers("dilations") != (1, 1)):
        return "there are groups or dilations"
    return None


def _bind_conv2d(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    sizes = geometry(node, graph)
    for key in ("group", "dilation_h", "dilation_w"):
        del sizes[key]
    if is_pointwise(node, graph):  # where every pixel is read, all are one row
        sizes |= pixel_sizes(node, graph)
        sizes["in_h"] = sizes["in_h"] if sizes["out_h"] > 1 else 1
    return _call(node, graph, isa, sizes, weights.reshape(*weights.shape[:2], -1), bias, multiplier)


def _bind_dense(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    out_c, depth = weights.shape
    rows = graph.operands(node)[0].elements // depth
    sizes = {"in_h": 1, "in_w": rows, "in_c": depth, "out_h": 1, "out_w": rows, "out_c": out_c}
    sizes |= {"kernel_h": 1, "kernel_w": 1, "stride_h": 1, "stride_w": 1, "pad_top": 0, "pad_left": 0, "pad_value": 0}
    return _call(node, graph, isa, sizes, weights[:, None], bias, multiplier)


def _call(
    node: Node, graph: Graph, isa: Isa, sizes: dict[str, int], weights: Array, bias: Array, multiplier: Array
) -> Call:
    """The call; weights [out_channels, rows of a window, values of a row]."""
    triple = packing.pack_triple(weights[None], bias, multiplier)
    record = {
        **sizes,
        "depth": weights.shape[1] * packing.column_segment(weights.shape[2], isa),
        "coupled": int(triple.coupled),
        "shift": node.integer("shift"),
        "out_zero": node.integer("out_zero"),
        **clamp_fields(node),
    }
    walked = {**record, "dilation_h": 1, "dilation_w": 1, "group": 1}
    return Call(
        kernel=_KERNEL,
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": triple.stream},
        trailing=orders.trail(orders.gathered(walked, 1, 1, _TOGETHER)),
    )


BINDINGS: tuple[Binding, ...] = (
    Binding("conv2d", _KERNEL, _match_pixels, _bind_conv2d, "highmul", variant="pixels"),
    Binding("conv2d", _KERNEL, _match_windows, _bind_conv2d, "highmul"),
    Binding("dense", _KERNEL, _match, _bind_dense, "highmul"),
)
"""A variant for each kind of layer: what they cost differs."""
