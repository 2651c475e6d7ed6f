"""Softmax over one axis; the result has scale 1/256 and zero point −128."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, Tensor
from edgeq.lowering.attributes import integer
from edgeq.lowering.context import Context, Target, scalar_quant
from edgeq.lowering.requantize import at_scale
from edgeq.numerics import DEFAULT_MODE
from edgeq.ops.softmax import RESULT

if TYPE_CHECKING:
    import onnx_ir

# The integer result is up to half of 1/256 off; at a finer scale than about 1/512 that is more than one step.
FINEST_SCALE = 1 / 500


def lower_softmax(ctx: Context, node: onnx_ir.Node, target: Target) -> Tensor:
    """Softmax over any axis, brought last by transposes."""
    x = ctx.activation(node, 0)
    rank = len(x.shape)
    axis = integer(node, "axis", -1) % rank
    scale, _ = scalar_quant(x)
    if target.scale < FINEST_SCALE:
        raise EdgeqError(
            "EQ0358",
            "a Softmax result has a finer scale than the integer Softmax",
            where=f"node {node.name}",
            got=f"scale {target.scale:.6g}",
            allowed=f"{FINEST_SCALE:g} or more; the integer Softmax gives steps of 1/256",
            hint="quantize the result of this Softmax with scale 1/256 and zero point -128, the range of a probability",
        )
    longest = ctx.scaling.softmax_row_max
    if longest is not None and x.shape[axis] > longest:
        raise EdgeqError(
            "EQ0359",
            f"a Softmax row is too long for the integer softmax of {ctx.scaling.name}",
            where=f"node {node.name}",
            got=x.shape[axis],
            allowed=f"at most {longest} elements",
            hint=f"compile with --requantize {DEFAULT_MODE}, which has no such limit",
        )
    table, chosen = ctx.scaling.choose_softmax(scale)
    attrs: dict[str, Attr] = {"requant": ctx.scaling.name, **chosen}
    constants = () if table is None else (ctx.add_constant(f"{target.name}.table", table),)
    fixed = replace(target, quant=RESULT)
    rescaled = target.quant != RESULT or target.is_clamped
    if axis == rank - 1 and not rescaled:
        return ctx.emit_result("softmax", fixed, (x.name, *constants), attrs)
    # The swap of two axes is its own inverse.
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    swapped = ctx.transposed(x, tuple(order), "axis_last")
    row = ctx.emit(
        "softmax",
        f"{target.name}.rows",
        (swapped.name, *constants),
        attrs,
        quant=RESULT,
        sources=target.sources,
    )
    result = at_scale(ctx, row, target.quant, "rescaled")
    return ctx.emit_result("transpose", target, (result.name,), {"perm": tuple(order)})
