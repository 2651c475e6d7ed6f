"""Constants of foreign quantized models: their integers as they are, and as edgeq's operators take them.

edgeq's weights are int8 with zero point 0, its biases int32 at the scale s_x·s_w. What a foreign model holds is taken
over bit for bit where it fits that; what does not (uint8 weights around another zero point, a bias beyond int32's
useful range) is rounded again, channel by channel, to the nearest grid that does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from edgeq.frontend.facts import Shape
from edgeq.notes import warn
from edgeq.numerics.array import INT32_MAX, Array
from edgeq.numerics.highmul import choose_multipliers
from edgeq.onnxio.qdq_form import Activation, Constant

INT8: Final = (-128, 127)
WEIGHT_MAX: Final = 127
# Biases that are rounded here stay below: the exact error of `highmul` is |acc << s|·2^-33, so 2^28 leaves three bits.
BIAS_MAX: Final = 1 << 28
# What a bias beyond its limit is brought to.
BIAS_WANTED: Final = 1 << 23
# The shift that is assumed where the scale of the result is not known yet: factors s_x·s_w/s_y below 4.
_SHIFT_UNKNOWN: Final = 3
# A product of scales below this is near float32's subnormal numbers.
SCALE_MIN: Final = 2.0**-100
# Exporters multiply scales in other orders and types; within this they mean the product s_x·s_w itself.
_SAME_SCALE: Final = 2.0**-20


@dataclass(frozen=True, eq=False)
class Integers:
    """A dequantized constant: real = (values − zero)·scale.

    Attributes:
        values: int64 integers; those of a uint8 tensor are shifted by −128, as is their zero point.
        scale: float32, [] or [C] along ``axis``.
        zero: int64, shaped as ``scale``.
        axis: the channel axis, or None for one scale.
    """

    values: Array
    scale: Array
    zero: Array
    axis: int | None

    def centred(self) -> Array:
        """values − zero, int64."""
        return self.values - self._spread(self.zero)

    def real(self) -> Array:
        """What DequantizeLinear gives, float32."""
        with np.errstate(over="ignore"):  # the support check refuses infinity
            result: Array = self.centred().astype(np.float32) * self._spread(self.scale)
        return result

    def transposed(self, perm: Shape) -> Integers:
        """The axes reordered."""
        axis = None if self.axis is None else perm.index(self.axis)
        return replace(self, values=self.values.transpose(perm), axis=axis)

    def reshaped(self, shape: Shape) -> Integers | None:
        """Another shape with the same elements; None where the channel axis does not survive."""
        values = self.values.reshape(shape)
        if self.axis is None:
            return replace(self, values=values)
        before = int(np.prod(self.values.shape[: self.axis]))
        for axis, size in enumerate(shape):
            if size == self.values.shape[self.axis] and int(np.prod(shape[:axis])) == before:
                return replace(self, values=values, axis=axis)
        return None

    def scaled(self, factor: float) -> Integers:
        """Multiplied by a positive factor, which goes into the scale."""
        return replace(self, scale=(self.scale.astype(np.float64) * factor).astype(np.float32))

    def _spread(self, parameter: Array) -> Array:
        if self.axis is None:
            return parameter
        return parameter.reshape([-1 if axis == self.axis else 1 for axis in range(self.values.ndim)])


def weight_of(constant: Integers | Array, axis: int, where: str) -> Constant:
    """A weight: int8 with zero point 0, one scale per output channel or, where the foreign model has one, one for all.

    Args:
        constant: the foreign integers, or float values that nobody quantized.
        axis: the output channels' axis.
        where: the node, for the warning.
    """
    if isinstance(constant, Integers):
        centred, scale = constant.centred(), constant.scale.astype(np.float64)
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
        return Constant(values, np.array(scale, np.float32), 0)
    return Constant(values, scales.astype(np.float32), 0, axis)


def _round_row(row: Array, *, clip: bool) -> tuple[Array, float]:
    """A channel's values on the grid factor·[−127, 127]: cut off where that loses less than a wider step."""
    factor = float(np.abs(row).max(initial=0.0)) / WEIGHT_MAX or 1.0
    steps = np.rint(row / factor)
    if clip:
        cut = np.clip(row, *INT8)
        if ((cut - row) ** 2).sum() <= ((steps * factor - row) ** 2).sum():
            return cut, 1.0
    return steps, factor


