"""The parameters of a foreign QuantizeLinear or DequantizeLinear, and what it makes of a constant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.facts import Shape
from edgeq.numerics.array import Array
from edgeq.onnxio.qdq_form import Activation

EIGHT_BIT: Final = {ir.DataType.INT8: 0, ir.DataType.UINT8: 128}
"""Types of activations, and how far their integers lie above those of int8."""

_RANGES: Final = {
    ir.DataType.INT8: (-128, 127),
    ir.DataType.UINT8: (0, 255),
    ir.DataType.INT4: (-8, 7),
    ir.DataType.UINT4: (0, 15),
    ir.DataType.INT2: (-2, 1),
    ir.DataType.UINT2: (0, 3),
    ir.DataType.INT32: (-(2**31), 2**31 - 1),
}
# Narrow integers go on as int8: what matters from here on is their value.
_KEPT_TYPES: Final = {ir.DataType.UINT8: np.uint8, ir.DataType.INT32: np.int32}


@dataclass(frozen=True)
class Grid:
    """Parameters of one node.

    Attributes:
        scale: float32, [] or [C] along ``axis``.
        zero: int64, shaped as ``scale``; that of uint8 is shifted by −128.
        dtype: the integers' type.
        axis: the channel axis, which may count from the end.
    """

    scale: Array
    zero: Array
    dtype: ir.DataType
    axis: int

    def fits(self, shape: Shape) -> bool:
        """Whether a constant of this shape has one scale, or one for each index of the channel axis."""
        if self.scale.size == 1:
            return True
        return -len(shape) <= self.axis < len(shape) and self.scale.size == shape[self.axis]

    def activation(self) -> Activation:
        """One scale and zero point in int8."""
        return Activation(float(self.scale.reshape(-1)[0]), int(self.zero.reshape(-1)[0]))

    def quantize(self, array: Array) -> Array:
        """QuantizeLinear of a constant: float32 division, half to even, saturated."""
        scale, zero = self.scale, self.zero + EIGHT_BIT.get(self.dtype, 0)
        if scale.size > 1:
            shape: Shape = tuple(-1 if axis == self.axis % array.ndim else 1 for axis in range(array.ndim))
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        else:
            scale, zero = scale.reshape(()), zero.reshape(())
        steps = np.rint((array.astype(np.float32) / scale).astype(np.float64)) + zero
        codes: Array = np.clip(steps, *_RANGES[self.dtype]).astype(np.int64)
        return codes.astype(_KEPT_TYPES.get(self.dtype, np.int8))
