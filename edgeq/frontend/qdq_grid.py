"""The parameters of a foreign QuantizeLinear or DequantizeLinear, and what it makes of a constant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import Problem
from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import Shape, integer, known_shape, name_of, operand, required
from edgeq.numerics.array import Array
from edgeq.onnxio.limits import shown
from edgeq.onnxio.qdq_form import Activation

EIGHT_BIT: Final = {ir.DataType.INT8: 0, ir.DataType.UINT8: 128}
"""Types of activations, and how far their integers lie above those of int8."""

CONSTANT_TYPES: Final = (
    *EIGHT_BIT,
    ir.DataType.INT4,
    ir.DataType.UINT4,
    ir.DataType.INT2,
    ir.DataType.UINT2,
    ir.DataType.INT32,
)
"""Types of constants behind DequantizeLinear."""

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
        with np.errstate(over="ignore"):  # what overflows saturates
            steps = np.rint((array.astype(np.float32) / scale).astype(np.float64)) + zero
        codes: Array = np.clip(steps, *_RANGES[self.dtype]).astype(np.int64)
        return codes.astype(_KEPT_TYPES.get(self.dtype, np.int8))


def place_of(node: ir.Node) -> str:
    """How a problem names a node."""
    return f"node {shown(node.name or node.op_type)}"


def read_grid(edit: Edit, node: ir.Node, *, activation: bool) -> Grid | Problem:
    """The parameters of a QuantizeLinear or DequantizeLinear, or why they cannot be used.

    Args:
        edit: the graph.
        node: the node.
        activation: it reads or writes an activation, not a constant.
    """
    place = place_of(node)
    scale, zero, zero_value = edit.array(operand(node, 1)), edit.array(operand(node, 2)), operand(node, 2)
    if scale is None or (zero_value is not None and zero is None):
        what, hint = "a scale or zero point is computed at run time", "export with static quantization parameters"
        return Problem("EQ0253", what, where=place, hint=hint)
    dtype = zero_value.dtype if zero_value is not None else _default_type(node)
    if dtype is None or dtype not in (EIGHT_BIT if activation else CONSTANT_TYPES):
        allowed = "int8 or uint8" if activation else "integers of 8 bits or less, and int32"
        got = dtype.name if dtype is not None else "unknown"
        return Problem("EQ0255", "values are quantized to another type", place, got, allowed, f"use {allowed}")
    if scale.dtype.kind != "f":
        return Problem("EQ0253", "a scale is not a positive number", where=place, got=scale.dtype.name)
    if integer(node, "block_size", 0):
        hint = "quantize weights per tensor or per channel"
        return Problem("EQ0259", "a constant is quantized in blocks", where=place, hint=hint)
    misfit = _misfit(node, scale, zero, place)
    if misfit is not None:
        return misfit
    with np.errstate(over="ignore"):
        scale = scale.astype(np.float32)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        return Problem("EQ0253", "a scale is not a positive number", where=place, got=str(scale.reshape(-1).min()))
    low, high = _RANGES[dtype]
    if float(scale.max()) * (high - low) > float(np.finfo(np.float32).max):
        got, allowed = f"{float(scale.max())!r} for {dtype.name}", "products with integers that float32 holds"
        return Problem("EQ0262", "a scale is so large that the values are infinite", place, got, allowed)
    if activation and scale.size != 1:
        got = shown(f"{scale.size} scales for {name_of(required(node, 0))}")
        hint = "quantize activations per tensor; only weights may be per channel"
        return Problem("EQ0254", "an activation is quantized per channel", where=place, got=got, hint=hint)
    offset = np.zeros(scale.shape, np.int64) if zero is None else zero.astype(np.int64).reshape(scale.shape)
    return Grid(scale, offset - EIGHT_BIT.get(dtype, 0), dtype, integer(node, "axis", 1))


def _misfit(node: ir.Node, scale: Array, zero: Array | None, place: str) -> Problem | None:
    """Whether scales and zero points are as many as the tensor's channels, or one."""
    shape, axis = known_shape(required(node, 0)) or (), integer(node, "axis", 1)
    many = scale.ndim == 1 and scale.size != 1
    fits = (
        scale.ndim <= 1
        and scale.size
        and (not many or (-len(shape) <= axis < len(shape) and scale.size == shape[axis]))
    )
    if fits and (zero is None or (zero.ndim <= 1 and zero.size == scale.size)):
        return None
    zeros = "" if zero is None else f", zero points {list(zero.shape)}"
    return Problem(
        "EQ0261",
        "scales and zero points do not fit the tensor",
        where=place,
        got=f"scales {list(scale.shape)}{zeros}, axis {axis} of {list(shape)}",
        allowed="one number each, or one for each index of the axis",
        hint="the model would not run in onnxruntime either: quantize it again",
    )


def _default_type(node: ir.Node) -> ir.DataType | None:
    """The integers' type where no zero point states it."""
    if node.op_type == "DequantizeLinear":
        return required(node, 0).dtype
    stated = integer(node, "output_dtype", 0)
    return ir.DataType(stated) if stated else ir.DataType.UINT8
