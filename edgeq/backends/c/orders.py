"""In which order a kernel reads and writes, as its header says it: how far its result may trail an operand.

A kernel writes its result from the lowest address up. A binding builds its order from the values of the record:

* :func:`runs`: elements one after the other, each of which is read, at its place or from there up, and then written;
* :func:`groups`: all that a group of outputs reads is read before the first of them is written;
* :func:`copies`: pieces that are moved by ``memcpy``, whose source and destination must not overlap.

An instruction set that reads earlier than these say, a vector at a time, is in order, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgeq.ir import Tensor
from edgeq.memory.schedule import Order
from edgeq.numerics.array import Array

APART: Final[Mapping[str, str]] = {
    "eq_float_determinant": "every determinant is computed in place of a copy",
    "eq_float_matmul": "every row of the result reads all of b",
    "eq_gather": "which elements are read is not known before the run",
    "eq_gather_elements": "which elements are read is not known before the run",
    "eq_gather_nd": "which elements are read is not known before the run",
    "eq_gru": "gates read the whole input and the whole state",
    "eq_log_mel": "a spectrum is computed in scratch, the result is small",
    "eq_lstm": "gates read the whole input and the whole state",
    "eq_matmul_s16": "every row of the result reads all of b",
    "eq_matmul_s8": "every row of the result reads all of b",
    "eq_matmul_tflite_s8": "every row of the result reads all of b",
    "eq_one_hot": "every class reads all indices",
    "eq_pad": "the padding is written before the operand is read",
    "eq_pad_s16": "the padding is written before the operand is read",
    "eq_pad_words": "the padding is written before the operand is read",
    "eq_rnn": "gates read the whole input and the whole state",
    "eq_top_k": "every result reads the whole row again",
    "eq_trees": "every tree reads the whole row",
}
"""Kernels whose results must not overlap an operand, and why."""


def runs(starts: Array, length: int, out_item: int, step: int, operand_bytes: int) -> Order:
    """Runs of elements: element i of run k is written when everything that it needs has been read.

    Element i needs bytes of the operand from ``starts[k] + i*step`` up, and those behind it no more than from the next
    one's place up; so the first, the last but one and the last elements bound all between them.

    Args:
        starts: by run, the first byte of the operand that it reads.
        length: elements of a run.
        out_item: bytes of an element of the result.
        step: bytes by which the first place moves with each element; 0 where all read the same.
        operand_bytes: size of the operand.
    """
    marks = np.array(sorted({0, max(0, length - 2), length - 1}), np.int64)
    later = _later(starts, operand_bytes)
    unread = np.minimum(starts[:, None] + (marks + 1) * step, later[1:, None])
    unread[:, -1] = later[1:]
    written = (np.arange(len(starts))[:, None] * length + marks + 1) * out_item
    return _order(written.reshape(-1), unread.reshape(-1), operand_bytes)


def groups(starts: Array, written: Array, operand_bytes: int) -> Order:
    """Groups of outputs that are read for as a whole before they are written.

    Args:
        starts: by group, the first byte of the operand that it reads.
        written: by group, the end of what has been written behind it, in bytes.
        operand_bytes: size of the operand.
    """
    return _order(written, _later(starts, operand_bytes)[1:], operand_bytes)


def copies(starts: Array, written: Array, operand_bytes: int) -> Order:
    """Pieces whose destination must not overlap their source, arguments as for :func:`groups`."""
    return _order(written, _later(starts, operand_bytes)[:-1], operand_bytes)


def _later(starts: Array, operand_bytes: int) -> Array:
    """By unit, the first byte that it or a later one reads; and the operand's size behind all."""
    return np.minimum.accumulate(np.append(starts, operand_bytes)[::-1])[::-1].astype(np.int64)


def _order(written: Array, unread: Array, operand_bytes: int) -> Order:
    rising = np.maximum.accumulate(written.astype(np.int64))
    return Order(rising, np.minimum(np.minimum.accumulate(unread[::-1])[::-1], operand_bytes).astype(np.int64))


Trails = tuple[tuple[int, int, Order], ...]
"""(input index, output index, order)."""


def trail(order: Order | None) -> Trails:
    """``Call.trailing`` of a kernel with one operand and one result."""
    return () if order is None else ((0, 0, order),)


