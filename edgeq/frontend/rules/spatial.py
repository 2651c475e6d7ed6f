"""Arithmetic of windows: auto_pad, ceil_mode and the size of a result, per spatial axis."""

from __future__ import annotations

import onnx_ir as ir

from edgeq.frontend.facts import Shape, integer, ints, text


def window_attributes(node: ir.Node, kernel: Shape) -> tuple[Shape, Shape, Shape]:
    """Strides, dilations and pads as the node states them, defaults filled in; auto_pad is not looked at."""
    rank = len(kernel)
    return (
        ints(node, "strides", (1,) * rank),
        ints(node, "dilations", (1,) * rank),
        ints(node, "pads", (0,) * (2 * rank)),
    )


def resolved_pads(node: ir.Node, kernel: Shape, source: Shape, target: Shape) -> Shape | None:
    """Explicit pads (all begins, then all ends) for the target size; None where a window would see padding only.

    Args:
        node: a convolution or pooling node.
        kernel: its kernel.
        source: spatial size of its input.
        target: spatial size of its result, by ONNX's inference.
    """
    strides, dilations, pads = window_attributes(node, kernel)
    auto = text(node, "auto_pad", "NOTSET")
    rank = len(kernel)
    begins, ends = list(pads[:rank]), list(pads[rank:])
    for axis in range(rank):
        extent = (kernel[axis] - 1) * dilations[axis] + 1
        need = (target[axis] - 1) * strides[axis] + extent - source[axis]
        if auto == "VALID":
            begins[axis] = ends[axis] = 0
        elif auto in ("SAME_UPPER", "SAME_LOWER"):
            total = max(need, 0)
            begins[axis] = total // 2 if auto == "SAME_UPPER" else total - total // 2
            ends[axis] = total - begins[axis]
        if integer(node, "ceil_mode", 0):
            ends[axis] = max(ends[axis], need - begins[axis])
        if (target[axis] - 1) * strides[axis] - begins[axis] >= source[axis] or begins[axis] >= extent:
            return None
    return (*begins, *ends)
