"""ArgMax and ArgMin, whose axis stays with size 1 until a reshape drops it where ONNX does; TopK and OneHot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgeq.ir import Attr, Source, Tensor
from edgeq.lowering.attributes import constant_ints, integer
from edgeq.lowering.context import Context, Target
from edgeq.lowering.plain import bounded, range_of

if TYPE_CHECKING:
    import onnx_ir


def lower_arg_max(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """The index of the largest element."""
    return _arg(ctx, node, target, x, "arg_max")


def lower_arg_min(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """The index of the smallest element."""
    return _arg(ctx, node, target, x, "arg_min")


def _arg(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor, op: str) -> Tensor:
    axis = integer(node, "axis", 0) % len(x.shape)
    attrs = {"axis": axis, "last": integer(node, "select_last_index", 0)}
    places = (0, max(x.shape[axis] - 1, 0))
    if integer(node, "keepdims", 1):
        return bounded(ctx, ctx.emit_result(op, target, (x.name,), attrs), places)
    found = ctx.emit(op, f"{target.name}.{op}", (x.name,), attrs, quant=None, sources=target.sources)
    return bounded(ctx, ctx.emit_result("reshape", target, (found.name,), {"shape": target.shape}), places)


def lower_top_k(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """The extreme elements, at the scale of the operand, and their indices."""
    axis = integer(node, "axis", -1) % len(x.shape)
    attrs: dict[str, Attr] = {
        "axis": axis,
        "k": (constant_ints(node, 1) or (1,))[0],
        "largest": integer(node, "largest", 1),
    }
    places = Source(str(node.outputs[1].name), tuple(range(len(target.shape))), target.shape)
    values = replace(places, name=target.name)
    results = ((target.name, x.quant, values), (places.name or f"{target.name}.indices", None, places))
    first, indices = ctx.emit_all("top_k", results, (x.name,), attrs, sources=target.sources)
    ctx.activations[places.name] = bounded(ctx, indices, (0, max(x.shape[axis] - 1, 0))).name
    return bounded(ctx, first, range_of(ctx, x)) if x.is_plain else first


def lower_one_hot(ctx: Context, node: onnx_ir.Node, target: Target, indices: Tensor, values: Tensor) -> Tensor:
    """A pair of values, both at the scale of the result."""
    rank = len(indices.shape) + 1
    attrs: dict[str, Attr] = {
        "axis": integer(node, "axis", -1) % rank,
        "depth": target.shape[integer(node, "axis", -1) % rank],
    }
    return ctx.emit_result("one_hot", target, (indices.name, values.name), attrs)
