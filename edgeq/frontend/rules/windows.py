"""Windows that no kernel slides: over three dimensions, with holes, and norms over them, written with what there is.

The largest of a window is the largest of the largest along each axis, and so is its mean where the numbers of valid
positions multiply: three dimensions are pooled one after the other. Where a window has holes, its positions are brought
side by side first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import AttributeValue, Edit, Rule
from edgeq.frontend.facts import Shape, integer, ints, name_of, operand, required, shape_of
from edgeq.frontend.rules.simplify import cut, padded, taken
from edgeq.frontend.rules.spatial import resolved_pads, window_attributes

_VOLUME_RANK: Final = 5


def _is_stated(node: ir.Node) -> bool:
    return "pads" in node.attributes and "auto_pad" not in node.attributes and not integer(node, "ceil_mode", 0)


def _pool(edit: Edit, node: ir.Node, x: ir.Value, window: Sequence[Shape], *, base: str) -> ir.Value:
    """A pooling like ``node`` over other axes.

    Args:
        edit: the graph.
        node: MaxPool or AveragePool.
        x: its input.
        window: kernel, strides and pads.
        base: the wanted name.
    """
    kernel, strides, pads = window
    rank = len(kernel)
    sizes = ((size + pads[i] + pads[i + rank] - kernel[i]) // strides[i] + 1 for i, size in enumerate(shape_of(x)[2:]))
    shape = (*shape_of(x)[:2], *sizes)
    attributes: dict[str, AttributeValue] = {
        "ceil_mode": 0,
        "dilations": (1,) * rank,
        "kernel_shape": kernel,
        "pads": pads,
        "strides": strides,
    }
    if node.op_type == "AveragePool":
        attributes["count_include_pad"] = 0
    return edit.node(node.op_type, [x], attributes, base=base, shape=shape)


def close_holes(node: ir.Node, edit: Edit) -> str | None:
    """Pooling with dilations: the positions of each window side by side, and pooling without.

    In a maximum, a position of the padding is replaced by one that takes part. Means over different numbers of valid
    positions are pooled apart.
    """
    x, result = required(node, 0), node.outputs[0]
    kernel = ints(node, "kernel_shape", ())
    if not _is_stated(node) or (len(node.outputs) > 1 and node.outputs[1].name):
        return "the attributes are not stated yet"
    strides, dilations, pads = window_attributes(node, kernel)
    if all(dilation == 1 for dilation in dilations):
        return "no dilations"
    rank, runs = len(kernel), dict[int, list[np.ndarray]]()
    for axis, dilation in enumerate(dilations):
        if dilation == 1:
            continue
        places = places_of(shape_of(result)[2 + axis], kernel[axis], strides[axis], dilation) - pads[axis]
        inside = (places >= 0) & (places < shape_of(x)[2 + axis])
        if not inside.any(axis=1).all():
            return "a window would see padding only"
        if node.op_type == "MaxPool":
            first = np.take_along_axis(places, np.argmax(inside, axis=1)[:, np.newaxis], axis=1)
            runs[axis] = [np.where(inside, places, first)]
        else:
            ends = np.flatnonzero(np.diff(inside.sum(axis=1))) + 1
            parts = zip(np.split(places, ends), np.split(inside, ends), strict=True)
            runs[axis] = [part[valid].reshape(len(part), -1) for part, valid in parts]
    plain = [(kernel[axis], strides[axis], pads[axis], pads[rank + axis]) for axis in range(rank)]
    edit.supersede(result, _pool_runs(edit, node, x, runs, plain, name_of(result)))
    return None


def _pool_runs(
    edit: Edit,
    node: ir.Node,
    x: ir.Value,
    runs: Mapping[int, Sequence[np.ndarray]],
    window: Sequence[tuple[int, int, int, int]],
    base: str,
) -> ir.Value:
    """Pooling of the listed positions of some axes, and of a plain window along the others.

    Args:
        edit: the graph.
        node: MaxPool or AveragePool.
        x: its input.
        runs: axis -> for each run of windows the positions of each: [windows, positions].
        window: kernel, stride and pads of each axis; those of the axes of `runs` do not matter.
        base: the wanted name.
    """
    if not runs:
        kernel, strides, *pads = zip(*window, strict=True)
        return _pool(edit, node, x, (kernel, strides, (*pads[0], *pads[1])), base=base)
    axis = min(runs)
    rest = {other: places for other, places in runs.items() if other != axis}
    parts = []
    for number, places in enumerate(runs[axis]):
        name = base if len(runs[axis]) == 1 else f"{base}_{number}"
        near = gathered(edit, x, 2 + axis, places, f"{name}_side_by_side")
        beside = [*window[:axis], (places.shape[1], places.shape[1], 0, 0), *window[axis + 1 :]]
        parts.append(_pool_runs(edit, node, near, rest, beside, name))
    if len(parts) == 1:
        return parts[0]
    sizes = [shape_of(part)[2 + axis] for part in parts]
    shape = (*shape_of(parts[0])[: 2 + axis], sum(sizes), *shape_of(parts[0])[3 + axis :])
    return edit.node("Concat", parts, {"axis": 2 + axis}, base=base, shape=shape)


def places_of(count: int, kernel: int, stride: int, dilation: int) -> np.ndarray:
    """The positions of each window along an axis: [count, kernel]."""
    return np.add.outer(np.arange(count) * stride, np.arange(kernel) * dilation)


def gathered(edit: Edit, x: ir.Value, axis: int, places: np.ndarray, base: str) -> ir.Value:
    """The positions of all windows along an axis, one behind the other; x itself where nothing moves."""
    flat = places.reshape(-1)
    if len(flat) == shape_of(x)[axis] and (flat == np.arange(len(flat))).all():
        return x
    return taken(edit, x, axis, flat, base)


def pool_volume(node: ir.Node, edit: Edit) -> str | None:
    """Pooling over three dimensions: over rows and columns first, then over the planes."""
    x, result = required(node, 0), node.outputs[0]
    kernel = ints(node, "kernel_shape", ())
    if len(shape_of(x)) != _VOLUME_RANK or not _is_stated(node) or (len(node.outputs) > 1 and node.outputs[1].name):
        return "not over three dimensions with stated attributes"
    strides, dilations, pads = window_attributes(node, kernel)
    if any(dilation != 1 for dilation in dilations):
        return "the windows have holes"
    base = name_of(result)
    batch, channels, planes, height, width = shape_of(x)
    images = edit.reshape(x, (batch, channels * planes, height, width), base=f"{base}_planes")
    window = kernel[1:], strides[1:], (*pads[1:3], *pads[4:])
    pooled = _pool(edit, node, images, window, base=f"{base}_of_plane")
    positions = prod(shape_of(pooled)[2:])
    lines = edit.reshape(pooled, (batch, channels, planes, positions), base=f"{base}_lines")
    across = (kernel[0], 1), (strides[0], 1), (pads[0], 0, pads[3], 0)
    both = _pool(edit, node, lines, across, base=f"{base}_of_planes")
    edit.hand_over(node, both, edit.reshape(both, shape_of(result), base=f"{base}_volume"))
    return None


def convolve_volume(node: ir.Node, edit: Edit) -> str | None:
    """A convolution over three dimensions is one over two: of planes and of columns, the rows of a window as channels.

    The rows that a window reads are brought side by side: [C, D, OH, KH, W] becomes an image of C·KH channels, D rows
    and OH·W columns. Windows that reach from one row of the result into the next are computed and cut off.
    """
    x, weight, result = required(node, 0), edit.array(operand(node, 1)), node.outputs[0]
    if len(shape_of(x)) != _VOLUME_RANK or shape_of(x)[0] != 1:
        return "not one sample of three dimensions"
    if weight is None or weight.ndim != _VOLUME_RANK or not _is_stated(node):
        return "the weight is not constant, or attributes are not stated yet"
    base, old = name_of(result), required(node, 1)
    filters, depth, _, rows, columns = weight.shape
    strides, dilations, pads = window_attributes(node, weight.shape[2:])
    out_planes, out_rows, out_columns = shape_of(result)[2:]
    reach = (columns - 1) * dilations[2] + 1
    width = shape_of(x)[4] + pads[2] + pads[5]
    width += -width % strides[2]  # a window of the next row begins at a multiple of the stride
    around = [0, 0, 0, pads[1], pads[2], 0, 0, 0, pads[4], width - shape_of(x)[4] - pads[2]]
    image = padded(edit, x, around, f"{base}_padded")
    image = gathered(edit, image, 3, places_of(out_rows, rows, strides[1], dilations[1]), f"{base}_rows")
    channels, planes = shape_of(x)[1:3]
    image = edit.reshape(image, (channels, planes, out_rows, rows, width), base=f"{base}_split")
    image = edit.transpose(image, (0, 3, 1, 2, 4), base=f"{base}_turned")
    image = edit.reshape(image, (1, channels * rows, planes, out_rows * width), base=f"{base}_image")
    kernel = edit.rearranged(
        old,
        lambda array: array.swapaxes(2, 3).reshape(filters, depth * rows, array.shape[2], columns),
        f"{name_of(old)}_2d",
    )
    attributes: dict[str, AttributeValue] = {
        "dilations": (dilations[0], dilations[2]),
        "group": integer(node, "group", 1),
        "kernel_shape": shape_of(kernel)[2:],
        "pads": (pads[0], 0, pads[3], max(0, reach - strides[2])),
        "strides": (strides[0], strides[2]),
    }
    steps = width // strides[2]
    shape = (1, filters, out_planes, out_rows * steps)
    flat = edit.node("Conv", [image, kernel, *node.inputs[2:3]], attributes, base=f"{base}_2d", shape=shape)
    whole = edit.reshape(flat, (1, filters, out_planes, out_rows, steps), base=f"{base}_3d")
    if steps != out_columns:
        whole = cut(edit, whole, 4, (0, out_columns), f"{base}_cut")
    edit.hand_over(node, flat, whole)
    return None


def norm_of_windows(node: ir.Node, edit: Edit) -> str | None:
    """LpPool: the windows as axes of their own, and the norm over these; padding is zero."""
    x, result = required(node, 0), node.outputs[0]
    kernel = ints(node, "kernel_shape", ())
    strides, dilations, _ = window_attributes(node, kernel)
    pads = resolved_pads(node, kernel, shape_of(x)[2:], shape_of(result)[2:])
    if pads is None:
        return "a window would see padding only"
    rank, base, target = len(kernel), name_of(result), shape_of(result)[2:]
    values = padded(edit, x, (0, 0, *pads[:rank], 0, 0, *pads[rank:]), f"{base}_padded")
    for axis in range(rank):
        places = places_of(target[axis], kernel[axis], strides[axis], dilations[axis])
        values = gathered(edit, values, 2 + axis, places, f"{base}_side_by_side")
    split = [dim for pair in zip(target, kernel, strict=True) for dim in pair]
    values = edit.reshape(values, (*shape_of(x)[:2], *split), base=f"{base}_windows")
    axes = tuple(range(3, 3 + 2 * rank, 2))
    edit.supersede(result, _norm(edit, node, values, axes, shape_of(result), keep=False))
    return None


def norm_of_image(node: ir.Node, edit: Edit) -> str | None:
    """GlobalLpPool: the norm over all axes behind the channels."""
    x, result = required(node, 0), node.outputs[0]
    axes = tuple(range(2, len(shape_of(x))))
    edit.supersede(result, _norm(edit, node, x, axes, shape_of(result), keep=True))
    return None


def _norm(edit: Edit, node: ir.Node, x: ir.Value, axes: Shape, shape: Shape, *, keep: bool) -> ir.Value:
    """(Σ |x|^p)^(1/p) over some axes, p as the node states it."""
    base, p = name_of(node.outputs[0]), integer(node, "p", 2)
    over = edit.constant(np.array(axes, np.int64), f"{base}_axes")
    attributes = {"keepdims": int(keep), "noop_with_empty_axes": 0}
    if p in (1, 2):
        return edit.node(f"ReduceL{p}", [x, over], attributes, base=f"{base}_norm", shape=shape)
    size = edit.node("Abs", [x], base=f"{base}_size", shape=shape_of(x))
    powers = [edit.constant(np.array(power, np.float32), f"{base}_power") for power in (p, 1 / p)]
    raised = edit.node("Pow", [size, powers[0]], base=f"{base}_raised", shape=shape_of(x))
    total = edit.node("ReduceSum", [raised, over], attributes, base=f"{base}_sum", shape=shape)
    return edit.node("Pow", [total, powers[1]], base=f"{base}_norm", shape=shape)


RULES = (
    Rule("close_holes", ("AveragePool", "MaxPool"), close_holes),
    Rule("pool_volume", ("AveragePool", "MaxPool"), pool_volume),
    Rule("norm_of_windows", ("LpPool",), norm_of_windows),
    Rule("norm_of_image", ("GlobalLpPool",), norm_of_image),
    Rule("convolve_volume", ("Conv",), convolve_volume),
)