def broadcasts(record: Mapping[str, int], operands: Mapping[str, Tensor], out: Tensor) -> Trails:
    """``Call.trailing`` of a kernel that broadcasts, by the loops ``n0 … n3 inner`` of its record.

    Args:
        record: the kernel's.
        operands: by the letter of their strides, in the order of the header; constants are not of the arena.
        out: the result.
    """
    computed = [(side, tensor) for side, tensor in operands.items() if not tensor.is_constant]
    return tuple(
        (number, 0, _broadcast(record, side, tensor, out))
        for number, (side, tensor) in enumerate(computed)
        if may_meet(tensor, out)
    )


def may_meet(x: Tensor, out: Tensor) -> bool:
    """Whether C lets a kernel read an operand where it writes its result: one type, or one of them is of bytes."""
    return x.dtype is out.dtype or 1 in {x.dtype.size_bytes, out.dtype.size_bytes}


def by_element(x: Tensor, out: Tensor) -> Trails:
    """``Call.trailing`` of a function of single elements, which follow one another."""
    sizes = out.dtype.size_bytes, x.dtype.size_bytes
    order = runs(np.zeros(1, np.int64), out.elements, *sizes, x.size_bytes)
    return trail(order) if may_meet(x, out) else ()


def _broadcast(record: Mapping[str, int], side: str, tensor: Tensor, out: Tensor) -> Order:
    sizes, strides = [record[f"n{level}"] for level in range(4)], [record[f"{side}{level}"] for level in range(4)]
    item = tensor.dtype.size_bytes
    starts = nested(sizes, strides) * item
    return runs(starts, record["inner"], out.dtype.size_bytes, record[f"{side}_inner"] * item, tensor.size_bytes)


def nested(sizes: Sequence[int], strides: Sequence[int]) -> Array:
    """The places that nested loops visit, outermost first."""
    places = np.zeros(1, np.int64)
    for size, stride in zip(sizes, strides, strict=True):
        places = (places[:, None] + np.arange(size) * stride).reshape(-1)
    return places


def reduction(outer: int, reduce: int, inner: int, x: Tensor, out: Tensor) -> Order | None:
    """A reduction of the middle one of three axes to one value, or None where C forbids that they overlap."""
    item = x.dtype.size_bytes
    starts = np.arange(outer, dtype=np.int64) * (reduce * inner * item)
    return runs(starts, inner, out.dtype.size_bytes, item, x.size_bytes) if may_meet(x, out) else None


def dense(record: Mapping[str, int], x_bytes: int, out_bytes: int) -> Order:
    """A row against all outputs, each of which reads the whole row; element sizes in bytes."""
    row = record["depth"] * x_bytes
    starts = np.arange(record["rows"], dtype=np.int64) * row
    return runs(starts, record["out_c"], out_bytes, 0, record["rows"] * row)


# -- windows over an image -------------------------------------------------------------------------------------------

_LONG: Final = {"h": "height", "w": "width"}


def window_starts(record: Mapping[str, int], pixel_bytes: int) -> Array:
    """By pixel of the result, in rows, the first byte of the operand under its window.

    Args:
        record: of a convolution (``in_h`` …) or of a pooling kernel (``in_height`` …).
        pixel_bytes: size of a pixel of the operand.
    """
    if "in_h" in record:
        rows = _first_inside(record["out_h"], record["stride_h"], record["pad_top"], record["dilation_h"])
        columns = _first_inside(record["out_w"], record["stride_w"], record["pad_left"], record["dilation_w"])
        width = record["in_w"]
    else:
        rows = _first_inside(record["out_height"], record["stride_y"], record["pad_top"], 1)
        columns = _first_inside(record["out_width"], record["stride_x"], record["pad_left"], 1)
        width = record["in_width"]
    return ((rows[:, None] * width + columns) * pixel_bytes).reshape(-1)


def _first_inside(size: int, stride: int, pad: int, dilation: int) -> Array:
    """The first position that a window touches behind the padding before the axis."""
    start = np.arange(size, dtype=np.int64) * stride - pad
    return np.where(start < 0, start % dilation, start)


