"""Multiplication and addition by constants, and BatchNormalization, folded into the layer before or behind.

All constants are combined in float64 and rounded to float32 once. A multiplication passes zero padding unchanged, an
addition does not; so an addition goes into a convolution behind it only where nothing is padded.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import Shape, integer, ints, is_op, name_of, number, operand, required, shape_of

_LAYERS = ("Conv", "Gemm")
_IMAGE_RANK = 4
_MAX_SPREAD = 1 << 20


def batchnorm_to_affine(node: ir.Node, edit: Edit) -> str | None:
    """(x - mean) / sqrt(var + eps) · scale + bias becomes x · a + b per channel."""
    if integer(node, "training_mode", 0):
        return "it is in training mode"
    if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        return "its statistics are used"
    arrays = [edit.array(operand(node, index)) for index in range(1, 5)]
    if any(array is None for array in arrays):
        return "its parameters are computed"
    scale, bias, mean, variance = (np.asarray(array).astype(np.float64) for array in arrays)
    x, result = required(node, 0), node.outputs[0]
    deviation = np.sqrt(variance + number(node, "epsilon", 1e-5))
    if not np.isfinite(deviation).all() or (deviation == 0).any():
        return "its variance is not positive"
    factor = scale / deviation
    offset = bias - mean * factor
    shape = (-1,) + (1,) * (len(shape_of(x)) - 2)
    base = name_of(result)
    a = edit.constant(factor.astype(np.float32).reshape(shape), f"{base}_factor")
    b = edit.constant(offset.astype(np.float32).reshape(shape), f"{base}_offset")
    scaled = edit.node("Mul", [x, a], base=f"{base}_scaled", shape=shape_of(x))
    edit.supersede(result, edit.node("Add", [scaled, b], base=f"{base}_shifted", shape=shape_of(x)))
    return None


def per_channel(constant: np.ndarray, shape: Shape, axis: int) -> np.ndarray | None:
    """The constant as one number per index of an axis, or None where it varies along another one."""
    if constant.size == 1:
        return np.full(shape[axis], constant.reshape(-1)[0])
    if constant.ndim > len(shape):
        return None
    full = (1,) * (len(shape) - constant.ndim) + constant.shape
    if any(dim != 1 and (index != axis or dim != shape[axis]) for index, dim in enumerate(full)):
        return None
    return np.broadcast_to(constant.reshape(-1), (shape[axis],)).copy()


def _constant_operand(node: ir.Node, edit: Edit) -> np.ndarray | None:
    """The constant second operand of a Mul or Add that keeps the shape of the first."""
    constant = edit.array(operand(node, 1))
    first = operand(node, 0)
    if constant is None or first is None or not edit.is_computed(first) or constant.dtype.kind != "f":
        return None
    return constant if shape_of(first) == shape_of(node.outputs[0]) else None


def fold_into_layer_before(node: ir.Node, edit: Edit) -> str | None:
    """Layer(x) · a + b: the weights' rows and the bias take a and b in."""
    constant = _constant_operand(node, edit)
    if constant is None:
        return "no constant operand"
    value = required(node, 0)
    layer = value.producer()
    if layer is None or not is_op(layer, *_LAYERS) or edit.only_user(value) is None or layer.graph is not edit.graph:
        return "no convolution or Gemm of its own before it"
    weight, bias = edit.array(operand(layer, 1)), edit.array(operand(layer, 2))
    if weight is None or bias is None or bias.shape != weight.shape[:1]:
        return "the layer's weights are not stated constants"
    vector = per_channel(constant, shape_of(value), 1)
    if vector is None:
        return "the constant is not per channel"
    vector = vector.astype(np.float64)
    if node.op_type == "Mul":
        rows = vector.reshape((-1,) + (1,) * (weight.ndim - 1))
        _set_constant(layer, 1, weight.astype(np.float64) * rows, weight.dtype, edit)
        _set_constant(layer, 2, bias.astype(np.float64) * vector, bias.dtype, edit)
    else:
        addend = required(node, 1)
        made = _set_constant(layer, 2, bias.astype(np.float64) + vector, bias.dtype, edit)
        _take_over(layer, node, edit)
        if not bias.any():
            edit.inherit_name(made, addend)
        return None
    _take_over(layer, node, edit)
    return None


