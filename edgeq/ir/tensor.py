"""Tensors: a name, a shape, an integer type; constants carry their data.

A tensor holds *logical* integers: a 4-bit weight is an int8 array in [-8, 7] whose quantization has ``bits=4``; packing
is a backend's business. ``quant`` and ``source`` are for reports and for comparison with the float model; no executor
reads them. A plain tensor has no ``quant``: its values are integers or truth values in the ONNX model, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from edgeq.ir.dtype import DType
from edgeq.ir.quantization import Quantization
from edgeq.numerics.array import Array


@dataclass(frozen=True)
class Source:
    """Which ONNX tensor this one holds: ``transpose(value, permutation).reshape(shape)`` is laid out as ONNX has it.

    ``kept``: of a tensor that lacks channels of the ONNX value, the indices that its last axis holds, ascending; its
    rank is that of ``shape`` then. None: all.
    """

    name: str
    permutation: tuple[int, ...]
    shape: tuple[int, ...]
    kept: tuple[int, ...] | None = None

    @property
    def channel_axis(self) -> int:
        """The axis of the ONNX value that is the last one of the tensor."""
        return self.permutation.index(len(self.permutation) - 1)

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of an ONNX value, or of a tensor, of which only ``kept`` is taken along :attr:`channel_axis`."""
        if self.kept is None:
            return shape
        axis = self.channel_axis
        return (*shape[:axis], len(self.kept), *shape[axis + 1 :])

    def in_onnx(self, value: Array) -> Array:
        """The value of the tensor in the layout of ONNX, without the channels that it lacks."""
        return np.transpose(value, self.permutation).reshape(self.taken(self.shape))

    def take(self, value: Array) -> Array:
        """Of the whole value in the layout of ONNX, the channels that the tensor holds."""
        return value if self.kept is None else value.take(self.kept, axis=self.channel_axis)


@dataclass(frozen=True, eq=False)
class Tensor:
    """One SSA value. ``data`` is None for what is computed; constants hold a read-only array.

    Raises:
        ValueError: the data or the quantization has another type or shape.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    data: Array | None = None
    quant: Quantization | None = None
    source: Source | None = None

    def __post_init__(self) -> None:
        if self.quant is not None and (self.quant.dtype != self.dtype or not self.quant.fits(self.shape)):
            raise ValueError(f"{self.name}: {self.dtype.value}{self.shape} does not fit {self.quant}")
        if self.data is None:
            return
        if self.data.shape != self.shape or self.data.dtype != self.dtype.numpy:
            raise ValueError(
                f"{self.name}: data is {self.data.dtype}{self.data.shape}, not {self.dtype.value}{self.shape}"
            )
        if self.data.flags.writeable:
            frozen = self.data.copy()
            frozen.setflags(write=False)
            object.__setattr__(self, "data", frozen)

    @classmethod
    def constant(cls, name: str, data: Array, quant: Quantization | None = None, dtype: DType | None = None) -> Tensor:
        """A constant with the shape and, where no other is given, the type of ``data``."""
        frozen = np.array(data, order="C")
        frozen.setflags(write=False)
        return cls(name, tuple(data.shape), dtype or DType.of(data), frozen, quant)

    @property
    def bits(self) -> int | None:
        """How many bits of ``dtype`` the integers use, where these are not all."""
        return None if self.quant is None else self.quant.bits

    @property
    def is_plain(self) -> bool:
        """Whether its values are integers or truth values in the ONNX model, too: it has no scale."""
        return self.quant is None

    @property
    def is_constant(self) -> bool:
        """Whether the value is known at compile time."""
        return self.data is not None

    @property
    def zero(self) -> int:
        """The integer that stands for the real number 0, of a tensor with one scale or none."""
        return 0 if self.quant is None else self.quant.zero_point[0]

    @property
    def elements(self) -> int:
        """Number of elements (1 for a scalar)."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of the unpacked tensor."""
        return self.elements * self.dtype.size_bytes

    def value(self) -> Array:
        """The data of a constant.

        Raises:
            ValueError: the tensor is computed.
        """
        if self.data is None:
            raise ValueError(f"{self.name} is not a constant")
        return self.data

    def with_(self, **changes: object) -> Tensor:
        """A copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]
