"""Comparisons, Where, arithmetic of plain integers and truth values, casts, and running sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, DType, Tensor
from edgeq.lowering.attributes import constant_ints, integer
from edgeq.lowering.context import Context, Target, magnitude, scalar_quant
from edgeq.lowering.requantize import in_int16
from edgeq.numerics.conversion import common_factors, reciprocal, truncation

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx_ir

# ONNX operator → the relation, and whether a and b change places.
_RELATIONS: Final[Mapping[str, tuple[str, bool]]] = {
    "Equal": ("equal", False),
    "Greater": ("less", True),
    "GreaterOrEqual": ("less_or_equal", True),
    "Less": ("less", False),
    "LessOrEqual": ("less_or_equal", False),
}
# ONNX operator → the function of two integers.
_FUNCTIONS: Final[Mapping[str, str]] = {
    "Add": "add",
    "And": "and",
    "BitwiseAnd": "and",
    "BitwiseOr": "or",
    "BitwiseXor": "xor",
    "Div": "divide",
    "Max": "max",
    "Min": "min",
    "Mul": "multiply",
    "Or": "or",
    "Sub": "subtract",
    "Xor": "xor",
}


def lower_compare(ctx: Context, node: onnx_ir.Node, target: Target, *operands: Tensor) -> Tensor:
    """A comparison of real numbers, exact whatever the scales are, or of integers."""
    relation, swapped = _RELATIONS[node.op_type]
    alike = operands[0].dtype is operands[1].dtype
    found = operands if alike else [in_int16(ctx, operand) for operand in operands]
    a, b = reversed(found) if swapped else found
    return _compared(ctx, target, relation, a, b)


def _compared(ctx: Context, target: Target, relation: str, a: Tensor, b: Tensor) -> Tensor:
    factors = ((1, 0), (1, 0))
    if not a.is_plain:
        factors = common_factors(scalar_quant(a)[0], scalar_quant(b)[0])
    attrs: dict[str, Attr] = {"relation": relation}
    for side, tensor, (multiplier, shift) in zip("ab", (a, b), factors, strict=True):
        attrs |= {f"{side}_zero": tensor.zero, f"{side}_multiplier": multiplier, f"{side}_shift": shift}
    return ctx.emit_result("compare", target, (a.name, b.name), attrs)


def lower_where(ctx: Context, node: onnx_ir.Node, target: Target, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """One of two values, both at the scale of the result."""
    del node
    return ctx.emit_result("where", target, (condition.name, a.name, b.name), {})


def lower_integer(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor, *others: Tensor) -> Tensor:
    """A function of two operands; of one, that of it and a constant; of more, one after the other."""
    if node.op_type == "Abs":
        negative = _function(ctx, target, "subtract", _constant(ctx, target, x, 0), x, inner="negative")
        return _function(ctx, target, "max", x, negative)
    if node.op_type == "Neg":
        return _function(ctx, target, "subtract", _constant(ctx, target, x, 0), x)
    if node.op_type == "BitwiseNot":
        return _function(ctx, target, "xor", x, _constant(ctx, target, x, -1))
    if node.op_type == "Not":
        return _function(ctx, target, "xor", x, _constant(ctx, target, x, 1))
    if node.op_type == "Mod":
        return _function(ctx, target, "remainder" if integer(node, "fmod", 0) else "modulo", x, others[0])
    function = _FUNCTIONS[node.op_type]
    if not others:  # the largest of one
        return ctx.emit_result("reshape", target, (x.name,), {"shape": target.shape})
    for number, other in enumerate(others[:-1]):
        x = _function(ctx, target, function, x, other, inner=f"part_{number}")
    return _function(ctx, target, function, x, others[-1])


def _function(ctx: Context, target: Target, function: str, a: Tensor, b: Tensor, inner: str | None = None) -> Tensor:
    attrs = {"function": function}
    if inner is None:
        return ctx.emit_result("integer", target, (a.name, b.name), attrs)
    name = f"{target.name}.{inner}"
    return ctx.emit("integer", name, (a.name, b.name), attrs, quant=None, sources=target.sources)


def _constant(ctx: Context, target: Target, like: Tensor, value: int) -> Tensor:
    values = np.array(value, like.dtype.numpy)
    return ctx.graph.tensors[ctx.add_constant(f"{target.name}.constant", values, dtype=like.dtype)]


def lower_cast(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """Between floats with a scale, integers and truth values."""
    kind = node.outputs[0].dtype
    if target.params is not None:
        multiplier, shift = reciprocal(target.scale)
        return _from_integer(ctx, target, x, (multiplier, shift), target.dtype)
    if kind is not None and kind.name == "BOOL":
        return _truth(ctx, target, x)
    if x.dtype is DType.BOOL:
        return _from_integer(ctx, target, x, (2, 1), DType.INT32)
    if x.is_plain:
        return ctx.emit_result("reshape", target, (x.name,), {"shape": target.shape})
    scale, zero = scalar_quant(x)
    multiplier, shift = truncation(scale)
    attrs: dict[str, Attr] = {"in_zero": zero, "multiplier": multiplier, "shift": shift}
    return ctx.emit_result("to_integer", target, (x.name,), attrs)


def _from_integer(ctx: Context, target: Target, x: Tensor, factor: tuple[int, int], dtype: DType) -> Tensor:
    low, high = (dtype.min, dtype.max) if target.params is None else (target.clamp_min, target.clamp_max)
    attrs: dict[str, Attr] = {"multiplier": factor[0], "shift": factor[1], "result": dtype.value}
    attrs |= {
        "out_zero": 0 if target.params is None else target.zero,
        "clamp_min": low,
        "clamp_max": high,
    }
    return ctx.emit_result("from_integer", target, (x.name,), attrs)


def lower_cum_sum(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """Running sums, scaled each by itself.

    Raises:
        EdgeqError: EQ0353 a sum can leave int32.
    """
    axis = (constant_ints(node, 1) or (0,))[0] % len(x.shape)
    attrs: dict[str, Attr] = {"axis": axis, "in_zero": x.zero}
    attrs |= {key: integer(node, key, 0) for key in ("exclusive", "reverse")}
    if target.params is None:
        attrs |= {"multiplier": 2, "shift": 1, "out_zero": 0, "clamp_min": x.dtype.min, "clamp_max": x.dtype.max}
        return ctx.emit_result("cum_sum", target, (x.name,), attrs)
    reached = x.shape[axis] * magnitude(x)
    if reached > DType.INT32.max:
        raise EdgeqError(
            "EQ0353",
            "an accumulator can leave int32",
            where=f"node {', '.join(target.sources)}",
            got=f"magnitude up to {reached}",
            allowed=f"at most {DType.INT32.max}",
            hint="sum fewer elements along the axis",
        )
    multiplier, shift = reciprocal(target.scale / scalar_quant(x)[0])
    attrs |= {"multiplier": multiplier, "shift": shift, "out_zero": target.zero}
    attrs |= {"clamp_min": target.clamp_min, "clamp_max": target.clamp_max}
    return ctx.emit_result("cum_sum", target, (x.name,), attrs)


def _truth(ctx: Context, target: Target, x: Tensor) -> Tensor:
    """Whether a number is not zero: not (x = 0)."""
    if x.dtype is DType.BOOL:
        return ctx.emit_result("reshape", target, (x.name,), {"shape": target.shape})
    zero = ctx.add_constant(f"{target.name}.zero", np.array(x.zero, x.dtype.numpy), x.quant, x.dtype)
    attrs: dict[str, Attr] = {"relation": "equal"}
    for side in "ab":
        attrs |= {f"{side}_zero": x.zero, f"{side}_multiplier": 1, f"{side}_shift": 0}
    name = f"{target.name}.is_zero"
    found = ctx.emit("compare", name, (x.name, zero), attrs, quant=None, sources=target.sources)
    return _function(ctx, target, "xor", found, _constant(ctx, target, found, 1))
