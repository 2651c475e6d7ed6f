"""Reductions: axes that are no neighbours, or of which others stand behind, are brought last by a transpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, DType, Source, Tensor
from edgeq.lowering.attributes import constant_ints, integer
from edgeq.lowering.context import Context, Target, magnitude, scalar_quant
from edgeq.lowering.plain import bounded, bounds_of, emit_function, held, in_type, magnitude_of, range_of
from edgeq.lowering.requantize import require_reach
from edgeq.numerics.array import Array
from edgeq.numerics.intervals import repeated, within
from edgeq.numerics.reduction import choose_logarithm, choose_root
from edgeq.numerics.scaling import SCALINGS
from edgeq.numerics.softmax import EXP_BITS, FACTOR_INT16, exp_table, exp_table_int16
from edgeq.ops.fold import FOLDED
from edgeq.ops.reduce import ROW_MAX_EXPONENTIALS, term_of

if TYPE_CHECKING:
    import onnx_ir

_HIGHMUL: Final = SCALINGS["highmul"]


def reduced_axes(node: onnx_ir.Node, rank: int) -> tuple[int, ...]:
    """The axes of a reduction, sorted; all where none are stated.

    Raises:
        EdgeqError: EQ0360 it reduces nothing.
    """
    given = constant_ints(node, 1)
    if not given and integer(node, "noop_with_empty_axes", 0):
        raise EdgeqError("EQ0360", f"a {node.op_type} over no axes is not implemented", where=f"node {node.name}")
    return tuple(sorted({axis % rank for axis in (given or range(rank))}))


def emit_reduction(
    ctx: Context,
    op: str,
    x: Tensor,
    axes: tuple[int, ...],
    target: Target,
    constants: Sequence[str],
    attrs: Mapping[str, Attr],
) -> Tensor:
    """The node that reduces axes of ``x``, between a transpose that brings them last and a reshape to the result."""
    rank = len(x.shape)
    kept = tuple(axis for axis in range(rank) if axis not in axes)
    ordered = ctx.transposed(x, kept + axes, f"{op}_order")
    flat = ctx.emit(
        op,
        f"{target.name}.{op}",
        (ordered.name, *constants),
        {"axes": tuple(range(len(kept), rank)), "keepdims": 0, **attrs},
        quant=target.params,
        sources=target.sources,
        source=Source(target.name, tuple(range(len(kept))), target.shape),
    )
    return ctx.emit_result("reshape", target, (flat.name,), {"shape": target.shape})


def lower_reduce_max(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """ReduceMax at the result's scale."""
    return emit_reduction(ctx, "reduce_max", x, reduced_axes(node, len(x.shape)), target, (), {})


def lower_reduce_min(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """ReduceMin at the result's scale."""
    return emit_reduction(ctx, "reduce_min", x, reduced_axes(node, len(x.shape)), target, (), {})


def lower_reduce_sum(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """ReduceSum, ReduceL1, ReduceSumSquare: a sum that is scaled in one rounding."""
    (scale, zero), axes, term = scalar_quant(x), reduced_axes(node, len(x.shape)), term_of(node.op_type)
    power = 2 if term == "square" else 1
    reach = prod(x.shape[axis] for axis in axes) * magnitude(x) ** power
    factors = _HIGHMUL.choose(np.array([scale**power / target.scale]), reach)
    require_reach(factors, np.array([reach]), target.sources)
    (multiplier,) = factors.operands.values()
    name = ctx.add_constant(f"{target.name}.multiplier", multiplier)
    attrs: dict[str, Attr] = {"term": term, "in_zero": zero, "shift": factors.shift, "out_zero": target.zero}
    return emit_reduction(ctx, "reduce_sum", x, axes, target, (name,), attrs | _clamp(target))


def lower_reduce_l2(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """ReduceL2: the root of an exact sum of squares."""
    scale, zero = scalar_quant(x)
    multiplier, shift = choose_root(scale / target.scale)
    attrs: dict[str, Attr] = {"in_zero": zero, "multiplier": multiplier, "shift": shift, "out_zero": target.zero}
    return emit_reduction(ctx, "reduce_l2", x, reduced_axes(node, len(x.shape)), target, (), attrs | _clamp(target))


def lower_reduce_log_sum(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """ReduceLogSum: the logarithm of an exact sum."""
    scale, zero = scalar_quant(x)
    found = choose_logarithm(target.scale, target.zero, Fraction(scale))
    attrs: dict[str, Attr] = {"in_zero": zero, "multiplier": found.multiplier, "offset": found.offset}
    attrs |= {"shift": found.shift, **_clamp(target)}
    return emit_reduction(ctx, "reduce_log_sum", x, reduced_axes(node, len(x.shape)), target, (), attrs)


def lower_reduce_log_sum_exp(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """ReduceLogSumExp: the largest element, and the logarithm of the sum of exponentials of differences to it."""
    (scale, zero), axes = scalar_quant(x), reduced_axes(node, len(x.shape))
    count = prod(x.shape[axis] for axis in axes)
    if count > ROW_MAX_EXPONENTIALS:
        raise EdgeqError(
            "EQ0359",
            "a ReduceLogSumExp is over too many elements",
            where=f"node {node.name}",
            got=count,
            allowed=f"at most {ROW_MAX_EXPONENTIALS} elements",
            hint="reduce one axis at a time",
        )
    table, unit = _exponentials(scale, x.dtype)
    found = choose_logarithm(target.scale, target.zero, unit, scale / target.scale, 2 * magnitude(x))
    name = ctx.add_constant(f"{target.name}.table", table)
    attrs: dict[str, Attr] = {"in_zero": zero, "slope": found.slope, "multiplier": found.multiplier}
    attrs |= {"offset": found.offset, "shift": found.shift, **_clamp(target)}
    return emit_reduction(ctx, "reduce_log_sum_exp", x, axes, target, (name,), attrs)


def lower_fold(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """A reduction of plain integers, or of what they are made into first, in a type that the result fits."""
    function, axes = FOLDED[node.op_type], reduced_axes(node, len(x.shape))
    if node.op_type == "ReduceL1":
        x = magnitude_of(ctx, target, x, "magnitude")
    elif node.op_type == "ReduceSumSquare":
        x = emit_function(ctx, target, target.declared, "multiply", x, x, "square")
    found = repeated(function, range_of(ctx, x), prod(x.shape[axis] for axis in axes))
    bounds = bounds_of(target.declared)
    interval = found if found is not None and within(found, bounds) else bounds
    x = in_type(ctx, x, target.declared if x.dtype is DType.INT64 else held(target.declared, interval))
    return bounded(ctx, emit_reduction(ctx, "fold", x, axes, target, (), {"function": function}), interval)


def _exponentials(scale: float, dtype: DType) -> tuple[Array, Fraction]:
    """The table of softmax, and what 1 in a sum of its exponentials stands for."""
    if dtype is DType.INT8:
        return exp_table(scale), Fraction(1, 1 << EXP_BITS)
    return exp_table_int16(scale), Fraction(1 << 16, FACTOR_INT16**2)


def _clamp(target: Target) -> dict[str, Attr]:
    return {"clamp_min": target.clamp_min, "clamp_max": target.clamp_max}
