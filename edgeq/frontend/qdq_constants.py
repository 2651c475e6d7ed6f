"""Constants of foreign quantized models: their integers as they are, and as edgeq's operators take them.

edgeq's weights are int8 with zero point 0, its biases int32 at the scale s_x·s_w. What a foreign model holds is taken
over bit for bit where it fits that; what does not (uint8 weights around another zero point, a bias beyond int32's
useful range) is rounded again, channel by channel, to the nearest grid that does.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from edgeq.frontend.facts import Shape
from edgeq.numerics.array import Array
from edgeq.onnxio.qdq_form import Constant

INT8: Final = (-128, 127)
WEIGHT_MAX: Final = 127
# The shifted accumulator must fit int32 and the exact error of `highmul` is |acc << s|·2^-33: 2^28 leaves three bits.
BIAS_MAX: Final = 1 << 28
# What a bias beyond that is brought to.
BIAS_WANTED: Final = 1 << 23
# A product of scales below this is near float32's subnormal numbers.
SCALE_MIN: Final = 2.0**-100
# Exporters multiply scales in other orders and types; within this they mean the product s_x·s_w itself.
_SAME_SCALE: Final = 2.0**-20

log = logging.getLogger("edgeq.frontend")


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
    """A weight: int8 with zero point 0 and one scale per output channel.

    Args:
        constant: the foreign integers, or float values that nobody quantized.
        axis: the output channels' axis.
        where: the node, for the log.
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
    # Exporters give a channel without weights the scale 1, which would set the shift of all channels.
    busy = rows.any(axis=1)
    scales = np.where(busy, scales, np.minimum(scales, scales[busy].max(initial=0.0) or 1.0))
    if whole and again.any():
        log.warning("%s: %d of %d weight channels are rounded again to fit int8", where, int(again.sum()), channels)
    moved = integers.reshape(np.moveaxis(centred, axis, 0).shape)
    values = np.ascontiguousarray(np.moveaxis(moved, 0, axis)).astype(np.int8)
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


def layer_constants(weight: Constant, bias: Integers | Array, x_scale: float) -> tuple[Constant, Constant]:
    """The constants of a multiply-accumulate layer, its bias at the scale float32(s_x)·float32(s_w).

    Bias integers that are on this scale are kept; others, and float biases, are rounded half to even in float64. A
    channel whose bias leaves ±2^28 gets a larger weight scale.

    Args:
        weight: int8, zero point 0, one scale per channel.
        bias: foreign integers, or float values; [O] or one value.
        x_scale: scale of the layer's input.
    """
    channels = weight.scale.size
    product = np.float32(x_scale) * weight.scale
    kept = np.zeros(channels, bool)
    if isinstance(bias, Integers):
        real = np.broadcast_to(bias.centred().reshape(-1).astype(np.float64) * bias.scale, (channels,))
        kept = np.abs(np.broadcast_to(bias.scale, (channels,)) - product) <= _SAME_SCALE * product
    else:
        real = np.broadcast_to(np.asarray(bias, np.float64).reshape(-1), (channels,))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        steps = np.rint(np.nan_to_num(real / product.astype(np.float64), nan=0.0))
    if isinstance(bias, Integers):
        steps = np.where(kept, np.broadcast_to(bias.centred().reshape(-1), (channels,)), steps)
    tight = (np.abs(steps) > BIAS_MAX) | (product < SCALE_MIN)
    if tight.any():
        least = np.maximum(np.abs(real) / (x_scale * BIAS_WANTED), 2 * SCALE_MIN / x_scale)
        weight = _coarsened(weight, np.where(tight, np.maximum(weight.scale, least), weight.scale))
        product = np.float32(x_scale) * weight.scale
        steps = np.where(tight, np.rint(real / product.astype(np.float64)), steps)
    return weight, Constant(steps.astype(np.int32), product.astype(np.float32), 0, 0)


def _coarsened(weight: Constant, wanted: Array) -> Constant:
    """The weight rounded again to larger scales per channel; channels whose scale stays keep their integers."""
    axis = weight.axis or 0
    scales = wanted.astype(np.float32)
    ratio = weight.scale.astype(np.float64) / scales
    spread = ratio.reshape([-1 if i == axis else 1 for i in range(weight.values.ndim)])
    return Constant(np.rint(weight.values * spread).astype(np.int8), scales, 0, axis)


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
