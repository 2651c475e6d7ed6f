"""Normalizations by mean and deviation, by the root of the mean square, and by the norm: rows in one piece."""

from __future__ import annotations

from math import prod, sqrt
from typing import TYPE_CHECKING

import numpy as np

from edgeq.ir import Attr, DType, Tensor
from edgeq.lowering.attributes import constant_array, integer, number
from edgeq.lowering.context import Context, Target, scalar_quant
from edgeq.numerics.normalization import choose_elements, choose_row

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.numerics.array import Array

_EPSILON = float(np.float32(1e-5))


def lower_normalize(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """The rows of each of the operators, and where its scales lie."""
    shape = x.shape
    scale, bias = constant_array(node, 1), constant_array(node, 2)
    if node.op_type == "LpNormalization":
        return _by_norm(ctx, node, target, x)
    epsilon = number(node, "epsilon", _EPSILON)
    if node.op_type in {"LayerNormalization", "RMSNormalization"}:
        axes = shape[integer(node, "axis", -1) % len(shape) :]
        length = prod(axes)
        scale, bias = (
            np.broadcast_to(np.zeros(()) if array is None else array, axes).reshape(-1) for array in (scale, bias)
        )
        if node.op_type == "LayerNormalization":
            return _normalized(ctx, target, x, (length, 1), epsilon, scale, bias)
        # x / sqrt(sum / n + epsilon) = sqrt(n) * x / sqrt(sum + n * epsilon)
        scale = scale.astype(np.float64) * sqrt(length)
        return _normalized(ctx, target, x, (length, 1), length * epsilon, scale, bias, centred=False)
    assert scale is not None  # ONNX requires it
    assert bias is not None
    inner = prod(shape[2:])
    length = inner if node.op_type == "InstanceNormalization" else shape[1] // integer(node, "num_groups", 1) * inner
    return _normalized(ctx, target, x, (length, inner), epsilon, scale.reshape(-1), bias.reshape(-1))


def _normalized(
    ctx: Context,
    target: Target,
    x: Tensor,
    lengths: tuple[int, int],
    epsilon: float,
    scale: Array,
    bias: Array,
    *,
    centred: bool = True,
) -> Tensor:
    names, attrs = _operands(ctx, target, x, lengths, epsilon, scale, bias, centred=centred)
    return ctx.emit_result("normalize", target, (x.name, *names), attrs)


def _operands(
    ctx: Context,
    target: Target,
    x: Tensor,
    lengths: tuple[int, int],
    epsilon: float,
    scale: Array,
    bias: Array,
    *,
    centred: bool,
) -> tuple[tuple[str, ...], dict[str, Attr]]:
    """The constants and attributes of a node; ``lengths`` are those of a row and of a run with one scale."""
    x_scale, x_zero = scalar_quant(x)
    span = 255 if x.dtype is DType.INT8 else 65535
    row = choose_row(lengths[0], x_scale, epsilon, span, centred=centred)
    gamma, beta, shift = choose_elements(scale, bias, target.scale, target.zero, row.bits)
    names = (ctx.add_constant(f"{target.name}.scale", gamma), ctx.add_constant(f"{target.name}.bias", beta))
    attrs: dict[str, Attr] = {"length": row.length, "inner": lengths[1], "centred": int(centred)}
    attrs |= {"raised": row.raised, "epsilon": row.epsilon, "bits": row.bits, "shift": shift, "in_zero": x_zero}
    return names, attrs | {"clamp_min": target.clamp_min, "clamp_max": target.clamp_max}


def _by_norm(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """The axis comes last, and goes back."""
    rank = len(x.shape)
    axis = integer(node, "axis", -1) % rank
    order = (*(other for other in range(rank) if other != axis), axis)
    turned = ctx.transposed(x, order, "normalize_order")
    one, zero = np.ones(1), np.zeros(1)
    names, attrs = _operands(ctx, target, x, (x.shape[axis], 1), 0.0, one, zero, centred=False)
    if axis == rank - 1:
        return ctx.emit_result("normalize", target, (x.name, *names), attrs)
    rows = ctx.emit(
        "normalize", f"{target.name}.rows", (turned.name, *names), attrs, quant=target.quant, sources=target.sources
    )
    back = tuple(int(place) for place in np.argsort(order))
    return ctx.emit_result("transpose", target, (rows.name,), {"perm": back})