def gathered(record: Mapping[str, int], x_bytes: int, out_bytes: int, pixels: int) -> Order | None:
    """A convolution that gathers the windows of some pixels at a time, or None with groups, which follow one another.

    Args:
        record: the convolution's.
        x_bytes: bytes of an element of the operand.
        out_bytes: bytes of an element of the result.
        pixels: how many windows are gathered before their pixels are written; the last ones may be fewer.
    """
    if record["group"] > 1:
        return None
    starts = window_starts(record, record["in_c"] * x_bytes)
    firsts = np.minimum.reduceat(starts, np.arange(0, len(starts), pixels))
    written = np.minimum(np.arange(1, len(firsts) + 1) * pixels, len(starts)) * record["out_c"] * out_bytes
    return groups(firsts, written, _image_bytes(record, "in_c", x_bytes))


def in_pairs(record: Mapping[str, int], block: int) -> Order:
    """A convolution of int8 whose windows are read again for each block of channels, for a pixel or for two neighbours.

    A pixel may also be written later than the ones behind it: what it reads has been copied, and its place been read.

    Args:
        record: the convolution's.
        block: channels of a block.
    """
    starts = window_starts(record, record["in_c"])
    ends = np.minimum(np.arange(len(starts), dtype=np.int64) + 2, len(starts))
    return pointwise(Pixels(starts, ends, _image_bytes(record, "in_c", 1)), record["out_c"], 1, block)


@dataclass(frozen=True)
class Pixels:
    """The pixels that a 1x1 convolution reads, in groups of its rows.

    Attributes:
        starts: by group, the first byte of the operand that it reads.
        ends: by group, the number of pixels that are written behind it.
        operand_bytes: size of the operand.
    """

    starts: Array
    ends: Array
    operand_bytes: int


def pixels_of(record: Mapping[str, int], pixel_bytes: int, operand_bytes: int, together: int) -> Pixels:
    """The groups of ``together`` pixels of a 1x1 convolution; the last ones of a row may be fewer."""
    rows, columns = np.arange(record["out_h"], dtype=np.int64), np.arange(0, record["out_w"], together)
    starts = (rows[:, None] * record["stride_h"] * record["in_w"] + columns * record["stride_w"]) * pixel_bytes
    ends = rows[:, None] * record["out_w"] + np.minimum(columns + together, record["out_w"])
    return Pixels(starts.reshape(-1), ends.reshape(-1), operand_bytes)


def pointwise(pixels: Pixels, channels: int, out_bytes: int, block: int) -> Order:
    """A 1x1 convolution that reads a group of pixels again for each block of channels, and then stores it.

    Args:
        pixels: what it reads.
        channels: of the result.
        out_bytes: bytes of an element of the result.
        block: channels of a block; all of them where the pixels are read once.
    """
    before = (channels - 1) // block * block - channels  # behind the last block but one, from the end
    later = _later(pixels.starts, pixels.operand_bytes)
    written = (pixels.ends * channels)[:, None] + np.array([before, 0])
    unread = np.stack([later[:-1], later[1:]], axis=1)
    if block >= channels:
        written, unread = written[:, 1:], unread[:, 1:]
    return _order(written.reshape(-1) * out_bytes, unread.reshape(-1), pixels.operand_bytes)


def by_channel(record: Mapping[str, int], x_bytes: int, out_bytes: int) -> Order:
    """A window for each pixel whose channels are independent, as in depthwise convolution and pooling.

    Args:
        record: the kernel's, with ``channels``.
        x_bytes: bytes of an element of the operand.
        out_bytes: bytes of an element of the result.
    """
    channels = record["channels"]
    starts = window_starts(record, channels * x_bytes)
    return runs(starts, channels, out_bytes, x_bytes, _image_bytes(record, "channels", x_bytes))


def rereading(record: Mapping[str, int]) -> Order:
    """A convolution of int8 that reads the whole window again for each channel."""
    starts = window_starts(record, record["in_c"])
    return runs(starts, record["out_c"], 1, 0, _image_bytes(record, "in_c", 1))


def _image_bytes(record: Mapping[str, int], channels: str, item: int) -> int:
    height, width = ("in_h", "in_w") if "in_h" in record else ("in_height", "in_width")
    return record[height] * record[width] * record[channels] * item