def _take_over(layer: ir.Node, node: ir.Node, edit: Edit) -> None:
    """The layer now makes what the node behind it made: its result gets that name, the layer keeps its own."""
    name = layer.name
    made, result = layer.outputs[0], node.outputs[0]
    edit.supersede(result, made)
    edit.name_node(layer, name)


def _set_constant(node: ir.Node, index: int, array: np.ndarray, dtype: np.dtype, edit: Edit) -> ir.Value:
    """Put a new constant in the place of an operand, under the old one's name where nobody else reads that."""
    old = required(node, index)
    with np.errstate(over="ignore"):
        value = edit.constant(array.astype(dtype), name_of(old))
    node.replace_input_with(index, value)
    edit.inherit_name(value, old)
    return value


def fold_into_layer_behind(node: ir.Node, edit: Edit) -> str | None:
    """Layer(x · a) and, without padding, Layer(x + b): the weights' columns and the bias take a and b in."""
    value = required(node, 0)
    weight, bias = edit.array(operand(node, 1)), edit.array(operand(node, 2))
    if weight is None or bias is None or bias.shape != weight.shape[:1]:
        return "the weights are not stated constants"
    found = _affine_before(value, node, edit)
    if found is None:
        return "no Mul or Add by a constant of its own before it"
    affine, vector = found
    columns = _columns(node, weight, vector.astype(np.float64))
    if affine.op_type == "Mul":
        _set_constant(node, 1, weight.astype(np.float64) * columns, weight.dtype, edit)
    else:
        if any(ints(node, "pads", ())):
            return "the addition does not commute with zero padding"
        shift = (weight.astype(np.float64) * columns).reshape(weight.shape[0], -1).sum(axis=1)
        _set_constant(node, 2, bias.astype(np.float64) + shift, bias.dtype, edit)
    edit.replace(affine.outputs[0], required(affine, 0))
    return None


def _affine_before(value: ir.Value, layer: ir.Node, edit: Edit) -> tuple[ir.Node, np.ndarray] | None:
    """The Mul or Add that leads to the layer alone, with its constant per input channel of the layer.

    Before a Gemm of one row, a chain of Reshape and Transpose may stand between them.
    """
    between: list[ir.Node] = []
    current = value
    while (maker := current.producer()) is not None and edit.only_user(current) is not None:
        if maker.graph is not edit.graph:
            return None
        if is_op(maker, "Mul", "Add"):
            break
        if not (layer.op_type == "Gemm" and shape_of(value)[0] == 1 and is_op(maker, "Reshape", "Transpose")):
            return None
        between.append(maker)
        current = required(maker, 0)
    else:
        return None
    constant = _constant_operand(maker, edit)
    if constant is None:
        return None
    if not between:
        vector = per_channel(constant, shape_of(value), 1)
        return None if vector is None else (maker, vector)
    shape = shape_of(current)
    if int(np.prod(shape)) > _MAX_SPREAD:
        return None
    spread = np.broadcast_to(constant, shape)
    for step in reversed(between):
        spread = (
            spread.transpose(ints(step, "perm", ()))
            if step.op_type == "Transpose"
            else spread.reshape(shape_of(step.outputs[0]))
        )
    return maker, spread.reshape(-1)


