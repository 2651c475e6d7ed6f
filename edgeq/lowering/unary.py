"""Every function of one int8 value: a table of 256 results, rounded on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.ir import Tensor
from edgeq.lowering.attributes import scalars
from edgeq.lowering.context import Context, Target, scalar_quant
from edgeq.numerics.tables import unary_table

if TYPE_CHECKING:
    import onnx_ir

CLIP_BOUNDS = {1: "min", 2: "max"}


def lower_unary(ctx: Context, node: onnx_ir.Node, target: Target) -> Tensor:
    """A table lookup; the fused clamp is part of the table."""
    x = ctx.activation(node, 0)
    scale, zero = scalar_quant(x)
    attributes = scalars(node)
    if node.op_type == "Clip":
        for index, key in CLIP_BOUNDS.items():
            bound = node.inputs[index] if index < len(node.inputs) else None
            if bound is not None and bound.const_value is not None:
                attributes[key] = float(bound.const_value.numpy())
    table = unary_table(
        node.op_type, attributes, scale, zero, target.scale, target.zero, target.clamp_min, target.clamp_max
    )
    name = ctx.add_constant(f"{target.name}.table", table)
    return ctx.emit_result("lookup", target, (x.name, name), {"function": node.op_type})
