"""Conv: 2-D convolution, depthwise included, on NHWC."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edgeq.ir import Attr, Tensor
from edgeq.lowering.attributes import integer, ints
from edgeq.lowering.context import NCHW_TO_NHWC, Context, Target, result_type, scalar_quant
from edgeq.lowering.requantize import add_factors
from edgeq.numerics.accumulator import accumulator_range, signed_sums
from edgeq.numerics.array import Array

if TYPE_CHECKING:
    import onnx_ir

_CONSTANT_BIAS_MAX = 1 << 23


def lower_conv(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """Conv with int8 weights [O, I/g, KH, KW] and int32 bias [O]."""
    weight = ctx.constant(node, 1)
    x_nhwc = ctx.to_nhwc(x)
    kernel = np.ascontiguousarray(weight.value().transpose(NCHW_TO_NHWC))
    names, attrs = accumulate(ctx, "conv2d", node, target, x, weight, kernel)
    attrs |= {
        "strides": ints(node, "strides", (1, 1)),
        "pads": ints(node, "pads", (0, 0, 0, 0)),
        "dilations": ints(node, "dilations", (1, 1)),
        "group": integer(node, "group", 1),
        "pad_value": scalar_quant(x)[1],
    }
    return ctx.emit_result_nhwc("conv2d", target, (x_nhwc.name, *names), attrs)


def accumulate(
    ctx: Context, op: str, node: onnx_ir.Node, target: Target, x: Tensor, weight: Tensor, kernel: Array
) -> tuple[tuple[str, ...], dict[str, Attr]]:
    """Weight, bias and multiplier constants of a multiply-accumulate layer, and its common attributes.

    Args:
        ctx: the lowering.
        op: name of the integer operator.
        node: the ONNX node; its input 2 is the bias.
        target: where the result goes.
        x: the input.
        weight: the constant as ONNX has it, for its scales.
        kernel: int8 [O, …], output channels first, in the integer operator's layout.
    """
    assert weight.quant is not None  # it was dequantized
    x_scale, x_zero = scalar_quant(x)
    channels = kernel.shape[0]
    rows = kernel.reshape(channels, -1).astype(np.int64)
    bias = ctx.constant(node, 2).value().astype(np.int64).reshape(-1) - x_zero * rows.sum(axis=1)
    ratio = ctx.scaling.ratio(op, x_scale, weight.quant.scale, target.scale, x.dtype.numpy)
    ratio = np.array(np.broadcast_to(ratio, (channels,)))
    if ctx.scaling.shares_shift:
        bias, ratio = _coarsened_constants(rows, bias, ratio)
    reach = accumulator_range(signed_sums(rows), bias, 0, x.dtype.min, x.dtype.max)
    factors = ctx.scaling.choose(ratio, ctx.reach_of(op, x, int(reach.magnitude.max(initial=0))))
    tables, attrs = add_factors(ctx, target.name, factors, reach.magnitude, target.sources)
    axis = None if len(weight.quant.scale) == 1 else 0
    names = (
        ctx.add_constant(f"{target.name}.weight", kernel, replace(weight.quant, axis=axis)),
        ctx.add_constant(f"{target.name}.bias", bias.astype(np.int32)),
        *tables,
    )
    attrs |= {"out_zero": target.zero, "clamp_min": target.clamp_min, "clamp_max": target.clamp_max}
    return names, attrs | result_type(x, target.quant)


def _coarsened_constants(rows: Array, bias: Array, ratio: Array) -> tuple[Array, Array]:
    """Channels without weights get a bias below 2^23 and a factor that is larger by the same power of two.

    Their result is a constant. Imported models state it by biases up to 2^30 at scales so small that a few bits are all
    that is left of the multiplier.
    """
    largest = np.log2(ratio.max())
    excess = np.ceil(np.log2(np.maximum(np.abs(bias), 1) / _CONSTANT_BIAS_MAX))
    power = np.where(rows.any(axis=1), 0, np.clip(excess, 0, np.floor(largest - np.log2(ratio))))
    return np.rint(bias / 2.0**power).astype(np.int64), ratio * 2.0**power
