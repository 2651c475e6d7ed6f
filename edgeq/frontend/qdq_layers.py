"""Canonical operators in a recovered float graph, without losing the integers that its constants stand for.

The same forms as :mod:`edgeq.frontend.rules` gives float models: Gemm with transB=1, alpha=beta=1 and a bias; Conv over
two dimensions with a bias. The rules themselves change float constants, which here have integers beside them.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import Problem
from edgeq.frontend.edit import AttributeValue, Edit, apply_rules
from edgeq.frontend.facts import integer, ints, is_op, name_of, number, operand, required, shape_of
from edgeq.frontend.floats import read_integer_inputs
from edgeq.frontend.qdq_affine import fold_affine
from edgeq.frontend.qdq_read import Recovery
from edgeq.frontend.rules import RECOVERED, UNREAD, UNREAD_LAST
from edgeq.numerics.array import Array
from edgeq.onnxio.limits import shown

_GEMM: Final[dict[str, AttributeValue]] = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 1}


def canonicalize_operators(model: ir.Model) -> None:
    """Rules for operators without quantized constants, on the foreign model itself; in place."""
    apply_rules(Edit(model), UNREAD)
    apply_rules(Edit(model), UNREAD_LAST)
    read_integer_inputs(model)


def canonicalize_layers(found: Recovery) -> None:
    """Bring every operator, with what scales and shifts its channels, to the normalized form; in place."""
    for node in list(found.edit.graph):
        found.edit.before(node)
        if is_op(node, "Conv"):
            _canonicalize_conv(found, node)
        elif is_op(node, "Gemm"):
            _canonicalize_gemm(found, node)
        elif is_op(node, "MatMul"):
            _canonicalize_matmul(found, node)
    fold_affine(found)
    # Behind the folds: a division that a normalization takes back is not rounded to a factor in between.
    apply_rules(found.edit, RECOVERED)
    for node in list(found.edit.graph):
        found.edit.before(node)
        if is_op(node, "MatMul"):
            _canonicalize_matmul(found, node)
        elif is_op(node, "Add"):
            _take_bias(found, node)
        elif is_op(node, "BatchNormalization"):
            _canonicalize_batch_normalization(found, node)
    found.edit.sweep()


# --- convolution -------------------------------------------------------------------------------------------------


def _canonicalize_conv(found: Recovery, node: ir.Node) -> None:
    edit = found.edit
    weight, bias = edit.array(operand(node, 1)), operand(node, 2)
    if weight is None or (bias is not None and edit.array(bias) is None):
        _refuse(found, node)
        return
    if bias is None:
        node.resize_inputs(3)
        node.replace_input_with(2, _zeros(edit, node, weight.shape[0]))
    if weight.ndim == 3:
        _widen_conv(found, node)


def _widen_conv(found: Recovery, node: ir.Node) -> None:
    """A convolution over one dimension becomes one of height one, between Reshapes."""
    edit, result = found.edit, node.outputs[0]
    x, kernel = required(node, 0), required(node, 1)
    base = name_of(result)
    batch, channels, length = shape_of(x)
    _, filters, steps = shape_of(result)
    out, _, size = shape_of(kernel)
    begin, end = ints(node, "pads", (0, 0))
    attributes: dict[str, AttributeValue] = {
        "dilations": (1, *ints(node, "dilations", (1,))),
        "group": integer(node, "group", 1),
        "kernel_shape": (1, size),
        "pads": (0, begin, 0, end),
        "strides": (1, *ints(node, "strides", (1,))),
    }
    wide = edit.reshape(x, (batch, channels, 1, length), base=f"{base}_input_2d")
    weight = _moved(found, kernel, np.asarray(edit.array(kernel)).reshape(out, -1, 1, size))
    flat = edit.node(
        "Conv", [wide, weight, required(node, 2)], attributes, base=f"{base}_2d", shape=(batch, filters, 1, steps)
    )
    outer = edit.reshape(flat, shape_of(result), base=f"{base}_1d")
    edit.hand_over(node, flat, outer)


def _canonicalize_batch_normalization(found: Recovery, node: ir.Node) -> None:
    """Normalization that is quantized by itself becomes a depthwise 1x1 convolution.

    One weight per channel is ±127 at the scale |factor|/127: int8 holds every factor exactly.
    """
    edit, x, result = found.edit, required(node, 0), node.outputs[0]
    arrays = [edit.array(operand(node, index)) for index in range(1, 5)]
    shape = shape_of(x)
    stated = [array.astype(np.float64) for array in arrays if array is not None]
    if len(stated) != 4 or len(shape) not in {2, 3, 4} or integer(node, "training_mode", 0):
        _refuse(found, node)
        return
    gamma, beta, mean, variance = stated
    with np.errstate(divide="ignore", invalid="ignore"):  # refused below
        factor = gamma / np.sqrt(variance + number(node, "epsilon", 1e-5))
    if not np.isfinite(factor).all():
        where = f"node {shown(node.name or node.op_type)}"
        hint = "the training diverged, or the export is at fault: look at the variances"
        found.problems.append(Problem("EQ0263", "a variance is not positive", where, node.op_type, hint=hint))
        return
    base, channels = name_of(result), shape[1]
    rows = len(shape) == 2 and shape[0] > 1
    if rows:
        x = edit.transpose(x, (1, 0), base=f"{base}_input_turned")
    image = {2: (1, channels, shape[0], 1), 3: (shape[0], channels, 1, shape[-1])}.get(len(shape), shape)
    flat = x if len(shape) == 4 else edit.reshape(x, image, base=f"{base}_input_2d")
    weight = edit.constant(factor.astype(np.float32).reshape(-1, 1, 1, 1), f"{base}_factor")
    bias = edit.constant((beta - mean * factor).astype(np.float32), f"{base}_offset")
    ones: dict[str, AttributeValue] = {"dilations": (1, 1), "kernel_shape": (1, 1), "pads": (0,) * 4, "strides": (1, 1)}
    product = edit.node("Conv", [flat, weight, bias], {**ones, "group": channels}, base=f"{base}_conv", shape=image)
    outer = product if flat is x else edit.reshape(product, shape_of(x), base=f"{base}_reshape")
    if rows:
        outer = edit.transpose(outer, (1, 0), base=f"{base}_turned_back")
    if outer is product:
        edit.supersede(result, product)
    else:
        edit.hand_over(node, product, outer)


# --- matrix products ---------------------------------------------------------------------------------------------


def _canonicalize_gemm(found: Recovery, node: ir.Node) -> None:
    edit = found.edit
    x, weight, bias = required(node, 0), edit.array(operand(node, 1)), operand(node, 2)
    result = node.outputs[0]
    alpha, beta = number(node, "alpha", 1.0), number(node, "beta", 1.0)
    if weight is None or (bias is not None and edit.array(bias) is None and beta != 1.0):
        return  # a product of two activations, which a rule writes as MatMul
    outputs = shape_of(result)[1]
    turns = integer(node, "transA", 0), integer(node, "transB", 0)
    values = edit.array(bias)
    if turns == (0, 1) and (alpha, beta) == (1.0, 1.0) and values is not None and values.shape == (outputs,):
        return
    per_output = values is not None and (values.size == 1 or values.shape[-1:] == (outputs,) == (values.size,))
    if turns[0]:
        x = edit.transpose(x, (1, 0), base=f"{name_of(result)}_operand")
    kernel = _scaled(found, required(node, 1), alpha)
    if not turns[1]:
        kernel = _moved(found, kernel, np.asarray(edit.array(kernel)).T, perm=(1, 0))
    whole = bias is not None and per_output
    offsets = _row(found, _scaled(found, required(node, 2), beta), outputs) if whole else _zeros(edit, node, outputs)
    product = edit.node("Gemm", [x, kernel, offsets], _GEMM, base=f"{name_of(result)}_gemm", shape=shape_of(result))
    if bias is not None and not whole:
        # Neither a column, a matrix nor a computed value is a bias: it stays an addition of its own.
        product = edit.node(
            "Add", [product, _scaled(found, bias, beta)], base=f"{name_of(result)}_add", shape=shape_of(result)
        )
    edit.supersede(result, product)


def _canonicalize_matmul(found: Recovery, node: ir.Node) -> None:
    """x · W with a constant matrix W becomes Gemm, between Reshapes where x is no matrix; W · x turns around."""
    edit, result = found.edit, node.outputs[0]
    x, weight = required(node, 0), edit.array(operand(node, 1))
    if weight is None or not edit.is_computed(x):
        _turn_left_matrix(found, node)
        return
    matrix = weight
    if weight.ndim == 1:
        matrix = weight[:, np.newaxis]
    elif weight.ndim > 2 and weight.size == math.prod(weight.shape[-2:]) and weight.ndim <= len(shape_of(x)):
        matrix = weight.reshape(weight.shape[-2:])
    if matrix.ndim != 2 or len(shape_of(x)) < 2:
        return  # a stack of matrices, or a product of vectors
    base, shape = name_of(result), shape_of(x)
    kernel = required(node, 1)
    if matrix is not weight:
        kernel = _moved(found, kernel, matrix)
    kernel = _moved(found, kernel, matrix.T, perm=(1, 0))
    flat = x if len(shape) == 2 else edit.reshape(x, (math.prod(shape[:-1]), shape[-1]), base=f"{base}_rows")
    operands = [flat, kernel, _zeros(edit, node, matrix.shape[1])]
    product = edit.node("Gemm", operands, _GEMM, base=f"{base}_gemm", shape=(shape_of(flat)[0], matrix.shape[1]))
    if shape_of(product) == shape_of(result):
        edit.supersede(result, product)
    else:
        edit.hand_over(node, product, edit.reshape(product, shape_of(result), base=f"{base}_reshape"))


def _turn_left_matrix(found: Recovery, node: ir.Node) -> None:
    """W · x becomes the transpose of xᵀ · Wᵀ."""
    edit, result = found.edit, node.outputs[0]
    weight, x = edit.array(operand(node, 0)), required(node, 1)
    if weight is None or not edit.is_computed(x) or weight.ndim != 2 or len(shape_of(x)) != 2:
        return
    base = name_of(result)
    turned = edit.transpose(x, (1, 0), base=f"{base}_operand")
    operands = [turned, required(node, 0), _zeros(edit, node, weight.shape[0])]
    product = edit.node("Gemm", operands, _GEMM, base=f"{base}_gemm", shape=(shape_of(turned)[0], weight.shape[0]))
    edit.hand_over(node, product, edit.transpose(product, (1, 0), base=f"{base}_transpose"))


def _take_bias(found: Recovery, node: ir.Node) -> None:
    """A constant that is added right behind a Gemm, with no quantization between, is its bias, or a part of it."""
    edit, result = found.edit, node.outputs[0]
    for side in (0, 1):
        product, addend = required(node, side), required(node, 1 - side)
        values, path = edit.array(addend), _to_gemm(found, product)
        if values is None or path is None:
            continue
        gemm, behind = path
        outputs = shape_of(gemm.outputs[0])[1]
        if values.size not in {1, outputs} or (values.size > 1 and values.shape[-1] != outputs):
            continue
        if shape_of(product) != shape_of(result) or shape_of(product)[-1] != outputs:
            continue
        stated = np.asarray(edit.array(operand(gemm, 2)), np.float64)
        row = _row(found, addend, outputs)
        if stated.any():
            total = stated + np.asarray(edit.array(row), np.float64)
            row = edit.constant(total.astype(np.float32), name_of(required(gemm, 2)))
        gemm.replace_input_with(2, row)
        last = gemm if behind is None else behind
        found.move_params(result, last.outputs[0])
        name = name_of(result)
        result.replace_all_uses_with(last.outputs[0], replace_graph_outputs=True)
        result.name = None
        edit.remove(node)
        edit.rename(last.outputs[0], name)
        return


def _to_gemm(found: Recovery, value: ir.Value) -> tuple[ir.Node, ir.Node | None] | None:
    """The Gemm that makes a value, and the Reshape between; None where anything is quantized or read besides."""
    node = value.producer()
    if node is None or value in found.params or found.edit.only_user(value) is None:
        return None
    if is_op(node, "Gemm"):
        return node, None
    if not is_op(node, "Reshape"):
        return None
    before = _to_gemm(found, required(node, 0))
    return None if before is None or before[1] is not None else (before[0], node)


# --- constants ---------------------------------------------------------------------------------------------------


def _refuse(found: Recovery, node: ir.Node) -> None:
    """Leave a layer as it is: the support check says what is wrong with it."""
    found.refused.add(str(node.name))


def _zeros(edit: Edit, node: ir.Node, count: int) -> ir.Value:
    return edit.constant(np.zeros(count, np.float32), f"{name_of(node.outputs[0])}_bias")


def _row(found: Recovery, value: ir.Value, count: int) -> ir.Value:
    """A bias as [count]."""
    array = np.asarray(found.edit.array(value)).reshape(-1)
    if array.size == count:
        return _moved(found, value, array)
    return found.edit.constant(np.broadcast_to(array, (count,)), name_of(value))


def _moved(found: Recovery, value: ir.Value, array: Array, perm: tuple[int, ...] | None = None) -> ir.Value:
    """The constant reshaped (or transposed by ``perm``) to ``array``, with its integers where they can follow."""
    if perm is None and array.shape == shape_of(value):
        return value
    integers = found.constants.get(value)
    result = found.edit.constant(array, name_of(value))
    if integers is not None:
        kept = integers.reshaped(array.shape) if perm is None else integers.transposed(perm)
        if kept is not None:
            found.constants[result] = kept
    return result


def _scaled(found: Recovery, value: ir.Value, factor: float) -> ir.Value:
    """The constant times a factor; a positive one goes into the scale of its integers."""
    if factor == 1.0:
        return value
    array = np.asarray(found.edit.array(value))
    integers = found.constants.get(value)
    result = found.edit.constant((array.astype(np.float64) * factor).astype(np.float32), name_of(value))
    if integers is not None and factor > 0:
        found.constants[result] = integers.scaled(factor)
    return result
