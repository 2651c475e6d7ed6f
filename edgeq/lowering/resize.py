"""Resize: pixels repeated by whole factors, the nearest ones, or interpolated linearly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Tensor
from edgeq.lowering.attributes import constant_array, ints, text
from edgeq.lowering.context import Context, Target
from edgeq.numerics.resampling import Axis, linear, nearest, weight_bits
from edgeq.ops.layout import repeats_neighbours

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.numerics.array import Array

_SPATIAL = (2, 3)


def lower_resize(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """Resize of rows and columns of an image; the tables are made here."""
    if target.shape[:2] != x.shape[:2]:
        raise EdgeqError(
            "EQ0360",
            "a Resize of batch or channels is not implemented",
            where=f"node {node.name}",
            got=f"{list(x.shape)} to {list(target.shape)}",
            allowed="rows and columns",
        )
    coordinates = text(node, "coordinate_transformation_mode", "half_pixel")
    axes = [Axis(x.shape[axis], target.shape[axis], _scale(node, x.shape, target.shape, axis)) for axis in _SPATIAL]
    image = ctx.to_nhwc(x)
    if text(node, "mode", "nearest") == "linear":
        found = [linear(axis, coordinates) for axis in axes]
        bits = weight_bits(*(shares for _, shares in found))
        tables = [np.concatenate([places, _weights(shares, bits)], axis=1) for places, shares in found]
        names = _add_tables(ctx, target.name, tables)
        return ctx.emit_result_nhwc("resize_linear", target, (image.name, *names), {"bits": bits})
    rounding = text(node, "nearest_mode", "round_prefer_floor")
    whole = all(axis.target == axis.size * axis.scale and axis.target % axis.size == 0 for axis in axes)
    if whole and repeats_neighbours(coordinates, rounding):
        factors = tuple(axis.target // axis.size for axis in axes)
        return ctx.emit_result_nhwc("upsample", target, (image.name,), {"factors": factors})
    names = _add_tables(ctx, target.name, [nearest(axis, coordinates, rounding) for axis in axes])
    return ctx.emit_result_nhwc("resize_nearest", target, (image.name, *names), {})


def _scale(node: onnx_ir.Node, source: tuple[int, ...], result: tuple[int, ...], axis: int) -> float:
    """The factor of an axis: the one that is stated, or that of the sizes."""
    scales = constant_array(node, 2)
    if scales is None or not scales.size:
        return float(np.float32(result[axis]) / np.float32(source[axis]))
    axes = [one % len(source) for one in ints(node, "axes", tuple(range(len(source))))]
    return float(scales.reshape(-1)[axes.index(axis)]) if axis in axes else 1.0


def _weights(shares: Array, bits: int) -> Array:
    return np.rint(shares * 2.0**bits).astype(np.int32)[:, np.newaxis]


def _add_tables(ctx: Context, name: str, tables: list[Array]) -> list[str]:
    labels = ("rows", "columns")
    return [ctx.add_constant(f"{name}.{label}", table) for label, table in zip(labels, tables, strict=True)]
