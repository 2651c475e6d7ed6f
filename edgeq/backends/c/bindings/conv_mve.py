"""conv2d → the C kernels that only MVE has; what they cannot do falls to the kernels of :mod:`.conv`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from edgeq.backends.c import orders, packing, packing_mve
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.conv import (
    constants,
    geometry,
    pixel_sizes,
    refuse_grouping,
    refuse_one_by_one,
    requantization,
)
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.numerics.array import Array

_WINDOW_MAX: Final = 3
_STRIDE_MAX: Final = 2
_UINT16_MAX: Final = (1 << 16) - 1
_VECTOR: Final = 8
"""Results of one step along a line, and channels that are read at a time."""
_RING_BYTES: Final = 1280
"""Of a ring of more than eight channels: what fits beside any activations worth the name."""
_LINE_COST: Final = 28
_STEP_COST: Final = 32
_PLACE_COST: Final = 5
"""Instructions for a channel's line, for eight results of it, and for eight channels of a position that is read."""
_TAPS_LANES: Final = 16
_TAPS_COST: Final = 210
"""Instructions of eq_depthwise_s8 for sixteen channels of a position with nine taps."""

_GROUP_MAX: Final = 6
"""Chunks of a group of ``eq_tile_list``."""
_UNROLLED: Final = (1, 2, 3, 4, 6, 8)
"""Chunks of a column for which ``eq_tile_pair`` has no loop."""
_CHUNK_COST: Final = 14
_GROUP_COST: Final = 3
_LOOP_COST: Final = 2
"""Instructions of a pixel for eight channels: of a chunk, of a group beside it, of the loop for a chunk."""
_ROW_COST: Final = 30
_COPY_COST: Final = 3
_SHORT_ROW_COST: Final = 12
"""Instructions to copy a row of a window: beside its chunks, and of each; and of one with a single chunk."""


def without_mve(isa: Isa) -> str | None:
    """The reason why a core without MVE cannot run these kernels."""
    return None if isa[0] == "mve" else "needs MVE"


@dataclass(frozen=True)
class _Axis:
    """A convolution along one axis: extents, the window, and bytes from position to position."""

    inputs: int
    outputs: int
    kernel: int
    stride: int
    pad: int
    in_step: int
    out_step: int


def _axes(node: Node, graph: Graph) -> tuple[_Axis, _Axis]:
    """Down and across."""
    x, out = graph.operands(node)[0].shape, graph.results(node)[0].shape
    kernel, strides, pads = graph.operands(node)[1].shape[1:3], node.integers("strides"), node.integers("pads")
    down, across = (
        _Axis(
            x[1 + axis],
            out[1 + axis],
            kernel[axis],
            strides[axis],
            pads[axis],
            x[3] * (1 if axis else x[2]),
            out[3] * (1 if axis else out[2]),
        )
        for axis in (0, 1)
    )
    return down, across


