"""Multiplication and addition by constants, and BatchNormalization, folded into the layer before or behind.

All constants are combined in float64 and rounded to float32 once. A multiplication passes zero padding unchanged, an
addition does not; so an addition goes into a convolution behind it only where nothing is padded.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import (
    Shape,
    integer,
    ints,
    is_op,
    known_shape,
    made_by,
    name_of,
    number,
    operand,
    required,
    shape_of,
)
from edgeq.ops import onnx_types

VARIANCE = "its variance is not positive"
_LAYERS = onnx_types(lambda op, form: form.weight is not None)
_IMAGE_RANK = 4
_MAX_SPREAD = 1 << 20

Steps = tuple[np.ndarray, np.ndarray]
"""A factor and an offset for each channel, float64 [C] each."""


def normalization(node: ir.Node, edit: Edit) -> Steps | str:
    """The factor and the offset of each channel of a BatchNormalization, or why there are none.

    (x − mean) / sqrt(variance + epsilon) · scale + bias = x · factor + offset.
    """
    if integer(node, "training_mode", 0):
        return "it is in training mode"
    if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        return "its statistics are used"
    arrays = [edit.array(operand(node, index)) for index in range(1, 5)]
    if any(array is None for array in arrays):
        return "its parameters are computed"
    scale, bias, mean, variance = (np.asarray(array).astype(np.float64) for array in arrays)
    with np.errstate(invalid="ignore"):
        deviation = np.sqrt(variance + number(node, "epsilon", 1e-5))
    if not np.isfinite(deviation).all() or (deviation == 0).any():
        return VARIANCE
    factor = scale / deviation
    return factor, bias - mean * factor


def batchnorm_to_affine(node: ir.Node, edit: Edit) -> str | None:
    """BatchNormalization becomes x · a + b per channel."""
    found = normalization(node, edit)
    if isinstance(found, str):
        return found
    factor, offset = found
    x, result = required(node, 0), node.outputs[0]
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


def fold_chain_behind(node: ir.Node, edit: Edit) -> str | None:
    """All that multiplies and shifts the channels of a layer's result goes into its weights and bias, rounded once.

    The chain ends before the first value that is rounded, an output, or read more than once. Training with quantization
    exports such chains: PyTorch divides by the factor first that the normalization multiplies with.
    """
    weight, bias = edit.array(operand(node, 1)), edit.array(operand(node, 2))
    if weight is None or bias is None or bias.shape != weight.shape[:1]:
        return "the layer's weights are not stated constants"
    factor, offset, chain = channel_steps(node.outputs[0], len(bias), edit)
    if not chain:
        return "nothing scales or shifts its channels alone"
    value = chain[-1].outputs[0]
    addend = next((item for item in chain[0].inputs if item is not None and item is not node.outputs[0]), None)
    if len(chain) == 1 and is_op(chain[0], "Add") and addend is not None:
        _take_over(node, chain[0], edit)
        _add_to_bias(node, addend, edit)
        return None
    _put_constant(node, 1, edit.scaled(required(node, 1), factor, name_of(required(node, 1))), edit)
    shifted = (bias.astype(np.float64) * factor + offset).astype(bias.dtype)
    if bias.any():
        _put_constant(node, 2, edit.constant(shifted, name_of(required(node, 2))), edit)
    else:  # zeros that a rule has put there: the name says where the numbers come from
        node.replace_input_with(2, edit.constant(shifted, f"{name_of(value)}_offset"))
    _take_over(node, chain[-1], edit)
    for step in reversed(chain[:-1]):
        edit.remove(step)
    return None


def channel_steps(value: ir.Value, channels: int, edit: Edit) -> tuple[np.ndarray, np.ndarray, list[ir.Node]]:
    """What the nodes behind a value, which nobody else reads, do to each of its channels and nothing else.

    Returns:
        The factors and the offsets, float64 [C], and the nodes in order.
    """
    factor, offset, chain = np.ones(channels), np.zeros(channels), []
    while (user := edit.only_user(value)) is not None and (steps := _steps_of(user, value, edit)) is not None:
        factor, offset = factor * steps[0], offset * steps[0] + steps[1]
        chain.append(user)
        value = user.outputs[0]
    return factor, offset, chain


def _steps_of(node: ir.Node, value: ir.Value, edit: Edit) -> Steps | None:
    """What one operator does to each channel of ``value``; None where it does anything else."""
    if not node.outputs or known_shape(node.outputs[0]) != shape_of(value):
        return None
    if is_op(node, "BatchNormalization"):
        found = normalization(node, edit)
        return None if isinstance(found, str) else found
    if not is_op(node, "Add", "Sub", "Mul", "Div"):
        return None
    side = 0 if operand(node, 0) is value else 1
    constant = edit.array(operand(node, 1 - side))
    vector = None if constant is None or constant.dtype.kind != "f" else per_channel(constant, shape_of(value), 1)
    if vector is None or not np.isfinite(vector).all():
        return None
    vector = vector.astype(np.float64)
    one, zero = np.ones(vector.shape), np.zeros(vector.shape)
    if node.op_type == "Mul":
        return vector, zero
    if node.op_type == "Div":
        return (1 / vector, zero) if side == 0 and vector.all() else None
    if node.op_type == "Add":
        return one, vector
    return (one, -vector) if side == 0 else (-one, vector)


def _add_to_bias(layer: ir.Node, addend: ir.Value, edit: Edit) -> None:
    """Add one number, or one for each output channel, to a bias; in the place of zeros it keeps its integers."""
    bias, values = edit.array(operand(layer, 2)), edit.array(addend)
    assert bias is not None
    assert values is not None
    old = name_of(required(layer, 2))
    if bias.any() or values.size != bias.size:
        total = bias.astype(np.float64) + values.astype(np.float64).reshape(-1)
        made = edit.constant(total.astype(bias.dtype), old)
    else:
        made = edit.reshaped(addend, bias.shape, old)
    _put_constant(layer, 2, made, edit)
    if made is not addend and not bias.any():
        edit.inherit_name(made, addend)


def take_bias_behind_reshape(node: ir.Node, edit: Edit) -> str | None:
    """Reshape(Gemm(x)) + b for each output is the Gemm's bias."""
    result = node.outputs[0]
    for side in (0, 1):
        product, addend = required(node, side), required(node, 1 - side)
        reshape, values = made_by(product, "Reshape"), edit.array(addend)
        layer = None if reshape is None else made_by(required(reshape, 0), "Gemm")
        if reshape is None or layer is None or values is None or edit.array(operand(layer, 2)) is None:
            continue
        if edit.only_user(product) is None or edit.only_user(layer.outputs[0]) is None:
            continue
        outputs = shape_of(layer.outputs[0])[1]
        per_output = values.size == 1 or (values.size == outputs and values.shape[-1] == outputs)
        if per_output and shape_of(product) == shape_of(result) and shape_of(product)[-1] == outputs:
            _take_over(reshape, node, edit)
            _add_to_bias(layer, addend, edit)
            return None
    return "no Gemm of its own before a Reshape, or no constant for each output"


