"""Products with a constant matrix become Gemm with transB=1, alpha=beta=1 and a bias; others become MatMul."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import integer, name_of, number, operand, required, shape_of
from edgeq.frontend.rules.simplify import cut

_MAX_MATRICES = 64
_ATTRIBUTES = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 1}


def _gemm(edit: Edit, x: ir.Value, weight: ir.Value, bias: ir.Value, name: str) -> ir.Value:
    """x[M,K] times weight[O,K] transposed, plus bias[O]."""
    return edit.node("Gemm", [x, weight, bias], _ATTRIBUTES, base=name, shape=(shape_of(x)[0], shape_of(weight)[0]))


def _zeros(edit: Edit, weight: ir.Value, stem: str) -> ir.Value:
    """A bias of zeros for a weight [O,K]."""
    array = edit.array(weight)
    assert array is not None
    return edit.constant(np.zeros(array.shape[0], dtype=array.dtype), f"{stem}_bias")


def matmul_to_gemm(node: ir.Node, edit: Edit) -> str | None:
    """x · W of any rank becomes Gemm between Reshapes, where W is a constant matrix."""
    x, weight = required(node, 0), edit.array(operand(node, 1))
    if weight is None or not edit.is_computed(x):
        return "the second operand is not constant"
    if weight.dtype.kind != "f":
        return "the weight is not float"
    extents = weight.shape
    while len(extents) > 2 and extents[0] == 1:
        extents = extents[1:]
    if len(extents) == 1:
        extents = (*extents, 1)
    if len(extents) != 2:
        return "the weight is a stack of matrices"
    result, shape, old = node.outputs[0], shape_of(x), required(node, 1)
    base, stem = name_of(result), name_of(old)
    rows = math.prod(shape[:-1])
    flat = x if len(shape) == 2 else edit.reshape(x, (rows, shape[-1]), base=f"{base}_rows")
    matrix = edit.transposed(edit.reshaped(old, extents, f"{stem}_matrix"), (1, 0), f"{stem}_weight")
    product = _gemm(edit, flat, matrix, _zeros(edit, matrix, stem), f"{base}_gemm")
    if shape_of(product) == shape_of(result):
        edit.supersede(result, product)
    else:
        edit.hand_over(node, product, edit.reshape(product, shape_of(result), base=f"{base}_reshape"))
    edit.inherit_name(matrix, old)
    return None


def widen_matmul(node: ir.Node, edit: Edit) -> str | None:
    """A computed vector becomes a matrix of one row, or one column, and equal leading dimensions are made so."""
    a, b, result = required(node, 0), required(node, 1), node.outputs[0]
    left, right, base = shape_of(a), shape_of(b), name_of(result)
    if not edit.is_computed(a) or not edit.is_computed(b):
        return "an operand is constant"
    wide_left = (1, *left) if len(left) == 1 else left
    wide_right = (*right, 1) if len(right) == 1 else right
    rank = max(len(wide_left), len(wide_right))
    wide_left = (1,) * (rank - len(wide_left)) + wide_left
    wide_right = (1,) * (rank - len(wide_right)) + wide_right
    batch = tuple(np.broadcast_shapes(wide_left[:-2], wide_right[:-2]))
    if (left, right) == ((*batch, *left[-2:]), (*batch, *right[-2:])) and min(len(left), len(right)) >= 2:
        return "both are stacks of the same size"
    if math.prod(batch) > _MAX_MATRICES * min(math.prod(wide_left[:-2]), math.prod(wide_right[:-2])):
        return f"a stack would be repeated more than {_MAX_MATRICES} times"
    operands = []
    for value, old, wide in ((a, left, wide_left), (b, right, wide_right)):
        made = edit.reshape(value, wide, base=f"{base}_matrix") if wide != old else value
        full = (*batch, *wide[-2:])
        if full != wide:
            target = edit.constant(np.array(full, dtype=np.int64), f"{base}_stack_shape")
            made = edit.node("Expand", [made, target], base=f"{base}_stack", shape=full)
        operands.append(made)
    product = edit.node("MatMul", operands, base=f"{base}_matmul", shape=(*batch, wide_left[-2], wide_right[-1]))
    if shape_of(product) == shape_of(result):
        edit.supersede(result, product)
    else:
        edit.hand_over(node, product, edit.reshape(product, shape_of(result), base=f"{base}_reshape"))
    return None


def split_constant_stack(node: ir.Node, edit: Edit) -> str | None:
    """x · W with a stack of constant matrices becomes one product per matrix, and Concat."""
    x, stack, result = required(node, 0), edit.array(operand(node, 1)), node.outputs[0]
    if stack is None or not edit.is_computed(x) or stack.dtype.kind != "f" or stack.ndim < 3:
        return "the second operand is no constant stack of matrices"
    shape, base = shape_of(x), name_of(result)
    rows, depth, columns = (1 if len(shape) == 1 else shape[-2]), shape[-1], stack.shape[-1]
    batch = tuple(np.broadcast_shapes(shape[:-2], stack.shape[:-2]))
    count, own = math.prod(batch), math.prod(shape[:-2])
    if not 1 < count <= _MAX_MATRICES or own not in {1, count}:
        return f"one matrix, more than {_MAX_MATRICES}, or a stack for some of the rows"

    def matrix(index: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda array: np.broadcast_to(array, (*batch, depth, columns)).reshape(count, depth, columns)[index]

    rows_of_all = edit.reshape(x, (own, rows, depth), base=f"{base}_stack")
    parts = []
    for index in range(count):
        part = cut(edit, rows_of_all, 0, (index, index + 1), f"{base}_{index}_rows") if own > 1 else rows_of_all
        flat = edit.reshape(part, (rows, depth), base=f"{base}_{index}_operand")
        weight = edit.part(required(node, 1), matrix(index), f"{name_of(required(node, 1))}_{index}")
        product = edit.node("MatMul", [flat, weight], base=f"{base}_{index}_matmul", shape=(rows, columns))
        parts.append(edit.reshape(product, (1, rows, columns), base=f"{base}_{index}"))
    joined = edit.node("Concat", parts, {"axis": 0}, base=f"{base}_joined", shape=(count, rows, columns))
    edit.supersede(result, edit.reshape(joined, shape_of(result), base=f"{base}_reshape"))
    return None


def turn_left_matrix(node: ir.Node, edit: Edit) -> str | None:
    """W · x becomes the transpose of xᵀ · Wᵀ."""
    weight, x = edit.array(operand(node, 0)), required(node, 1)
    if weight is None or not edit.is_computed(x) or weight.dtype.kind != "f":
        return "the first operand is not a float constant"
    if weight.ndim != 2 or len(shape_of(x)) != 2:
        return "the operands are not matrices"
    result, matrix = node.outputs[0], required(node, 0)
    base = name_of(result)
    turned = edit.transpose(x, (1, 0), base=f"{base}_operand")
    product = _gemm(edit, turned, matrix, _zeros(edit, matrix, name_of(matrix)), f"{base}_gemm")
    edit.hand_over(node, product, edit.transpose(product, (1, 0), base=f"{base}_transpose"))
    return None


def turn_left_stack(node: ir.Node, edit: Edit) -> str | None:
    """W · x of a vector, or of matrices along further axes, becomes the transpose of xᵀ · Wᵀ."""
    weight, x, old = edit.array(operand(node, 0)), required(node, 1), required(node, 0)
    if weight is None or not edit.is_computed(x) or weight.dtype.kind != "f":
        return "the first operand is not a float constant"
    shape, result = shape_of(x), node.outputs[0]
    if weight.ndim == len(shape) == 2 or not shape:
        return "the operands are matrices"
    base, stem = name_of(result), name_of(old)
    matrices = edit.reshaped(old, (1, *weight.shape), f"{stem}_matrix") if weight.ndim == 1 else old
    extents = (1, *weight.shape) if weight.ndim == 1 else weight.shape
    right = edit.transposed(matrices, _last_two_swapped(len(extents)), f"{stem}_turned")
    if len(shape) == 1:
        edit.supersede(result, edit.node("MatMul", [x, right], base=f"{base}_matmul", shape=shape_of(result)))
        return None
    turned = edit.transpose(x, _last_two_swapped(len(shape)), base=f"{base}_operand")
    batch = tuple(np.broadcast_shapes(extents[:-2], shape[:-2]))
    product = edit.node("MatMul", [turned, right], base=f"{base}_matmul", shape=(*batch, shape[-1], extents[-2]))
    back = edit.transpose(product, _last_two_swapped(len(batch) + 2), base=f"{base}_transpose")
    edit.hand_over(node, product, back if weight.ndim > 1 else edit.reshape(back, shape_of(result), base=f"{base}_row"))
    return None


def _last_two_swapped(rank: int) -> tuple[int, ...]:
    return (*range(rank - 2), rank - 1, rank - 2)


def canonicalize_gemm(node: ir.Node, edit: Edit) -> str | None:
    """Gemm with a constant weight gets transB=1, alpha=beta=1, transA=0 and a constant bias of its own."""
    x, weight, addend = required(node, 0), edit.array(operand(node, 1)), operand(node, 2)
    if weight is None or weight.dtype.kind != "f":
        return "the weight is not a float constant"
    alpha, beta = number(node, "alpha", 1.0), number(node, "beta", 1.0)
    turn_x, turn_weight = bool(integer(node, "transA", 0)), bool(integer(node, "transB", 0))
    result = node.outputs[0]
    outputs = shape_of(result)[1]
    bias = edit.array(addend)
    # A column [M,1] or a full matrix is not a bias: it stays an addition of its own.
    per_output = bias is not None and (bias.size == 1 or (bias.size == outputs and bias.shape[-1] == outputs))
    separate = addend is not None and not per_output
    stated = all(name in node.attributes for name in _ATTRIBUTES) and bias is not None and bias.shape == (outputs,)
    if stated and turn_weight and (turn_x, alpha, beta) == (False, 1.0, 1.0):
        return "it is stated already"
    base, old = name_of(result), required(node, 1)
    if turn_x:
        x = edit.transpose(x, (1, 0), base=f"{base}_operand")
    matrix, vector = old, addend
    stem = name_of(old)
    if not turn_weight:
        matrix = edit.transposed(matrix, (1, 0), f"{stem}_weight")
    if alpha != 1.0:
        matrix = edit.scaled(matrix, alpha, f"{stem}_weight")
    if addend is None or bias is None or separate:
        vector = _zeros(edit, matrix, stem)
    elif bias.size == outputs:
        flat = edit.reshaped(addend, (outputs,), f"{stem}_bias")
        vector = flat if beta == 1.0 else edit.scaled(flat, beta, f"{stem}_bias")
    else:
        row = np.full(outputs, bias.astype(np.float64).reshape(-1) * beta)
        vector = edit.constant(row.astype(weight.dtype), f"{stem}_bias")
    assert vector is not None  # it is the addend only where that is a bias
    product = _gemm(edit, x, matrix, vector, f"{base}_gemm")
    if separate and addend is not None:
        product = _plus(edit, product, addend, beta, base)
    edit.supersede(result, product)
    if matrix is not old:
        edit.inherit_name(matrix, old)
    if addend is not None and vector is not addend:
        edit.inherit_name(vector, addend)
    return None


def split_computed_gemm(node: ir.Node, edit: Edit) -> str | None:
    """Gemm of two computed matrices becomes MatMul, and Add."""
    x, weight, addend = required(node, 0), required(node, 1), operand(node, 2)
    if edit.array(weight) is not None:
        return "the weight is constant"
    alpha = number(node, "alpha", 1.0)
    result = node.outputs[0]
    base = name_of(result)
    if integer(node, "transA", 0):
        fixed = edit.array(x)
        if fixed is None:
            x = edit.transpose(x, (1, 0), base=f"{base}_left")
        else:
            x = edit.constant(fixed.T, f"{name_of(x)}_left")
    if integer(node, "transB", 0):
        weight = edit.transpose(weight, (1, 0), base=f"{base}_right")
    product = edit.node("MatMul", [x, weight], base=f"{base}_matmul", shape=shape_of(result))
    if alpha != 1.0:
        factor = edit.constant(np.array(alpha, dtype=np.float32), f"{base}_alpha")
        product = edit.node("Mul", [product, factor], base=f"{base}_scaled", shape=shape_of(result))
    if addend is not None:
        product = _plus(edit, product, addend, number(node, "beta", 1.0), base)
    edit.supersede(result, product)
    return None


def _plus(edit: Edit, product: ir.Value, addend: ir.Value, beta: float, base: str) -> ir.Value:
    """product + beta · addend."""
    array = edit.array(addend)
    if beta != 1.0 and array is not None:
        addend = edit.constant((array.astype(np.float64) * beta).astype(array.dtype), f"{base}_addend")
    elif beta != 1.0:
        factor = edit.constant(np.array(beta, dtype=np.float32), f"{base}_beta")
        addend = edit.node("Mul", [addend, factor], base=f"{base}_addend", shape=shape_of(addend))
    return edit.node("Add", [product, addend], base=f"{base}_add", shape=shape_of(product))


RULES = (
    Rule("matmul_to_gemm", ("MatMul",), matmul_to_gemm),
    Rule("split_constant_stack", ("MatMul",), split_constant_stack),
    Rule("turn_left_matrix", ("MatMul",), turn_left_matrix),
    Rule("turn_left_stack", ("MatMul",), turn_left_stack),
    Rule("widen_matmul", ("MatMul",), widen_matmul),
    Rule("canonicalize_gemm", ("Gemm",), canonicalize_gemm),
    Rule("split_computed_gemm", ("Gemm",), split_computed_gemm),
)
_OF_LAYERS = {"matmul_to_gemm", "turn_left_matrix", "turn_left_stack", "canonicalize_gemm"}
LAYER_RULES = tuple(rule for rule in RULES if rule.name in _OF_LAYERS)
