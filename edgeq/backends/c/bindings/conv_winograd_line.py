"""conv2d with three taps along one axis → convolution of tiles of a line by Winograd's F(4,3), modulo 2^32.

F(2,3), whose results are multiples by 2 and not by 3 · 2^k, was decided against: it has 8 products for 4 results
instead of 6, and per result no cheaper transforms; what it would spare is a third of the flash.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from edgeq.backends.c import orders, packing
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.conv import constants, geometry
from edgeq.backends.c.bindings.conv_winograd import LARGE, packed_halves, pairs_of
from edgeq.backends.c.bindings.scaling import clamp_fields
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.memory.schedule import Order
from edgeq.numerics.array import Array

KERNEL: Final = "eq_conv2d_winograd_line_s8"
_TOGETHER: Final = 16
"""Results of a line that are read for before they are written."""
_CHANNELS: Final = 4
_RESULT_LIMIT: Final = 1 << 28
_BIAS: Final = 6


def transformed(weights: Array) -> Array:
    """U = G g, int64 [out_channels, positions, in_channels], of int8 [out_channels, 3, in_channels]."""
    found: Array = np.einsum("ia,oac->oic", LARGE.matrix, weights.astype(np.int64))
    return found


def _refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    if isa[0] != "dsp":
        return "its products are in the assembly of dsp alone"
    weights, bias, _ = constants(node, graph)
    if node.integer("group") > 1 or sorted(weights.shape[1:3]) != [1, 3]:
        return "the kernel has not three taps along one axis, over all channels"
    if node.integers("strides") != (1, 1) or node.integers("dilations") != (1, 1):
        return "it has a stride or a dilation"
    pads = node.integers("pads")
    if any(pads[place] for place in ((0, 2) if weights.shape[1] == 1 else (1, 3))):
        return "lines of padding lie beside the image"
    if weights.shape[3] % _CHANNELS:
        return f"the input channels are no multiple of {_CHANNELS}"
    reach = np.abs(bias.astype(np.int64)) + 128 * np.abs(weights.astype(np.int64)).sum(axis=(1, 2, 3))
    return "a sum may need more than 28 bits" if reach.max() >= _RESULT_LIMIT else None


def _bind(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    weights, bias, multiplier = constants(node, graph)
    sizes = geometry(node, graph)
    along, across = ("w", "h") if weights.shape[1] == 1 else ("h", "w")
    in_c, out_c = sizes["in_c"], sizes["out_c"]
    in_row, out_row = sizes["in_w"] * in_c, sizes["out_w"] * out_c
    in_steps, out_steps = {"w": in_c, "h": in_row}, {"w": out_c, "h": out_row}
    record = {
        "lines": sizes[f"in_{across}"],
        "in_length": sizes[f"in_{along}"],
        "in_line": in_steps[across],
        "in_pixel": in_steps[along],
        "in_c": in_c,
        "out_length": sizes[f"out_{along}"],
        "out_line": out_steps[across],
        "out_pixel": out_steps[along],
        "out_c": out_c,
        "pad": sizes["pad_left" if along == "w" else "pad_top"],
        "pad_value": sizes["pad_value"],
        "shift": node.integer("shift"),
        "out_zero": node.integer("out_zero"),
        **clamp_fields(node),
    }
    scaled = (_BIAS * bias.astype(np.int64)).astype(np.int32)  # it may wrap around where sums do
    return Call(
        kernel=KERNEL,
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={
            "weights": packed_halves(transformed(pairs_of(weights.reshape(out_c, 3, in_c)))),
            "bias": packing.pad_last(scaled, 2),
            "multiplier": packing.pad_last(multiplier, 2),
        },
        trailing=orders.trail(_order(record) if record["out_pixel"] == out_c else None),
    )


def _order(record: Mapping[str, int]) -> Order:
    """Lines one after the other, which lie one behind the other."""
    line = np.arange(record["lines"], dtype=np.int64)[:, None]
    first = np.arange(0, record["out_length"], _TOGETHER)
    starts = line * record["in_line"] + np.maximum(first - record["pad"], 0) * record["in_pixel"]
    ends = line * record["out_length"] + np.minimum(first + _TOGETHER, record["out_length"])
    operand = record["lines"] * record["in_length"] * record["in_c"]
    return orders.groups(starts.reshape(-1), ends.reshape(-1) * record["out_c"], operand)


BINDINGS: tuple[Binding, ...] = (Binding("conv2d", KERNEL, _refusal, _bind, "highmul"),)
