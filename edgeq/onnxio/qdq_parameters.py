"""The arithmetic of the canonical QDQ form: parameters of a range, integers of constants and biases.

Post-training quantization and the import of foreign QDQ models both decide such numbers, and must decide them alike.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from edgeq.ir import DType, Quantization, QuantizedConstant
from edgeq.numerics.array import INT32_MAX, Array

STEPS: Final = 255
# |bias_q| of our own models stays below, so that the error of `highmul`, |acc << s|·2^-33, stays far below half a step.
BIAS_MAX: Final = 1 << 23
# Steps of a bias are 256 times finer where the operand is int16; the error stays within an eighth of a step.
_BIAS_MAX_INT16: Final = 1 << 30
# Activation scales below this are raised to it: products of two scales then stay normal float32 numbers.
SCALE_MIN: Final = 2.0**-60


def bias_limit(x: Quantization) -> int:
    """The largest magnitude of a bias that is added to products of an operand with these parameters."""
    return _BIAS_MAX_INT16 if x.dtype is DType.INT16 else BIAS_MAX


def activation_parameters(low: float, high: float, dtype: DType = DType.INT8) -> Quantization:
    """The parameters of a range, which is widened to contain zero; a range that is a single zero gets scale 1.

    int8 is asymmetric: scale = float32((high − low)/255), zero_point = clamp(round_half_even(−128 − low/scale)). Zero
    is represented exactly, and a range that starts at zero (behind ReLU) gets zero point −128, so that saturation does
    the clamp. int16 is symmetric: scale = float32(max(−low, high)/32767), zero_point = 0.

    Raises:
        ValueError: an end is NaN or infinite.
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"no scale fits the range {low!r} to {high!r}")
    low, high = min(low, 0.0), max(high, 0.0)
    if dtype is DType.INT16:
        return Quantization.per_tensor(dtype, max(max(-low, high) / dtype.max, SCALE_MIN) if high > low else 1.0)
    if not high > low:
        return Quantization.per_tensor(DType.INT8, 1.0, -128)
    scale = float(np.float32(max((high - low) / STEPS, SCALE_MIN)))
    return Quantization.per_tensor(DType.INT8, scale, int(np.clip(np.rint(-128 - low / scale), -128, 127)))


def quantize_constant(
    values: Array, params: Quantization | None = None, dtype: DType = DType.INT8
) -> QuantizedConstant:
    """A constant operand that is an activation to its operator: with the parameters given, or its own of a type."""
    real = np.asarray(values, np.float64)
    found = params or activation_parameters(float(real.min(initial=0.0)), float(real.max(initial=0.0)), dtype)
    return QuantizedConstant.of(real, found)


def quantize_bias(bias: Array, x_scale: float, weight_scales: Array, limit: int = INT32_MAX) -> QuantizedConstant:
    """Bias integers at the scale float32(s_x)·float32(s_w), rounded half to even in float64, held within ±limit."""
    scales = np.float32(x_scale) * weight_scales.astype(np.float32)
    steps = np.rint(np.asarray(bias, np.float64) / scales.astype(np.float64))
    values = np.clip(steps, -limit, limit).astype(np.int32)
    return QuantizedConstant(values, Quantization.of(DType.INT32, scales, 0, 0))
