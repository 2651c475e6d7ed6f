"""Images of another size: the nearest pixel, or a mean of the four around, by tables of indices and weights.

Both are what ``upsample`` is not: ONNX's Resize, whose form stands there, by other factors or in other modes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir import Node, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.resampling import WEIGHT_BITS_MAX, interpolate_image
from edgeq.ops.base import Attribute, Op, no_macs
from edgeq.ops.signature import Shape, Signature, Slot, Type, invalid

_TYPES: tuple[tuple[Type, ...], ...] = (("int8", "int8"), ("int16", "int16"))


def _in_range(node: Node, x: Tensor, tables: Sequence[Array]) -> Shape:
    for table, size in zip(tables, x.shape[1:3], strict=True):
        if table.size and (table.min() < 0 or table.max() >= size):
            raise invalid(node, "an index is out of range", (int(table.min()), int(table.max())), f"0 to {size - 1}")
    return (x.shape[0], len(tables[0]), len(tables[1]), x.shape[3])


def _nearest_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, rows, columns = operands
    return _in_range(node, x, [rows.value(), columns.value()])


def _evaluate_nearest(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, rows, columns = arrays
    return [np.asarray(x[:, rows][:, :, columns], order="C")]


def _linear_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, *tables = operands
    for table in tables:
        if table.shape[1:] != (3,):
            raise invalid(node, "a table has a wrong shape", table.shape, "[..., 3]")
        shares, one = table.value()[:, 2], 1 << node.integer("bits")
        if shares.size and (shares.min() < 0 or shares.max() > one):
            raise invalid(node, "a weight is out of range", (int(shares.min()), int(shares.max())), f"0 to {one}")
    return _in_range(node, x, [table.value()[:, :2] for table in tables])


def _evaluate_linear(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, rows, columns = arrays
    return [interpolate_image(x, rows, columns, node.integer("bits"))]


RESIZE_LINEAR = Op(
    name="resize_linear",
    family="resize",
    summary="Bilinear interpolation of an NHWC image: x, rows [OH,3], columns [OW,3] of two indices and a weight each",
    signature=Signature(
        (Slot("x", rank=4), Slot("rows", "table", "int32", rank=2), Slot("columns", "table", "int32", rank=2)), _TYPES
    ),
    attributes=(Attribute("bits", "int", "of the weights behind the point", 0, WEIGHT_BITS_MAX),),
    shape=_linear_shape,
    evaluate=_evaluate_linear,
    macs=no_macs,
    one_sample=True,
    limits="weights of 16 bits: before the final rounding up to 2^-16 of the difference of neighbours off",
)

RESIZE_NEAREST = Op(
    name="resize_nearest",
    family="resize",
    summary="The nearest pixels of an NHWC image: x, rows [OH], columns [OW]",
    signature=Signature(
        (Slot("x", rank=4), Slot("rows", "table", "int32", rank=1), Slot("columns", "table", "int32", rank=1)), _TYPES
    ),
    attributes=(),
    shape=_nearest_shape,
    evaluate=_evaluate_nearest,
    macs=no_macs,
    one_sample=True,
)
OPS = (RESIZE_LINEAR, RESIZE_NEAREST)
