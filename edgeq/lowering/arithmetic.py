"""Max, Min, Div and PRelu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, DType, Tensor
from edgeq.lowering.attributes import constant_array
from edgeq.lowering.context import Context, Target, scalar_quant
from edgeq.numerics.division import RECIPROCAL_BITS, quotient_multiplier, reciprocal_table
from edgeq.numerics.highmul import choose_multipliers

if TYPE_CHECKING:
    import onnx_ir

# Factors smaller than this share of the one of values that are not negative count as this share, but for zero.
_SLOPE_MIN = 2.0**-24


def lower_maximum(ctx: Context, node: onnx_ir.Node, target: Target, *operands: Tensor) -> Tensor:
    """The larger of two operands at the result's scale: rounding is monotone, so that it may come first."""
    return _extreme(ctx, node, target, operands, "maximum")


def lower_minimum(ctx: Context, node: onnx_ir.Node, target: Target, *operands: Tensor) -> Tensor:
    """The smaller of two operands at the result's scale."""
    return _extreme(ctx, node, target, operands, "minimum")


def _extreme(ctx: Context, node: onnx_ir.Node, target: Target, operands: Sequence[Tensor], op: str) -> Tensor:
    if len(operands) != 2:
        raise EdgeqError(
            "EQ0361",
            f"a {node.op_type} of {len(operands)} operands is not implemented",
            where=f"node {node.name}",
            got=len(operands),
            allowed="2",
            hint="write it as one node for each further operand",
        )
    return ctx.emit_result(op, target, tuple(operand.name for operand in operands), {})


def lower_divide(ctx: Context, node: onnx_ir.Node, target: Target, a: Tensor, b: Tensor) -> Tensor:
    """A quotient: of int8 by a table of reciprocals, of int16 by a division of integers."""
    (a_scale, a_zero), (b_scale, b_zero) = scalar_quant(a), scalar_quant(b)
    shift = RECIPROCAL_BITS
    if b.dtype is DType.INT8:
        factors = reciprocal_table(a_scale, b_scale, b_zero, target.scale)
    else:
        multiplier, shift = quotient_multiplier(a_scale, b_scale, target.scale)
        factors = np.array([multiplier], np.int32)
    attrs: dict[str, Attr] = {"shift": shift, "a_zero": a_zero, "out_zero": target.zero}
    name = ctx.add_constant(f"{target.name}.factors", factors)
    return ctx.emit_result("divide", target, (a.name, b.name, name), attrs | _clamp(target))


def lower_prelu(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """A factor for values from zero up, and one for each slope; all of them share a shift."""
    slopes = constant_array(node, 1)
    assert slopes is not None  # ONNX requires it
    scale, zero = scalar_quant(x)
    ratio = scale / target.scale
    sizes = np.maximum(np.abs(slopes.astype(np.float64)), _SLOPE_MIN)
    multipliers, shift = choose_multipliers(ratio * np.append(sizes.reshape(-1), 1.0))
    signed = multipliers[:-1].reshape(slopes.shape) * np.sign(slopes).astype(np.int32)
    names = (
        ctx.add_constant(f"{target.name}.slopes", signed),
        ctx.add_constant(f"{target.name}.multiplier", multipliers[-1:]),
    )
    attrs: dict[str, Attr] = {"shift": shift, "in_zero": zero, "out_zero": target.zero}
    return ctx.emit_result("prelu", target, (x.name, *names), attrs | _clamp(target))


def _clamp(target: Target) -> dict[str, Attr]:
    return {"clamp_min": target.clamp_min, "clamp_max": target.clamp_max}
