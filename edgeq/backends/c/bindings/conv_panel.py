"""conv2d → C kernels for ARMv7-M and ARMv6-M: panels of four channels, one weight stream.

Columns are copied, also those of a 1x1 convolution, whose input is in order: that costs little beside the products, and
results may lie where the input was.
"""

from __future__ import annotations

from typing import Final

from edgeq.backends.c import orders, packing
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.conv import (
    constants,
    geometry,
    is_depthwise,
    is_pointwise,
    pixel_sizes,
    refuse_one_by_one,
    refuse_short_scaling,
)
from edgeq.backends.c.bindings.scaling import clamp_fields
from edgeq.backends.c.declarations import numbers
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node


def _refuse_panel(node: Node, graph: Graph, isa: Isa) -> str | None:
    if isa[0] not in packing.PANELS:
        return packing.NO_PANELS
    return refuse_short_scaling(node, graph, isa)


def _match_pointwise(node: Node, graph: Graph, isa: Isa) -> str | None:
    return _refuse_panel(node, graph, isa) or refuse_one_by_one(node, graph)


def _bind_pointwise(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    sizes = pixel_sizes(node, graph)
    in_c, out_c = sizes["in_c"], sizes["out_c"]
    record = {**sizes, "out_zero": node.integer("out_zero"), **clamp_fields(node)}
    together = numbers("eq_pointwise_panel_s8", isa)["EQ_PANEL_PIXELS"]
    pixels = orders.pixels_of(record, in_c, graph.operands(node)[0].size_bytes, together)
    return Call(
        kernel="eq_pointwise_panel_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": packing.pack_panels(weights.reshape(1, out_c, in_c), bias, multiplier, isa)},
        trailing=orders.trail(orders.pointwise(pixels, out_c, 1, out_c)),
    )


def _match_conv2d(node: Node, graph: Graph, isa: Isa) -> str | None:
    if node.integer("group") > 1 and is_depthwise(node, graph):
        return "every channel has its own weights"
    return _refuse_panel(node, graph, isa)


def _bind_conv2d(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    group, depth = node.integer("group"), weights[0].size
    record = {
        **geometry(node, graph),
        "depth": depth,
        "out_zero": node.integer("out_zero"),
        **clamp_fields(node),
    }
    together = numbers("eq_conv2d_panel_s8", isa)["EQ_PANEL_PIXELS"]
    return Call(
        kernel="eq_conv2d_panel_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": packing.pack_panels(weights.reshape(group, -1, depth), bias, multiplier, isa)},
        trailing=orders.trail(orders.gathered(record, 1, 1, together)),
    )


_FEW_PIXELS: Final = 3
_FEW_CHANNELS: Final = 8
"""Of so many or more a pixel is a run of its own at the border: then nothing is copied."""


def _refuse_trio(node: Node, graph: Graph, isa: Isa) -> str | None:
    """Why three pixels in two words cannot serve a node, or None."""
    out = graph.results(node)[0]
    if out.shape[1] * out.shape[2] < _FEW_PIXELS:
        return "there are less than three pixels"
    if (reason := _refuse_panel(node, graph, isa)) is not None:
        return reason
    return None if _trio(node, graph, isa) is not None else "sums of few places may leave 21 bits"


def _trio(node: Node, graph: Graph, isa: Isa) -> packing.Trio | None:
    weights, bias, multiplier = constants(node, graph)
    return packing.pack_trio(weights.reshape(node.integer("group"), -1, weights[0].size), bias, multiplier, isa)


def _match_pointwise_trio(node: Node, graph: Graph, isa: Isa) -> str | None:
    return refuse_one_by_one(node, graph) or _refuse_trio(node, graph, isa)


def _bind_pointwise_trio(node: Node, graph: Graph, isa: Isa) -> Call:
    sizes, packed = pixel_sizes(node, graph), _trio(node, graph, isa)
    assert packed is not None, "matches() refused this node"
    record = {
        **sizes,
        "first": packed.first,
        "segment": packed.segment,
        "out_zero": node.integer("out_zero"),
        **clamp_fields(node),
    }
    together = numbers("eq_pointwise_trio_s8", isa)["EQ_TRIO_PIXELS"]
    pixels = orders.pixels_of(record, sizes["in_c"], graph.operands(node)[0].size_bytes, together)
    return Call(
        kernel="eq_pointwise_trio_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": packed.stream},
        trailing=orders.trail(orders.pointwise(pixels, sizes["out_c"], 1, sizes["out_c"])),
    )


def _match_conv2d_trio(node: Node, graph: Graph, isa: Isa) -> str | None:
    if node.integer("group") > 1 and is_depthwise(node, graph):
        return "every channel has its own weights"
    if is_pointwise(node, graph):
        return "its windows are pixels"
    return _refuse_trio(node, graph, isa)


def _bind_conv2d_trio(node: Node, graph: Graph, isa: Isa) -> Call:
    kernel_w, group_c = graph.operands(node)[1].shape[2:]
    whole_rows = node.integer("group") == 1 and node.integers("dilations")[1] == 1
    taps = kernel_w if whole_rows and group_c < _FEW_CHANNELS else 1
    packed = _trio(node, graph, isa)
    assert packed is not None, "matches() refused this node"
    record = {
        **geometry(node, graph),
        "depth": graph.operands(node)[1].elements // graph.operands(node)[1].shape[0],
        "taps": taps,
        "run": taps * group_c,
        "first": packed.first,
        "segment": packed.segment,
        "out_zero": node.integer("out_zero"),
        **clamp_fields(node),
    }
    together = numbers("eq_conv2d_trio_s8", isa)["EQ_TRIO_PIXELS"]
    return Call(
        kernel="eq_conv2d_trio_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": packed.stream},
        trailing=orders.trail(orders.gathered(record, 1, 1, together)),
    )


BINDINGS: tuple[Binding, ...] = (
    Binding("conv2d", "eq_pointwise_panel_s8", _match_pointwise, _bind_pointwise, "highmul"),
    Binding("conv2d", "eq_conv2d_panel_s8", _match_conv2d, _bind_conv2d, "highmul"),
)
"""They stand before those of :mod:`.conv`."""

FASTER: tuple[Binding, ...] = (
    Binding("conv2d", "eq_pointwise_trio_s8", _match_pointwise_trio, _bind_pointwise_trio, "highmul"),
    Binding("conv2d", "eq_conv2d_trio_s8", _match_conv2d_trio, _bind_conv2d_trio, "highmul"),
)
"""Three pixels in two words: scratch of 8 bytes for each place."""
