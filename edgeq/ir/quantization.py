"""Quantization parameters: which real numbers the integers of a tensor stand for.

One type for activations, weights and biases, from the quantizer and the import of QDQ models to the integer graph and
the model's inputs and outputs. Parameters are tuples of Python numbers, so that they compare, hash and print exactly;
:attr:`Quantization.scales` and :attr:`Quantization.zero_points` give them as arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from edgeq.ir.dtype import DType
from edgeq.numerics.accumulator import signed_sums
from edgeq.numerics.array import Array

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Quantization:
    """real = scale · (q − zero_point); with a codebook, real = scale · (codebook[q] − zero_point).

    Attributes:
        dtype: type of the integers as edgeq holds them; those of ONNX's unsigned types are shifted to signed ones.
        scale: float32 values as Python floats: one for the whole tensor; or one for each index of ``axis``; or one
            for each block, in the order of a tensor whose ``axis`` is divided by ``block`` and rounded up.
        zero_point: as many integers as there are scales.
        axis: the axis along which scales change, from 0; None where there is one scale.
        bits: how many bits of ``dtype`` are used, where these are not all: a 4-bit weight is int8 in [−8, 7].
        block: how many neighbours along ``axis`` share a scale, or None.
        codebook: what index q stands for, at most 2^bits integers, or None.

    Raises:
        ValueError: the parameters contradict each other.
    """

    dtype: DType
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None
    bits: int | None = None
    block: int | None = None
    codebook: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", tuple(np.asarray(self.scale, np.float32).tolist()))
        if not self.scale or len(self.scale) != len(self.zero_point):
            raise ValueError(f"{len(self.scale)} scales and {len(self.zero_point)} zero points")
        if self.axis is None and (len(self.scale) != 1 or self.block is not None):
            raise ValueError(f"{len(self.scale)} scales, block {self.block}, but no axis")
        if self.axis is not None and self.axis < 0:
            raise ValueError(f"axis {self.axis} counts from the end")
        if self.bits is not None and not 1 <= self.bits <= 8 * self.dtype.size_bytes:
            raise ValueError(f"{self.bits} bits of {self.dtype.value}")
        if self.block is not None and self.block < 1:
            raise ValueError(f"blocks of {self.block}")
        if self.codebook is not None and not 1 <= len(self.codebook) <= self.q_max - self.q_min + 1:
            raise ValueError(f"a codebook of {len(self.codebook)} entries")

    @classmethod
    def per_tensor(cls, dtype: DType, scale: float, zero_point: int = 0) -> Quantization:
        """One scale and zero point for the whole tensor."""
        return cls(dtype, (float(scale),), (int(zero_point),))

    @classmethod
    def of(cls, dtype: DType, scale: Array, zero_point: Array | int = 0, axis: int | None = None) -> Quantization:
        """Parameters from arrays: scales [] (``axis`` None) or [C], zero points of the same shape or one for all."""
        scales = np.asarray(scale)
        zeros = np.broadcast_to(zero_point, scales.shape).reshape(-1)
        return cls(dtype, tuple(scales.reshape(-1).tolist()), tuple(int(item) for item in zeros), axis)

    @property
    def q_min(self) -> int:
        """The smallest integer of ``bits`` bits."""
        return self.dtype.min if self.bits is None or not self.dtype.min else -(1 << (self.bits - 1))

    @property
    def q_max(self) -> int:
        """The largest integer of ``bits`` bits."""
        return self.dtype.max if self.bits is None else self.q_min + (1 << self.bits) - 1

    @property
    def low(self) -> float:
        """The smallest real value of a tensor with one scale."""
        scale, zero = self.single()
        return scale * (self.q_min - zero)

    @property
    def high(self) -> float:
        """The largest real value of a tensor with one scale."""
        scale, zero = self.single()
        return scale * (self.q_max - zero)

    def single(self) -> tuple[float, int]:
        """The scale and zero point of a tensor that has one of each.

        Raises:
            ValueError: there are several.
        """
        if len(self.scale) != 1:
            raise ValueError(f"{len(self.scale)} scales, not one")
        return self.scale[0], self.zero_point[0]

    @cached_property
    def scales(self) -> Array:
        """The scales, float32: [] for one of the whole tensor, else [C], or in blocks [number of blocks]."""
        scales = np.array(self.scale, np.float32)
        return scales.reshape(()) if self.axis is None else scales

    @cached_property
    def zero_points(self) -> Array:
        """The zero points, int64, shaped as :attr:`scales`."""
        return np.array(self.zero_point, np.int64).reshape(self.scales.shape)

    def spread(self, parameters: Array, shape: Shape) -> Array:
        """Scales or zero points so that they broadcast against a tensor of this shape."""
        if self.axis is None:
            return parameters
        if self.block is None:
            return parameters.reshape([-1 if axis == self.axis else 1 for axis in range(len(shape))])
        blocks = parameters.reshape(self._blocked(shape))
        whole: Array = np.repeat(blocks, self.block, axis=self.axis)
        return whole.take(range(shape[self.axis]), axis=self.axis)

    def _blocked(self, shape: Shape) -> Shape:
        """The shape of the scales, before it is flattened."""
        assert self.axis is not None
        assert self.block is not None
        return tuple(-(-size // self.block) if axis == self.axis else size for axis, size in enumerate(shape))

    def fits(self, shape: Shape) -> bool:
        """Whether a tensor of this shape has as many scales."""
        if self.axis is None:
            return True
        if self.axis >= len(shape):
            return False
        return len(self.scale) == (shape[self.axis] if self.block is None else prod(self._blocked(shape)))

    def quantize(self, real: Array) -> Array:
        """Integers of real numbers: quotient rounded half to even, plus zero point, saturated.

        float64 numbers are divided in float64, all others in float32: ONNX's QuantizeLinear. Not for a codebook, whose
        indices a quantization method chooses.
        """
        assert self.codebook is None
        real = np.asarray(real)
        kind = np.float64 if real.dtype == np.float64 else np.float32
        scales, zeros = (self.spread(each, real.shape) for each in (self.scales, self.zero_points))
        with np.errstate(over="ignore"):  # what overflows saturates
            steps = np.rint((real.astype(kind) / scales.astype(kind)).astype(np.float64)) + zeros
        result: Array = np.clip(steps, self.q_min, self.q_max).astype(self.dtype.numpy)
        return result

    def centre(self, integers: Array) -> Array:
        """q − zero_point, or codebook[q] − zero_point, int64."""
        wide = integers.astype(np.int64)
        if self.codebook is not None:
            wide = np.array(self.codebook, np.int64)[wide]
        result: Array = wide - self.spread(self.zero_points, integers.shape)
        return result

    def dequantize(self, integers: Array) -> Array:
        """What integers stand for, float32: an exact difference, then one float32 product, as ONNX defines it."""
        with np.errstate(over="ignore"):  # the support check refuses infinity
            result: Array = self.centre(integers).astype(np.float32) * self.spread(self.scales, integers.shape)
        return result

    def rounded(self, real: Array) -> Array:
        """What is left of real numbers after quantizing and dequantizing, float32."""
        return self.dequantize(self.quantize(real))

    def transposed(self, perm: Sequence[int], shape: Shape) -> Quantization:
        """The parameters of a tensor of this shape after its axes are reordered."""
        if self.axis is None:
            return self
        axis = tuple(perm).index(self.axis)
        if self.block is None:
            return replace(self, axis=axis)
        scales, zeros = (
            np.asarray(each).reshape(self._blocked(shape)).transpose(perm).reshape(-1).tolist()
            for each in (self.scale, self.zero_point)
        )
        return replace(self, scale=tuple(scales), zero_point=tuple(zeros), axis=axis)

    def reshaped(self, old: Shape, new: Shape) -> Quantization | None:
        """The parameters after a Reshape from ``old`` to ``new``; None where the axis does not survive."""
        if self.axis is None:
            return self
        before, after = prod(old[: self.axis]), prod(old[self.axis + 1 :])
        for axis, size in enumerate(new):
            if size == old[self.axis] and prod(new[:axis]) == before and prod(new[axis + 1 :]) == after:
                return replace(self, axis=axis)
        return None

    def to_json(self) -> dict[str, Any]:
        """The fields by name, with lists in place of tuples; bits, block and codebook only where they are set."""
        codebook = None if self.codebook is None else list(self.codebook)
        rare = {"bits": self.bits, "block": self.block, "codebook": codebook}
        return {
            "dtype": self.dtype.value,
            "scale": list(self.scale),
            "zero_point": list(self.zero_point),
            "axis": self.axis,
            **{name: value for name, value in rare.items() if value is not None},
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Quantization:
        """The inverse of :meth:`to_json`.

        Raises:
            KeyError: a required field is missing.
            ValueError: the parameters contradict each other.
        """
        codebook = fields.get("codebook")
        return cls(
            DType(fields["dtype"]),
            tuple(fields["scale"]),
            tuple(fields["zero_point"]),
            fields.get("axis"),
            fields.get("bits"),
            fields.get("block"),
            None if codebook is None else tuple(codebook),
        )


@dataclass(frozen=True, eq=False)
class QuantizedConstant:
    """Integers with their meaning.

    Attributes:
        values: of any shape, of the type that ``quantization`` states.
        quantization: their parameters.

    Raises:
        ValueError: the values have another type, or another number of channels.
    """

    values: Array
    quantization: Quantization

    def __post_init__(self) -> None:
        # The integers of a constant of rank 0 may be a numpy scalar.
        object.__setattr__(self, "values", np.asarray(self.values))
        if self.values.dtype != self.quantization.dtype.numpy or not self.quantization.fits(self.values.shape):
            raise ValueError(f"{self.values.dtype}{list(self.values.shape)} does not fit {self.quantization}")

    @classmethod
    def of(cls, real: Array, quantization: Quantization) -> QuantizedConstant:
        """Real numbers, rounded by :meth:`Quantization.quantize`."""
        return cls(quantization.quantize(real), quantization)

    @property
    def scales(self) -> Array:
        """The scales as :attr:`Quantization.scales`."""
        return self.quantization.scales

    @property
    def axis(self) -> int | None:
        """The axis along which the scales change."""
        return self.quantization.axis

    def real(self) -> Array:
        """What the integers stand for, float32."""
        return self.quantization.dequantize(self.values)

    def centred(self) -> Array:
        """The integers less their zero points, int64."""
        return self.quantization.centre(self.values)

    @cached_property
    def signed_sums(self) -> tuple[Array, Array]:
        """The sums of the positive and of the negative integers of each channel of ``axis``, or of axis 0, int64."""
        return signed_sums(np.moveaxis(self.values, self.axis or 0, 0))

    def transposed(self, perm: Sequence[int]) -> QuantizedConstant:
        """The axes reordered."""
        return QuantizedConstant(self.values.transpose(perm), self.quantization.transposed(perm, self.values.shape))

    def reshaped(self, shape: Shape) -> QuantizedConstant | None:
        """Another shape with the same elements; None where the channel axis does not survive."""
        quantization = self.quantization.reshaped(self.values.shape, shape)
        return None if quantization is None else QuantizedConstant(self.values.reshape(shape), quantization)

    def scaled(self, factor: Array) -> QuantizedConstant | None:
        """Multiplied by one number or by one for each index of the first axis, which go into the scales.

        Negative factors turn the signs of the integers, which are int32 then, because −(−128) leaves int8.

        Args:
            factor: float64, [] or [C].

        Returns:
            None where the scales run along another axis than the factors.
        """
        params = self.quantization
        if factor.ndim and (params.block is not None or params.axis not in {None, 0}):
            return None
        # A factor of zero leaves no integers; any scale is right.
        scales = params.scales.astype(np.float64) * np.where(factor == 0, 1.0, np.abs(factor))
        params = replace(
            params,
            scale=tuple(scales.reshape(-1).tolist()),
            zero_point=tuple(np.broadcast_to(params.zero_points, scales.shape).reshape(-1).tolist()),
            axis=0 if factor.ndim else params.axis,
        )
        if (factor > 0).all():
            return QuantizedConstant(self.values, params)
        signs = np.sign(factor).astype(np.int64).reshape(factor.shape + (1,) * (self.values.ndim - factor.ndim))
        turned = replace(params, dtype=DType.INT32, zero_point=(0,) * scales.size, bits=None, codebook=None)
        return QuantizedConstant((self.centred() * signs).astype(np.int32), turned)
