"""Operators that move elements and change none: operands come at the scale of the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Tensor
from edgeq.lowering.attributes import constant_array, constant_ints, integer, ints
from edgeq.lowering.context import Context, Target
from edgeq.lowering.plain import bounded, held, in_type, range_of
from edgeq.numerics.intervals import joined

if TYPE_CHECKING:
    import onnx_ir

CONCAT_ACTIVATIONS: Final = 8


def lower_reshape(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """Reshape, Squeeze, Unsqueeze, Flatten, Identity: the result's static shape says it all."""
    return ctx.emit_result("reshape", target, (x.name,), {"shape": target.shape})


def lower_transpose(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """Transpose by a constant permutation."""
    perm = ints(node, "perm", tuple(reversed(range(len(x.shape)))))
    return ctx.emit_result("transpose", target, (x.name,), {"perm": perm})


def lower_concat(ctx: Context, node: onnx_ir.Node, target: Target, *parts: Tensor) -> Tensor:
    """Concat of any number of operands."""
    axis = integer(node, "axis", 0) % len(target.shape)
    joined = _few_parts(ctx, [part for part in parts if part.elements] or parts[:1], axis, target)
    return ctx.emit_result("concat", target, tuple(part.name for part in joined), {"axis": axis})


def _few_parts(ctx: Context, parts: Sequence[Tensor], axis: int, target: Target) -> list[Tensor]:
    """Neighbouring parts joined by concatenations of their own, until one kernel can take what is left.

    A kernel takes :data:`CONCAT_ACTIVATIONS` computed tensors, and constants in one place.
    """
    parts = _merged_constants(ctx, parts, axis, target)
    while not _fits_one_kernel(parts):
        groups: list[list[Tensor]] = [[]]
        for part in parts:
            if groups[-1] and not _fits_one_kernel([*groups[-1], part]):
                groups.append([])
            groups[-1].append(part)
        parts = [group[0] if len(group) == 1 else _joined(ctx, group, axis, target) for group in groups]
    return list(parts)


def _fits_one_kernel(parts: Sequence[Tensor]) -> bool:
    constants = sum(part.is_constant for part in parts)
    return constants <= 1 and len(parts) - constants <= CONCAT_ACTIVATIONS


def _joined(ctx: Context, parts: Sequence[Tensor], axis: int, target: Target) -> Tensor:
    names = tuple(part.name for part in parts)
    return ctx.emit("concat", f"{target.name}.part", names, {"axis": axis}, quant=target.params, sources=target.sources)


def _merged_constants(ctx: Context, parts: Sequence[Tensor], axis: int, target: Target) -> list[Tensor]:
    """Constants next to each other become one."""
    merged: list[Tensor] = []
    for part in parts:
        if part.is_constant and merged and merged[-1].is_constant:
            values = np.concatenate([merged.pop().value(), part.value()], axis)
            merged.append(
                ctx.graph.tensors[ctx.add_constant(f"{target.name}.constants", values, target.params, part.dtype)]
            )
        else:
            merged.append(part)
    return merged


def lower_pad(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """Pad with a constant, which is rounded to the scale of the tensor, if it has one."""
    pads = constant_ints(node, 1) or ()
    constant = constant_array(node, 2)
    if target.params is None:
        fill = 0 if constant is None or constant.size == 0 else int(constant.reshape(-1)[0])
        x = in_type(ctx, x, held(target.declared, joined(range_of(ctx, x), (fill, fill)))) if fill else x
        result = ctx.emit_result("pad", target, (x.name,), {"pads": pads, "value": fill})
        return bounded(ctx, result, joined(range_of(ctx, x), (fill, fill)))
    real = 0.0 if constant is None or constant.size == 0 else float(constant.reshape(-1)[0])
    value = min(target.quant.q_max, max(target.quant.q_min, round(real / target.scale) + target.zero))
    return ctx.emit_result("pad", target, (x.name,), {"pads": pads, "value": value})


def lower_slice(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """Slice with constant bounds and positive steps."""
    rank = len(x.shape)
    starts, ends = constant_ints(node, 1) or (), constant_ints(node, 2) or ()
    axes = constant_ints(node, 3) or tuple(range(len(starts)))
    steps = constant_ints(node, 4) or (1,) * len(starts)
    if any(step < 1 for step in steps):
        raise EdgeqError(
            "EQ0354",
            "a Slice runs backwards",
            where=f"node {node.name}",
            got=f"steps {steps}",
            allowed="steps of 1 or more",
            hint="reverse the weights that follow instead of the data",
        )
    first, last, stride = [0] * rank, list(x.shape), [1] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = x.shape[axis]
        first[axis % rank] = _clip(start, size)
        last[axis % rank] = max(_clip(end, size), first[axis % rank])
        stride[axis % rank] = step
    attrs = {"starts": tuple(first), "ends": tuple(last), "steps": tuple(stride)}
    return ctx.emit_result("slice", target, (x.name,), attrs)


def _clip(index: int, size: int) -> int:
    """An ONNX slice bound, which may be negative or beyond the end, as an offset in [0, size]."""
    return min(max(index + size if index < 0 else index, 0), size)
