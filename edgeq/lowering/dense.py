"""Gemm with a constant weight, and MatMul of two computed operands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeq.ir import Tensor
from edgeq.lowering.context import Context, Target, magnitude, scalar_quant
from edgeq.lowering.conv import accumulate
from edgeq.lowering.requantize import add_factors

if TYPE_CHECKING:
    import onnx_ir


def lower_gemm(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """Gemm in its normalized form: transB, alpha = beta = 1, weight [O, K], bias [O]."""
    weight = ctx.constant(node, 1)
    names, attrs = accumulate(ctx, "dense", node, target, x, weight, np.ascontiguousarray(weight.value()))
    return ctx.emit_result("dense", target, (x.name, *names), attrs)


def lower_matmul(ctx: Context, node: onnx_ir.Node, target: Target, a: Tensor, b: Tensor) -> Tensor:
    """MatMul of two operands of one type with equal batch dimensions."""
    (a_scale, a_zero), (b_scale, b_zero) = scalar_quant(a), scalar_quant(b)
    bound = a.shape[-1] * magnitude(a) ** 2
    factors = ctx.scaling.choose(
        ctx.scaling.ratio("matmul", a_scale, [b_scale], target.scale), ctx.reach_of("matmul", a, bound)
    )
    names, attrs = add_factors(ctx, target.name, factors, np.array([bound]), target.sources)
    attrs |= {
        "a_zero": a_zero,
        "b_zero": b_zero,
        "out_zero": target.zero,
        "clamp_min": target.clamp_min,
        "clamp_max": target.clamp_max,
    }
    return ctx.emit_result("matmul", target, (a.name, b.name, *names), attrs)