def _columns(layer: ir.Node, weight: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """One number per input channel, spread over the weights [O, C/group, …]."""
    groups = integer(layer, "group", 1) if layer.op_type == "Conv" else 1
    per_group = vector.reshape(groups, -1)
    rows = np.repeat(per_group, weight.shape[0] // groups, axis=0)
    return rows.reshape(rows.shape + (1,) * (weight.ndim - 2))


def merge_constants(node: ir.Node, edit: Edit) -> str | None:
    """x · a · b becomes x · (a·b), likewise for sums."""
    constant = _constant_operand(node, edit)
    inner = required(node, 0).producer()
    if constant is None or inner is None or not is_op(inner, node.op_type) or edit.only_user(required(node, 0)) is None:
        return "no operator of the same kind before it"
    first = _constant_operand(inner, edit)
    if first is None:
        return "the operator before it has no constant"
    wide = (first.astype(np.float64), constant.astype(np.float64))
    merged = wide[0] * wide[1] if node.op_type == "Mul" else wide[0] + wide[1]
    result = node.outputs[0]
    other = edit.constant(merged.astype(constant.dtype), f"{name_of(result)}_operand")
    edit.supersede(
        result,
        edit.node(node.op_type, [required(inner, 0), other], base=f"{name_of(result)}_merged", shape=shape_of(result)),
    )
    return None


def multiply_before_adding(node: ir.Node, edit: Edit) -> str | None:
    """(x + b) · a becomes x · a + a·b, the one order that other rules look for."""
    factor = _constant_operand(node, edit)
    inner = required(node, 0).producer()
    if factor is None or inner is None or not is_op(inner, "Add") or edit.only_user(required(node, 0)) is None:
        return "no addition of its own before it"
    addend = _constant_operand(inner, edit)
    if addend is None:
        return "the addition has no constant"
    result = node.outputs[0]
    base = name_of(result)
    shift = (addend.astype(np.float64) * factor.astype(np.float64)).astype(factor.dtype)
    scaled = edit.node("Mul", [required(inner, 0), required(node, 1)], base=f"{base}_scaled", shape=shape_of(result))
    added = edit.node(
        "Add", [scaled, edit.constant(shift, f"{base}_offset")], base=f"{base}_add", shape=shape_of(result)
    )
    edit.supersede(result, added)
    return None


def affine_to_depthwise(node: ir.Node, edit: Edit) -> str | None:
    """x · a + b per channel of an image, left over, becomes one depthwise 1x1 convolution: one rounding, not two."""
    addend = _constant_operand(node, edit)
    inner = required(node, 0).producer()
    if addend is None or inner is None or not is_op(inner, "Mul") or edit.only_user(required(node, 0)) is None:
        return "not a multiplication and an addition"
    factor, x, result = _constant_operand(inner, edit), required(inner, 0), node.outputs[0]
    shape = shape_of(x)
    if factor is None or len(shape) != _IMAGE_RANK:
        return "not an image"
    a, b = per_channel(factor, shape, 1), per_channel(addend, shape, 1)
    if a is None or b is None:
        return "the constants are not per channel"
    base = name_of(result)
    weight = edit.constant(a.astype(factor.dtype).reshape(-1, 1, 1, 1), f"{base}_weight")
    bias = edit.constant(b.astype(addend.dtype), f"{base}_bias")
    attributes: dict[str, Shape | int] = {
        "dilations": (1, 1),
        "group": shape[1],
        "kernel_shape": (1, 1),
        "pads": (0, 0, 0, 0),
        "strides": (1, 1),
    }
    edit.supersede(result, edit.node("Conv", [x, weight, bias], attributes, base=f"{base}_conv", shape=shape))
    return None


RULES = (
    Rule("batchnorm_to_affine", ("BatchNormalization",), batchnorm_to_affine),
    Rule("merge_constants", ("Mul", "Add"), merge_constants),
    Rule("multiply_before_adding", ("Mul",), multiply_before_adding),
    Rule("fold_into_layer_before", ("Mul", "Add"), fold_into_layer_before),
    Rule("fold_into_layer_behind", _LAYERS, fold_into_layer_behind),
)

LAST_RULES = (Rule("affine_to_depthwise", ("Add",), affine_to_depthwise),)
"""What remains when no layer is near."""
