"""Add, Sub and Mul of two operands of one type, broadcast as ONNX broadcasts; either may be constant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeq.ir import Attr, Tensor
from edgeq.lowering.context import Context, Target, magnitude, scalar_quant
from edgeq.lowering.requantize import add_factors

if TYPE_CHECKING:
    import onnx_ir


def lower_add(ctx: Context, node: onnx_ir.Node, target: Target, a: Tensor, b: Tensor) -> Tensor:
    """A sum, scaled as a whole."""
    return _addition(ctx, target, a, b, "add", 1)


def lower_sub(ctx: Context, node: onnx_ir.Node, target: Target, a: Tensor, b: Tensor) -> Tensor:
    """A difference, scaled as a whole."""
    return _addition(ctx, target, a, b, "sub", -1)


def lower_mul(ctx: Context, node: onnx_ir.Node, target: Target, a: Tensor, b: Tensor) -> Tensor:
    """A product, requantized."""
    (a_scale, a_zero), (b_scale, b_zero) = scalar_quant(a), scalar_quant(b)
    factors = ctx.scaling.choose(ctx.scaling.ratio("mul", a_scale, [b_scale], target.scale))
    names, attrs = add_factors(ctx, target.name, factors, np.array([magnitude(a) ** 2]), target.sources)
    attrs |= {"a_zero": a_zero, "b_zero": b_zero, "out_zero": target.zero}
    return ctx.emit_result("mul", target, (a.name, b.name, *names), attrs | _clamp(target))


def _addition(ctx: Context, target: Target, a: Tensor, b: Tensor, op: str, sign: int) -> Tensor:
    (a_scale, a_zero), (b_scale, b_zero) = scalar_quant(a), scalar_quant(b)
    scales, zeros = (a_scale, b_scale, target.scale), (a_zero, b_zero, target.zero)
    attrs: dict[str, Attr] = {"requant": ctx.scaling.name, **ctx.scaling.choose_sum(scales, zeros, sign, a.dtype.numpy)}
    return ctx.emit_result(op, target, (a.name, b.name), attrs | _clamp(target))


def _clamp(target: Target) -> dict[str, Attr]:
    return {"clamp_min": target.clamp_min, "clamp_max": target.clamp_max}
