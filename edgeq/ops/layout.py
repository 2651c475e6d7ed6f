"""Operators that move values and never change one: concat, pad, reshape, slice, transpose."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from edgeq.ir import Node, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.resampling import COORDINATES, ROUNDINGS
from edgeq.ops.accumulator import value_of
from edgeq.ops.axes import Axes
from edgeq.ops.base import Attribute, OnnxAttribute, OnnxForm, Op, Sample, no_macs, spread
from edgeq.ops.float_types import SAMPLES, forms_of
from edgeq.ops.signature import PLAIN, Shape, Signature, Slot, Type, alike, invalid

_QUANTIZED: tuple[tuple[Type, ...], ...] = (("int8", "int8"), ("int16", "int16"))
_FLOAT: tuple[tuple[Type, ...], ...] = (("float32", "float32"),)
_MOVES = Signature((Slot("x"),), _QUANTIZED, alike(PLAIN, 2))
_MOVES_FLOATS = Signature((Slot("x"),), (*_QUANTIZED, *_FLOAT), alike(PLAIN, 2))
_FILLS = Signature((Slot("x"),), _QUANTIZED, alike(PLAIN, 2))


def _concat_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    first, axis = operands[0], node.integer("axis")
    if not 0 <= axis < len(first.shape):
        raise invalid(node, "no such axis", axis, f"an axis of {first.shape}")

    def others(tensor: Tensor) -> tuple[int, ...]:
        return (*tensor.shape[:axis], *tensor.shape[axis + 1 :], len(tensor.shape))

    if any(others(tensor) != others(first) for tensor in operands):
        raise invalid(node, "shapes do not match", [tensor.shape for tensor in operands], "equal but for axis")
    total = sum(tensor.shape[axis] for tensor in operands)
    return (*first.shape[:axis], total, *first.shape[axis + 1 :])


def _evaluate_concat(node: Node, arrays: Sequence[Array]) -> list[Array]:
    return [np.concatenate(arrays, axis=node.integer("axis"))]


def _pad_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, pads = operands[0], node.integers("pads")
    rank = len(x.shape)
    if len(pads) != 2 * rank or min(pads, default=0) < 0:
        raise invalid(node, "malformed pads", pads, f"{2 * rank} non-negative numbers")
    return tuple(size + pads[axis] + pads[axis + rank] for axis, size in enumerate(x.shape))


def _evaluate_pad(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, pads = arrays[0], node.integers("pads")
    around = [(pads[axis], pads[axis + x.ndim]) for axis in range(x.ndim)]
    return [np.pad(x, around, constant_values=node.integer("value"))]


def _reshape_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, shape = operands[0], node.integers("shape")
    if prod(shape) != x.elements or min(shape, default=1) < 0:
        raise invalid(node, "element counts differ", f"{x.shape} to {shape}", f"{x.elements} elements")
    return shape


def _evaluate_reshape(node: Node, arrays: Sequence[Array]) -> list[Array]:
    return [np.asarray(arrays[0], order="C").reshape(node.integers("shape"))]


def _slice_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x = operands[0]
    starts, ends, steps = (node.integers(name) for name in ("starts", "ends", "steps"))
    if not len(starts) == len(ends) == len(steps) == len(x.shape):
        raise invalid(node, "one start, end and step per axis is needed", (starts, ends, steps), f"{len(x.shape)} each")
    for start, end, step, size in zip(starts, ends, steps, x.shape, strict=True):
        if not (0 <= start <= end <= size and step > 0):
            raise invalid(node, "slice out of range", (start, end, step), f"0 <= start <= end <= {size}, step > 0")
    return tuple(-(-(end - start) // step) for start, end, step in zip(starts, ends, steps, strict=True))


def _evaluate_slice(node: Node, arrays: Sequence[Array]) -> list[Array]:
    ranges = zip(node.integers("starts"), node.integers("ends"), node.integers("steps"), strict=True)
    return [np.asarray(arrays[0][tuple(slice(*one) for one in ranges)], order="C")]


def _transpose_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, perm = operands[0], node.integers("perm")
    if sorted(perm) != list(range(len(x.shape))):
        raise invalid(node, "not a permutation of the axes", perm, f"an order of {len(x.shape)} axes")
    return tuple(x.shape[axis] for axis in perm)


def _evaluate_transpose(node: Node, arrays: Sequence[Array]) -> list[Array]:
    return [np.asarray(arrays[0].transpose(node.integers("perm")), order="C")]


def _upsample_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, factors = operands[0], node.integers("factors")
    if len(factors) != 2 or min(factors) < 1:
        raise invalid(node, "two positive factors are needed", factors, "rows and columns")
    batch, rows, columns, channels = x.shape
    return (batch, rows * factors[0], columns * factors[1], channels)


def _evaluate_upsample(node: Node, arrays: Sequence[Array]) -> list[Array]:
    rows, columns = node.integers("factors")
    return [arrays[0].repeat(rows, axis=1).repeat(columns, axis=2)]


def _ints(*values: int) -> Array:
    return np.array(values, dtype=np.int64)


def _slice(name: str, x: Shape, starts: Shape, ends: Shape, axes: Shape, steps: Shape) -> Sample:
    constants = {position: _ints(*values) for position, values in enumerate((starts, ends, axes, steps), start=1)}
    return Sample(name, "Slice", (x,), constants)


def _upsample(name: str, x: Shape, rows: int, columns: int) -> Sample:
    scales = np.array([1, 1, rows, columns], dtype=np.float32)
    attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return Sample(name, "Resize", (x,), {2: scales}, attributes)


def _transpose(name: str, x: Shape, perm: Shape) -> Sample:
    return Sample(name, "Transpose", (x,), {}, {"perm": perm})


# Numbers that only cubic interpolation and cropping read may be anything.
_RESIZE = (
    OnnxAttribute("antialias", "int", (0,)),
    OnnxAttribute("axes", "ints"),
    OnnxAttribute("coordinate_transformation_mode", "str", COORDINATES),
    OnnxAttribute("cubic_coeff_a", "float"),
    OnnxAttribute("exclude_outside", "int"),
    OnnxAttribute("extrapolation_value", "float"),
    OnnxAttribute("keep_aspect_ratio_policy", "str", ("stretch",)),
    OnnxAttribute("mode", "str", ("linear", "nearest")),
    OnnxAttribute("nearest_mode", "str", ROUNDINGS),
)


def repeats_neighbours(coordinates: str, rounding: str) -> bool:
    """Whether Resize by whole factors to the nearest neighbour takes element i // factor in these two modes of ONNX.

    So does every rounding of half-pixel centres, and flooring of asymmetric ones.
    """
    return (coordinates, rounding) == ("asymmetric", "floor") or (
        coordinates == "half_pixel" and rounding.startswith("round")
    )


CONCAT = Op(
    name="concat",
    family="layout",
    summary="Operands one behind the other along an axis",
    signature=Signature((Slot("part", repeated=True),), (*_QUANTIZED, *_FLOAT), alike(PLAIN, 2)),
    attributes=(Attribute("axis", "int", "the axis that grows", 0),),
    shape=_concat_shape,
    evaluate=_evaluate_concat,
    macs=no_macs,
    axes=Axes(named="axis"),
    onnx=(
        OnnxForm("Concat", activations=None, scale="same", attributes=(OnnxAttribute("axis", "int"),)),
        *forms_of("concat"),
    ),
    samples=(
        Sample("4d-channels", "Concat", ((1, 3, 4, 5), (1, 6, 4, 5)), {}, {"axis": 1}),
        Sample("4d-rows", "Concat", ((1, 3, 4, 5), (1, 3, 2, 5)), {}, {"axis": 2}),
        Sample("4d-columns", "Concat", ((1, 3, 4, 5), (1, 3, 4, 1)), {}, {"axis": -1}),
        Sample("4d-channels-three", "Concat", ((1, 1, 3, 3), (1, 5, 3, 3), (1, 2, 3, 3)), {}, {"axis": 1}),
        Sample("2d", "Concat", ((1, 7), (1, 10)), {}, {"axis": 1}),
        Sample("3d-time", "Concat", ((1, 5, 6), (1, 1, 6)), {}, {"axis": 1}),
        Sample("3d-features", "Concat", ((1, 5, 6), (1, 5, 3)), {}, {"axis": 2}),
        Sample("2d-constant", "Concat", ((1, 7),), {1: (1, 3)}, {"axis": 1}),
        Sample("2d-constants-around", "Concat", ((1, 7),), {0: (1, 3), 2: (1, 2), 3: (1, 4)}, {"axis": 1}),
        *SAMPLES["concat"],
    ),
)

PAD = Op(
    name="pad",
    family="layout",
    summary="A constant around a tensor",
    signature=_FILLS,
    attributes=(
        Attribute("pads", "ints", "what comes before each axis, then what comes behind", 0),
        value_of("x", "value", "the constant"),
    ),
    shape=_pad_shape,
    evaluate=_evaluate_pad,
    macs=no_macs,
    axes=Axes(each=("pads",)),
    onnx=(
        OnnxForm(
            "Pad",
            scale="same",
            fill=2,
            constants={1: "amount of padding", 2: "padding value"},
            attributes=(OnnxAttribute("mode", "str", ("constant",)),),
        ),
    ),
    samples=(
        Sample("4d-spatial", "Pad", ((1, 3, 4, 5),), {1: _ints(0, 0, 1, 1, 0, 0, 1, 1)}),
        Sample("4d-uneven", "Pad", ((1, 5, 3, 4),), {1: _ints(0, 0, 2, 0, 0, 0, 0, 3)}),
        Sample("4d-channels", "Pad", ((1, 3, 4, 2),), {1: _ints(0, 1, 0, 0, 0, 4, 0, 0)}),
        Sample("3d-time", "Pad", ((1, 6, 4),), {1: _ints(0, 3, 0, 0, 0, 0)}),
        Sample("2d", "Pad", ((1, 9),), {1: _ints(0, 2, 0, 5)}),
        Sample("2d-value", "Pad", ((1, 9),), {1: _ints(0, 2, 0, 5), 2: np.array(0.5, dtype=np.float32)}),
        *(
            Sample(
                kind,
                "Pad",
                ((1, 2, 3),),
                {1: _ints(0, 1, 0, 0, 0, 2), 2: np.array(spread(kind)[2] // 2, kind)},
                plain={0: spread(kind)},
                result=kind,
            )
            for kind in PLAIN
        ),
    ),
    limits="constant mode only",
)

RESHAPE = Op(
    name="reshape",
    family="layout",
    summary="The same elements in the same order under another shape",
    signature=_MOVES_FLOATS,
    attributes=(Attribute("shape", "ints", "the new shape", 0),),
    shape=_reshape_shape,
    evaluate=_evaluate_reshape,
    macs=no_macs,
    onnx=(
        OnnxForm("Flatten", scale="same", attributes=(OnnxAttribute("axis", "int"),)),
        OnnxForm("Identity", scale="same"),
        OnnxForm(
            "Reshape",
            scale="same",
            constants={1: "target shape"},
            attributes=(OnnxAttribute("allowzero", "int", (0, 1)),),
        ),
        OnnxForm("Squeeze", scale="same"),
        OnnxForm("Unsqueeze", scale="same"),
        *forms_of("reshape"),
    ),
    samples=(
        Sample("flatten-4d", "Flatten", ((1, 3, 4, 5),)),
        Sample("reshape-4d-to-2d", "Reshape", ((1, 5, 3, 2),), {1: _ints(1, -1)}),
        Sample("reshape-2d-to-4d", "Reshape", ((1, 24),), {1: _ints(1, 2, 4, 3)}),
        Sample("reshape-4d-to-4d", "Reshape", ((1, 6, 4, 2),), {1: _ints(1, 3, 8, 2)}),
        Sample("reshape-3d-to-4d", "Reshape", ((1, 6, 8),), {1: _ints(1, 6, 2, 4)}),
        Sample("squeeze-4d", "Squeeze", ((1, 7, 1, 1),), {1: _ints(2, 3)}),
        Sample("unsqueeze-2d", "Unsqueeze", ((1, 11),), {1: _ints(1, 3)}),
        Sample("squeeze-to-rank0", "Squeeze", ((1,),), {1: _ints(0)}),
        Sample("unsqueeze-rank0", "Unsqueeze", ((),), {1: _ints(0, 1)}),
        Sample("flatten-rank0", "Flatten", ((),), {}, {"axis": 0}),
        *SAMPLES["reshape"],
    ),
)

SLICE = Op(
    name="slice",
    family="layout",
    summary="Every step-th element between start and end, on each axis",
    signature=_MOVES,
    attributes=(
        Attribute("starts", "ints", "first index, one per axis", 0),
        Attribute("ends", "ints", "index behind the last, one per axis", 0),
        Attribute("steps", "ints", "positive, one per axis", 1),
    ),
    shape=_slice_shape,
    evaluate=_evaluate_slice,
    macs=no_macs,
    axes=Axes(each=("starts", "ends", "steps")),
    onnx=(OnnxForm("Slice", scale="same", constants={1: "start", 2: "end", 3: "list of axes", 4: "step"}),),
    samples=(
        _slice("4d-channels", (1, 8, 3, 4), (2,), (7,), (1,), (1,)),
        _slice("4d-rows-columns", (1, 3, 6, 7), (1, 2), (5, 7), (2, 3), (1, 1)),
        _slice("4d-steps", (1, 3, 7, 8), (0, 1), (7, 8), (2, 3), (2, 3)),
        _slice("4d-negative", (1, 5, 4, 4), (-3,), (-1,), (1,), (1,)),
        _slice("3d-time", (1, 9, 5), (4,), (2**31 - 1,), (1,), (1,)),
        _slice("2d-step3", (1, 31), (2,), (30,), (1,), (3,)),
    ),
    limits="steps must be positive",
)

TRANSPOSE = Op(
    name="transpose",
    family="layout",
    summary="Axes in another order",
    signature=_MOVES_FLOATS,
    attributes=(Attribute("perm", "ints", "axis of the input for each axis of the result", 0),),
    shape=_transpose_shape,
    evaluate=_evaluate_transpose,
    macs=no_macs,
    onnx=(
        OnnxForm("Transpose", scale="same", attributes=(OnnxAttribute("perm", "ints", low=0),)),
        *forms_of("transpose"),
    ),
    samples=(
        _transpose("2d", (3, 5), (1, 0)),
        _transpose("3d-swap_last", (1, 5, 7), (0, 2, 1)),
        _transpose("3d-rotate", (2, 3, 4), (2, 0, 1)),
        _transpose("4d-to_nhwc", (1, 3, 4, 5), (0, 2, 3, 1)),
        _transpose("4d-to_nchw", (1, 4, 5, 3), (0, 3, 1, 2)),
        _transpose("4d-swap_spatial", (1, 3, 4, 5), (0, 1, 3, 2)),
        _transpose("4d-reverse", (1, 2, 3, 5), (3, 2, 1, 0)),
        _transpose("5d", (1, 2, 3, 2, 4), (0, 3, 1, 4, 2)),
        *SAMPLES["transpose"],
    ),
)

UPSAMPLE = Op(
    name="upsample",
    family="layout",
    summary="Every pixel of an NHWC image becomes a block of equal pixels",
    signature=Signature((Slot("x", rank=4),), _QUANTIZED),
    attributes=(Attribute("factors", "ints", "rows and columns of the block", 1),),
    shape=_upsample_shape,
    evaluate=_evaluate_upsample,
    macs=no_macs,
    onnx=(OnnxForm("Resize", scale="same", constants={2: "list of scales", 3: "list of sizes"}, attributes=_RESIZE),),
    samples=(
        _upsample("by2-c3", (1, 3, 4, 5), 2, 2),
        _upsample("by3x2-c1", (1, 1, 3, 4), 3, 2),
        _upsample("columns-c8", (1, 8, 2, 3), 1, 4),
    ),
    limits="nearest neighbour, whole factors",
    one_sample=True,
)
OPS = (CONCAT, PAD, RESHAPE, SLICE, TRANSPOSE, UPSAMPLE)
