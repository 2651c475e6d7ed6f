"""conv2d → C kernels of the DSP extension: three pixels at once; also elsewhere, depthwise 3x3 channel by channel.

Their weights are streams that hold bias and multiplier, too, so that one pointer moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

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
from edgeq.numerics.array import Array

_WINDOW = 3
_DSP = "dsp"
_V7M = "v7m"
_LINES = (_DSP, "v6m", _V7M)
"""The instruction sets, first in search order, that have an ``eq_lines.h``."""
_FEWEST_RESULTS = 3
"""Of a sequence: four are computed at once."""
_TOGETHER = 3
"""Pixels that are read before they are written."""
_FARTHEST = 1 << 16
"""Bytes between columns: a halfword without sign."""
_FEW = 12
"""Values of a row that is moved without a loop."""
_WIDE_WEIGHTS = 512
"""Weights that may take two bytes each unasked."""
_STORED_WEIGHTS = 1024
"""Weights of a 1x1 convolution up to which they are stored as int16 where memory allows it: others are widened."""
_FEWEST_PIXELS = 8
"""Of an odd number, where two go together: what is computed of no pixel eats the gain of fewer."""
_LARGE_WEIGHTS = 8192
"""Weights that may take two bytes each where memory allows it: beyond, a column no longer is small beside them."""
_FEWEST_PLACES = 16
"""Of a window: what gathers fewer costs more than all products."""
_EIGHT = 8
_SMALL_SHARE = 7 / 8
"""Places of a window, of those of its rows rounded up: below, what is spared pays for moving single values."""


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
    if (reason := _refuse_depthwise(node, graph, isa)) is not None:
        return reason
    lines, columns = _lines_and_columns(node, graph, isa)
    return _refuse_axes(lines, columns, graph.operands(node)[0].shape[3])


def _refuse_depthwise(node: Node, graph: Graph, isa: Isa) -> str | None:
    if isa[0] not in _LINES:
        return f"it has lines in the assembly of {', '.join(_LINES)} alone"
    if (reason := refuse_grouping(node, graph) or refuse_short_scaling(node, graph, isa)) is not None:
        return reason
    kernel = graph.operands(node)[1].shape[1:3]
    if kernel != (_WINDOW, _WINDOW) or node.integers("dilations") != (1, 1):
        return "the kernel is not 3x3 without dilation"
    return None


def _lines_and_columns(node: Node, graph: Graph, isa: Isa) -> tuple[_Axis, _Axis]:
    """Lines are rows, whose results overlap the input; on ARMv7-M columns where those are longer.

    With the DSP extension these have a kernel of their own; on chips with ARMv6-M memory counts more than speed.
    """
    height, width = _axes(node, graph)
    return (width, height) if isa[0] == _V7M and _runs_down(height, width) else (height, width)


def _refuse_axes(lines: _Axis, columns: _Axis, channels: int) -> str | None:
    if columns.stride > 2 or max(lines.pad, lines.behind, columns.pad, columns.behind) > 1:
        return "the stride is larger than 2, or more than one place is padded"
    if lines.size < _WINDOW or columns.size < 2 or columns.results - columns.behind < 1:
        return "the image is smaller than the kernel"
    if lines.size * channels >= _FARTHEST:
        return f"columns may be {_FARTHEST} bytes apart"
    return None


def _match_depthwise_columns(node: Node, graph: Graph, isa: Isa) -> str | None:
    if isa[0] != _DSP:
        return "it needs the DSP extension and no vectors"
    if (reason := _refuse_depthwise(node, graph, isa)) is not None:
        return reason
    height, width = _axes(node, graph)
    if not _runs_down(height, width):
        return "rows are longer than columns, or there is a stride"
    return _refuse_axes(width, height, graph.operands(node)[0].shape[3])


def _bind_depthwise_columns(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    weights, bias, multiplier = constants(node, graph)
    channels = bias.shape[0]
    height, width = _axes(node, graph)
    record = {
        "channels": channels,
        "in_h": height.size,
        "width": width.size,
        "out_h": height.results,
        "pad_top": height.pad,
        "pad_left": width.pad,
        "pad_value": node.integer("pad_value"),
        "out_zero": node.integer("out_zero"),
        **clamp_fields(node),
    }
    lines = weights.reshape(channels, _WINDOW, _WINDOW).transpose(0, 2, 1)
    read, written = height.size * width.size, height.results * width.size
    return Call(
        kernel="eq_depthwise_columns_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": packing.pack_lines(lines, bias, multiplier)},
        trailing=orders.trail(replace(orders.groups(np.zeros(1), np.array([written]), read), planes=channels)),
    )


def _bind_depthwise_lines(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    channels = bias.shape[0]
    height, width = _axes(node, graph)
    lines, columns = _lines_and_columns(node, graph, isa)
    down = (lines, columns) != (height, width)
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


_TURNED = {"h": "w", "w": "h", "top": "left", "left": "top"}


def _lying(node: Node, graph: Graph) -> dict[str, int]:
    """The sizes of a convolution; those of an image that is one pixel wide as if it lay on its side."""
    sizes = geometry(node, graph)
    if sizes["pad_left"] or not sizes["in_w"] == sizes["kernel_w"] == sizes["out_w"] == 1:
        return sizes
    ends = {name: name.rpartition("_") for name in sizes}
    return {
        name: sizes[f"{head}_{_TURNED[tail]}" if tail in _TURNED else name] for name, (head, _, tail) in ends.items()
    }


def _match_depthwise_planes(node: Node, graph: Graph, isa: Isa) -> str | None:
    if packing.provider(isa, "taps") != "dsp":
        return "it needs the DSP extension and no vectors"
    if (reason := refuse_grouping(node, graph)) is not None:
        return reason
    if node.integer("shift") or node.integers("strides") != (1, 1) or node.integers("dilations") != (1, 1):
        return "it has a stride or a dilation, or the accumulator is shifted to the left"
    if _lying(node, graph)["out_w"] < _FEWEST_RESULTS:
        return f"a row of results has less than {_FEWEST_RESULTS}"
    return None


def _match_depthwise_sequence(node: Node, graph: Graph, isa: Isa) -> str | None:
    if (reason := _match_depthwise_planes(node, graph, isa)) is not None:
        return reason
    sizes = _lying(node, graph)
    alone = sizes["in_h"] == sizes["kernel_h"] == sizes["out_h"] == 1 and not sizes["pad_top"]
    return None if alone else "windows have two axes: planes of whole images may take more memory than there is"


def _match_depthwise_images(node: Node, graph: Graph, isa: Isa) -> str | None:
    if (reason := _match_depthwise_planes(node, graph, isa)) is not None:
        return reason
    kernel = graph.operands(node)[1].shape[1:3]
    return "the kernel is 3x3 or smaller" if max(kernel) <= _WINDOW else None


def _bind_depthwise_planes(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    weights, bias, multiplier = constants(node, graph)
    channels = bias.shape[0]
    sizes = _lying(node, graph)
    filters = packing.pad_last(weights.reshape(channels, sizes["kernel_h"], sizes["kernel_w"]), 4)
    pad, kernel_w = sizes["pad_left"], filters.shape[2]
    first = pad + pad % 2
    places = max(first + sizes["in_w"] + 1, first - pad + kernel_w + 4 * -(-sizes["out_w"] // 4))
    kept = ("in_h", "in_w", "out_h", "out_w", "kernel_h", "pad_top", "pad_left", "pad_value")
    record = {
        **{name: sizes[name] for name in kept},
        "channels": channels,
        "kernel_w": kernel_w,
        "first": first,
        "places": places + places % 2,
        "rows": max(sizes["pad_top"] + sizes["in_h"], sizes["out_h"] + sizes["kernel_h"] - 1),
        "out_zero": node.integer("out_zero"),
        **clamp_fields(node),
    }
    read, written = sizes["in_h"] * sizes["in_w"], sizes["out_h"] * sizes["out_w"]
    return Call(
        kernel="eq_depthwise_planes_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": packing.pack_sequence(filters.reshape(channels, -1), bias, multiplier)},
        trailing=orders.trail(replace(orders.groups(np.zeros(1), np.array([written]), read), planes=channels)),
    )


def _refuse_triple(isa: Isa) -> str | None:
    return None if packing.provider(isa, "columns") == "dsp" else "it needs the DSP extension and no vectors"


def _match_pointwise(node: Node, graph: Graph, isa: Isa) -> str | None:
    return _refuse_triple(isa) or refuse_one_by_one(node, graph)


def _bind_pointwise(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    sizes = pixel_sizes(node, graph)
    in_c, out_c = sizes["in_c"], sizes["out_c"]
    packed = packing.pack_triple(weights.reshape(1, out_c, 1, in_c), bias, multiplier)
    record = {
        **sizes,
        "depth": packing.column_segment(in_c, isa),
        "coupled": int(packed.coupled),
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
        constants={"weights": packed.stream},
        trailing=orders.trail(orders.pointwise(pixels, out_c, 1, out_c)),
    )


def _refuse_int16(node: Node, graph: Graph) -> str | None:
    """Why kernels that have no left shift and take four channels at a time cannot serve a node, or None."""
    if graph.results(node)[0].shape[3] % 4 or node.integer("shift"):
        return "the output channels are no multiple of 4, or the accumulator is shifted to the left"
    return None


def _match_eight(node: Node, graph: Graph, isa: Isa) -> str | None:
    if (reason := _match_pointwise(node, graph, isa) or _refuse_int16(node, graph)) is not None:
        return reason
    weight = graph.operands(node)[1]
    if weight.shape[3] != _EIGHT:
        return f"it has not {_EIGHT} input channels"
    return f"it has more than {_WIDE_WEIGHTS} weights" if weight.elements > _WIDE_WEIGHTS else None


def _pointwise_record(node: Node, graph: Graph) -> dict[str, int]:
    return {**pixel_sizes(node, graph), "out_zero": node.integer("out_zero"), **clamp_fields(node)}


def _bind_eight(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    weights, bias, multiplier = constants(node, graph)
    record = _pointwise_record(node, graph)
    in_c, out_c = record.pop("in_c"), record["out_c"]
    pixels = orders.pixels_of(record, in_c, graph.operands(node)[0].size_bytes, 1)
    return Call(
        kernel="eq_pointwise_eight_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": packing.pack_eight(weights.reshape(out_c, in_c), bias, multiplier)},
        trailing=orders.trail(orders.pointwise(pixels, out_c, 1, out_c)),
    )


def _match_pointwise_wide(node: Node, graph: Graph, isa: Isa) -> str | None:
    if (reason := _match_pointwise(node, graph, isa) or _refuse_int16(node, graph)) is not None:
        return reason
    width = pixel_sizes(node, graph)["out_w"]
    return "a row has few pixels, and an odd number of them" if width % 2 and width < _FEWEST_PIXELS else None


def _match_pointwise_stored(node: Node, graph: Graph, isa: Isa) -> str | None:
    if (reason := _match_pointwise_wide(node, graph, isa)) is not None:
        return reason
    elements = graph.operands(node)[1].elements
    return f"it has more than {_STORED_WEIGHTS} weights" if elements > _STORED_WEIGHTS else None


def _bind_pointwise_wide(node: Node, graph: Graph, isa: Isa, *, widened: bool) -> Call:
    weights, bias, multiplier = constants(node, graph)
    sizes = _pointwise_record(node, graph)
    in_c, out_c = sizes["in_c"], sizes["out_c"]
    pack = packing.pack_narrow if widened else packing.pack_wide
    record = {**sizes, "depth": packing.column_segment(in_c, isa), "widened": out_c if widened else 0}
    pixels = orders.pixels_of(record, in_c, graph.operands(node)[0].size_bytes, 2)
    return Call(
        kernel="eq_pointwise_wide_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": pack(weights.reshape(out_c, in_c), bias, multiplier)},
        trailing=orders.trail(orders.pointwise(pixels, out_c, 1, out_c)),
    )


def _match_triple(node: Node, graph: Graph, isa: Isa) -> str | None:
    if node.integer("group") > 1 and is_depthwise(node, graph):
        return "every channel has its own weights"
    return _refuse_triple(isa)


def _refuse_rows(node: Node, graph: Graph, isa: Isa) -> str | None:
    """Why the windows of a node are not whole rows of a plain convolution, or None."""
    if (reason := _match_triple(node, graph, isa)) is not None:
        return reason
    if node.integer("group") > 1 or node.integers("dilations")[1] > 1:
        return "there are groups, or gaps in the rows of a window"
    return None


def _match_small(node: Node, graph: Graph, isa: Isa) -> str | None:
    if (reason := _refuse_rows(node, graph, isa)) is not None:
        return reason
    _, kernel_h, kernel_w, in_c = graph.operands(node)[1].shape
    row = kernel_w * in_c
    whole, rounded = packing.column_segment(kernel_h * row, isa), kernel_h * packing.column_segment(row, isa)
    if kernel_h == 1 or (row > _FEW and whole > _SMALL_SHARE * rounded):
        return "rows of a window are long, or it has only one"
    return None


def _words_first(weights: Array) -> Array:
    """Weights [out_channels, rows, columns, channels] in the order of ``eq_small_rows.h``, [out_channels, depth].

    Whole words of all rows of a window, then what is left of each.
    """
    rows = weights.reshape(*weights.shape[:2], -1)
    words = rows.shape[2] // 4 * 4
    return np.concatenate([part.reshape(len(rows), -1) for part in (rows[..., :words], rows[..., words:])], axis=1)


def _small_record(node: Node, graph: Graph, isa: Isa, depth: int) -> dict[str, int]:
    sizes = geometry(node, graph)
    del sizes["group"], sizes["dilation_w"]
    fields = {"depth": packing.column_segment(depth, isa), "out_zero": node.integer("out_zero")}
    return {**sizes, **fields, **clamp_fields(node)}


def _bind_small(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    ordered = _words_first(weights)
    triple = packing.pack_triple(ordered[None, :, None], bias, multiplier)
    fields = {"coupled": int(triple.coupled), "shift": node.integer("shift")}
    return Call(
        kernel="eq_conv2d_small_s8",
        record=_small_record(node, graph, isa, ordered.shape[1]) | fields,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": triple.stream},
        trailing=orders.trail(orders.gathered(geometry(node, graph), 1, 1, _TOGETHER)),
    )


def _match_wide(node: Node, graph: Graph, isa: Isa) -> str | None:
    """Windows of short rows, one too, for few weights."""
    weight = graph.operands(node)[1]
    alone = weight.shape[1] == 1 < weight.shape[2] and weight.elements <= _FEW * weight.shape[0]
    rows = _refuse_rows(node, graph, isa) if alone else _match_small(node, graph, isa)
    if (reason := rows or _refuse_int16(node, graph)) is not None:
        return reason
    return f"it has more than {_WIDE_WEIGHTS} weights" if weight.elements > _WIDE_WEIGHTS else None


def _match_large(node: Node, graph: Graph, isa: Isa) -> str | None:
    """Windows of any length in columns for weights of int16."""
    if (reason := _refuse_rows(node, graph, isa) or _refuse_int16(node, graph)) is not None:
        return reason
    weight = graph.operands(node)[1]
    if weight.shape[1:3] == (1, 1) or weight.elements < _FEWEST_PLACES * weight.shape[0]:
        return "the kernel is 1x1, or a window has few values"
    if _match_wide(node, graph, isa) is None:
        return "its weights are few, and of int16 anyway"
    return f"it has more than {_LARGE_WEIGHTS} weights" if weight.elements > _LARGE_WEIGHTS else None


def _bind_wide(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    ordered = _words_first(weights)
    return Call(
        kernel="eq_conv2d_wide_s8",
        record=_small_record(node, graph, isa, ordered.shape[1]),
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": packing.pack_wide(ordered, bias, multiplier)},
        trailing=orders.trail(orders.gathered(geometry(node, graph), 1, 1, 2)),
    )


def _bind_triple(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    out_c, kernel_h, kernel_w, group_c = weights.shape
    group = node.integer("group")
    whole_rows = group == 1 and node.integers("dilations")[1] == 1
    segments, length = (kernel_h, kernel_w * group_c) if whole_rows else (kernel_h * kernel_w, group_c)
    triple = packing.pack_triple(weights.reshape(group, out_c // group, segments, length), bias, multiplier)
    record = {
        **geometry(node, graph),
        "depth": segments * packing.column_segment(length, isa),
        "coupled": int(triple.coupled),
        "shift": node.integer("shift"),
        "out_zero": node.integer("out_zero"),
        **clamp_fields(node),
    }
    return Call(
        kernel="eq_conv2d_triple_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": triple.stream},
        trailing=orders.trail(orders.gathered(record, 1, 1, _TOGETHER)),
    )


BINDINGS: tuple[Binding, ...] = (
    Binding("conv2d", "eq_pointwise_eight_s8", _match_eight, _bind_eight, "highmul"),
    Binding("conv2d", "eq_pointwise_s8", _match_pointwise, _bind_pointwise, "highmul"),
    Binding("conv2d", "eq_depthwise_columns_s8", _match_depthwise_columns, _bind_depthwise_columns, "highmul"),
    Binding("conv2d", "eq_depthwise_planes_s8", _match_depthwise_sequence, _bind_depthwise_planes, "highmul"),
    Binding("conv2d", "eq_depthwise_lines_s8", _match_depthwise_lines, _bind_depthwise_lines, "highmul"),
    Binding("conv2d", "eq_conv2d_wide_s8", _match_wide, _bind_wide, "highmul"),
    Binding("conv2d", "eq_conv2d_small_s8", _match_small, _bind_small, "highmul"),
    Binding("conv2d", "eq_conv2d_triple_s8", _match_triple, _bind_triple, "highmul"),
)
"""They stand before those of ``conv``: what they refuse, those take."""

FASTER: tuple[Binding, ...] = (
    Binding(
        "conv2d",
        "eq_pointwise_wide_s8",
        _match_pointwise_stored,
        partial(_bind_pointwise_wide, widened=False),
        "highmul",
        variant="stored",
    ),
    Binding(
        "conv2d",
        "eq_pointwise_wide_s8",
        _match_pointwise_wide,
        partial(_bind_pointwise_wide, widened=True),
        "highmul",
        variant="widened",
    ),
    Binding("conv2d", "eq_conv2d_wide_s8", _match_large, _bind_wide, "highmul", variant="large"),
    Binding(
        "conv2d", "eq_depthwise_planes_s8", _match_depthwise_images, _bind_depthwise_planes, "highmul", variant="image"
    ),
)
"""Where memory allows weights of int16, for images four planes of int16."""
