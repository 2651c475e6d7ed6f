"""Comparisons, Where, arithmetic of plain integers and truth values, casts, and running sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, DType, Tensor
from edgeq.lowering.attributes import constant_ints, integer, text
from edgeq.lowering.context import Context, Target, magnitude, scalar_quant
from edgeq.lowering.plain import (
    bounded,
    bounds_of,
    constant_like,
    emit_function,
    held,
    in_type,
    magnitude_of,
    range_of,
)
from edgeq.lowering.requantize import in_int16
from edgeq.numerics.conversion import common_factors, reciprocal, truncation
from edgeq.numerics.intervals import joined, repeated, within

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
    "Pow": "power",
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
    if node.op_type in _OF_ONE:
        return _OF_ONE[node.op_type](ctx, target, x)
    if node.op_type == "Clip":
        return _clip(ctx, node, target, x, others)
    function = _FUNCTIONS.get(node.op_type, "")
    if node.op_type == "BitShift":
        function = f"shift_{text(node, 'direction', '').lower()}"
    elif node.op_type == "Mod":
        function = "remainder" if integer(node, "fmod", 0) else "modulo"
    if not others:  # the largest of one
        return _copied(ctx, target, x)
    for number, other in enumerate(others[:-1]):
        x = emit_function(ctx, target, target.declared, function, x, other, f"part_{number}")
    return emit_function(ctx, target, target.declared, function, x, others[-1])


def _copied(ctx: Context, target: Target, x: Tensor) -> Tensor:
    result = ctx.emit_result("reshape", target, (x.name,), {"shape": target.shape})
    return bounded(ctx, result, range_of(ctx, x))


def _of_constant(function: str, value: int) -> Callable[[Context, Target, Tensor], Tensor]:
    """A function of x and a number; of unsigned types −1 has all bits set, too."""

    def lower(ctx: Context, target: Target, x: Tensor) -> Tensor:
        number = x.dtype.max if value < 0 and not x.dtype.min else value
        return emit_function(ctx, target, target.declared, function, x, constant_like(ctx, target, x, number))

    return lower


def _negative(ctx: Context, target: Target, x: Tensor) -> Tensor:
    return emit_function(ctx, target, target.declared, "subtract", constant_like(ctx, target, x, 0), x)


def _sign(ctx: Context, target: Target, x: Tensor) -> Tensor:
    if x.dtype.min:
        x = emit_function(ctx, target, target.declared, "max", x, constant_like(ctx, target, x, -1), "least")
    return emit_function(ctx, target, target.declared, "min", x, constant_like(ctx, target, x, 1))


_OF_ONE: Final[Mapping[str, Callable[[Context, Target, Tensor], Tensor]]] = {
    "Abs": magnitude_of,
    "BitwiseNot": _of_constant("xor", -1),
    "Neg": _negative,
    "Not": _of_constant("xor", 1),
    "Sign": _sign,
}


def _clip(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor, bounds: Sequence[Tensor]) -> Tensor:
    """The larger of x and the lower bound, then the smaller of it and the upper one; either bound may be absent."""
    given = [
        function for index, function in ((1, "max"), (2, "min")) if index < len(node.inputs) and node.inputs[index]
    ]
    if not given:
        return _copied(ctx, target, x)
    for function, bound in zip(given, bounds, strict=True):
        inner = None if function == given[-1] else "raised"
        x = emit_function(ctx, target, target.declared, function, x, bound, inner)
    return x


def lower_cast(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """Between floats with a scale, integers and truth values."""
    del node
    if target.params is not None:
        return _from_integer(ctx, target, x)
    if target.declared is DType.BOOL:
        return _truth(ctx, target, x)
    if x.is_plain:
        interval = range_of(ctx, x)
        dtype = held(target.declared, interval)
        if x.dtype is dtype:
            return _copied(ctx, target, x)
        attrs: dict[str, Attr] = {"saturate": 0, "result": dtype.value}
        result = ctx.emit_result("convert", target, (x.name,), attrs)
        return bounded(ctx, result, interval) if within(interval, bounds_of(dtype)) else result
    scale, zero = scalar_quant(x)
    multiplier, shift = truncation(scale)
    most = (magnitude(x) * multiplier) >> shift
    dtype = held(target.declared, (-most, most))
    attrs = {"in_zero": zero, "multiplier": multiplier, "shift": shift, "result": dtype.value}
    result = ctx.emit_result("to_integer", target, (x.name,), attrs)
    return bounded(ctx, result, (-most, most)) if dtype.min <= -most and most <= dtype.max else result


def _from_integer(ctx: Context, target: Target, x: Tensor) -> Tensor:
    """Integers of more than int32 are int32 first, where no result tells the difference.

    Raises:
        EdgeqError: EQ0366 one does.
    """
    multiplier, shift = reciprocal(target.scale)
    if not within(bounds_of(x.dtype), bounds_of(DType.INT32)):
        low, high = range_of(ctx, x)
        least, most = (
            ((bound * multiplier + (1 << (shift - 1))) >> shift) + target.zero for bound in bounds_of(DType.INT32)
        )
        if (low < DType.INT32.min and least > target.clamp_min) or (high > DType.INT32.max and most < target.clamp_max):
            raise EdgeqError(
                "EQ0366",
                "integers that are cast to float are beyond int32",
                where=f"node {', '.join(target.sources)}",
                got=f"{x.dtype.value} between {low} and {high}, at a scale of {target.scale!r}",
                allowed=f"{DType.INT32.min} to {DType.INT32.max}, or a result that is clamped there",
                hint="subtract what all of them have in common before the Cast, or cast in the application",
            )
        x = in_type(ctx, x, DType.INT32, saturate=True)
    attrs: dict[str, Attr] = {"multiplier": multiplier, "shift": shift, "result": target.dtype.value}
    attrs |= {"out_zero": target.zero, "clamp_min": target.clamp_min, "clamp_max": target.clamp_max}
    return ctx.emit_result("from_integer", target, (x.name,), attrs)


def lower_running_sum(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """Running sums of integers, in a type that they fit."""
    attrs = _sum_attributes(node, x)
    found = repeated("add", joined(range_of(ctx, x), (0, 0)), max(x.shape[attrs["axis"]], 1))
    bounds = bounds_of(target.declared)
    interval = found if found is not None and within(found, bounds) else bounds
    x = in_type(ctx, x, target.declared if x.dtype is DType.INT64 else held(target.declared, interval))
    return bounded(ctx, ctx.emit_result("running_sum", target, (x.name,), attrs), interval)


def lower_cum_sum(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """Running sums, scaled each by itself.

    Raises:
        EdgeqError: EQ0353 a sum can leave int32.
    """
    axes = _sum_attributes(node, x)
    reached = x.shape[axes["axis"]] * magnitude(x)
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
    attrs: dict[str, Attr] = {
        **axes,
        "in_zero": x.zero,
        "multiplier": multiplier,
        "shift": shift,
        "out_zero": target.zero,
    }
    attrs |= {"clamp_min": target.clamp_min, "clamp_max": target.clamp_max}
    return ctx.emit_result("cum_sum", target, (x.name,), attrs)


def _sum_attributes(node: onnx_ir.Node, x: Tensor) -> dict[str, int]:
    axis = (constant_ints(node, 1) or (0,))[0] % len(x.shape)
    return {"axis": axis} | {key: integer(node, key, 0) for key in ("exclusive", "reverse")}


def _truth(ctx: Context, target: Target, x: Tensor) -> Tensor:
    """Whether a number is not zero: not (x = 0)."""
    if x.dtype is DType.BOOL:
        return _copied(ctx, target, x)
    zero = ctx.add_constant(f"{target.name}.zero", np.array(x.zero, x.dtype.numpy), x.quant, x.dtype)
    attrs: dict[str, Attr] = {"relation": "equal"}
    for side in "ab":
        attrs |= {f"{side}_zero": x.zero, f"{side}_multiplier": 1, f"{side}_shift": 0}
    name = f"{target.name}.is_zero"
    found = ctx.emit("compare", name, (x.name, zero), attrs, quant=None, sources=target.sources)
    return emit_function(ctx, target, DType.BOOL, "xor", found, constant_like(ctx, target, found, 1))