def _take_over(layer: ir.Node, node: ir.Node, edit: Edit) -> None:
    """The layer now makes what the node behind it made: its result gets that name, the layer keeps its own."""
    name = layer.name
    made, result = layer.outputs[0], node.outputs[0]
    edit.supersede(result, made)
    edit.name_node(layer, name)


def _put_constant(node: ir.Node, index: int, value: ir.Value, edit: Edit) -> None:
    """Put a constant in the place of an operand, under the old one's name where nobody else reads that."""
    old = required(node, index)
    node.replace_input_with(index, value)
    if value is not old:
        edit.inherit_name(value, old)


def _set_constant(node: ir.Node, index: int, array: np.ndarray, dtype: np.dtype, edit: Edit) -> None:
    """:func:`_put_constant` of a new array."""
    with np.errstate(over="ignore"):
        value = edit.constant(array.astype(dtype), name_of(required(node, index)))
    _put_constant(node, index, value, edit)


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
    if factor is None or len(shape) != _IMAGE_RANK or shape[0] != 1:
        return "not one image"
    a, b = per_channel(factor, shape, 1), per_channel(addend, shape, 1)
    if a is None or b is None:
        return "the constants are not per channel"
    product = _depthwise(x, a.astype(factor.dtype), b.astype(addend.dtype), name_of(result), edit)
    edit.supersede(result, product)
    return None


def batchnorm_to_depthwise(node: ir.Node, edit: Edit) -> str | None:
    """BatchNormalization that is rounded on either side becomes a depthwise 1x1 convolution: one rounding, as stated.

    One weight per channel is ±127 at the scale |factor|/127: int8 holds every factor exactly.
    """
    x, result = required(node, 0), node.outputs[0]
    shape = shape_of(x)
    found = normalization(node, edit)
    if isinstance(found, str):
        return found
    if len(shape) not in {2, 3, 4}:
        return "it has another rank than 2, 3 or 4"
    factor, offset = found
    base, channels = name_of(result), shape[1]
    rows = len(shape) == 2 and shape[0] > 1
    if rows:
        x = edit.transpose(x, (1, 0), base=f"{base}_input_turned")
    image = {2: (1, channels, shape[0], 1), 3: (shape[0], channels, 1, shape[-1])}.get(len(shape), shape)
    flat = x if len(shape) == 4 else edit.reshape(x, image, base=f"{base}_input_2d")
    product = _depthwise(flat, factor.astype(np.float32), offset.astype(np.float32), base, edit)
    outer = product if flat is x else edit.reshape(product, shape_of(x), base=f"{base}_reshape")
    if rows:
        outer = edit.transpose(outer, (1, 0), base=f"{base}_turned_back")
    if outer is product:
        edit.supersede(result, product)
    else:
        edit.hand_over(node, product, outer)
    return None


def _depthwise(x: ir.Value, factor: np.ndarray, offset: np.ndarray, base: str, edit: Edit) -> ir.Value:
    """x · factor + offset per channel of an image, as a 1x1 convolution."""
    weight = edit.constant(factor.reshape(-1, 1, 1, 1), f"{base}_weight")
    bias = edit.constant(offset, f"{base}_bias")
    attributes: dict[str, Shape | int] = {
        "dilations": (1, 1),
        "group": factor.size,
        "kernel_shape": (1, 1),
        "pads": (0, 0, 0, 0),
        "strides": (1, 1),
    }
    return edit.node("Conv", [x, weight, bias], attributes, base=f"{base}_conv", shape=shape_of(x))


CHAIN_RULE = Rule("fold_chain_behind", _LAYERS, fold_chain_behind)

RULES = (
    Rule("batchnorm_to_affine", ("BatchNormalization",), batchnorm_to_affine),
    Rule("merge_constants", ("Mul", "Add"), merge_constants),
    Rule("multiply_before_adding", ("Mul",), multiply_before_adding),
    CHAIN_RULE,
    Rule("fold_into_layer_behind", _LAYERS, fold_into_layer_behind),
)

LAST_RULES = (Rule("affine_to_depthwise", ("Add",), affine_to_depthwise),)
"""What remains when no layer is near."""

ROUNDED_RULES = (
    Rule("take_bias_behind_reshape", ("Add",), take_bias_behind_reshape),
    Rule("batchnorm_to_depthwise", ("BatchNormalization",), batchnorm_to_depthwise),
)
"""For quantized models, where nothing moves through a Reshape and what is rounded by itself stays by itself."""
