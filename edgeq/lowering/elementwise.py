"""Add, Sub and Mul of two int8 operands, broadcast as ONNX broadcasts; either may be constant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeq.ir import Attr, Tensor
from edgeq.lowering.context import Context, Target, scalar_quant
from edgeq.lowering.requantize import multipliers, single_product
from edgeq.numerics import tflite
from edgeq.numerics.addition import choose_addition

if TYPE_CHECKING:
    import onnx_ir


def lower_add(ctx: Context, node: onnx_ir.Node, target: Target) -> Tensor:
    """A sum in one rounding."""
    return _addition(ctx, node, target, "add", 1)


def lower_sub(ctx: Context, node: onnx_ir.Node, target: Target) -> Tensor:
    """A difference in one rounding."""
    return _addition(ctx, node, target, "sub", -1)


def lower_mul(ctx: Context, node: onnx_ir.Node, target: Target) -> Tensor:
    """A product, requantized."""
    a, b = ctx.activation(node, 0), ctx.activation(node, 1)
    (a_scale, a_zero), (b_scale, b_zero) = scalar_quant(a), scalar_quant(b)
    ratio = np.float64(a_scale) * b_scale / target.scale
    if ctx.mode == "tflite":
        # LiteRT divides in float32, too.
        ratio = np.float64(np.float32(single_product(a_scale, b_scale)) / np.float32(target.scale))
    names, attrs = multipliers(ctx, target.name, np.array([ratio]), np.array([255 * 255]), target.sources)
    attrs |= {"a_zero": a_zero, "b_zero": b_zero, "out_zero": target.zero}
    return ctx.emit_result("mul", target, (a.name, b.name, *names), attrs | _clamp(target))


def _addition(ctx: Context, node: onnx_ir.Node, target: Target, op: str, sign: int) -> Tensor:
    a, b = ctx.activation(node, 0), ctx.activation(node, 1)
    (a_scale, a_zero), (b_scale, b_zero) = scalar_quant(a), scalar_quant(b)
    attrs: dict[str, Attr]
    if ctx.mode == "tflite":
        factors = tflite.add_parameters(a_scale, b_scale, target.scale)
        attrs = {
            "requant": "tflite",
            "left_shift": factors.left_shift,
            "a_zero": a_zero,
            "b_zero": b_zero,
            "a_multiplier": factors.a_multiplier,
            "a_exponent": factors.a_exponent,
            "b_multiplier": factors.b_multiplier,
            "b_exponent": factors.b_exponent,
            "out_multiplier": factors.out_multiplier,
            "out_exponent": factors.out_exponent,
            "out_zero": target.zero,
        }
    else:
        constants = choose_addition((a_scale, b_scale, target.scale), (a_zero, b_zero, target.zero), sign)
        attrs = {
            "requant": "highmul",
            "a_multiplier": constants.a_multiplier,
            "b_multiplier": constants.b_multiplier,
            "offset": constants.offset,
            "shift": constants.shift,
        }
    return ctx.emit_result(op, target, (a.name, b.name), attrs | _clamp(target))


def _clamp(target: Target) -> dict[str, Attr]:
    return {"clamp_min": target.clamp_min, "clamp_max": target.clamp_max}