@dataclass(frozen=True)
class _Ring:
    """A depthwise convolution whose lines run along one axis and follow each other along the other.

    Attributes:
        across: the axis along which lines follow each other.
        along: the axis of a line.
        lines_down: lines are rows; otherwise they are columns.
    """

    across: _Axis
    along: _Axis
    lines_down: bool

    @property
    def places(self) -> int:
        """The positions of a line that windows reach."""
        reach = (self.along.outputs - 1) * self.along.stride + self.along.kernel - self.along.pad
        return max(1, min(self.along.inputs, reach))

    @property
    def columns(self) -> int:
        """Columns of the ring: as far as whole vectors of results read."""
        steps = -(-self.along.outputs // _VECTOR)
        return max(_VECTOR * self.along.stride * steps + 2, self.along.pad + self.places)

    def block(self, channels: int) -> int:
        """Channels of the ring: more than a vector where lines are so short that what a line costs counts."""
        most = max(1, _RING_BYTES // (4 * _VECTOR * self.columns))
        return _VECTOR * min(most, -(-channels // _VECTOR))

    @property
    def cost(self) -> int:
        """About the instructions of a channel."""
        read = self.across.inputs * self.places * _PLACE_COST // _VECTOR
        return read + self.across.outputs * (_LINE_COST + _STEP_COST * -(-self.along.outputs // _VECTOR))

    @property
    def fits(self) -> bool:
        """Whether the kernel's offsets are large enough."""
        return max((_VECTOR - 1) * self.along.out_step, 4 * (_VECTOR - 1) * self.columns) <= _UINT16_MAX

    def overwrites(self, channels: int) -> bool:
        """Whether every line of results may lie where the input was: on positions that have been read.

        A block of channels is done before the next, so only positions matter. They have the same number in input and
        output, which begin at one address.
        """
        width = self.along.inputs if self.lines_down else self.across.inputs
        places = np.arange(self.along.outputs) * self.along.out_step
        read = 0
        for line in range(self.across.outputs):
            wanted = line * self.across.stride - self.across.pad + self.across.kernel
            read = max(read, min(wanted, self.across.inputs))
            rows, columns = np.divmod((line * self.across.out_step + places) // channels, width)
            if int((rows if self.lines_down else columns).max()) >= read:
                return False
        return True


def _ring(node: Node, graph: Graph) -> _Ring | None:
    """The cheaper direction that is possible."""
    down, across = _axes(node, graph)
    possible = [ring for ring in (_Ring(down, across, True), _Ring(across, down, False)) if ring.fits]
    return min(possible, key=lambda ring: ring.cost, default=None)


def _match_depthwise(node: Node, graph: Graph, isa: Isa) -> str | None:
    channels = graph.operands(node)[0].shape[3]
    if (reason := without_mve(isa) or refuse_grouping(node, graph)) is not None:
        return reason
    if max(graph.operands(node)[1].shape[1:3]) > _WINDOW_MAX:
        return f"the kernel is larger than {_WINDOW_MAX}x{_WINDOW_MAX}"
    if max(node.integers("strides")) > _STRIDE_MAX:
        return f"strides beyond {_STRIDE_MAX}"
    if max(node.integers("dilations")) > 1:
        return "the kernel is dilated"
    ring = _ring(node, graph)
    if ring is None:
        return "distances in the picture do not fit 16 bits"
    if ring.cost * channels > ring.across.outputs * ring.along.outputs * _TAPS_COST * -(-channels // _TAPS_LANES):
        return "lines are so short that channels beside each other take fewer instructions"
    return None


def _bind_depthwise(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    ring = _ring(node, graph)
    assert ring is not None
    return Call(
        kernel="eq_depthwise_ring_s8",
        record={
            "in_lines": ring.across.inputs,
            "in_places": ring.places,
            "in_line": ring.across.in_step,
            "in_step": ring.along.in_step,
            "out_lines": ring.across.outputs,
            "out_places": ring.along.outputs,
            "out_line": ring.across.out_step,
            "out_step": ring.along.out_step,
            "channels": bias.shape[0],
            "kernel": ring.across.kernel,
            "line_stride": ring.across.stride,
            "place_stride": ring.along.stride,
            "pad_lines": ring.across.pad,
            "pad_places": ring.along.pad,
            "columns": ring.columns,
            "block": ring.block(bias.shape[0]),
            "pad_value": node.integer("pad_value"),
            **_scaling(node, weights, bias, multiplier),
        },
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={
            "weights": packing_mve.pack_ring(weights, lines_down=ring.lines_down),
            "biases": np.stack([bias, multiplier], axis=1).reshape(-1),
        },
        in_place=((0, 0),) if ring.overwrites(bias.shape[0]) else (),
    )


def few_channels(channels: int) -> str | None:
    """The reason why so few output channels are no case for blocks of eight."""
    return f"fewer than {packing_mve.TILE_CHANNELS} output channels" if channels < packing_mve.TILE_CHANNELS else None


def tile_constants(
    weights: Array, bias: Array, multiplier: Array, isa: Isa, *, in_groups: bool = False
) -> dict[str, Array | None]:
    """The constants of a kernel of ``eq_tile.h``: the stream of whole blocks, and the rest for ``eq_columns.h``.

    Args:
        weights: int8 [channels, depth].
        bias: int32 [channels].
        multiplier: int32 [channels].
        isa: the instruction sets of the build.
        in_groups: for ``eq_tile_list``; there is no rest then.
    """
    whole = bias.size // packing_mve.TILE_CHANNELS * packing_mve.TILE_CHANNELS
    found: dict[str, Array | None] = {
        "weights": packing_mve.pack_tiles(weights[:whole], bias[:whole], multiplier[:whole], in_groups=in_groups),
        "rest_weights": None,
        "rest_bias": None,
        "rest_multiplier": None,
    }
    if whole < bias.size:
        stored = packing.stored_channels(bias.size - whole, isa)
        found["rest_weights"] = packing.pack_columns(weights[None, whole:, None], isa)
        found["rest_bias"] = packing.pad_last(bias[whole:], stored)
        found["rest_multiplier"] = packing.pad_last(multiplier[whole:], stored)
    return found


def _match_pointwise(node: Node, graph: Graph, isa: Isa) -> str | None:
    return without_mve(isa) or refuse_one_by_one(node, graph) or few_channels(graph.results(node)[0].shape[3])


def _bind_pointwise(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    sizes = pixel_sizes(node, graph)
    in_c, out_c = sizes["in_c"], sizes["out_c"]
    record = {
        **sizes,
        **_scaling(node, weights, bias, multiplier),
    }
    pixels = orders.pixels_of(record, in_c, graph.operands(node)[0].size_bytes, 2)
    return Call(
        kernel="eq_pointwise_tile_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants=tile_constants(weights.reshape(out_c, in_c), bias, multiplier, isa),
        trailing=orders.trail(orders.pointwise(pixels, out_c, 1, 1)),
    )


@dataclass(frozen=True)
class _Windows:
    """How a convolution reads its windows.

    Attributes:
        kind: 0: all are copied; else those inside the picture are read where they lie, in groups of so many chunks.
        groups: of a window; 0 where all are copied.
        segment: places of a row of the kernel in a column.
    """

    kind: int
    groups: int
    segment: int


def _windows(node: Node, graph: Graph) -> _Windows:
    """What takes fewer instructions: chunks that are not full, or copies."""
    down, across = _axes(node, graph)
    out_c, length = graph.results(node)[0].shape[3], across.kernel * graph.operands(node)[0].shape[3]
    chunks = -(-length // packing_mve.TILE_CHUNK)
    group = max(number for number in range(1, _GROUP_MAX + 1) if chunks % number == 0)
    groups = down.kernel * chunks // group
    copied = -(-down.kernel * length // packing_mve.TILE_CHUNK)
    inside = across.inputs >= across.kernel and down.inputs > (down.kernel - 1) * node.integers("dilations")[0]
    blocks = out_c // packing_mve.TILE_CHANNELS
    loop = 0 if copied in _UNROLLED else _LOOP_COST * copied
    in_place_cost = blocks * (_CHUNK_COST * down.kernel * chunks + _GROUP_COST * (groups + 1))
    row_cost = _SHORT_ROW_COST if chunks == 1 else _ROW_COST + _COPY_COST * chunks
    copy_cost = blocks * (_CHUNK_COST * copied + loop) + down.kernel * row_cost
    if out_c % packing_mve.TILE_CHANNELS or not inside or in_place_cost > copy_cost:
        return _Windows(0, 0, length)
    return _Windows(group, groups, chunks * packing_mve.TILE_CHUNK)


def _match_conv2d(node: Node, graph: Graph, isa: Isa) -> str | None:
    if (reason := without_mve(isa)) is not None:
        return reason
    if node.integer("group") > 1:
        return "the channels are in groups"
    if node.integers("dilations")[1] > 1:
        return "the rows of the kernel are not bytes in a row: its columns are dilated"
    return few_channels(graph.results(node)[0].shape[3])


def _bind_conv2d(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    windows = _windows(node, graph)
    sizes = geometry(node, graph)
    del sizes["dilation_w"], sizes["group"]
    rows = weights.reshape(*weights.shape[:2], -1)
    rows = np.pad(rows, ((0, 0), (0, 0), (0, windows.segment - rows.shape[2])))
    return Call(
        kernel="eq_conv2d_tile_s8",
        record={
            **sizes,
            "kind": windows.kind,
            "groups": windows.groups,
            "segment": windows.segment,
            **_scaling(node, weights, bias, multiplier),
        },
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants=tile_constants(rows.reshape(bias.size, -1), bias, multiplier, isa, in_groups=windows.kind > 0),
        trailing=orders.trail(orders.in_pairs(geometry(node, graph), packing_mve.TILE_CHANNELS)),
    )


def _scaling(node: Node, weights: Array, bias: Array, multiplier: Array) -> dict[str, int]:
    """The fields that requantize, but ``narrow``, which means nothing to vectors."""
    fields = requantization(node, weights, bias, multiplier)
    del fields["narrow"]
    return fields


BINDINGS: tuple[Binding, ...] = (
    Binding("conv2d", "eq_pointwise_tile_s8", _match_pointwise, _bind_pointwise, "highmul"),
    Binding("conv2d", "eq_depthwise_ring_s8", _match_depthwise, _bind_depthwise, "highmul"),
    Binding("conv2d", "eq_conv2d_tile_s8", _match_conv2d, _bind_conv2d, "highmul"),
)
"""They stand before those of :mod:`.conv`."""
