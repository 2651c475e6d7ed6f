"""The quantization parameters of a foreign QuantizeLinear or DequantizeLinear, and the integers of constants."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import Problem
from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import integer, known_shape, name_of, operand, required
from edgeq.ir import DType, Quantization
from edgeq.numerics.array import Array
from edgeq.onnxio.limits import shown

ACTIVATION_TYPES: Final = (ir.DataType.INT8, ir.DataType.UINT8, ir.DataType.INT16)
"""Types of activations."""

CONSTANT_TYPES: Final = (
    *ACTIVATION_TYPES,
    ir.DataType.INT4,
    ir.DataType.UINT4,
    ir.DataType.INT2,
    ir.DataType.UINT2,
    ir.DataType.INT32,
)
"""Types of constants behind DequantizeLinear."""

_UNSIGNED: Final = (ir.DataType.UINT8, ir.DataType.UINT4, ir.DataType.UINT2)


def shift_of(dtype: ir.DataType) -> int:
    """How far the integers of an ONNX type lie above those of the signed type of as many bits, which edgeq holds."""
    return 1 << (dtype.bitwidth - 1) if dtype in _UNSIGNED else 0


def signed_integers(array: Array, dtype: ir.DataType) -> Array:
    """A constant's integers of an ONNX type as edgeq holds them."""
    return (array.astype(np.int64) - shift_of(dtype)).astype(held_type(dtype).numpy)


def held_type(dtype: ir.DataType) -> DType:
    """The type in which edgeq holds the integers of an ONNX type: int8 where they have 8 bits or fewer."""
    return {ir.DataType.INT32: DType.INT32, ir.DataType.INT16: DType.INT16}.get(dtype, DType.INT8)


def quantized_integers(array: Array, params: Quantization, dtype: ir.DataType) -> Array:
    """QuantizeLinear of a float constant: integers as the ONNX type has them; those of 4 and 2 bits lie in int8."""
    kind = np.uint8 if dtype == ir.DataType.UINT8 else params.dtype.numpy
    return (params.quantize(array).astype(np.int64) + shift_of(dtype)).astype(kind)


def place_of(node: ir.Node) -> str:
    """How a problem names a node."""
    return f"node {shown(node.name or node.op_type)}"


def read_parameters(edit: Edit, node: ir.Node, *, activation: bool) -> Quantization | Problem:
    """The parameters of a QuantizeLinear or DequantizeLinear, or why they cannot be used.

    Zero points are those of the integers that edgeq holds (:func:`shift_of`).

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
    dtype = type_of(node)
    if dtype is None or dtype not in (ACTIVATION_TYPES if activation else CONSTANT_TYPES):
        allowed = "int8, uint8 or int16" if activation else "integers of 8 bits or less, int16, and int32"
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
    if float(scale.max()) * ((1 << dtype.bitwidth) - 1) > float(np.finfo(np.float32).max):
        got, allowed = f"{float(scale.max())!r} for {dtype.name}", "products with integers that float32 holds"
        return Problem("EQ0262", "a scale is so large that the values are infinite", place, got, allowed)
    if activation and scale.size != 1:
        got = shown(f"{scale.size} scales for {name_of(required(node, 0))}")
        hint = "quantize activations per tensor; only weights may be per channel"
        return Problem("EQ0254", "an activation is quantized per channel", where=place, got=got, hint=hint)
    zeros = np.zeros(scale.size, np.int64) if zero is None else zero.astype(np.int64).reshape(-1)
    held = held_type(dtype)
    if held is DType.INT16 and zeros.any():
        what, hint = "an int16 tensor is not symmetric", "quantize int16 tensors symmetrically"
        return Problem("EQ0255", what, place, f"zero point {zeros[zeros != 0][0]}", "zero point 0", hint)
    return Quantization(
        held,
        tuple(scale.reshape(-1).tolist()),
        tuple((zeros - shift_of(dtype)).tolist()),
        axis=None if scale.size == 1 else integer(node, "axis", 1) % len(known_shape(required(node, 0)) or ()),
        bits=None if dtype.bitwidth == 8 * held.size_bytes else dtype.bitwidth,
    )


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


def type_of(node: ir.Node) -> ir.DataType | None:
    """The ONNX type of the integers of a QuantizeLinear or DequantizeLinear: its zero point's, or the default."""
    zero = operand(node, 2)
    if zero is not None:
        return zero.dtype
    if node.op_type == "DequantizeLinear":
        return required(node, 0).dtype
    stated = integer(node, "output_dtype", 0)
    return ir.DataType(stated) if stated else ir.DataType.UINT8
