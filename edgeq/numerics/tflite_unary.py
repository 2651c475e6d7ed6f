"""Unary functions of int8 that LiteRT's reference kernels compute in integers: HARD_SWISH, LEAKY_RELU, RELU, RELU6.

Their results differ from the rounded real function by up to a step, so ``tflite`` takes its tables from here.
LiteRT's other unary kernels (LOGISTIC, TANH, ELU, EXP, GELU) fill a table with rounded results of the real function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from edgeq.numerics.array import Array, saturate
from edgeq.numerics.tflite import (
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_divide_by_pot,
)

Attributes = Mapping[str, int | float | str]
Real = np.float32 | np.float64
_INPUTS: Final = np.arange(-128, 128, dtype=np.int64)
_INT16_MIN, _INT16_MAX = -(1 << 15), (1 << 15) - 1
_LEAKY_ALPHA: Final = 0.01


def tflite_table(
    function: str,
    attributes: Attributes,
    in_scale: float,
    in_zero: int,
    out_scale: float,
    out_zero: int,
    real: type[Real] = np.float32,
) -> Array | None:
    """The table of one function as LiteRT's kernel computes it: int8[256], entry q + 128 holds the result for q.

    None where LiteRT has no integer kernel for the function, these attributes or these scales.

    Args:
        function: ONNX's name.
        attributes: ONNX's attributes; bounds of Clip as ``min`` and ``max``.
        in_scale: s_x, float32 value, positive.
        in_zero: z_x.
        out_scale: s_y, float32 value, positive.
        out_zero: z_y.
        real: the float type in which the factors are computed.
    """
    kernel = _KERNELS.get(function)
    if kernel is None:
        return None
    result = kernel(attributes, _INPUTS - in_zero, real(in_scale), real(out_scale), out_zero)
    return None if result is None else saturate(result, -128, 127)


def _leaky_relu(attributes: Attributes, x: Array, in_scale: Real, out_scale: Real, zero: int) -> Array | None:
    alpha = np.float32(attributes.get("alpha", _LEAKY_ALPHA))
    if alpha < 0:
        return None
    # In this order.
    slopes = (in_scale / out_scale, in_scale * alpha / out_scale)
    positive, negative = (multiply_by_quantized_multiplier(x, *quantize_multiplier(float(slope))) for slope in slopes)
    return np.where(x >= 0, positive, negative) + zero


def _relu(attributes: Attributes, x: Array, in_scale: Real, out_scale: Real, zero: int) -> Array | None:
    scaled = multiply_by_quantized_multiplier(x, *quantize_multiplier(float(in_scale / out_scale)))
    return np.maximum(scaled, 0) + zero


def _relu6(attributes: Attributes, x: Array, in_scale: Real, out_scale: Real, zero: int) -> Array | None:
    if (attributes.get("min"), attributes.get("max")) != (0.0, 6.0):
        return None
    six = int(np.floor(np.float64(np.float32(6) / out_scale) + 0.5))
    relu = _relu(attributes, x, in_scale, out_scale, zero)
    return None if relu is None else np.minimum(relu, six + zero)


def _hard_swish(attributes: Attributes, x: Array, in_scale: Real, out_scale: Real, zero: int) -> Array | None:
    """All in 16 bits: x·128 to the output's scale, times (x/3 + 1)/2 in [0, 1) with 15 fractional bits."""
    fine_scale = np.float32(1 / 128) * in_scale
    out_multiplier, out_exponent = _multiplier_16(float(fine_scale / out_scale))
    gate_multiplier, gate_exponent = _multiplier_16(float(fine_scale / np.float32(3 / 32768)))
    if out_exponent > 0:
        return None
    fine = x << 7
    scaled = _high_mul_16(fine, out_multiplier)
    gate = fine
    # The last bit of the left shift comes behind the product, so that only it can saturate a result.
    if gate_exponent > 0:
        gate = _saturate_16(gate << (gate_exponent - 1))
    gate = _high_mul_16(gate, gate_multiplier)
    if gate_exponent > 0:
        gate = _saturate_16(gate << 1)
    gate = rounding_divide_by_pot(gate, max(-gate_exponent, 0))
    gate = (gate + (1 << 15)) >> 1
    product = gate * scaled
    # Towards zero.
    product = np.sign(product) * (np.abs(product) >> 15)
    return rounding_divide_by_pot(product, -out_exponent) + zero


def _multiplier_16(factor: float) -> tuple[int, int]:
    multiplier, exponent = quantize_multiplier(factor)
    return min((multiplier + (1 << 15)) >> 16, _INT16_MAX), exponent


def _high_mul_16(left: Array, right: int) -> Array:
    """``left·right·2^-15`` rounded half up; (-2^15)² saturates."""
    result: Array = np.minimum((left * right + (1 << 14)) >> 15, _INT16_MAX)
    return result


def _saturate_16(value: Array) -> Array:
    result: Array = np.clip(value, _INT16_MIN, _INT16_MAX)
    return result


_Kernel = Callable[[Attributes, Array, Real, Real, int], Array | None]
_KERNELS: Final[dict[str, _Kernel]] = {
    "Clip": _relu6,
    "HardSwish": _hard_swish,
    "LeakyRelu": _leaky_relu,
    "Relu": _relu,
}
