"""conv2d → Winograd's F(2x2,3x3) in integers: fewer products and more scratch, taken where memory allows.

The bits are those of the direct kernels: no division of the method leaves a rest, and the ranges of all sums are shown
here from the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import numpy as np

from edgeq.backends.c import orders, packing
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.conv import constants, geometry
from edgeq.backends.c.bindings.scaling import clamp_fields
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.memory.schedule import Order
from edgeq.numerics.array import Array

BLOCKS: Final = (4, 3, 2)
"""Quads for which weights are transformed at once, the fastest first; for one alone, that eats most of the gain."""
_TAPS: Final = (3, 3)
_CHANNELS: Final = 4
_QUAD: Final = (2, 8)
"""Rows and columns of results."""
_SUM_LIMIT: Final = 1 << 29
_INT32_LIMIT: Final = 1 << 31
_INPUT_MAX: Final = 512  # of a transformed window: 4 · 128
_KERNEL: Final = np.array([[1, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 1]], np.int64)


def transformed(weights: Array) -> Array:
    """U = G g Gᵀ, int64 [out_channels, 4, 4, in_channels], of weights [out_channels, 3, 3, in_channels]."""
    found: Array = np.einsum("ia,oabc,jb->oijc", _KERNEL, weights.astype(np.int64), _KERNEL)
    return found


def _refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    if packing.provider(isa, "columns") != "dsp":
        return "it needs the DSP extension and no vectors"
    weights, bias, _ = constants(node, graph)
    if node.integer("group") > 1 or weights.shape[1:3] != _TAPS:
        return "the kernel is not 3x3 over all channels"
    if node.integers("strides") != (1, 1) or node.integers("dilations") != (1, 1):
        return "it has a stride or a dilation"
    if weights.shape[3] % _CHANNELS:
        return f"the input channels are no multiple of {_CHANNELS}"
    wide = np.abs(bias.astype(np.int64))
    if (wide + 128 * np.abs(weights.astype(np.int64)).sum(axis=(1, 2, 3))).max() >= _SUM_LIMIT:
        return "a sum may need more than 29 bits"
    if (4 * wide[:, None, None] + _INPUT_MAX * np.abs(transformed(weights)).sum(axis=3)).max() >= _INT32_LIMIT:
        return "a sum of transformed products may leave int32"
    return None


def _bind(node: Node, graph: Graph, isa: Isa, block: int) -> Call:
    del isa
    weights, bias, multiplier = constants(node, graph)
    sizes = geometry(node, graph)
    kept = ("in_h", "in_w", "in_c", "out_h", "out_w", "out_c", "pad_top", "pad_left", "pad_value")
    record = {
        **{name: sizes[name] for name in kept},
        "block": block,
        "shift": node.integer("shift"),
        "out_zero": node.integer("out_zero"),
        **clamp_fields(node),
    }
    return Call(
        kernel="eq_conv2d_winograd_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={
            "weights": _packed(weights),
            "bias": packing.pad_last(4 * bias, 2),
            "multiplier": packing.pad_last(multiplier, 2),
        },
        trailing=orders.trail(_order(record)),
    )


def _order(record: Mapping[str, int]) -> Order:
    """Quads go row by row; those of a block are all read before the first of their results is written."""
    y = np.arange(0, record["out_h"], _QUAD[0], dtype=np.int64)[:, None]
    x = np.arange(0, record["out_w"], _QUAD[1], dtype=np.int64)
    first = np.maximum(y - record["pad_top"], 0) * record["in_w"] + np.maximum(x - record["pad_left"], 0)
    last = np.minimum(y + _QUAD[0], record["out_h"]) * record["out_w"] - record["out_w"]
    ends = last + np.minimum(x + _QUAD[1], record["out_w"])
    blocks = np.arange(0, first.size, record["block"])
    starts = np.minimum.reduceat(first.reshape(-1), blocks) * record["in_c"]
    written = np.maximum.reduceat(ends.reshape(-1), blocks) * record["out_c"]
    return orders.groups(starts, written, record["in_h"] * record["in_w"] * record["in_c"])


def _packed(weights: Array) -> Array:
    """Pair of output channels, four input channels, tap, output channel, input channel; flat int8."""
    channels, _, _, depth = weights.shape
    taps = weights.reshape(channels, -1, depth // _CHANNELS, _CHANNELS)
    even = np.pad(taps, [(0, channels % 2), (0, 0), (0, 0), (0, 0)])
    pairs = even.reshape(-1, 2, *taps.shape[1:])
    return np.ascontiguousarray(pairs.transpose(0, 3, 2, 1, 4)).reshape(-1)


BINDINGS: tuple[Binding, ...] = tuple(
    Binding("conv2d", "eq_conv2d_winograd_s8", _refusal, partial(_bind, block=block), "highmul", variant=str(block))
    for block in BLOCKS
)
