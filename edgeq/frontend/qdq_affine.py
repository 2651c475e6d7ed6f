"""Folds what multiplies and shifts channels right behind a quantized layer into its weight scales and its bias.

Quantization-aware training exports a convolution with its batch normalization behind it, and both before the one
QuantizeLinear; PyTorch's form of it divides by the factor first that the normalization multiplies with. The weight's
integers stay as they are: a positive factor of a channel is a factor of its scale. A normalization with a
QuantizeLinear of its own on either side is not touched here, for there the roundings are real.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import integer, is_op, name_of, number, operand, required, shape_of
from edgeq.frontend.qdq_read import Recovery
from edgeq.ir import DType, Quantization, QuantizedConstant
from edgeq.numerics.array import Array


def fold_affine(found: Recovery) -> None:
    """Fold BatchNormalization and Add, Sub, Mul, Div by constants behind Conv and Gemm; in place.

    Layers have constant weights and biases, output channels first. A chain is folded up to the first value that is
    quantized, an output, or read more than once.
    """
    for node in list(found.edit.graph):
        if is_op(node, "Conv", "Gemm") and str(node.name) not in found.refused:
            found.edit.before(node)
            _fold_behind(found, node)


def _fold_behind(found: Recovery, node: ir.Node) -> None:
    edit = found.edit
    weight, bias = edit.array(operand(node, 1)), edit.array(operand(node, 2))
    if weight is None or bias is None:
        return
    channels = weight.shape[0]
    factor, offset = np.ones(channels), np.zeros(channels)
    value, chain = node.outputs[0], []
    while value not in found.params:
        user = edit.only_user(value)
        step = None if user is None else _step(edit, user, value, channels)
        if user is None or step is None:
            break
        factor, offset = factor * step[0], offset * step[0] + step[1]
        chain.append(user)
        value = user.outputs[0]
    if not chain:
        return
    node.replace_input_with(1, _scaled_weight(found, required(node, 1), factor))
    shifted = np.broadcast_to(bias.astype(np.float64).reshape(-1), (channels,)) * factor + offset
    node.replace_input_with(2, edit.constant(shifted.astype(np.float32), name_of(required(node, 2))))
    name = name_of(value)
    found.move_params(value, node.outputs[0])
    value.replace_all_uses_with(node.outputs[0], replace_graph_outputs=True)
    value.name = None
    for step_node in reversed(chain):
        edit.remove(step_node)
    edit.rename(node.outputs[0], name)


def _step(edit: Edit, node: ir.Node, value: ir.Value, channels: int) -> tuple[Array, Array] | None:
    """``(factor, offset)`` per channel of one operator on ``value``, float64; None where it is no such operator."""
    if not node.outputs or shape_of(node.outputs[0]) != shape_of(value):
        return None
    if is_op(node, "BatchNormalization"):
        return _normalization(edit, node, channels)
    if not is_op(node, "Add", "Sub", "Mul", "Div"):
        return None
    side = 0 if operand(node, 0) is value else 1
    constant = edit.array(operand(node, 1 - side))
    vector = None if constant is None else _per_channel(constant, len(shape_of(value)), channels)
    if vector is None or not np.isfinite(vector).all():
        return None
    one, zero = np.ones(channels), np.zeros(channels)
    if node.op_type == "Mul":
        return vector, zero
    if node.op_type == "Div":
        return (1 / vector, zero) if side == 0 and vector.all() else None
    if node.op_type == "Add":
        return one, vector
    return (one, -vector) if side == 0 else (-one, vector)


def _normalization(edit: Edit, node: ir.Node, channels: int) -> tuple[Array, Array] | None:
    arrays = [edit.array(operand(node, index)) for index in range(1, 5)]
    stated = [array.astype(np.float64) for array in arrays if array is not None and array.shape == (channels,)]
    if len(stated) != 4 or integer(node, "training_mode", 0):
        return None
    gamma, beta, mean, variance = stated
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = gamma / np.sqrt(variance + number(node, "epsilon", 1e-5))
    return (factor, beta - mean * factor) if np.isfinite(factor).all() else None


def _per_channel(constant: Array, rank: int, channels: int) -> Array | None:
    """A constant that broadcasts along axis 1 only, as float64 [channels]."""
    if constant.ndim > rank:
        return None
    shape = (1,) * (rank - constant.ndim) + constant.shape
    if any(size != 1 for axis, size in enumerate(shape) if axis != 1) or shape[1] not in {1, channels}:
        return None
    return np.array(np.broadcast_to(constant.astype(np.float64).reshape(-1), (channels,)))


def _scaled_weight(found: Recovery, value: ir.Value, factor: Array) -> ir.Value:
    """The weight, output channels first, times a factor per channel: its scale, where it has integers."""
    array = np.asarray(found.edit.array(value))
    integers = found.constants.get(value)
    spread = factor.reshape(-1, *(1,) * (array.ndim - 1))
    result = found.edit.constant((array.astype(np.float64) * spread).astype(np.float32), name_of(value))
    if integers is not None and integers.axis in {None, 0}:
        found.constants[result] = _scaled_integers(integers, factor)
    return result


def _scaled_integers(integers: QuantizedConstant, factor: Array) -> QuantizedConstant:
    signs = np.sign(factor).astype(np.int64)
    spread = signs.reshape(-1, *(1,) * (integers.values.ndim - 1))
    scale = np.broadcast_to(integers.scales, factor.shape).astype(np.float64)
    # A factor of zero leaves no integers; any scale is right.
    scales = (scale * np.where(signs == 0, 1.0, np.abs(factor))).astype(np.float32)
    # Less their zero points, the integers may leave int8.
    values = (integers.centred() * spread).astype(np.int32)
    return QuantizedConstant(values, Quantization.of(DType.INT32, scales, 0, 0))
