"""Softmax over one axis; the result has scale 1/256 and zero point −128, in int16 1/32768 and 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, Tensor
from edgeq.lowering.context import Context, Target, scalar_quant
from edgeq.lowering.requantize import requantized
from edgeq.numerics import DEFAULT_MODE
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
    if target.quant == given and not target.is_clamped:
        return ctx.emit_result("softmax", target, (x.name, *constants), attrs)
    rows = f"{target.name}.rows"
    row = ctx.emit("softmax", rows, (x.name, *constants), attrs, quant=given, sources=target.sources)
    return requantized(ctx, row, target)
