"""From ranges and float weights to scales and integers."""

from __future__ import annotations

import numpy as np

from edgeq.numerics.array import Array
from edgeq.onnxio.qdq_form import Activation, Constant

WEIGHT_MAX = 127
# |bias_q| stays below, so that the exact error of `highmul` (|acc << s|·2^-33) stays far below half a step.
BIAS_MAX = 1 << 23


def activation_parameters(low: float, high: float) -> Activation:
    """Asymmetric int8 parameters of a range, which is widened to contain zero.

    The scale is a float32 value; a range that is a single zero gets scale 1.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if not high > low:
        return Activation(1.0, -128)
    scale = float(max(np.float32((high - low) / 255), np.finfo(np.float32).tiny))
    return Activation(scale, int(np.clip(np.rint(-128 - low / scale), -128, 127)))


def quantize_constant(values: Array) -> Constant:
    """A constant operand of an element-wise operator: int8 with one scale for all."""
    real = np.asarray(values, np.float64)
    found = activation_parameters(float(real.min()), float(real.max()))
    steps = np.clip(np.rint(real / found.scale) + found.zero_point, -128, 127)
    return Constant(steps.astype(np.int8), np.array(found.scale, np.float32), found.zero_point)


def quantize_layer(weight: Array, bias: Array, axis: int, x_scale: float) -> tuple[Constant, Constant]:
    """Weight and bias of a multiply-accumulate layer.

    Args:
        weight: float; symmetric int8 per channel along ``axis`` results.
        bias: float [O]; int32 of scale x_scale·w_scale results, rounded half to even in float64.
        axis: the output channels' axis.
        x_scale: scale of the layer's input.

    Weight scales are raised where the bias would leave :data:`BIAS_MAX`; a channel whose weights are all zero takes the
    scale of the widest one, or what its bias asks for.
    """
    rows = np.moveaxis(np.asarray(weight, np.float64), axis, 0).reshape(weight.shape[axis], -1)
    extent = np.abs(rows).max(axis=1)
    extent = np.where(extent > 0, extent, extent.max() if extent.max() > 0 else 1.0)
    floor = np.abs(np.asarray(bias, np.float64)) / (x_scale * BIAS_MAX)
    scales = np.maximum(extent / WEIGHT_MAX, floor).astype(np.float32)
    # float32 rounding may have gone down: one step up keeps the bounds.
    scales = np.where(scales.astype(np.float64) < floor, np.nextafter(scales, np.float32(np.inf)), scales)
    scales = np.maximum(scales, np.finfo(np.float32).tiny)
    spread = scales.astype(np.float64).reshape([-1 if i == axis else 1 for i in range(weight.ndim)])
    integers = np.clip(np.rint(np.asarray(weight, np.float64) / spread), -WEIGHT_MAX, WEIGHT_MAX).astype(np.int8)
    bias_scales = np.float32(x_scale) * scales
    steps = np.rint(np.asarray(bias, np.float64) / bias_scales.astype(np.float64))
    return Constant(integers, scales, 0, axis), Constant(steps.astype(np.int32), bias_scales, 0, 0)
