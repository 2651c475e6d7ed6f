"""conv2d → C kernels for ARMv7-M and ARMv6-M: panels of four channels, one weight stream.

Columns are copied, also those of a 1x1 convolution, whose input is in order: that costs little beside the products, and
results may lie where the input was.
"""

from __future__ import annotations

from edgeq.backends.c import orders, packing
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.conv import (
    constants,
    geometry,
    is_depthwise,
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


BINDINGS: tuple[Binding, ...] = (
    Binding("conv2d", "eq_pointwise_panel_s8", _match_pointwise, _bind_pointwise, "highmul"),
    Binding("conv2d", "eq_conv2d_panel_s8", _match_conv2d, _bind_conv2d, "highmul"),
)
"""They stand before those of :mod:`.conv`."""
