"""Conv: 2-D convolution, depthwise included, on NHWC."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edgeq.ir import Attr, Tensor
from edgeq.lowering.attributes import integer, ints
from edgeq.lowering.context import NCHW_TO_NHWC, Context, Target, scalar_quant
from edgeq.lowering.requantize import multipliers, single_product
from edgeq.numerics.array import Array

if TYPE_CHECKING:
    import onnx_ir

_CONSTANT_BIAS_MAX = 1 << 23


def lower_conv(ctx: Context, node: onnx_ir.Node, target: Target) -> Tensor:
    """Conv with int8 weights [O, I/g, KH, KW] and int32 bias [O]."""
    x = ctx.activation(node, 0)
    weight = ctx.constant(node, 1)
    x_nhwc = ctx.to_nhwc(x)
    kernel = np.ascontiguousarray(weight.value().transpose(NCHW_TO_NHWC))
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
    ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor, weight: Tensor, kernel: Array
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
    assert weight.quant is not None  # it was dequantized
    x_scale, x_zero = scalar_quant(x)
    channels = kernel.shape[0]
    rows = kernel.reshape(channels, -1).astype(np.int64)
    bias = ctx.constant(node, 2).value().astype(np.int64).reshape(-1) - x_zero * rows.sum(axis=1)
    ratio = _ratio(ctx, node, weight, x_scale, target.scale, channels)
    if ctx.mode == "highmul":
        bias, ratio = _coarsened_constants(rows, bias, ratio)
    # Extremes of sum(w*q) + bias over all int8 q: q = -128 where w > 0 for the lowest, and so on.
    positive, negative = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
    lowest = bias - 128 * positive + 127 * negative
    highest = bias + 127 * positive - 128 * negative
    bound = np.maximum(np.abs(bias), np.maximum(np.abs(lowest), np.abs(highest)))
    tables, attrs = multipliers(ctx, target.name, ratio, bound, target.sources)
    axis = None if len(weight.quant.scale) == 1 else 0
    names = (
        ctx.add_constant(f"{target.name}.weight", kernel, replace(weight.quant, axis=axis)),
        ctx.add_constant(f"{target.name}.bias", bias.astype(np.int32)),
        *tables,
    )
    attrs |= {"out_zero": target.zero, "clamp_min": target.clamp_min, "clamp_max": target.clamp_max}
    return names, attrs


def _ratio(ctx: Context, node: onnx_ir.Node, weight: Tensor, x_scale: float, y_scale: float, channels: int) -> Array:
    """s_x·s_w/s_y per channel, float64 [channels]."""
    assert weight.quant is not None  # it was dequantized
    product: Array = np.float64(x_scale) * np.asarray(weight.quant.scale, np.float64)
    if ctx.mode == "tflite" and node.op_type == "Gemm" and product.size == 1:
        product = np.asarray(single_product(x_scale, weight.quant.scale[0]))
    return np.array(np.broadcast_to(product / np.float64(y_scale), (channels,)))


def _coarsened_constants(rows: Array, bias: Array, ratio: Array) -> tuple[Array, Array]:
    """Channels without weights get a bias below 2^23 and a factor that is larger by the same power of two.

    Their result is a constant. Imported models state it by biases up to 2^30 at scales so small that a few bits are all
    that is left of the multiplier.
    """
    largest = np.log2(ratio.max())
    excess = np.ceil(np.log2(np.maximum(np.abs(bias), 1) / _CONSTANT_BIAS_MAX))
    power = np.where(rows.any(axis=1), 0, np.clip(excess, 0, np.floor(largest - np.log2(ratio))))
    return np.rint(bias / 2.0**power).astype(np.int64), ratio * 2.0**power
