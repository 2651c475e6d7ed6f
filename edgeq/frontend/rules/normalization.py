"""Normalizations of rows: recognized from their parts, with the scale and bias behind them, over the last axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import AttributeValue, Edit, Rule
from edgeq.frontend.facts import (
    integer,
    is_op,
    known_shape,
    made_by,
    name_of,
    number,
    operand,
    required,
    scalar,
    shape_of,
)
from edgeq.frontend.rules.pooling import reduced_axes
from edgeq.onnxio.attributes import attribute_values

_EPSILON = float(np.float32(1e-5))
# A smaller bound of a norm only keeps zeros from being divided by zero, which stay zero here.
_NORM_MIN = 1e-5
_RESPONSE_RANK = 3


def recognise_layer_normalization(node: ir.Node, edit: Edit) -> str | None:
    """(x - mean) / sqrt(mean of (x - mean)² + epsilon) over the last axes becomes LayerNormalization."""
    difference, deviation = required(node, 0), required(node, 1)
    subtract, root = made_by(difference, "Sub"), made_by(deviation, "Sqrt")
    plus = None if root is None else made_by(required(root, 0), "Add")
    if subtract is None or plus is None:
        return "not a difference over a root of a sum"
    epsilon = scalar(edit.array(operand(plus, 1)))
    x, mean = required(subtract, 0), made_by(required(subtract, 1), "ReduceMean")
    variance = made_by(required(plus, 0), "ReduceMean")
    if epsilon is None or epsilon < 0 or mean is None or variance is None or required(mean, 0) is not x:
        return "not the deviation from the mean"
    if not _is_square_of(required(variance, 0), x, mean, edit):
        return "not the mean of the squares of the difference"
    axes, rank = reduced_axes(mean, edit), len(shape_of(x))
    last = tuple(range(rank - len(axes or ()), rank))
    if not axes or axes != last or axes != reduced_axes(variance, edit):
        return "not over the last axes"
    if not (integer(mean, "keepdims", 1) and integer(variance, "keepdims", 1)):
        return "the mean has lost its axes"
    parts = (difference, deviation, *(each.outputs[0] for each in (mean, plus, variance)), required(variance, 0))
    if any(value in edit.params for value in parts):
        return "a part of it is rounded"
    result = node.outputs[0]
    base = name_of(result)
    ones = edit.constant(np.ones(shape_of(x)[axes[0] :], np.float32), f"{base}_scale")
    attributes: dict[str, AttributeValue] = {"axis": axes[0], "epsilon": float(epsilon)}
    edit.supersede(
        result, edit.node("LayerNormalization", [x, ones], attributes, base=f"{base}_normal", shape=shape_of(x))
    )
    return None


def _is_square_of(value: ir.Value, x: ir.Value, mean: ir.Node, edit: Edit) -> bool:
    """Whether a value is (x - mean)²; exporters may compute the difference twice."""
    product, power = made_by(value, "Mul"), made_by(value, "Pow")
    if power is not None and scalar(edit.array(operand(power, 1))) == 2:
        factors = [required(power, 0)]
    elif product is not None:
        factors = [required(product, 0), required(product, 1)]
    else:
        return False
    differences = [made_by(factor, "Sub") for factor in factors]
    return all(
        each is not None and required(each, 0) is x and required(each, 1) is mean.outputs[0] for each in differences
    )


def recognise_root_mean_square(node: ir.Node, edit: Edit) -> str | None:
    """x / sqrt(mean of x² + epsilon) over the last axes, however it is written, becomes RMSNormalization."""
    x, root = _over_root(node, edit)
    plus = None if root is None else made_by(required(root, 0), "Add")
    mean = None if plus is None else made_by(required(plus, 0), "ReduceMean")
    if x is None or root is None or plus is None or mean is None:
        return "not over the root of a mean and a number"
    epsilon, axes, rank = scalar(edit.array(operand(plus, 1))), reduced_axes(mean, edit), len(shape_of(x))
    if epsilon is None or epsilon < 0 or not _is_product_of(required(mean, 0), x, edit):
        return "not the mean of its squares"
    if not axes or axes != tuple(range(rank - len(axes), rank)) or not integer(mean, "keepdims", 1):
        return "not over the last axes"
    parts = (required(node, 0), required(node, 1), root.outputs[0], plus.outputs[0], mean.outputs[0], required(mean, 0))
    if any(value in edit.params for value in parts if value is not x):
        return "a part of it is rounded"
    result = node.outputs[0]
    base, shape = name_of(result), shape_of(x)
    ones = edit.constant(np.ones(shape[axes[0] :], np.float32), f"{base}_scale")
    attributes: dict[str, AttributeValue] = {"axis": axes[0], "epsilon": float(epsilon), "stash_type": 1}
    edit.supersede(result, edit.node("RMSNormalization", [x, ones], attributes, base=f"{base}_normal", shape=shape))
    return None


def _over_root(node: ir.Node, edit: Edit) -> tuple[ir.Value, ir.Node] | tuple[None, None]:
    """x and the Sqrt of x / sqrt, or of x · 1/sqrt."""
    if node.op_type == "Div":
        root = made_by(required(node, 1), "Sqrt")
        return (None, None) if root is None else (required(node, 0), root)
    for x, factor in ((required(node, side), required(node, 1 - side)) for side in (0, 1)):
        inverse = factor.producer()
        if inverse is None or not is_op(inverse, "Div", "Reciprocal"):
            continue
        if is_op(inverse, "Div") and scalar(edit.array(operand(inverse, 0))) != 1:
            continue
        root = made_by(inverse.inputs[-1], "Sqrt")
        if root is not None and factor not in edit.params:
            return x, root
    return None, None


def _is_product_of(value: ir.Value, x: ir.Value, edit: Edit) -> bool:
    """Whether a value is x²."""
    product, power = made_by(value, "Mul"), made_by(value, "Pow")
    if power is not None:
        return required(power, 0) is x and scalar(edit.array(operand(power, 1))) == 2
    return product is not None and required(product, 0) is x and required(product, 1) is x


def take_scale_and_bias(node: ir.Node, edit: Edit) -> str | None:
    """LayerNormalization(x) · a + b with constants along its axes has them as its own scale and bias.

    RMSNormalization has no bias.
    """
    result = node.outputs[0]
    user = edit.only_user(result)
    taken = ("Mul", "Add") if node.op_type == "LayerNormalization" else ("Mul",)
    if user is None or not is_op(user, *taken) or shape_of(user.outputs[0]) != shape_of(result):
        return "nothing scales or shifts its result alone"
    other = next((value for value in user.inputs if value is not result), None)
    constant, scale = edit.array(other), edit.array(operand(node, 1))
    bias = edit.array(operand(node, 2))
    axes = shape_of(result)[integer(node, "axis", -1) % len(shape_of(result)) :]
    if constant is None or scale is None or (operand(node, 2) is not None and bias is None):
        return "a factor or offset is computed"
    trimmed = (
        constant.reshape(constant.shape[max(constant.ndim - len(axes), 0) :])
        if _leads_with_ones(constant, len(axes))
        else None
    )
    if trimmed is None:
        return "it varies along the other axes"
    values = np.broadcast_to(trimmed.astype(np.float64), axes)
    old_scale = np.broadcast_to(scale.astype(np.float64), axes)
    old_bias = np.zeros(axes) if bias is None else np.broadcast_to(bias.astype(np.float64), axes)
    new = (old_scale * values, old_bias * values) if user.op_type == "Mul" else (old_scale, old_bias + values)
    base = name_of(user.outputs[0])
    operands = [required(node, 0)]
    operands += [
        edit.constant(array.astype(np.float32), f"{base}_{label}")
        for label, array in zip(("scale", "bias"), new, strict=True)
        if label == "scale" or node.op_type == "LayerNormalization"
    ]
    attributes: dict[str, AttributeValue] = {
        "axis": integer(node, "axis", -1),
        "epsilon": number(node, "epsilon", _EPSILON),
    }
    name = node.name
    made = edit.node(node.op_type, operands, attributes, base=f"{base}_normal", shape=shape_of(result))
    edit.supersede(user.outputs[0], made)
    maker = made.producer()
    edit.sweep()
    if maker is not None:
        edit.name_node(maker, name)
    return None


def _leads_with_ones(array: np.ndarray, count: int) -> bool:
    """Whether only the last ``count`` axes of a constant have more than one element."""
    return all(size == 1 for size in array.shape[: max(array.ndim - count, 0)])


def recognise_norm(node: ir.Node, edit: Edit) -> str | None:
    """x over the root of its sum of squares along an axis, kept from zero or not, becomes LpNormalization."""
    x, divisor = required(node, 0), required(node, 1)
    value, rounded = divisor, [divisor]
    while (maker := value.producer()) is not None and is_op(maker, "Clip", "Expand"):
        if is_op(maker, "Clip"):
            low, high = (scalar(edit.array(operand(maker, index))) for index in (1, 2))
            if high is not None or low is None or not 0 <= low <= _NORM_MIN:
                return "the norm is bounded"
        value = required(maker, 0)
        rounded.append(value)
    norm = made_by(value, "ReduceL2")
    axes = None if norm is None else reduced_axes(norm, edit)
    if norm is None or required(norm, 0) is not x or axes is None or len(axes) != 1 or not integer(norm, "keepdims", 1):
        return "not over its own norm along one axis"
    if any(each in edit.params for each in rounded) or known_shape(node.outputs[0]) != known_shape(x):
        return "the norm is rounded"
    result = node.outputs[0]
    attributes: dict[str, AttributeValue] = {"axis": axes[0], "p": 2}
    edit.supersede(
        result,
        edit.node("LpNormalization", [x], attributes, base=f"{name_of(result)}_normal", shape=shape_of(x)),
    )
    return None


def write_out_mean_variance(node: ir.Node, edit: Edit) -> str | None:
    """MeanVarianceNormalization becomes LayerNormalization of the axes brought last."""
    x, result = required(node, 0), node.outputs[0]
    rank, base = len(shape_of(x)), name_of(node.outputs[0])
    stated = node.attributes.get("axes")
    given = (0, 2, 3) if stated is None else tuple(stated.as_ints())
    axes = tuple(sorted({axis % rank for axis in given}))
    if x.dtype != ir.DataType.FLOAT or not axes:
        return "not float"
    perm = (*(axis for axis in range(rank) if axis not in axes), *axes)
    turned = x if perm == tuple(range(rank)) else edit.transpose(x, perm, base=f"{base}_operand")
    first, shape = rank - len(axes), shape_of(turned)
    ones = edit.constant(np.ones(shape[first:], np.float32), f"{base}_scale")
    attributes: dict[str, AttributeValue] = {"axis": first, "epsilon": 0.0}
    inner = edit.node("LayerNormalization", [turned, ones], attributes, base=f"{base}_normal", shape=shape)
    if turned is x:
        edit.supersede(result, inner)
    else:
        back = tuple(int(place) for place in np.argsort(perm))
        edit.hand_over(node, inner, edit.transpose(inner, back, base=f"{base}_transpose"))
    return None


def normalize_response(node: ir.Node, edit: Edit) -> str | None:
    """LRN becomes x · (bias + alpha · mean of x² over a window of channels)^-beta."""
    x, result = required(node, 0), node.outputs[0]
    shape, base, size = shape_of(x), name_of(result), integer(node, "size", 1)
    if x.dtype != ir.DataType.FLOAT or len(shape) < _RESPONSE_RANK:
        return "not float, or without channels"
    square = edit.node("Mul", [x, x], base=f"{base}_square", shape=shape)
    # Channels are the rows of an image, which a window moves along; what is beyond counts as zero.
    image = (1, shape[0], shape[1], math.prod(shape[2:]))
    wide = edit.reshape(square, image, base=f"{base}_image")
    window: dict[str, AttributeValue] = {
        "ceil_mode": 0,
        "count_include_pad": 1,
        "dilations": (1, 1),
        "kernel_shape": (size, 1),
        "pads": ((size - 1) // 2, 0, size // 2, 0),
        "strides": (1, 1),
    }
    mean = edit.node("AveragePool", [wide], window, base=f"{base}_window", shape=image)
    value = edit.reshape(mean, shape, base=f"{base}_mean")
    for op_type, number_ in (
        ("Mul", number(node, "alpha", 1e-4)),
        ("Add", number(node, "bias", 1.0)),
        ("Pow", -number(node, "beta", 0.75)),
    ):
        constant = edit.constant(np.array(number_, np.float32), f"{base}_{op_type.lower()}_number")
        value = edit.node(op_type, [value, constant], base=f"{base}_{op_type.lower()}", shape=shape)
    edit.supersede(result, edit.node("Mul", [x, value], base=f"{base}_response", shape=shape))
    return None


def norm_by_division(node: ir.Node, edit: Edit) -> str | None:
    """LpNormalization of p = 1 becomes a division by the sum of magnitudes."""
    x, result = required(node, 0), node.outputs[0]
    if integer(node, "p", 2) != 1:
        return "p is not 1"
    shape, base = shape_of(x), name_of(result)
    axis = integer(node, "axis", -1) % len(shape)
    axes = edit.constant(np.array([axis], np.int64), f"{base}_axes")
    one = (*shape[:axis], 1, *shape[axis + 1 :])
    attributes: dict[str, AttributeValue] = {"keepdims": 1, "noop_with_empty_axes": 0}
    norm = edit.node("ReduceL1", [x, axes], attributes, base=f"{base}_norm", shape=one)
    edit.supersede(result, edit.node("Div", [x, norm], base=f"{base}_quotient", shape=shape))
    return None


def norm_of_parts(node: ir.Node, edit: Edit) -> str | None:
    """The root of a sum of squares becomes ReduceL2: squares would need twice the bits of what they are of."""
    total = made_by(required(node, 0), "Add", "ReduceSum", "ReduceSumSquare")
    if total is None or required(node, 0) in edit.params:
        return "not of a sum, or the sum is rounded"
    result, kind = node.outputs[0], total.op_type
    base, shape = name_of(result), shape_of(result)
    if kind == "Add":
        squares = [_squared(value, edit) for value in total.inputs]
        if any(value is None or shape_of(value) != shape for value in squares):
            return "not a sum of two squares of one shape"
        pair = _stacked([value for value in squares if value is not None], edit, base)
        axes = edit.constant(np.array([min(1, len(shape))], np.int64), f"{base}_axes")
        attributes: dict[str, AttributeValue] = {"keepdims": 0, "noop_with_empty_axes": 0}
        edit.supersede(result, edit.node("ReduceL2", [pair, axes], attributes, base=f"{base}_norm", shape=shape))
        return None
    x = required(total, 0) if kind == "ReduceSumSquare" else _squared(required(total, 0), edit)
    if x is None:
        return "not a sum of squares"
    operands, stated = [x, *total.inputs[1:]], attribute_values(total)
    edit.supersede(result, edit.node("ReduceL2", operands, stated, base=f"{base}_norm", shape=shape))
    return None


def _squared(value: ir.Value | None, edit: Edit) -> ir.Value | None:
    """What a value is the square of, if it is one and is not rounded."""
    maker = None if value is None else made_by(value, "Mul", "Pow")
    if value is None or maker is None or value in edit.params:
        return None
    x = required(maker, 0)
    return x if _is_product_of(value, x, edit) else None


def _stacked(pair: Sequence[ir.Value], edit: Edit, base: str) -> ir.Value:
    """Two values of one shape along a new axis, the second one; the halves of a tensor stay where they are."""
    shape = shape_of(pair[0])
    place = min(1, len(shape))
    whole = _halved(pair[0], pair[1], place, edit)
    joined = (*shape[:place], 2, *shape[place:])
    if whole is not None:
        return edit.reshape(whole, joined, base=f"{base}_pair")
    one = (*shape[:place], 1, *shape[place:])
    parts = [edit.reshape(value, one, base=f"{base}_part_{number}") for number, value in enumerate(pair)]
    return edit.node("Concat", parts, {"axis": place}, base=f"{base}_pair", shape=joined)


def _halved(first: ir.Value, second: ir.Value, axis: int, edit: Edit) -> ir.Value | None:
    """The tensor whose halves along an axis two values are."""
    slices = [made_by(value, "Slice") for value in (first, second)]
    if slices[0] is None or slices[1] is None or required(slices[0], 0) is not required(slices[1], 0):
        return None
    x, half = required(slices[0], 0), shape_of(first)
    if len(half) <= axis or shape_of(x) != (*half[:axis], 2 * half[axis], *half[axis + 1 :]):
        return None
    for each, start in zip(slices, (0, half[axis]), strict=True):
        assert each is not None
        starts, _, axes, steps = (edit.array(operand(each, index)) for index in range(1, 5))
        if starts is None or axes is None or (steps is not None and (steps != 1).any()):
            return None
        found = dict(zip(axes.reshape(-1) % len(half), starts.reshape(-1), strict=True))
        if found.get(axis) != start:
            return None
    return x


def drop_expand(node: ir.Node, edit: Edit) -> str | None:
    """An Expand goes where all that read it broadcast by themselves."""
    x, result = required(node, 0), node.outputs[0]
    users = [use.node for use in result.uses()]
    if result.is_graph_output() or result in edit.params or not users:
        return "the repeated values are wanted"
    if not all(is_op(user, "Add", "Div", "Max", "Min", "Mul", "Sub") for user in users):
        return "a reader does not broadcast"
    for user in users:
        others = [shape_of(x if value is result else value) for value in user.inputs]
        if math.prod(np.broadcast_shapes(*others)) != math.prod(shape_of(user.outputs[0])):
            return "the result of a reader would shrink"
    edit.replace(result, x)
    return None


def compute_statistics(node: ir.Node, edit: Edit) -> str | None:
    """The mean and the inverse deviation that a LayerNormalization gives besides are computed on their own."""
    read = [value.uses() or value.is_graph_output() for value in node.outputs[1:]]
    if not any(read):
        return "nobody reads them"
    x, base = required(node, 0), name_of(node.outputs[0])
    rank = len(shape_of(x))
    first = integer(node, "axis", -1) % rank
    axes = edit.constant(np.arange(first, rank, dtype=np.int64), f"{base}_axes")
    shape = (*shape_of(x)[:first], *(1,) * (rank - first))
    attributes = {"keepdims": 1, "noop_with_empty_axes": 0}
    mean = edit.node("ReduceMean", [x, axes], attributes, base=f"{base}_mean", shape=shape)
    if len(read) > 1 and read[1]:
        apart = edit.node("Sub", [x, mean], base=f"{base}_difference", shape=shape_of(x))
        square = edit.node("Mul", [apart, apart], base=f"{base}_square", shape=shape_of(x))
        variance = edit.node("ReduceMean", [square, axes], attributes, base=f"{base}_variance", shape=shape)
        epsilon = edit.constant(np.array(number(node, "epsilon", _EPSILON), np.float32), f"{base}_epsilon")
        bounded = edit.node("Add", [variance, epsilon], base=f"{base}_bounded", shape=shape)
        root = edit.node("Sqrt", [bounded], base=f"{base}_deviation", shape=shape)
        edit.supersede(node.outputs[2], edit.node("Reciprocal", [root], base=f"{base}_inverse", shape=shape))
    if read[0]:
        edit.supersede(node.outputs[1], mean)
    stated: dict[str, AttributeValue] = {"axis": first, "epsilon": number(node, "epsilon", _EPSILON)}
    result = node.outputs[0]
    edit.supersede(
        result, edit.node("LayerNormalization", node.inputs, stated, base=f"{base}_normal", shape=shape_of(result))
    )
    return None


RULES = (
    Rule("compute_statistics", ("LayerNormalization",), compute_statistics),
    Rule("drop_expand", ("Expand",), drop_expand),
    Rule("norm_by_division", ("LpNormalization",), norm_by_division),
    Rule("normalize_response", ("LRN",), normalize_response),
    Rule("recognise_layer_normalization", ("Div",), recognise_layer_normalization),
    Rule("recognise_norm", ("Div",), recognise_norm),
    Rule("recognise_root_mean_square", ("Div", "Mul"), recognise_root_mean_square),
    Rule("take_scale_and_bias", ("LayerNormalization", "RMSNormalization"), take_scale_and_bias),
    Rule("write_out_mean_variance", ("MeanVarianceNormalization",), write_out_mean_variance),
)
FOLDING_RULES = (Rule("norm_of_parts", ("Sqrt",), norm_of_parts),)
