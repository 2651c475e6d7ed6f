"""Scale arithmetic shared by every family: multipliers of a node, and the explicit change of scale and type."""

from __future__ import annotations

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, DType, Quantization, Tensor
from edgeq.lowering.context import Context, Target, magnitude, result_type, scalar_quant
from edgeq.numerics.accumulator import accumulator_limit
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import Factors


def add_factors(
    ctx: Context, name: str, factors: Factors, bound: Array, where: tuple[str, ...]
) -> tuple[tuple[str, ...], dict[str, Attr]]:
    """The constants and attributes by which a node requantizes its accumulator.

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
    require_reach(factors, bound, where)
    names = tuple(ctx.add_constant(f"{name}.{operand}", values) for operand, values in factors.operands.items())
    acc = "i64" if factors.wide else "i32"
    return names, {"requant": ctx.scaling.name, "acc": acc, "shift": factors.shift}


def require_reach(factors: Factors, bound: Array, where: tuple[str, ...]) -> None:
    """Refuse accumulators that leave int32 when shifted.

    Args:
        factors: what they are scaled by.
        bound: int64 [C], the largest magnitude that the accumulator of a channel can reach.
        where: names of the ONNX nodes, for messages.

    Raises:
        EdgeqError: EQ0353.
    """
    reached, limit = int(bound.max(initial=0)), accumulator_limit(factors.shift)
    if reached > limit and not factors.wide:
        raise EdgeqError(
            "EQ0353",
            "an accumulator can leave int32",
            where=f"node {', '.join(where)}",
            got=f"magnitude up to {reached}" + (f", shifted left by {factors.shift} bits" if factors.shift else ""),
            allowed=f"at most {limit}",
            hint="use a larger output scale for this layer, or split its input channels",
        )


def emit_requantize(ctx: Context, tensor: Tensor, quant: Quantization, name: str) -> Tensor:
    """Append an explicit change of scale, zero point and type.

    Args:
        ctx: the lowering.
        tensor: quantized per tensor.
        quant: the parameters wanted.
        name: the result's name.
    """
    scale, zero = scalar_quant(tensor)
    factors = ctx.scaling.choose(np.array([scale / quant.scale[0]]))
    inputs, attrs = add_factors(ctx, name, factors, np.array([magnitude(tensor)]), (tensor.name,))
    attrs |= {"in_zero": zero, "out_zero": quant.zero_point[0], "clamp_min": quant.q_min, "clamp_max": quant.q_max}
    attrs |= result_type(tensor, quant)
    return ctx.emit("requantize", name, (tensor.name, *inputs), attrs, quant=quant, sources=())


def at_scale(ctx: Context, tensor: Tensor, quant: Quantization | None, label: str) -> Tensor:
    """The tensor with the parameters wanted; itself where it has them already, or where it is plain."""
    if quant is None or tensor.is_plain:
        return tensor
    if (tensor.dtype, *scalar_quant(tensor)) == (quant.dtype, *quant.single()):
        return tensor
    return emit_requantize(ctx, tensor, quant, f"{tensor.name}.{label}")


def in_int16(ctx: Context, tensor: Tensor) -> Tensor:
    """An activation in int16, requantized where it is int8; what several operators read is requantized once.

    A plain one stays what it is.
    """
    if tensor.quant is None:
        return tensor
    quant = widened(tensor.quant)
    made = ctx.graph.tensors.get(f"{tensor.name}.int16")
    return made if made is not None and made.quant == quant else at_scale(ctx, tensor, quant, "int16")


def widened(quant: Quantization) -> Quantization:
    """int16 parameters by which every value of int8 ones stays as it is: q − z, at most 255, becomes 128·(q − z)."""
    if quant.dtype is DType.INT16:
        return quant
    return Quantization.per_tensor(DType.INT16, quant.scale[0] / 128)


def requantized(ctx: Context, tensor: Tensor, target: Target) -> Tensor:
    """The result of an operator as its target wants it, clamped."""
    scale, zero = scalar_quant(tensor)
    factors = ctx.scaling.choose(np.array([scale / target.scale]))
    inputs, attrs = add_factors(ctx, target.name, factors, np.array([magnitude(tensor)]), target.sources)
    attrs |= {"in_zero": zero, "out_zero": target.zero, "clamp_min": target.clamp_min, "clamp_max": target.clamp_max}
    return ctx.emit_result("requantize", target, (tensor.name, *inputs), attrs | result_type(tensor, target.quant))


def copied(ctx: Context, tensor: Tensor, name: str) -> Tensor:
    """A constant, or a tensor that stays in use elsewhere, as a computed tensor: a concatenation of nothing else."""
    row = tensor
    if not tensor.shape:
        row = ctx.emit("reshape", f"{name}.constant", (tensor.name,), {"shape": (1,)}, quant=tensor.quant, sources=())
    elif tensor.is_constant:
        row = ctx.graph.tensors[ctx.add_constant(f"{name}.constant", tensor.value(), tensor.quant, tensor.dtype)]
    result = ctx.emit("concat", name, (row.name,), {"axis": 0}, quant=tensor.quant, sources=(), fold=False)
    if result.shape == tensor.shape:
        return result
    return ctx.emit("reshape", name, (result.name,), {"shape": tensor.shape}, quant=tensor.quant, sources=())
