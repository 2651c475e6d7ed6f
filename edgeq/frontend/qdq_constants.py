"""Constants of foreign quantized models: their integers as they are, and as edgeq's operators take them.

edgeq's weights are int8 with zero point 0, its biases int32 at the scale s_x·s_w. What a foreign model holds is taken
over bit for bit where it fits that; what does not (uint8 weights around another zero point, a bias beyond int32's
useful range) is rounded again, channel by channel, to the nearest integers that do.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from edgeq.ir import DType, Quantization, QuantizedConstant
from edgeq.notes import warn
from edgeq.numerics.accumulator import accumulator_limit, accumulator_range, signed_sums
from edgeq.numerics.array import INT32_MAX, Array
from edgeq.numerics.highmul import shift_of
from edgeq.onnxio.qdq_parameters import bias_limit, quantize_constant

INT8: Final = (-128, 127)
WEIGHT_MAX: Final = 127
# Biases that are rounded here stay below: the exact error of `highmul` is |acc << s|·2^-33, so 2^28 leaves three bits.
BIAS_MAX: Final = 1 << 28
# The shift that is assumed where the scale of the result is not known yet: factors s_x·s_w/s_y below 4.
_SHIFT_UNKNOWN: Final = 3
# A product of scales below this is near float32's subnormal numbers.
SCALE_MIN: Final = 2.0**-100
# Exporters multiply scales in other orders and types; within this they mean the product s_x·s_w itself.
_SAME_SCALE: Final = 2.0**-20


def weight_of(constant: QuantizedConstant | Array, axis: int, where: str) -> QuantizedConstant:
    """A weight: int8 with zero point 0, one scale per output channel or, where the foreign model has one, one for all.

    Args:
        constant: the foreign integers, or float values that nobody quantized.
        axis: the output channels' axis.
        where: the node, for the warning.
    """
    if isinstance(constant, QuantizedConstant):
        centred, scale = constant.centred(), constant.scales.astype(np.float64)
        if constant.axis not in {None, axis}:
            centred, scale = constant.real().astype(np.float64), np.ones(())
        whole = constant.axis in {None, axis}
    else:
        centred, scale, whole = np.asarray(constant, np.float64), np.ones(()), False
    channels = centred.shape[axis]
    scales = np.array(np.broadcast_to(scale, (channels,)), np.float64)
    rows = np.moveaxis(centred, axis, 0).reshape(channels, -1)
    again = np.full(channels, fill_value=not whole)
    again |= (rows.min(axis=1, initial=0) < INT8[0]) | (rows.max(axis=1, initial=0) > INT8[1])
    integers = np.clip(rows, *INT8)
    for channel in np.nonzero(again)[0]:
        integers[channel], factor = _round_row(rows[channel].astype(np.float64), clip=whole)
        scales[channel] *= factor
    if whole and again.any():
        warn(
            "EQ0172",
            f"{int(again.sum())} of {channels} weight channels are rounded again to fit int8",
            where=where,
            hint="quantize weights to int8 with zero point 0, so that they stay as they are",
        )
    moved = integers.reshape(np.moveaxis(centred, axis, 0).shape)
    values = np.ascontiguousarray(np.moveaxis(moved, 0, axis)).astype(np.int8)
    if whole and np.ndim(scale) == 0 and not again.any():
        return QuantizedConstant(values, Quantization.of(DType.INT8, scale))
    return QuantizedConstant(values, Quantization.of(DType.INT8, scales, 0, axis))


def _round_row(row: Array, *, clip: bool) -> tuple[Array, float]:
    """A channel's values as multiples of factor in ±127: cut off where that loses less than a wider step."""
    factor = float(np.abs(row).max(initial=0.0)) / WEIGHT_MAX or 1.0
    steps = np.rint(row / factor)
    if clip:
        cut = np.clip(row, *INT8)
        if ((cut - row) ** 2).sum() <= ((steps * factor - row) ** 2).sum():
            return cut, 1.0
    return steps, factor


