"""conv2d 3x3 → convolution of tiles by Winograd, in integers: fewer products, taken where memory allows.

The bits are those of the direct kernels: no division of a form leaves a rest, and the ranges of all sums are shown here
from the weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from edgeq.backends.c import orders, packing
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.conv import constants, geometry, requantization
from edgeq.backends.c.bindings.scaling import clamp_fields
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.memory.schedule import Order
from edgeq.numerics.array import Array

_TAPS: Final = (3, 3)
_CHANNELS: Final = 4
_INT32_LIMIT: Final = 1 << 31


@dataclass(frozen=True, eq=False)
class Form:
    """A way to convolve tiles.

    Attributes:
        kernel: its C function.
        matrix: G, by which weights are transformed along an axis, [positions, 3].
        rows: of results that a kernel takes at once.
        columns: likewise.
        block: how many of these are read before the first is written.
        stride: of the convolution.
        bias: what it is multiplied by.
        result_limit: no result reaches it.
        input_max: the largest transformed input, where sums must fit int32; None: they may wrap around.
        in_flash: weights are transformed at compile time.
        isas: the instruction sets, first in search order, that it is for.
        variant: tells forms of one kernel apart.
    """

    kernel: str
    matrix: Array
    rows: int
    columns: int
    block: int
    stride: int = 1
    bias: int = 1
    result_limit: int = 1 << 29
    input_max: int | None = None
    in_flash: bool = True
    isas: tuple[str, ...] = ("dsp",)
    variant: str = ""

    def transformed(self, weights: Array) -> Array:
        """U = G g Gᵀ, int64 [out_channels, positions, positions, in_channels], of [out_channels, 3, 3, in_channels]."""
        found: Array = np.einsum("ia,oabc,jb->oijc", self.matrix, weights.astype(np.int64), self.matrix)
        return found


def _matrix(*rows: Sequence[int]) -> Array:
    return np.array(rows, np.int64)


_QUAD: Final = Form(
    "eq_conv2d_winograd_s8",
    _matrix((1, 0, 0), (1, 1, 1), (1, -1, 1), (0, 0, 1)),
    rows=2,
    columns=8,
    block=1,
    bias=4,
    input_max=512,
    in_flash=False,
    isas=("dsp", "v6m", "v7m"),
)
WIDE: Final = Form("eq_conv2d_winograd_wide_s8", _QUAD.matrix, 2, 8, 1, bias=4, input_max=512, isas=_QUAD.isas)
LARGE: Final = Form(
    "eq_conv2d_winograd_4x4_s8",
    _matrix((6, 0, 0), (-1, -1, -1), (-1, 1, -1), (1, 2, 4), (1, -2, 4), (0, 0, 6)),
    rows=4,
    columns=4,
    block=4,
    bias=36,
    result_limit=1 << 25,
)
PHASES: Final = Form(
    "eq_conv2d_phases_s8",
    _matrix((1, 0, 0), (1, 0, 1), (0, 0, 1), (0, 1, 0), (0, 1, 0)),
    rows=2,
    columns=2,
    block=4,
    stride=2,
    input_max=512,
)
TRANSFORMED: Final = tuple(replace(_QUAD, block=block, variant=str(block)) for block in (4, 3, 2))
"""Quads for which weights are transformed at once, the fastest first; for one alone, that eats most of the gain."""


def _refusal(node: Node, graph: Graph, isa: Isa, form: Form) -> str | None:
    if isa[0] not in form.isas:
        return f"its products are in the assembly of {', '.join(form.isas)} alone"
    weights, bias, multiplier = constants(node, graph)
    if isa[0] == "v6m" and not requantization(node, weights, bias, multiplier)["narrow"]:
        return "the product of accumulator and multiplier may leave 48 bits"
    if node.integer("group") > 1 or weights.shape[1:3] != _TAPS:
        return "the kernel is not 3x3 over all channels"
    if node.integers("strides") != (form.stride, form.stride) or node.integers("dilations") != (1, 1):
        return f"it has another stride than {form.stride}, or a dilation"
    if weights.shape[3] % _CHANNELS:
        return f"the input channels are no multiple of {_CHANNELS}"
    wide = np.abs(bias.astype(np.int64))
    if (wide + 128 * np.abs(weights.astype(np.int64)).sum(axis=(1, 2, 3))).max() >= form.result_limit:
        return f"a sum may need more than {form.result_limit.bit_length() - 1} bits"
    if form.input_max is not None:
        sums = form.input_max * np.abs(form.transformed(weights)).sum(axis=3)
        if (form.bias * wide[:, None, None] + sums).max() >= _INT32_LIMIT:
            return "a sum of transformed products may leave int32"
    return None


def _bind(node: Node, graph: Graph, isa: Isa, form: Form) -> Call:
    weights, bias, multiplier = constants(node, graph)
    sizes = geometry(node, graph)
    kept = ("in_h", "in_w", "in_c", "out_h", "out_w", "out_c", "pad_top", "pad_left", "pad_value")
    record = {
        **{name: sizes[name] for name in kept},
        "block": form.block,
        "shift": node.integer("shift"),
        "out_zero": node.integer("out_zero"),
        **clamp_fields(node),
    }
    scaled = (form.bias * bias.astype(np.int64)).astype(np.int32)  # it may wrap around where sums do
    return Call(
        kernel=form.kernel,
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={
            "weights": _packed_transformed(form, weights, isa) if form.in_flash else _packed(weights),
            "bias": packing.pad_last(scaled, 2),
            "multiplier": packing.pad_last(multiplier, 2),
        },
        trailing=orders.trail(_order(form, record)),
    )


def _order(form: Form, record: Mapping[str, int]) -> Order:
    """Rectangles of results go row by row; those of a block are all read before the first of them is written."""
    y = np.arange(0, record["out_h"], form.rows, dtype=np.int64)[:, None]
    x = np.arange(0, record["out_w"], form.columns, dtype=np.int64)
    above, left = (np.maximum(at * form.stride - record[pad], 0) for at, pad in ((y, "pad_top"), (x, "pad_left")))
    last = np.minimum(y + form.rows, record["out_h"]) * record["out_w"] - record["out_w"]
    ends = last + np.minimum(x + form.columns, record["out_w"])
    blocks = np.arange(0, ends.size, form.block)
    starts = np.minimum.reduceat((above * record["in_w"] + left).reshape(-1), blocks) * record["in_c"]
    written = np.maximum.reduceat(ends.reshape(-1), blocks) * record["out_c"]
    return orders.groups(starts, written, record["in_h"] * record["in_w"] * record["in_c"])


def _packed(weights: Array) -> Array:
    """Pair of output channels, four input channels, tap, output channel, input channel; flat int8."""
    pairs = pairs_of(weights).reshape(-1, 2, 9, weights.shape[3] // _CHANNELS, _CHANNELS)
    return np.ascontiguousarray(pairs.transpose(0, 3, 2, 1, 4)).reshape(-1)


def _packed_transformed(form: Form, weights: Array, isa: Isa) -> Array:
    """Transformed weights of pairs of output channels; flat int16.

    DSP: :func:`packed_halves`. ARMv7-M: input channel, position, output channel. ARMv6-M: position, output channel,
    input channel.
    """
    positions, depth = len(form.matrix) ** 2, weights.shape[3]
    transformed = form.transformed(pairs_of(weights)).reshape(-1, positions, depth)
    if isa[0] == "dsp":
        return packed_halves(transformed)
    pairs = transformed.reshape(-1, 2, positions, depth)
    ordered = pairs.transpose((0, 2, 1, 3) if isa[0] == "v6m" else (0, 3, 2, 1))
    return np.ascontiguousarray(ordered, np.int16).reshape(-1)


def packed_halves(transformed: Array) -> Array:
    """What ``eq_tile_products.h`` reads of transformed weights [out_channels, positions, in_channels]; flat int16.

    Pair of output channels, four input channels, half of the four, position, output channel, input channel; the first
    half has the first and third of the channels, the second the others.
    """
    positions, depth = transformed.shape[1:]
    halves = transformed.reshape(-1, 2, positions, depth // _CHANNELS, 2, 2)
    return np.ascontiguousarray(halves.transpose(0, 3, 5, 2, 1, 4), np.int16).reshape(-1)


def pairs_of(weights: Array) -> Array:
    """The weights [out_channels, …] with an even number of output channels."""
    return np.pad(weights, [(0, len(weights) % 2), *[(0, 0)] * (weights.ndim - 1)])


def binding_of(form: Form) -> Binding:
    """The kernel that takes a form."""
    return Binding(
        "conv2d", form.kernel, partial(_refusal, form=form), partial(_bind, form=form), "highmul", variant=form.variant
    )


BINDINGS: tuple[Binding, ...] = tuple(map(binding_of, (LARGE, PHASES, WIDE, *TRANSFORMED)))
"""The fastest first."""
