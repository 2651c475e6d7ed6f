"""Pooling windows and means over whole axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from edgeq.ir import Node, Tensor
from edgeq.numerics.array import Array, saturate
from edgeq.numerics.rounding import divide_half_away
from edgeq.ops.accumulator import CLAMP, IN_ZERO, REQUANT, requantize
from edgeq.ops.base import Attribute, OnnxAttribute, OnnxForm, Op, Sample, no_macs, spread
from edgeq.ops.reduce import AXES, KEEPDIMS, ONNX_AXES, ONNX_REDUCTION, REDUCED, reduced_shape
from edgeq.ops.signature import FACTORS, Shape, Signature, Slot, Type, invalid, scaling_of, slots_of_modes
from edgeq.ops.window import ONNX_WINDOW, PADS, STRIDES, pad_spatial, valid_counts, window_output, windows

_WINDOW = (
    Attribute("kernel", "ints", "rows, columns", 1),
    STRIDES,
    PADS,
)
_TYPES: tuple[tuple[Type, ...], ...] = (("int8", "int8"), ("int16", "int16"))
_FACTORS_BY_COUNT = tuple(
    replace(slot, role="table")
    for slot in slots_of_modes(lambda scaling: scaling.operands[: 1 if scaling.averages_integers else None])
)
_ONNX_POOL = (*ONNX_WINDOW, OnnxAttribute("ceil_mode", "int", (0,)), OnnxAttribute("dilations", "ints", ((1, 1),)))


def average_pool_counts(shape: Shape, kernel: Shape, strides: Shape, pads: Shape) -> tuple[int, ...]:
    """The attribute ``counts``: the distinct numbers of valid positions of the windows over x[1,H,W,C], sorted."""
    return tuple(sorted(set(valid_counts(shape, kernel, strides, pads).reshape(-1).tolist())))


def _counts(node: Node, shape: Shape) -> Array:
    return valid_counts(shape, node.integers("kernel"), node.integers("strides"), node.integers("pads"))


def _window_shape(node: Node, x: Tensor) -> Shape:
    height, width = window_output(node, x.shape, node.integers("kernel"), (1, 1))
    return (x.shape[0], height, width, x.shape[3])


def _average_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, multiplier = operands[:2]
    shape = _window_shape(node, x)
    counts = node.integers("counts")
    found = tuple(sorted(set(_counts(node, x.shape).reshape(-1).tolist())))
    if counts != found or counts[0] == 0:
        raise invalid(node, "counts of valid positions do not match the windows", counts, f"{found}, none zero")
    # The mean of the integers keeps the scale: a multiplier is present but unused.
    wanted = (1,) if scaling_of(node).averages_integers else (len(counts),)
    if multiplier.shape != wanted:
        raise invalid(node, "one multiplier per count is needed", multiplier.shape, wanted)
    return shape


def _evaluate_average(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, *scaling = arrays
    kernel, strides = node.integers("kernel"), node.integers("strides")
    # Zeros around the sums: padded positions add nothing, and the count leaves them out.
    padded = pad_spatial(x, node.integers("pads"), 0)
    sums = windows(padded, kernel, strides).sum(axis=(4, 5), dtype=np.int64)
    counts = _counts(node, x.shape)[:, :, np.newaxis]
    if scaling_of(node).averages_integers:
        mean = divide_half_away(sums, counts)
        return [saturate(mean, node.integer("clamp_min"), node.integer("clamp_max"), x.dtype)]
    sums -= counts * node.integer("in_zero")
    position = np.searchsorted(np.array(node.integers("counts")), counts)
    return [requantize(node, sums, (scaling[0][position], *scaling[1:]), x)]


def _max_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    (x,) = operands
    shape = _window_shape(node, x)
    if _counts(node, x.shape).min() == 0:
        raise invalid(node, "a window holds padding only", node.integers("pads"), "pads below the kernel size")
    return shape


def _evaluate_max(node: Node, arrays: Sequence[Array]) -> list[Array]:
    (x,) = arrays
    padded = pad_spatial(x, node.integers("pads"), np.iinfo(x.dtype).min)
    best = windows(padded, node.integers("kernel"), node.integers("strides")).max(axis=(4, 5))
    return [saturate(best, node.integer("clamp_min"), node.integer("clamp_max"), x.dtype)]


def _evaluate_mean(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, *scaling = arrays
    axes = node.integers("axes")
    count = prod(x.shape[axis] for axis in axes)
    sums = np.asarray(x.sum(axis=axes, dtype=np.int64, keepdims=bool(node.integer("keepdims"))))
    return [requantize(node, sums - count * node.integer("in_zero"), scaling, x)]


def _average(name: str, x: Shape, kernel: Shape, **attributes: int | tuple[int, ...]) -> Sample:
    return Sample(name, "AveragePool", (x,), {}, {"kernel_shape": kernel, **attributes})


def _max(name: str, x: Shape, kernel: Shape, **attributes: int | tuple[int, ...]) -> Sample:
    return Sample(name, "MaxPool", (x,), {}, {"kernel_shape": kernel, **attributes})


def _mean(name: str, x: Shape, axes: tuple[int, ...], keepdims: int = 1) -> Sample:
    return Sample(name, "ReduceMean", (x,), {1: np.array(axes, dtype=np.int64)}, {"keepdims": keepdims})


AVERAGE_POOL = Op(
    name="average_pool",
    family="pool",
    summary="Mean of the valid positions of each window: x[N,H,W,C], multiplier (one per count), (exponent)",
    signature=Signature((Slot("x", rank=4), *_FACTORS_BY_COUNT), _TYPES),
    attributes=(
        *REQUANT,
        *_WINDOW,
        Attribute("counts", "ints", "the distinct numbers of valid positions, sorted", 1),
        IN_ZERO,
    ),
    shape=_average_shape,
    evaluate=_evaluate_average,
    macs=no_macs,
    onnx=(
        OnnxForm(
            "AveragePool",
            average=True,
            means=True,
            attributes=(*_ONNX_POOL, OnnxAttribute("count_include_pad", "int", (0, 1))),
        ),
        OnnxForm("GlobalAveragePool", average=True, means=True),
    ),
    one_sample=True,
    samples=(
        _average("k2-stride2-c3", (1, 3, 6, 8), (2, 2), strides=(2, 2)),
        _average("k3-stride1-c5", (1, 5, 5, 4), (3, 3)),
        _average("k3-same-c8", (1, 8, 5, 5), (3, 3), pads=(1, 1, 1, 1)),
        _average("k3-stride2-pads_end-c17", (1, 17, 6, 5), (3, 3), strides=(2, 2), pads=(0, 0, 1, 1)),
        _average("k2x3-pads_uneven-c1", (1, 1, 5, 7), (2, 3), strides=(1, 2), pads=(1, 0, 0, 2)),
        _average("k5-larger_than_input-c2", (1, 2, 3, 4), (5, 5), pads=(2, 2, 2, 2)),
        _average("k7x5-whole-c4", (1, 4, 7, 5), (7, 5)),
        _average("k1-stride2-c3", (1, 3, 5, 5), (1, 1), strides=(2, 2)),
        _average("k3-padding_counts-c4", (1, 4, 5, 5), (3, 3), pads=(1, 1, 1, 1), count_include_pad=1),
        _average("k3-stride2-ceil-c4", (1, 4, 6, 6), (3, 3), strides=(2, 2), ceil_mode=1),
        Sample("global-c5", "GlobalAveragePool", ((1, 5, 7, 3),)),
        Sample("global-c16-1x1", "GlobalAveragePool", ((1, 16, 1, 1),)),
        Sample("global-c64-5x5", "GlobalAveragePool", ((1, 64, 5, 5),)),
    ),
    limits="every window holds at least one valid position; tflite and tflm: input and output share one scale",
)

MAX_POOL = Op(
    name="max_pool",
    family="pool",
    summary="Largest value of each window, padding never wins: x[N,H,W,C]",
    signature=Signature((Slot("x", rank=4),), _TYPES, (("int8", "int8"),)),
    attributes=(*_WINDOW, *CLAMP),
    shape=_max_shape,
    evaluate=_evaluate_max,
    macs=no_macs,
    onnx=(
        OnnxForm(
            "MaxPool",
            scale="same",
            attributes=(*_ONNX_POOL, OnnxAttribute("storage_order", "int", (0, 1))),
        ),
        OnnxForm("GlobalMaxPool", scale="same"),
    ),
    one_sample=True,
    samples=(
        _max("k2-stride2-c3", (1, 3, 6, 8), (2, 2), strides=(2, 2)),
        _max("k3-stride1-c5", (1, 5, 5, 4), (3, 3)),
        _max("k3-same-c8", (1, 8, 5, 5), (3, 3), pads=(1, 1, 1, 1)),
        _max("k3-stride2-pads_end-c17", (1, 17, 6, 5), (3, 3), strides=(2, 2), pads=(0, 0, 1, 1)),
        _max("k2x3-pads_uneven-c1", (1, 1, 5, 7), (2, 3), strides=(1, 2), pads=(1, 0, 0, 2)),
        _max("k1x4-c6", (1, 6, 1, 13), (1, 4), strides=(1, 4)),
        _max("k2-stride2-ceil-c4", (1, 4, 5, 7), (2, 2), strides=(2, 2), ceil_mode=1),
        _max("k2-stride2-odd-c33", (1, 33, 5, 3), (2, 2), strides=(2, 2)),
        Sample("global-c5", "GlobalMaxPool", ((1, 5, 4, 3),)),
        *(
            Sample(
                kind,
                "MaxPool",
                ((1, 3, 4, 5),),
                {},
                {"kernel_shape": (2, 3), "pads": (1, 0, 0, 1)},
                plain={0: spread(kind)},
                result=kind,
            )
            for kind in ("int8", "uint8")
        ),
    ),
    limits="no window may hold padding only",
)

MEAN = Op(
    name="mean",
    family="pool",
    summary="Mean over neighbouring axes: x, multiplier[1] (1/n inside), (exponent)",
    signature=Signature((Slot("x"), *FACTORS), _TYPES),
    attributes=(
        *REQUANT,
        AXES,
        KEEPDIMS,
        IN_ZERO,
    ),
    shape=reduced_shape,
    evaluate=_evaluate_mean,
    macs=no_macs,
    axes=REDUCED,
    onnx=(
        OnnxForm(
            "ReduceMean",
            constants=ONNX_AXES,
            means=True,
            attributes=ONNX_REDUCTION,
        ),
    ),
    samples=(
        _mean("spatial-keep-c5", (1, 5, 6, 4), (2, 3)),
        _mean("spatial-drop-c8", (1, 8, 3, 3), (2, 3), 0),
        _mean("rows-c3", (1, 3, 7, 4), (2,)),
        _mean("columns-c3", (1, 3, 4, 9), (3,)),
        _mean("channels-c17", (1, 17, 3, 3), (1,)),
        _mean("negative_axes-c4", (1, 4, 5, 5), (-2, -1)),
        _mean("3d-time", (1, 20, 6), (1,), 0),
        _mean("3d-features", (1, 6, 11), (2,)),
        _mean("2d-features", (1, 40), (1,)),
        _mean("everything-but-batch", (1, 3, 4, 5), (1, 2, 3)),
        _mean("everything-keep", (1, 3, 4, 5), (0, 1, 2, 3)),
        _mean("everything-rank0", (1, 3, 4, 5), (0, 1, 2, 3), 0),
        _mean("everything-1d-rank0", (20,), (0,), 0),
    ),
    limits="int8: n * 255 must fit the accumulator",
)
OPS = (AVERAGE_POOL, MAX_POOL, MEAN)
