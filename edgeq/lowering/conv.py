"""Conv: 2-D convolution, depthwise included, on NHWC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeq.ir import Attr, Quant, Tensor
from edgeq.lowering.attributes import integer, ints
from edgeq.lowering.context import NCHW_TO_NHWC, Constant, Context, Target, scalar_quant
from edgeq.lowering.requantize import multipliers
from edgeq.numerics.array import Array

if TYPE_CHECKING:
    import onnx_ir


def lower_conv(ctx: Context, node: onnx_ir.Node, target: Target) -> Tensor:
    """Conv with int8 weights [O, I/g, KH, KW] and int32 bias [O]."""
    x = ctx.activation(node, 0)
    weight = ctx.constant(node, 1)
    x_nhwc = ctx.to_nhwc(x)
    kernel = np.ascontiguousarray(weight.values.transpose(NCHW_TO_NHWC))
    names, attrs = accumulate(ctx, node, target, x, weight, kernel)
    attrs |= {
        "strides": ints(node, "strides", (1, 1)),
        "pads": ints(node, "pads", (0, 0, 0, 0)),
        "dilations": ints(node, "dilations", (1, 1)),
        "group": integer(node, "group", 1),
        "pad_value": scalar_quant(x)[1],
    }
    return ctx.emit_result_nhwc("conv2d", target, (x_nhwc.name, *names), attrs)


def accumulate(
    ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor, weight: Constant, kernel: Array
) -> tuple[tuple[str, ...], dict[str, Attr]]:
    """Weight, bias and multiplier constants of a multiply-accumulate layer, and its common attributes.

    Args:
        ctx: the lowering.
        node: the ONNX node; its input 2 is the bias.
        target: where the result goes.
        x: the int8 input.
        weight: the constant as ONNX has it, for its scales.
        kernel: int8 [O, …], output channels first, in the integer operator's layout.
    """
    x_scale, x_zero = scalar_quant(x)
    channels = kernel.shape[0]
    rows = kernel.reshape(channels, -1).astype(np.int64)
    bias = ctx.constant(node, 2).values.astype(np.int64).reshape(-1) - x_zero * rows.sum(axis=1)
    # Extremes of sum(w*q) + bias over all int8 q: q = -128 where w > 0 for the lowest, and so on.
    positive, negative = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
    lowest = bias - 128 * positive + 127 * negative
    highest = bias + 127 * positive - 128 * negative
    scales = np.broadcast_to(np.asarray(weight.quant.scale, np.float64), (channels,))
    ratio = np.float64(x_scale) * scales / np.float64(target.scale)
    bound = np.maximum(np.abs(bias), np.maximum(np.abs(lowest), np.abs(highest)))
    tables, attrs = multipliers(ctx, target.name, ratio, bound, target.sources)
    names = (
        ctx.add_constant(f"{target.name}.weight", kernel, Quant(weight.quant.scale, weight.quant.zero_point, 0)),
        ctx.add_constant(f"{target.name}.bias", bias.astype(np.int32)),
        *tables,
    )
    attrs |= {"out_zero": target.zero, "clamp_min": target.clamp_min, "clamp_max": target.clamp_max}
    return names, attrs
