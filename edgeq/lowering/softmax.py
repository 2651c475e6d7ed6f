"""Softmax over one axis; the result has scale 1/256 and zero point −128, in int16 1/32768 and 0."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, DType, Quantization, Tensor
from edgeq.lowering.context import Context, Target, scalar_quant
from edgeq.lowering.requantize import requantized
from edgeq.numerics import DEFAULT_MODE
from edgeq.numerics.softmax import exp_table, exp_table_int16
from edgeq.onnxio.qdq_form import mask_of
from edgeq.ops import onnx_forms

if TYPE_CHECKING:
    import onnx_ir

_, RESULT_FORM = onnx_forms()["Softmax"]

# The integer result is up to half a step off; at a scale half as fine that is more than one step of it.
FINEST_SHARE = 256 / 500


def lower_softmax(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """Softmax over the last axis."""
    scale, _ = scalar_quant(x)
    given = RESULT_FORM.fixed_for(x.dtype)
    assert given is not None  # a softmax has a result of fixed scale
    finest = given.scale[0] * FINEST_SHARE
    if target.scale < finest:
        raise EdgeqError(
            "EQ0358",
            "a Softmax result has a finer scale than the integer Softmax",
            where=f"node {node.name}",
            got=f"scale {target.scale:.6g}",
            allowed=f"{finest:g} or more; the integer Softmax gives steps of 1/{round(1 / given.scale[0])}",
            hint=f"quantize the result of this Softmax with scale {given.scale[0]:g} and zero point "
            f"{given.zero_point[0]}, the range of a probability",
        )
    mask = mask_of(node)
    if mask is not None and mask.outputs[0].name not in ctx.activations:
        return _masked(ctx, mask, target, x, given)
    longest = ctx.scaling.softmax_row_max
    if longest is not None and x.shape[-1] > longest:
        raise EdgeqError(
            "EQ0359",
            f"a Softmax row is too long for the integer softmax of {ctx.scaling.name}",
            where=f"node {node.name}",
            got=x.shape[-1],
            allowed=f"at most {longest} elements",
            hint=f"compile with --requantize {DEFAULT_MODE}, which has no such limit",
        )
    table, chosen = ctx.scaling.choose_softmax(scale, x.dtype.numpy)
    attrs: dict[str, Attr] = {"requant": ctx.scaling.name, **chosen}
    constants = () if table is None else (ctx.add_constant(f"{target.name}.table", table),)
    return _at_target(ctx, "softmax", (x.name, *constants), attrs, target, given)


def _masked(ctx: Context, mask: onnx_ir.Node, target: Target, x: Tensor, given: Quantization) -> Tensor:
    """Softmax over the positions that count; positions that do not have no score, so x keeps its scale."""
    scale, _ = scalar_quant(x)
    choose = exp_table if x.dtype is DType.INT8 else exp_table_int16
    table = ctx.add_constant(f"{target.name}.table", choose(scale))
    condition = ctx.activation(mask, 0)
    named = replace(target, sources=(str(mask.name), *target.sources))
    return _at_target(ctx, "masked_softmax", (x.name, condition.name, table), {}, named, given)


def _at_target(
    ctx: Context, op: str, operands: tuple[str, ...], attrs: dict[str, Attr], target: Target, given: Quantization
) -> Tensor:
    """Probabilities at their own scale, then at that of the result where it is another."""
    if target.quant == given and not target.is_clamped:
        return ctx.emit_result(op, target, operands, attrs)
    row = ctx.emit(op, f"{target.name}.rows", operands, attrs, quant=given, sources=target.sources)
    return requantized(ctx, row, target)