def layer_constants(
    weight: QuantizedConstant, bias: QuantizedConstant | Array, x: Quantization, y: Quantization | None, axis: int = 0
) -> tuple[QuantizedConstant, QuantizedConstant]:
    """The constants of a multiply-accumulate layer, its bias at the scale float32(s_x)·float32(s_w).

    Bias integers that are on this scale are kept wherever the layer's accumulator, shifted for its multipliers, is
    proven to fit int32, which also bounds the error of `highmul` by a quarter of a step. Others, and float biases, are
    rounded half to even in float64. A channel that does not fit gets a larger weight scale.

    Args:
        weight: int8, zero point 0, one scale for all or per channel.
        bias: foreign integers, or float values; [O] or one value.
        x: the layer's input.
        y: the layer's result behind its fused activation, or None where it is not known yet.
        axis: the output channels' axis of the weight.
    """
    channels = weight.values.shape[axis]
    rows = np.moveaxis(weight.values, axis, 0).reshape(channels, -1).astype(np.int64)
    scales = np.broadcast_to(weight.scales, (channels,))
    x_scale, _ = x.single()
    real, integers, stated = _bias_of(bias, channels)
    wanted = scales.copy()
    silent = ~rows.any(axis=1) & (scales > _widest(scales, rows))
    # Zero is zero at any scale; exporters give a channel without weights the scale 1, which would set the shift of all.
    wanted[silent & (real == 0)] = _widest(scales, rows)
    kept = np.abs(stated - np.float32(x_scale) * wanted) <= _SAME_SCALE * np.float32(x_scale) * wanted
    steps = _steps(real, integers, x, wanted, kept)
    fits = _fits(rows, steps, wanted, x, y)
    if not fits[~silent].all():
        wanted[silent] = _widest(scales, rows)
        kept &= ~silent
        steps = _steps(real, integers, x, wanted, kept)
        fits = _fits(rows, steps, wanted, x, y)
    limit = max(BIAS_MAX, bias_limit(x))
    tight = ~fits | (~kept & (np.abs(steps) > limit)) | (np.float32(x_scale) * wanted < SCALE_MIN)
    least = np.maximum(np.abs(real) / (x_scale * bias_limit(x)), 2 * SCALE_MIN / x_scale)
    wanted = np.where(tight, np.maximum(wanted, least), wanted).astype(np.float32)
    steps = np.where(tight, _steps(real, integers, x, wanted, np.zeros(channels, bool)), steps)
    if np.array_equal(wanted, scales):
        bias_scales = np.asarray(np.float32(x_scale) * weight.scales)
        params = Quantization.of(DType.INT32, bias_scales, 0, None if weight.axis is None else 0)
        return weight, QuantizedConstant(steps.astype(np.int32), params)
    params = Quantization.of(DType.INT32, np.float32(x_scale) * wanted, 0, 0)
    return _coarsened(weight, scales, wanted, axis), QuantizedConstant(steps.astype(np.int32), params)


def _bias_of(bias: QuantizedConstant | Array, channels: int) -> tuple[Array, Array, Array]:
    """A bias per channel: its real values in float64, its integers, their scale (zero where there are none)."""
    if not isinstance(bias, QuantizedConstant):
        real = np.broadcast_to(np.asarray(bias, np.float64).reshape(-1), (channels,))
        return real, np.zeros(channels), np.zeros(channels, np.float32)
    integers = np.broadcast_to(bias.centred().reshape(-1).astype(np.float64), (channels,))
    scale = np.broadcast_to(bias.scales, (channels,))
    return integers * scale, integers, scale


def _widest(scales: Array, rows: Array) -> float:
    """The largest scale of a channel that has weights; of any where none has."""
    busy = rows.any(axis=1)
    return float(scales[busy].max() if busy.any() else scales.max())


def _steps(real: Array, integers: Array, x: Quantization, scales: Array, kept: Array) -> Array:
    """Integers of a bias, as float64: those that are kept, else the nearest on the scale s_x·s_w."""
    product = (np.float32(x.scale[0]) * scales).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        steps: Array = np.where(kept, integers, np.rint(np.nan_to_num(real / product, nan=0.0)))
    return steps


def _fits(rows: Array, steps: Array, scales: Array, x: Quantization, y: Quantization | None) -> Array:
    """Which channels' accumulators stay in int32 for every input, shifted as `highmul` will shift them.

    Sums of int16 products that leave int32 are int64.
    """
    shift = _SHIFT_UNKNOWN
    if y is not None:
        ratio = np.float64(x.scale[0]) * scales.astype(np.float64) / y.scale[0]
        shift = shift_of(min(float(ratio.max()), 2.0**29))
    magnitude = accumulator_range(signed_sums(rows), steps, x.zero_point[0], x.q_min, x.q_max).magnitude
    # Lowering brings the biases of channels without weights down itself.
    fits: Array = magnitude <= np.where(rows.any(axis=1), accumulator_limit(shift), INT32_MAX)
    return fits | (magnitude > INT32_MAX) if x.dtype is DType.INT16 else fits


def _coarsened(weight: QuantizedConstant, scales: Array, wanted: Array, axis: int) -> QuantizedConstant:
    """The weight rounded again to other scales per channel; channels whose scale stays keep their integers."""
    ratio = scales.astype(np.float64) / wanted
    spread = ratio.reshape([-1 if i == axis else 1 for i in range(weight.values.ndim)])
    values = np.rint(weight.values * spread).astype(np.int8)
    return QuantizedConstant(values, Quantization.of(DType.INT8, wanted, 0, axis))


def operand_of(constant: QuantizedConstant | Array, dtype: DType = DType.INT8) -> QuantizedConstant:
    """A constant that its operator treats as an activation, with one scale and zero point for all of it.

    Args:
        constant: the foreign integers, which are kept where they can be, or float values.
        dtype: what others become.
    """
    if isinstance(constant, QuantizedConstant):
        low, high = int(constant.values.min(initial=0)), int(constant.values.max(initial=0))
        params = constant.quantization
        held = DType.INT16 if params.dtype is DType.INT16 else DType.INT8
        if len(set(zip(params.scale, params.zero_point, strict=True))) == 1 and held.min <= low and high <= held.max:
            one = Quantization.per_tensor(held, params.scale[0], params.zero_point[0])
            return QuantizedConstant(constant.values.astype(held.numpy), one)
        constant = constant.real()
    return quantize_constant(constant, dtype=dtype)
