"""Geometry of sliding windows, shared by convolution and pooling. Layout NHWC, pads are top, left, bottom, right."""

from __future__ import annotations

import numpy as np

from edgeq.ir import Node
from edgeq.numerics.array import Array
from edgeq.ops.base import Attribute, OnnxAttribute
from edgeq.ops.signature import Shape, invalid

STRIDES = Attribute("strides", "ints", "rows, columns", 1)
PADS = Attribute("pads", "ints", "top, left, bottom, right", 0)
ONNX_WINDOW = (
    OnnxAttribute("auto_pad", "str", ("NOTSET",)),
    OnnxAttribute("kernel_shape", "ints", low=1, count=2),
    OnnxAttribute("pads", "ints", low=0, count=4),
    OnnxAttribute("strides", "ints", low=1, count=2),
)
"""What Conv and the pools say of their window, behind normalization: two dimensions, explicit pads."""


def window_output(node: Node, shape: Shape, kernel: tuple[int, ...], dilations: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of the output of a window operator with ``strides`` and ``pads``.

    Raises:
        EdgeqError: EQ0903 where an attribute is malformed or no window fits.
    """
    strides, pads = node.integers("strides"), node.integers("pads")
    well_formed = len(strides) == len(kernel) == len(dilations) == 2 and len(pads) == 4 and min(pads) >= 0
    if not well_formed or min((*strides, *kernel, *dilations)) < 1:
        got = f"kernel {kernel} strides {strides} pads {pads} dilations {dilations}"
        raise invalid(node, "malformed window", got, "2, 2, 4 and 2 numbers")
    sizes = []
    for axis in (0, 1):
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        room = shape[1 + axis] + pads[axis] + pads[axis + 2] - reach
        if room < 0:
            raise invalid(node, "no window fits", f"input {shape[1:3]}, window of {reach}", "a larger input or padding")
        sizes.append(room // strides[axis] + 1)
    return sizes[0], sizes[1]


def pad_spatial(x: Array, pads: tuple[int, ...], value: int) -> Array:
    """``x`` [N,H,W,C] with ``value`` around height and width; ``x`` itself where nothing is padded."""
    top, left, bottom, right = pads
    if not any(pads):
        return x
    count, height, width, channels = x.shape
    padded = np.full((count, height + top + bottom, width + left + right, channels), value, dtype=x.dtype)
    padded[:, top : top + height, left : left + width] = x
    return padded


def windows(x: Array, kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...] = (1, 1)) -> Array:
    """A read-only view [N, OH, OW, C, KH, KW] of the windows of a padded input."""
    reach = tuple((size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True))
    view: Array = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(1, 2))
    return view[:, :: strides[0], :: strides[1], :, :: dilations[0], :: dilations[1]]


def valid_counts(shape: Shape, kernel: tuple[int, ...], strides: tuple[int, ...], pads: tuple[int, ...]) -> Array:
    """How many positions of each window lie inside the input: int64 [OH, OW]."""
    per_axis = []
    for axis in (0, 1):
        size = shape[1 + axis]
        outputs = (size + pads[axis] + pads[axis + 2] - kernel[axis]) // strides[axis] + 1
        start = np.arange(outputs, dtype=np.int64) * strides[axis] - pads[axis]
        per_axis.append(np.minimum(start + kernel[axis], size) - np.maximum(start, 0))
    rows, columns = (np.maximum(counts, 0) for counts in per_axis)
    counts: Array = np.multiply.outer(rows, columns)
    return counts
