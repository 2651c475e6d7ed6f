"""From ranges and float weights to scales and integers, with the guards that keep later steps in range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.ir import DType, Quantization, QuantizedConstant
from edgeq.numerics.accumulator import accumulator_range
from edgeq.numerics.array import INT32_MAX, Array
from edgeq.numerics.highmul import multiplier_error_lsb, shift_of
from edgeq.onnxio.qdq_parameters import SCALE_MIN, STEPS, bias_limit, quantize_bias

if TYPE_CHECKING:
    from edgeq.onnxio.samples import IntegerScale

WEIGHT_MAX: Final = 127
# Requantization factors below this are raised to it: 2^24 times smaller than a step adds up to nothing, and a channel
# without weights needs some valid factor.
FACTOR_MIN: Final = 2.0**-24


def integer_parameters(
    integers: IntegerScale, low: float, high: float, dtype: DType = DType.INT8
) -> Quantization | None:
    """Parameters at which the integers of a data file stay as they are: 8-bit images enter without any rounding.

    In int16 they may be multiples of a power of two, so that they use the whole range.

    Args:
        integers: what the integers of the data file stand for.
        low: the smallest value seen.
        high: the largest value seen.
        dtype: type of the tensor.

    Returns:
        None where no integer stands for zero, where there are more than the type has, or, in int8, where the data use
        less than half of them (then a finer scale serves better).
    """
    origin = integers.offset / integers.scale
    if abs(origin - round(origin)) > 1e-6:
        return None
    if dtype is DType.INT16:
        largest = round(max(-low, high) / integers.scale)
        power = DType.INT16.max.bit_length() - largest.bit_length()
        return Quantization.per_tensor(dtype, integers.scale / (1 << power)) if largest and power >= 0 else None
    smallest, largest = integers.low + round(origin), integers.high + round(origin)
    if largest - smallest > STEPS:
        smallest, largest = round(min(low, 0.0) / integers.scale), round(max(high, 0.0) / integers.scale)
    smallest, largest = min(smallest, 0), max(largest, 0)
    used = (max(high, 0.0) - min(low, 0.0)) / integers.scale
    if largest - smallest > STEPS or used < STEPS / 2:
        return None
    return Quantization.per_tensor(DType.INT8, integers.scale, -128 - smallest)


def weight_peaks(weight: Array, axis: int) -> Array:
    """max|w| of each output channel, float64."""
    rows = np.moveaxis(np.asarray(weight), axis, 0).reshape(weight.shape[axis], -1)
    peaks: Array = np.maximum(rows.max(axis=1, initial=0.0), -rows.min(axis=1, initial=0.0)).astype(np.float64)
    return peaks


def quantize_matrix(weight: Array, axis: int) -> QuantizedConstant:
    """A weight that no bias belongs to: int8 in [−127, 127], symmetric, of scale max|w|/127 for each index of an axis.

    Rows of zeros get the smallest scale, so that they do not set the shift of the others.
    """
    real = np.asarray(weight, np.float64)
    scales = np.maximum(weight_peaks(weight, axis) / WEIGHT_MAX, SCALE_MIN).astype(np.float32)
    spread = scales.astype(np.float64).reshape([-1 if i == axis else 1 for i in range(real.ndim)])
    integers = np.clip(np.rint(real / spread), -WEIGHT_MAX, WEIGHT_MAX).astype(np.int8)
    return QuantizedConstant(integers, Quantization.of(DType.INT8, scales, 0, axis))


def quantize_layer(
    weight: Array,
    bias: Array,
    axis: int,
    x: Quantization,
    y_scale: float,
    *,
    peaks: Array | None = None,
    known: QuantizedConstant | None = None,
) -> tuple[QuantizedConstant, QuantizedConstant]:
    """Weight and bias of a multiply-accumulate layer.

    The scale of a channel is the largest of max|w|/127, what keeps |bias_q| below ``bias_limit``, and what keeps the
    requantization factor s_x·s_w/s_y above :data:`FACTOR_MIN`; the last one is what an all-zero channel gets.

    Args:
        weight: float; becomes int8 in [−127, 127], symmetric per channel along ``axis``.
        bias: float [O]; becomes int32 of scale s_x·s_w, rounded half to even in float64.
        axis: the output channels' axis.
        x: parameters of the layer's input.
        y_scale: scale of its output.
        peaks: :func:`weight_peaks`, where they are known.
        known: the same weight as quantized before, which is returned where its scales come out again.
    """
    offsets = np.asarray(bias, np.float64).reshape(-1)
    peaks = weight_peaks(weight, axis) if peaks is None else peaks
    (x_scale, _), limit = x.single(), bias_limit(x)
    floor = np.maximum(np.abs(offsets) / (x_scale * (limit - 1)), y_scale * FACTOR_MIN / x_scale)
    wanted = np.maximum(peaks / WEIGHT_MAX, floor)
    scales = wanted.astype(np.float32)
    # Rounding to float32 may have gone below the floor.
    scales = np.where(scales.astype(np.float64) < floor, np.nextafter(scales, np.float32(np.inf)), scales)
    steps = quantize_bias(offsets, x_scale, scales, limit)
    if known is not None and np.array_equal(known.scales, scales):
        return known, steps
    real = np.asarray(weight, np.float64)
    spread = scales.astype(np.float64).reshape([-1 if i == axis else 1 for i in range(real.ndim)])
    integers = np.clip(np.rint(real / spread), -WEIGHT_MAX, WEIGHT_MAX).astype(np.int8)
    return QuantizedConstant(integers, Quantization.of(DType.INT8, scales, 0, axis)), steps


@dataclass(frozen=True)
class Headroom:
    """How far the accumulator of a layer stays from the limits of int32.

    Attributes:
        accumulator: the largest magnitude that any input can bring about, zero point folded into the bias.
        factor_max: the largest requantization factor s_x·s_w/s_y.
        shift: the left shift that ``highmul`` needs for it; negative where the sum is int64 and shifted right.
        bits: unused bits of the shifted accumulator, or where it is int64 of the multiplier; negative where it does
            not fit.
        error_lsb: bound on the multiplier's rounding error, in output steps.
    """

    accumulator: int
    factor_max: float
    shift: int
    bits: float
    error_lsb: float


def measure_headroom(weight: QuantizedConstant, bias: QuantizedConstant, x: Quantization, y_scale: float) -> Headroom:
    """The accumulator's bound and what requantization makes of it, per layer.

    The shift is that of ``highmul``, the arithmetic that asks for most.
    """
    x_scale, x_zero = x.single()
    offsets = bias.values.astype(np.int64).reshape(-1)
    reach = accumulator_range(weight.signed_sums, offsets, x_zero, x.q_min, x.q_max)
    bound = int(reach.magnitude.max(initial=1))
    largest = float(x_scale * np.max(weight.scales.astype(np.float64)) / y_scale)
    if x.dtype is DType.INT16 and bound > INT32_MAX:
        shift = INT32_MAX.bit_length() - bound.bit_length()
        bits = -float(np.log2(largest)) - 1 + shift
    else:
        shift = shift_of(largest)
        bits = float(np.log2((INT32_MAX + 1) / (float(bound) * 2.0**shift)))
    return Headroom(bound, largest, shift, round(bits, 3), multiplier_error_lsb(bound, shift, largest))


def least_output_scale(headroom: Headroom, y_scale: float) -> float:
    """The output scale from which on the shifted accumulator fits int32; ``y_scale`` itself where it does already."""
    if headroom.bits >= 0:
        return y_scale
    if headroom.shift < 0:
        return 1.001 * y_scale * float(2.0**-headroom.bits)
    shift = int(np.floor(np.log2(INT32_MAX / headroom.accumulator)))
    # One per mille more than M = 2^(s−1) asks for, because scales and multipliers are rounded. A shift below zero
    # means that the bare accumulator does not fit; no output scale helps, and lowering says so.
    return y_scale if shift < 0 else 1.001 * y_scale * headroom.factor_max / 2.0 ** (shift - 1)
