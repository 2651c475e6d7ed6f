"""Scale arithmetic shared by every family: multipliers of a node, and the explicit change of scale."""

from __future__ import annotations

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, Quantization, Tensor
from edgeq.lowering.context import Context, scalar_quant
from edgeq.numerics.accumulator import accumulator_limit
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import Factors


def add_factors(
    ctx: Context, name: str, factors: Factors, bound: Array, where: tuple[str, ...]
) -> tuple[tuple[str, ...], dict[str, Attr]]:
    """The constants and attributes by which a node requantizes its int32 accumulator.

    Args:
        ctx: the lowering.
        name: base name of the constants.
        factors: what the accumulator is scaled by.
        bound: int64 [C], the largest magnitude that the accumulator of a channel can reach.
        where: names of the ONNX nodes, for messages.

    Returns:
        Names of the constant inputs, in order, and the attributes ``requant``, ``acc``, ``shift``.

    Raises:
        EdgeqError: EQ0353 where the accumulator, shifted, can leave int32.
    """
    reached, limit = int(bound.max(initial=0)), accumulator_limit(factors.shift)
    if reached > limit:
        raise EdgeqError(
            "EQ0353",
            "an accumulator can leave int32",
            where=f"node {', '.join(where)}",
            got=f"magnitude up to {reached}" + (f", shifted left by {factors.shift} bits" if factors.shift else ""),
            allowed=f"at most {limit}",
            hint="use a larger output scale for this layer, or split its input channels",
        )
    names = tuple(ctx.add_constant(f"{name}.{operand}", values) for operand, values in factors.operands.items())
    return names, {"requant": ctx.scaling.name, "acc": "i32", "shift": factors.shift}


def emit_requantize(ctx: Context, tensor: Tensor, quant: Quantization, name: str) -> Tensor:
    """Append an explicit change of scale and zero point.

    Args:
        ctx: the lowering.
        tensor: int8, quantized per tensor.
        quant: the scale and zero point wanted.
        name: the result's name.
    """
    scale, zero = scalar_quant(tensor)
    factors = ctx.scaling.choose(np.array([scale / quant.scale[0]]))
    inputs, attrs = add_factors(ctx, name, factors, np.array([255]), (tensor.name,))
    attrs |= {"in_zero": zero, "out_zero": quant.zero_point[0], "clamp_min": quant.q_min, "clamp_max": quant.q_max}
    return ctx.emit("requantize", name, (tensor.name, *inputs), attrs, quant=quant, sources=())


def at_scale(ctx: Context, tensor: Tensor, quant: Quantization, label: str) -> Tensor:
    """The tensor at the scale and zero point wanted; itself where it has them already."""
    if scalar_quant(tensor) == (quant.scale[0], quant.zero_point[0]):
        return tensor
    return emit_requantize(ctx, tensor, quant, f"{tensor.name}.{label}")


def copy_constant(ctx: Context, tensor: Tensor, name: str) -> Tensor:
    """A constant as a computed tensor: a concatenation of nothing else copies it."""
    assert tensor.quant is not None  # every activation carries its scale
    shape = tensor.shape or (1,)
    flat = ctx.graph.tensors[ctx.add_constant(f"{name}.constant", tensor.value().reshape(shape), tensor.quant)]
    copied = ctx.emit("concat", name, (flat.name,), {"axis": 0}, quant=tensor.quant, sources=(), fold=False)
    if copied.shape == tensor.shape:
        return copied
    return ctx.emit("reshape", name, (copied.name,), {"shape": tensor.shape}, quant=tensor.quant, sources=())
