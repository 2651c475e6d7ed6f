"""Every function of one int8 value: a table of 256 results, rounded on the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from edgeq.ir import Tensor
from edgeq.lowering.attributes import constant_array, scalars
from edgeq.lowering.context import Context, Target, scalar_quant
from edgeq.numerics.tables import unary_table

if TYPE_CHECKING:
    import onnx_ir

CLIP_BOUNDS = {1: "min", 2: "max"}


def lower_unary(ctx: Context, node: onnx_ir.Node, target: Target) -> Tensor:
    """A table lookup; the fused clamp is part of the table.

    The attribute ``function`` names the ONNX operator and its attributes, as in ``LeakyRelu(alpha=0.25)``.
    """
    x = ctx.activation(node, 0)
    scale, zero = scalar_quant(x)
    attributes = scalars(node)
    if node.op_type == "Clip":
        for index, key in CLIP_BOUNDS.items():
            bound = constant_array(node, index)
            if bound is not None and bound.size:
                attributes[key] = float(bound.reshape(-1)[0])
    parameters = (scale, zero, target.scale, target.zero)
    table = ctx.scaling.lookup_table(node.op_type, attributes, *parameters)
    if table is None:
        table = unary_table(node.op_type, attributes, *parameters, target.clamp_min, target.clamp_max)
    else:
        table = np.clip(table, np.int8(target.clamp_min), np.int8(target.clamp_max))
    name = ctx.add_constant(f"{target.name}.table", table)
    return ctx.emit_result("lookup", target, (x.name, name), {"function": _spelled(node.op_type, attributes)})


def _spelled(function: str, attributes: Mapping[str, float | int | str]) -> str:
    """The function for people and for backends that have it; floats in the fewest digits that give the float32."""
    words = [
        f"{key}={np.float32(value)!s}" if isinstance(value, float) else f"{key}={value}"
        for key, value in sorted(attributes.items())
    ]
    return f"{function}({', '.join(words)})" if words else function
