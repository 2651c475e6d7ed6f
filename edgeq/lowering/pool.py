"""Average and maximum pooling, and means over any axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeq.ir import Attr, Tensor
from edgeq.lowering.attributes import ints
from edgeq.lowering.context import Context, Target, magnitude, scalar_quant
from edgeq.lowering.reduce import emit_reduction, reduced_axes
from edgeq.lowering.requantize import add_factors, at_scale
from edgeq.ops.pool import average_pool_counts

if TYPE_CHECKING:
    import onnx_ir

SPATIAL = (2, 3)


def lower_max_pool(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """MaxPool, GlobalMaxPool: the window's largest value; padding never wins."""
    attrs: dict[str, Attr] = {**_window(node, x), "clamp_min": target.clamp_min, "clamp_max": target.clamp_max}
    return ctx.emit_result_nhwc("max_pool", target, (ctx.to_nhwc(x).name,), attrs)


def lower_average_pool(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """AveragePool, GlobalAveragePool; padding never counts."""
    return _average(ctx, ctx.to_nhwc(x), _window(node, x), target)


def lower_mean(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """ReduceMean over any axes; over height and width it is a pool over the whole image."""
    rank = len(x.shape)
    axes = reduced_axes(node, rank)
    if rank == 4 and axes == SPATIAL:
        return _spatial_mean(ctx, x, target)
    scale, zero = scalar_quant(x)
    count = int(np.prod([x.shape[axis] for axis in axes]))
    bound = magnitude(x) * count
    factors = ctx.scaling.choose_mean(scale / target.scale, count, ctx.reach_of("mean", x, bound))
    names, attrs = add_factors(ctx, target.name, factors, np.array([bound]), target.sources)
    attrs |= {"in_zero": zero, "out_zero": target.zero}
    attrs |= {"clamp_min": target.clamp_min, "clamp_max": target.clamp_max}
    return emit_reduction(ctx, "mean", x, axes, target, names, attrs)


def _spatial_mean(ctx: Context, x: Tensor, target: Target) -> Tensor:
    window: dict[str, tuple[int, ...]] = {"kernel": x.shape[2:], "strides": (1, 1), "pads": (0, 0, 0, 0)}
    full = Target(
        target.name if len(target.shape) == 4 else f"{target.name}.pooled",
        (x.shape[0], x.shape[1], 1, 1),
        target.quant,
        target.clamp_min,
        target.clamp_max,
        target.sources,
    )
    pooled = _average(ctx, ctx.to_nhwc(x), window, full)
    if len(target.shape) == 4:
        return pooled
    return ctx.emit_result("reshape", target, (pooled.name,), {"shape": target.shape})


def _average(ctx: Context, x_nhwc: Tensor, window: dict[str, tuple[int, ...]], target: Target) -> Tensor:
    if ctx.scaling.averages_integers:
        x_nhwc = at_scale(ctx, x_nhwc, target.quant, "rescaled")
    scale, zero = scalar_quant(x_nhwc)
    counts = average_pool_counts(x_nhwc.shape, window["kernel"], window["strides"], window["pads"])
    bounds = np.asarray(counts, np.int64) * magnitude(x_nhwc)
    factors = ctx.scaling.choose_average(
        scale, target.scale, counts, ctx.reach_of("average_pool", x_nhwc, int(bounds.max()))
    )
    names, attrs = add_factors(ctx, target.name, factors, bounds, target.sources)
    attrs |= {**window, "counts": counts, "in_zero": zero}
    attrs |= {"out_zero": target.zero, "clamp_min": target.clamp_min, "clamp_max": target.clamp_max}
    return ctx.emit_result_nhwc("average_pool", target, (x_nhwc.name, *names), attrs)


def _window(node: onnx_ir.Node, x: Tensor) -> dict[str, tuple[int, ...]]:
    kernel = x.shape[2:] if node.op_type.startswith("Global") else ints(node, "kernel_shape", ())
    return {
        "kernel": kernel,
        "strides": ints(node, "strides", (1, 1)),
        "pads": ints(node, "pads", (0, 0, 0, 0)),
    }
