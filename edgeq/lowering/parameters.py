"""Scales, zero points and integers as QuantizeLinear and DequantizeLinear state them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import DType, Quantization
from edgeq.numerics.array import Array

if TYPE_CHECKING:
    import onnx_ir


def quantizer_parameters(node: onnx_ir.Node) -> Quantization:
    """The parameters of a QuantizeLinear or DequantizeLinear of an activation.

    Raises:
        EdgeqError: EQ0356 they are computed, or per channel.
    """
    scale = parameter(node, 1).astype(np.float32).reshape(-1)
    has_zero = len(node.inputs) > 2 and node.inputs[2] is not None
    zero = as_signed(parameter(node, 2), node).reshape(-1) if has_zero else np.zeros(1, np.int8)
    if scale.size != 1 or zero.size != 1:
        raise EdgeqError(
            "EQ0356",
            "an activation is quantized per channel",
            where=f"node {node.name}",
            allowed="one scale and zero point for the whole tensor",
            hint="quantize activations per tensor; only weights may be per channel",
        )
    return Quantization.per_tensor(DType.of(zero), float(scale[0]), int(zero[0]))


def as_signed(integers: Array, node: onnx_ir.Node) -> Array:
    """Integers and zero points of uint8 lie 128 above those of int8; int16 is symmetric; biases are int32.

    Raises:
        EdgeqError: EQ0363 any other type.
    """
    if integers.dtype == np.uint8:
        shifted: Array = (integers.astype(np.int16) - 128).astype(np.int8)
        return shifted
    if integers.dtype not in (np.int8, np.int16, np.int32):
        raise EdgeqError(
            "EQ0363",
            "integers of this type are not implemented",
            where=f"node {node.name}",
            got=integers.dtype.name,
            allowed="int8, uint8, int16, and int32 for biases",
        )
    return integers


def parameter(node: onnx_ir.Node, index: int) -> Array:
    """The constant operand ``index``: a scale or a zero point.

    Raises:
        EdgeqError: EQ0356 it is computed.
    """
    value = node.inputs[index]
    if value is None or value.const_value is None:
        raise EdgeqError(
            "EQ0356",
            "a scale or zero point is computed at run time",
            where=f"node {node.name}, input {index}",
            allowed="constants",
            hint="export with static quantization parameters",
        )
    return np.asarray(value.const_value.numpy())
