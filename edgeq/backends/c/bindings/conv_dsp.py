"""conv2d → C kernels of the DSP extension: three pixels at once; also elsewhere, depthwise 3x3 channel by channel.

Their weights are streams that hold bias and multiplier, too, so that one pointer moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgeq.backends.c import orders, packing
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.conv import (
    constants,
    geometry,
    is_depthwise,
    pixel_sizes,
    refuse_grouping,
    refuse_one_by_one,
    refuse_short_scaling,
)
from edgeq.backends.c.bindings.scaling import clamp_fields
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.memory.schedule import Order

_WINDOW = 3
_LINES = ("dsp", "v6m", "v7m")
"""The instruction sets, first in search order, that have an ``eq_lines.h``."""
_TOGETHER = 3
"""Pixels that are read before they are written."""
_FARTHEST = 1 << 16
"""Bytes between columns: a halfword without sign."""
_PACKED_SHARE = 7 / 8
"""Places of a window of few values, of those of its rows: what is spared pays for putting its bytes together first."""


@dataclass(frozen=True)
class _Axis:
    """One axis of a depthwise convolution: of lines, or of the columns across them."""

    size: int
    results: int
    stride: int
    pad: int

    @property
    def behind(self) -> int:
        """Places of padding that the last window reads."""
        return max(0, (self.results - 1) * self.stride - self.pad + _WINDOW - self.size)


def _axes(node: Node, graph: Graph) -> tuple[_Axis, _Axis]:
    """Height and width."""
    sizes = geometry(node, graph)
    height, width = (
        _Axis(sizes[f"in_{side}"], sizes[f"out_{side}"], sizes[f"stride_{side}"], sizes[f"pad_{place}"])
        for side, place in (("h", "top"), ("w", "left"))
    )
    return height, width


def _runs_down(height: _Axis, width: _Axis) -> bool:
    """Whether lines are columns of the image: those are longer, and results lie as far apart as inputs."""
    return height.size > width.size and height.stride == width.stride == 1 and width.size == width.results


def _match_depthwise_lines(node: Node, graph: Graph, isa: Isa) -> str | None:
    if isa[0] not in _LINES:
        return f"it has lines in the assembly of {', '.join(_LINES)} alone"
    if (reason := refuse_grouping(node, graph) or refuse_short_scaling(node, graph, isa)) is not None:
        return reason
    channels = graph.operands(node)[0].shape[3]
    kernel = graph.operands(node)[1].shape[1:3]
    if kernel != (_WINDOW, _WINDOW) or node.integers("dilations") != (1, 1):
        return "the kernel is not 3x3 without dilation"
    height, width = _axes(node, graph)
    down = _goes_down(node, graph, isa)
    return _refuse_axes(width, height, channels) if down else _refuse_axes(height, width, channels)


def _goes_down(node: Node, graph: Graph, isa: Isa) -> bool:
    """Whether lines are columns from the start. Without the DSP extension memory decides: rows let results overlap."""
    height, width = _axes(node, graph)
    rows = _refuse_axes(height, width, graph.operands(node)[0].shape[3]) is None
    return _runs_down(height, width) and (isa[0] == "dsp" or not rows)


def _match_lines_down(node: Node, graph: Graph, isa: Isa) -> str | None:
    if (reason := _match_depthwise_lines(node, graph, isa)) is not None:
        return reason
    height, width = _axes(node, graph)
    if _goes_down(node, graph, isa) or not _runs_down(height, width):
        return "its lines are columns already, or these are no longer than rows"
    return _refuse_axes(width, height, graph.operands(node)[0].shape[3])


def _refuse_axes(lines: _Axis, columns: _Axis, channels: int) -> str | None:
    if columns.stride > 2 or max(lines.pad, lines.behind, columns.pad, columns.behind) > 1:
        return "the stride is larger than 2, or more than one place is padded"
    if lines.size < _WINDOW or columns.size < 2 or columns.results - columns.behind < 1:
        return "the image is smaller than the kernel"
    if lines.size * channels >= _FARTHEST:
        return f"columns may be {_FARTHEST} bytes apart"
    return None


def _bind_depthwise_lines(node: Node, graph: Graph, isa: Isa) -> Call:
    return _lines(node, graph, down=_goes_down(node, graph, isa))


def _bind_lines_down(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    return _lines(node, graph, down=True)


def _lines(node: Node, graph: Graph, *, down: bool) -> Call:
    weights, bias, multiplier = constants(node, graph)
    channels = bias.shape[0]
    height, width = _axes(node, graph)
    lines, columns = (width, height) if down else (height, width)
    row = width.size * channels
    line, column, out_line = (channels, row, channels) if down else (row, channels, width.results * channels)
    weights = weights.reshape(channels, _WINDOW, _WINDOW)
    record = {
        "channels": channels,
        "lines": lines.size,
        "columns": columns.size,
        "out_lines": lines.results,
        "out_columns": columns.results,
        "line": line,
        "column": column,
        "out_line": out_line,
        "stride": lines.stride,
        "stride_column": columns.stride,
        "pad": lines.pad,
        "pad_column": columns.pad,
        "pad_value": node.integer("pad_value"),
        "out_zero": node.integer("out_zero"),
        **clamp_fields(node),
    }
    return Call(
        kernel="eq_depthwise_lines_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={
            "weights": packing.pack_lines(weights.transpose(0, 2, 1) if down else weights, bias, multiplier),
        },
        trailing=orders.trail(None if down else _order_of_lines(record)),
    )


def _order_of_lines(record: Mapping[str, int]) -> Order:
    """Rows of one channel after the other; beside padding the window of lines moves inwards."""
    width = record["line"] // record["channels"]
    line = np.arange(record["out_lines"], dtype=np.int64) * record["stride"] - record["pad"]
    column = np.arange(record["out_columns"], dtype=np.int64) * record["stride_column"] - record["pad_column"]
    starts = np.clip(line, 0, record["lines"] - _WINDOW)[:, None] * width + np.maximum(column, 0)
    found = orders.groups(starts.reshape(-1), np.arange(1, starts.size + 1), record["lines"] * width)
    return replace(found, planes=record["channels"])


def _refuse_triple(isa: Isa) -> str | None:
    return None if packing.provider(isa, "columns") == "dsp" else "it needs the DSP extension and no vectors"


def _match_pointwise(node: Node, graph: Graph, isa: Isa) -> str | None:
    return _refuse_triple(isa) or refuse_one_by_one(node, graph)


def _bind_pointwise(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    sizes = pixel_sizes(node, graph)
    in_c, out_c = sizes["in_c"], sizes["out_c"]
    record = {
        **sizes,
        "depth": packing.column_segment(in_c, isa),
        "shift": node.integer("shift"),
        "out_zero": node.integer("out_zero"),
        **clamp_fields(node),
    }
    pixels = orders.pixels_of(record, in_c, graph.operands(node)[0].size_bytes, _TOGETHER)
    return Call(
        kernel="eq_pointwise_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": packing.pack_triple(weights.reshape(1, out_c, 1, in_c), bias, multiplier)},
        trailing=orders.trail(orders.pointwise(pixels, out_c, 1, out_c)),
    )


def _match_triple(node: Node, graph: Graph, isa: Isa) -> str | None:
    if node.integer("group") > 1 and is_depthwise(node, graph):
        return "every channel has its own weights"
    return _refuse_triple(isa)


def _bind_triple(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    out_c, kernel_h, kernel_w, group_c = weights.shape
    group = node.integer("group")
    whole_rows = group == 1 and node.integers("dilations")[1] == 1
    segments, length = (kernel_h, kernel_w * group_c) if whole_rows else (kernel_h * kernel_w, group_c)
    depth, packed = segments * packing.column_segment(length, isa), 0
    whole = packing.column_segment(segments * length, isa)
    if whole_rows and whole <= _PACKED_SHARE * depth:
        segments, length, depth, packed = 1, segments * length, whole, 1
    record = {
        **geometry(node, graph),
        "depth": depth,
        "packed": packed,
        "shift": node.integer("shift"),
        "out_zero": node.integer("out_zero"),
        **clamp_fields(node),
    }
    return Call(
        kernel="eq_conv2d_triple_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={
            "weights": packing.pack_triple(weights.reshape(group, out_c // group, segments, length), bias, multiplier),
        },
        trailing=orders.trail(orders.gathered(record, 1, 1, _TOGETHER)),
    )


BINDINGS: tuple[Binding, ...] = (
    Binding("conv2d", "eq_pointwise_s8", _match_pointwise, _bind_pointwise, "highmul"),
    Binding("conv2d", "eq_depthwise_lines_s8", _match_depthwise_lines, _bind_depthwise_lines, "highmul"),
    Binding("conv2d", "eq_conv2d_triple_s8", _match_triple, _bind_triple, "highmul"),
)
"""They stand before those of ``conv``: what they refuse, those take."""

FASTER: tuple[Binding, ...] = (
    Binding("conv2d", "eq_depthwise_lines_s8", _match_lines_down, _bind_lines_down, "highmul"),
)
"""Fewer and longer lines, whose results overlap nothing."""