def layer_constants(
    weight: Constant, bias: Integers | Array, x: Activation, y: Activation | None, axis: int = 0
) -> tuple[Constant, Constant]:
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
    scales = np.broadcast_to(weight.scale, (channels,))
    real, integers, stated = _bias_of(bias, channels)
    wanted = scales.copy()
    silent = ~rows.any(axis=1) & (scales > _widest(scales, rows))
    # Zero is zero at any scale; exporters give a channel without weights the scale 1, which would set the shift of all.
    wanted[silent & (real == 0)] = _widest(scales, rows)
    kept = np.abs(stated - np.float32(x.scale) * wanted) <= _SAME_SCALE * np.float32(x.scale) * wanted
    steps = _steps(real, integers, x, wanted, kept)
    fits = _fits(rows, steps, wanted, x, y)
    if not fits[~silent].all():
        wanted[silent] = _widest(scales, rows)
        kept &= ~silent
        steps = _steps(real, integers, x, wanted, kept)
        fits = _fits(rows, steps, wanted, x, y)
    tight = ~fits | (~kept & (np.abs(steps) > BIAS_MAX)) | (np.float32(x.scale) * wanted < SCALE_MIN)
    least = np.maximum(np.abs(real) / (x.scale * BIAS_WANTED), 2 * SCALE_MIN / x.scale)
    wanted = np.where(tight, np.maximum(wanted, least), wanted).astype(np.float32)
    steps = np.where(tight, _steps(real, integers, x, wanted, np.zeros(channels, bool)), steps)
    if np.array_equal(wanted, scales):
        return weight, Constant(steps.astype(np.int32), np.float32(x.scale) * weight.scale, 0, weight.axis)
    return _coarsened(weight, scales, wanted, axis), Constant(
        steps.astype(np.int32), np.float32(x.scale) * wanted, 0, 0
    )


def _bias_of(bias: Integers | Array, channels: int) -> tuple[Array, Array, Array]:
    """A bias per channel: its real values in float64, its integers, their scale (zero where there are none)."""
    if not isinstance(bias, Integers):
        real = np.broadcast_to(np.asarray(bias, np.float64).reshape(-1), (channels,))
        return real, np.zeros(channels), np.zeros(channels, np.float32)
    integers = np.broadcast_to(bias.centred().reshape(-1).astype(np.float64), (channels,))
    scale = np.broadcast_to(bias.scale, (channels,))
    return integers * scale, integers, scale


def _widest(scales: Array, rows: Array) -> float:
    """The largest scale of a channel that has weights; of any where none has."""
    busy = rows.any(axis=1)
    return float(scales[busy].max() if busy.any() else scales.max())


def _steps(real: Array, integers: Array, x: Activation, scales: Array, kept: Array) -> Array:
    """Integers of a bias, as float64: those that are kept, else the nearest on the scale s_x·s_w."""
    product = (np.float32(x.scale) * scales).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        steps: Array = np.where(kept, integers, np.rint(np.nan_to_num(real / product, nan=0.0)))
    return steps


def _fits(rows: Array, steps: Array, scales: Array, x: Activation, y: Activation | None) -> Array:
    """Which channels' accumulators stay in int32 for every int8 input, shifted as `highmul` will shift them."""
    shift = _SHIFT_UNKNOWN
    if y is not None:
        ratio = np.float64(x.scale) * scales.astype(np.float64) / y.scale
        shift = choose_multipliers(np.clip(ratio, 2.0**-64, 2.0**29))[1]
    bias = steps - x.zero_point * rows.sum(axis=1)
    positive, negative = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
    highest = np.maximum(np.abs(bias + 127 * positive - 128 * negative), np.abs(bias - 128 * positive + 127 * negative))
    # Lowering brings the biases of channels without weights down itself.
    limit = np.where(rows.any(axis=1), INT32_MAX / 2.0**shift, INT32_MAX)
    fits: Array = np.maximum(np.abs(bias), highest) <= limit
    return fits


def _coarsened(weight: Constant, scales: Array, wanted: Array, axis: int) -> Constant:
    """The weight rounded again to other scales per channel; channels whose scale stays keep their integers."""
    ratio = scales.astype(np.float64) / wanted
    spread = ratio.reshape([-1 if i == axis else 1 for i in range(weight.values.ndim)])
    return Constant(np.rint(weight.values * spread).astype(np.int8), wanted, 0, axis)


def operand_of(constant: Integers | Array) -> Constant:
    """A constant that its operator treats as an activation: int8 with one scale and zero point for all of it."""
    if isinstance(constant, Integers):
        low, high = int(constant.values.min(initial=0)), int(constant.values.max(initial=0))
        one = constant.axis is None or (np.ptp(constant.scale) == 0 and np.ptp(constant.zero) == 0)
        if one and INT8[0] <= low and high <= INT8[1]:
            scale = constant.scale.reshape(-1)[0]
            return Constant(constant.values.astype(np.int8), np.array(scale), int(constant.zero.reshape(-1)[0]))
        constant = constant.real()
    real = np.asarray(constant, np.float64)
    low_real, high_real = float(real.min(initial=0.0)), float(real.max(initial=0.0))
    step = float(np.float32((high_real - low_real) / 255)) or 1.0
    zero = int(np.clip(np.rint(-128 - low_real / step), *INT8))
    return Constant(np.clip(np.rint(real / step) + zero, *INT8).astype(np.int8), np.array(step, np.float32), zero)
