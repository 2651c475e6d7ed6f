"""What moves values: CONCATENATION, PAD, RESHAPE, SLICE, TRANSPOSE, RESIZE_NEAREST_NEIGHBOR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from edgeq.backends.tflite.draft import Draft, Writer, by_type, int32, too_many_axes
from edgeq.backends.tflite.write.window import append_pad
from edgeq.ir import Node, Tensor
from edgeq.ops.signature import RESULT

_PAD_RANK: Final = 5
_SLICE_RANK: Final = 5
_TRANSPOSE_RANK: Final = 6


def write_concat(draft: Draft, node: Node) -> None:
    """CONCATENATION."""
    (first,) = draft.of(node, "part0")
    version, axis = by_type(first, 2, 3), node.integer("axis")
    draft.append("CONCATENATION", version, node.inputs, node.outputs[0], "ConcatenationOptions", Axis=axis)


def write_pad(draft: Draft, node: Node) -> None:
    """PAD with the zero point, PADV2 with another value."""
    (x,), pads = draft.of(node, "x"), node.integers("pads")
    rank = len(x.shape)
    if rank > _PAD_RANK:
        raise too_many_axes(node, x.shape, _PAD_RANK)
    around = tuple((pads[axis], pads[axis + rank]) for axis in range(rank))
    append_pad(draft, x, node.outputs[0], around, node.integer("value"))


def write_reshape(draft: Draft, node: Node) -> None:
    """RESHAPE; the shape stands in a constant and in the options, as different readers want it."""
    shape = node.integers("shape")
    name = draft.constant(f"{node.outputs[0]}.shape", int32(*shape))
    draft.append("RESHAPE", 1, (node.inputs[0], name), node.outputs[0], "ReshapeOptions", NewShape=shape)


def write_slice(draft: Draft, node: Node) -> None:
    """SLICE, or STRIDED_SLICE where a step is not 1."""
    x, result = draft.of(node, "x", RESULT)
    starts, ends, steps = (node.integers(key) for key in ("starts", "ends", "steps"))
    if len(x.shape) > _SLICE_RANK:
        raise too_many_axes(node, x.shape, _SLICE_RANK)
    if any(step != 1 for step in steps):
        append_strided_slice(draft, x, result.name, starts, ends, steps)
        return
    begin = draft.constant(f"{result.name}.begin", int32(*starts))
    size = draft.constant(f"{result.name}.size", int32(*result.shape))
    version = 5 if len(x.shape) > 4 else by_type(x, 2, 4)
    draft.append("SLICE", version, (x.name, begin, size), result.name, "SliceOptions")


def append_strided_slice(
    draft: Draft, x: Tensor, result: str, starts: tuple[int, ...], ends: tuple[int, ...], steps: tuple[int, ...]
) -> None:
    """STRIDED_SLICE of every axis."""
    parts = (("begin", starts), ("end", ends), ("strides", steps))
    names = tuple(draft.constant(f"{result}.{label}", int32(*values)) for label, values in parts)
    version = 4 if len(x.shape) > 4 else by_type(x, 2, 1)
    draft.append("STRIDED_SLICE", version, (x.name, *names), result, "StridedSliceOptions")


def write_transpose(draft: Draft, node: Node) -> None:
    """TRANSPOSE."""
    (x,) = draft.of(node, "x")
    if len(x.shape) > _TRANSPOSE_RANK:
        raise too_many_axes(node, x.shape, _TRANSPOSE_RANK)
    perm = draft.constant(f"{node.outputs[0]}.perm", int32(*node.integers("perm")))
    version = {5: 4, 6: 6}.get(len(x.shape), 2)
    draft.append("TRANSPOSE", max(version, by_type(x, 2, 5)), (x.name, perm), node.outputs[0], "TransposeOptions")


def write_upsample(draft: Draft, node: Node) -> None:
    """RESIZE_NEAREST_NEIGHBOR, which finds the source of a pixel by a float32 product.

    By whole factors, centres of pixels never meet a border, so they are right where corners, rounded, are not.
    """
    (x,), factors = draft.of(node, "x"), node.integers("factors")
    sizes = x.shape[1] * factors[0], x.shape[2] * factors[1]
    centres = not all(_finds_corners(x.shape[1 + axis], sizes[axis]) for axis in (0, 1))
    size = draft.constant(f"{node.outputs[0]}.size", int32(*sizes))
    version = by_type(x, 3 if centres else 2, 4)
    draft.append(
        "RESIZE_NEAREST_NEIGHBOR",
        version,
        (x.name, size),
        node.outputs[0],
        "ResizeNearestNeighborOptions",
        AlignCorners=False,
        HalfPixelCenters=centres,
    )


def _finds_corners(size: int, enlarged: int) -> bool:
    scale = np.float32(size) / np.float32(enlarged)
    found = np.floor(np.arange(enlarged, dtype=np.float32) * scale)
    return bool(np.array_equal(found, np.arange(enlarged) // (enlarged // size)))


WRITERS: Final[Mapping[str, Writer]] = {
    "concat": write_concat,
    "pad": write_pad,
    "reshape": write_reshape,
    "slice": write_slice,
    "transpose": write_transpose,
    "upsample": write_upsample,
}
