"""Gather and scatter: elements keep their scale, which updates and a table take over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.ir import Attr, Tensor
from edgeq.lowering.attributes import integer
from edgeq.lowering.context import Context, Target

if TYPE_CHECKING:
    import onnx_ir


def lower_gather(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor, indices: Tensor) -> Tensor:
    """Slices along an axis."""
    attrs: dict[str, Attr] = {"axis": integer(node, "axis", 0) % len(x.shape)}
    return ctx.emit_result("gather", target, (x.name, indices.name), attrs)


def lower_gather_elements(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor, indices: Tensor) -> Tensor:
    """Elements; where there are indices for a part of the other axes only, that part is cut out."""
    axis = integer(node, "axis", 0) % len(x.shape)
    ends = (*indices.shape[:axis], x.shape[axis], *indices.shape[axis + 1 :])
    if ends != x.shape:
        zeros, ones = (0,) * len(ends), (1,) * len(ends)
        attrs: dict[str, Attr] = {"starts": zeros, "ends": ends, "steps": ones}
        x = ctx.emit("slice", f"{target.name}.part", (x.name,), attrs, quant=x.quant, sources=target.sources)
    return ctx.emit_result("gather_elements", target, (x.name, indices.name), {"axis": axis})


def lower_gather_nd(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor, indices: Tensor) -> Tensor:
    """Rows by the components of their index."""
    return ctx.emit_result("gather_nd", target, (x.name, indices.name), {"batch": integer(node, "batch_dims", 0)})


def lower_scatter_elements(
    ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor, indices: Tensor, updates: Tensor
) -> Tensor:
    """Other elements along an axis."""
    attrs: dict[str, Attr] = {"axis": integer(node, "axis", 0) % len(x.shape)}
    return ctx.emit_result("scatter_elements", target, (x.name, indices.name, updates.name), attrs)


def lower_scatter_nd(
    ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor, indices: Tensor, updates: Tensor
) -> Tensor:
    """Other rows."""
    return ctx.emit_result("scatter_nd", target, (x.name, indices.name, updates.name), {})
