"""Every function of one value: a table of 256 results, or 513 that int16 is interpolated between, made on the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from edgeq.ir import DType, Tensor
from edgeq.lowering.attributes import constant_array, scalars
from edgeq.lowering.context import Context, Target, scalar_quant
from edgeq.notes import note
from edgeq.numerics.array import Array
from edgeq.numerics.interpolation import interpolated_table, interpolation_error
from edgeq.numerics.scaling.base import FunctionAttributes
from edgeq.numerics.tables import unary_table

if TYPE_CHECKING:
    import onnx_ir

TOLD_STEPS = 16.0
CONSTANTS = {"Clip": {1: "min", 2: "max"}, "Mod": {1: "constant"}, "Pow": {1: "constant"}}
"""By function, the numbers that are operands in ONNX and attributes here."""


def lower_unary(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """A table lookup; the fused clamp is part of the table.

    The attribute ``function`` names the ONNX operator and its attributes, as in ``LeakyRelu(alpha=0.25)``; for int16 it
    states the largest error of the lines, too.
    """
    scale, zero = scalar_quant(x)
    attributes = scalars(node)
    for index, key in CONSTANTS.get(node.op_type, {}).items():
        number = constant_array(node, index)
        if number is not None and number.size:
            attributes[key] = float(number.reshape(-1)[0])
    function = _spelled(node.op_type, attributes)
    if x.dtype is DType.INT16:
        given = (node.op_type, attributes, scale, target.scale, target.clamp_min, target.clamp_max)
        table = interpolated_table(*given)
        steps = interpolation_error(table, *given)
        _tell_of_error(steps, function, target)
        function += f", up to {steps:.1f} steps off"
    else:
        table = _tabulated(ctx, node.op_type, attributes, (scale, zero), target)
    name = ctx.add_constant(f"{target.name}.table", table)
    return ctx.emit_result("lookup", target, (x.name, name), {"function": function})


def _tabulated(
    ctx: Context, function: str, attributes: FunctionAttributes, x: tuple[float, int], target: Target
) -> Array:
    """The 256 results of int8, as the arithmetic gives them."""
    parameters = (*x, target.scale, target.zero)
    table = ctx.scaling.lookup_table(function, attributes, *parameters)
    if table is None:
        return unary_table(function, attributes, *parameters, target.clamp_min, target.clamp_max)
    return np.clip(table, np.int8(target.clamp_min), np.int8(target.clamp_max))


def _tell_of_error(steps: float, function: str, target: Target) -> None:
    """Note where lines between the entries are farther from the function than rounding alone, half a step."""
    if steps > TOLD_STEPS:
        note(
            "EQ0365",
            f"{function} of int16 is interpolated between 513 values",
            where=f"node {', '.join(target.sources)}",
            got=f"up to {steps:.1f} steps of the result off, {100 * steps / 65535:.2g} % of its range",
            allowed=f"{TOLD_STEPS:g} steps or fewer are not told",
            hint="a narrower range of its input makes the lines shorter; in int8 every result is rounded exactly",
        )


def _spelled(function: str, attributes: Mapping[str, float | int | str]) -> str:
    """The function for people and for backends that have it; floats in the fewest digits that give the float32."""
    words = [
        f"{key}={np.float32(value)!s}" if isinstance(value, float) else f"{key}={value}"
        for key, value in sorted(attributes.items())
    ]
    return f"{function}({', '.join(words)})" if words else function
