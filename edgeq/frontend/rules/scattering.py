"""Scattering that no kernel does by itself, written with what there is: reductions, caches, unpooling, columns.

Where the indices are constant, what meets an element is known: updates of the same element are gathered round by round
and combined by ordinary arithmetic, on the elements that get any alone.
"""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import Shape, integer, ints, name_of, operand, required, shape_of, text
from edgeq.frontend.rules.simplify import cut

_OPERATORS: Final = {"add": "Add", "max": "Max", "min": "Min", "mul": "Mul"}
_MAX_ROUNDS: Final = 64
"""Updates of one element: each is one more operation on those that have as many."""
_MAX_COMPONENTS: Final = 4
"""Of an index of ScatterND."""


def combine_updates(node: ir.Node, edit: Edit) -> str | None:
    """ScatterElements and ScatterND that add, multiply or compare, by constant indices."""
    x, indices, updates = required(node, 0), edit.array(operand(node, 1)), required(node, 2)
    kind = _OPERATORS.get(text(node, "reduction", "none"))
    if kind is None or indices is None:
        return "elements are replaced, or the indices are computed"
    if edit.params and kind in {"Add", "Mul"}:
        return "a quantized model states no scale between one update and the next"
    targets = _targets(node, shape_of(x), indices)
    if targets is None:
        return "an index lies beyond its axis"
    result = node.outputs[0]
    base, count = name_of(result), prod(shape_of(x))
    if not targets.size:
        edit.supersede(result, edit.reshape(x, shape_of(x), base=f"{base}_copy"))
        return None
    rounds = _rounds(targets)
    if len(rounds) > _MAX_ROUNDS:
        return f"an element has more than {_MAX_ROUNDS} updates"
    value = _chosen(edit, x, targets[rounds[0]], f"{base}_old")
    for number, places in enumerate(rounds):
        update = _chosen(edit, updates, places, f"{base}_update_{number}")
        value = _applied(edit, kind, value, update, f"{base}_round_{number}")
    flat = edit.reshape(x, (1, count), base=f"{base}_flat")
    at = edit.constant(targets[rounds[0]][np.newaxis], f"{base}_places")
    row = edit.reshape(value, (1, len(rounds[0])), base=f"{base}_row")
    put = edit.node("ScatterElements", [flat, at, row], {"axis": 1}, base=f"{base}_scattered", shape=(1, count))
    edit.hand_over(node, put, edit.reshape(put, shape_of(result), base=f"{base}_reshape"))
    return None


def _targets(node: ir.Node, shape: Shape, indices: np.ndarray) -> np.ndarray | None:
    """For each update, in order, the number of the element that it meets; None where there is no such element."""
    if node.op_type == "ScatterElements":
        axis = integer(node, "axis", 0) % len(shape)
        places: list[np.ndarray] = list(np.indices(indices.shape))
        places[axis] = indices
        sizes = shape
    else:
        places, sizes = list(np.moveaxis(indices, -1, 0)), shape[: indices.shape[-1]]
    if any(((at < -size) | (at >= size)).any() for at, size in zip(places, sizes, strict=True)):
        return None
    rows = np.zeros(indices.shape if node.op_type == "ScatterElements" else indices.shape[:-1], np.int64)
    for at, size in zip(places, sizes, strict=True):
        rows = rows * size + at % size
    inner = prod(shape[len(sizes) :])
    found: np.ndarray = np.add.outer(rows * inner, np.arange(inner)).reshape(-1)
    return found


def _rounds(targets: np.ndarray) -> list[np.ndarray]:
    """The updates round by round: one for each element that has so many, those that have most first."""
    _, number, counts = np.unique(targets, return_inverse=True, return_counts=True)
    order = np.argsort(number.reshape(-1), kind="stable")
    starts = np.cumsum(counts) - counts
    most = np.argsort(-counts, kind="stable")
    return [order[starts[most[counts[most] > turn]] + turn] for turn in range(int(counts.max()))]


def _chosen(edit: Edit, value: ir.Value, places: np.ndarray, base: str) -> ir.Value:
    """Elements of a value by their number: rank 1, constant where the value is."""
    array = edit.array(value)
    if array is not None:
        return edit.constant(array.reshape(-1)[places], base)
    flat = edit.reshape(value, (prod(shape_of(value)),), base=f"{base}_flat")
    listed = edit.constant(np.asarray(places, np.int64), f"{base}_places")
    return edit.node("Gather", [flat, listed], {"axis": 0}, base=base, shape=places.shape)


def _applied(edit: Edit, kind: str, value: ir.Value, update: ir.Value, base: str) -> ir.Value:
    """The first elements of a value with an update each, and the rest as it was."""
    count, total = shape_of(update)[0], shape_of(value)[0]
    arrays = edit.array(value), edit.array(update)
    if arrays[0] is not None and arrays[1] is not None:
        function = {"Add": np.add, "Max": np.maximum, "Min": np.minimum, "Mul": np.multiply}[kind]
        return edit.constant(np.concatenate([function(arrays[0][:count], arrays[1]), arrays[0][count:]]), base)
    if count == total:
        return edit.node(kind, [value, update], base=base, shape=(count,), dtype=value.dtype)
    parts = [cut(edit, value, 0, bounds, f"{base}_{bounds[0]}") for bounds in ((0, count), (count, total))]
    parts[0] = edit.node(kind, [parts[0], update], base=f"{base}_applied", shape=(count,), dtype=value.dtype)
    return edit.node("Concat", parts, {"axis": 0}, base=base, shape=(total,), dtype=value.dtype)


def write_into_cache(node: ir.Node, edit: Edit) -> str | None:
    """TensorScatter becomes ScatterND: the places of the cache are counted from the first that is written."""
    cache, update, first = required(node, 0), required(node, 1), operand(node, 2)
    shape, result = shape_of(cache), node.outputs[0]
    axis = integer(node, "axis", -2) % len(shape)
    if not 0 < axis < _MAX_COMPONENTS or (update.dtype, cache.dtype) != (result.dtype, result.dtype):
        return f"the axis is the first, or behind the {_MAX_COMPONENTS}th"
    base, written = name_of(result), shape_of(update)[: axis + 1]
    rows = np.moveaxis(np.indices(written), 0, -1)  # of each update the number along every axis up to the cache's
    array = np.zeros(shape[0], np.int64) if first is None else edit.array(first)
    circular = text(node, "mode", "linear") == "circular"
    if array is not None:
        rows[..., axis] += array.reshape(-1, *(1,) * axis)
        if circular:
            rows[..., axis] %= shape[axis]
        places = edit.constant(rows, f"{base}_places")
    else:
        assert first is not None
        step = np.zeros((1,) * (axis + 1) + (axis + 1,), np.int64)
        step[..., axis] = 1
        start = edit.reshape(first, (shape[0], *(1,) * (axis + 1)), base=f"{base}_start")
        wide = (shape[0], *step.shape[1:])
        start = edit.node("Mul", [start, edit.constant(step, f"{base}_step")], base=f"{base}_first", shape=wide)
        places = edit.node("Add", [start, edit.constant(rows, f"{base}_rows")], base=f"{base}_places", shape=rows.shape)
        if circular:
            sizes = edit.constant(np.array(shape[: axis + 1], np.int64), f"{base}_sizes")
            places = edit.node("Mod", [places, sizes], base=f"{base}_around", shape=rows.shape)
    edit.supersede(result, edit.node("ScatterND", [cache, places, update], base=f"{base}_written", shape=shape))
    return None


def unpool(node: ir.Node, edit: Edit) -> str | None:
    """MaxUnpool puts each element at its place in a tensor of zeros."""
    x, places, result = required(node, 0), required(node, 1), node.outputs[0]
    source, target = shape_of(x), shape_of(result)
    kernel = ints(node, "kernel_shape", ())
    strides, pads = ints(node, "strides", (1,) * len(kernel)), ints(node, "pads", (0,) * (2 * len(kernel)))
    full = tuple(
        (size - 1) * strides[i] - pads[i] - pads[i + len(kernel)] + kernel[i] for i, size in enumerate(source[2:])
    )
    if target != (*source[:2], *full):
        return "runtimes disagree on what places mean in an output of another shape"
    base, count, total = name_of(result), prod(source), prod(target)
    kind = np.float32 if x.dtype is None else x.dtype.numpy()
    zeros = edit.constant(np.zeros((1, total), kind), f"{base}_zeros")
    array = edit.array(places)
    if array is None:
        at = edit.reshape(places, (1, count), base=f"{base}_places")
    else:
        at = edit.constant(array.reshape(1, count), f"{base}_places")
    row = edit.reshape(x, (1, count), base=f"{base}_row")
    put = edit.node("ScatterElements", [zeros, at, row], {"axis": 1}, base=f"{base}_put", shape=(1, total))
    edit.hand_over(node, put, edit.reshape(put, target, base=f"{base}_image"))
    return None


def sum_columns(node: ir.Node, edit: Edit) -> str | None:
    """Col2Im: for each pixel the elements of all blocks that cover it, side by side, and their sum."""
    x, image, block = required(node, 0), edit.array(operand(node, 1)), edit.array(operand(node, 2))
    if image is None or block is None:
        return "the shape of the image or of a block is computed"
    rank, result = len(block), node.outputs[0]
    strides, dilations = (ints(node, name, (1,) * rank) for name in ("strides", "dilations"))
    pads = ints(node, "pads", (0,) * (2 * rank))
    sizes, kernel = [int(size) for size in image], [int(size) for size in block]
    steps = [
        (sizes[i] + pads[i] + pads[i + rank] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
        for i in range(rank)
    ]
    batch, rows, columns = shape_of(x)
    if prod(steps) != columns or rows % prod(kernel):
        return "the blocks do not fit the image"
    base, channels = name_of(result), rows // prod(kernel)
    covering = _covering(sizes, kernel, steps, strides, dilations, pads)
    flat = edit.reshape(x, (1, batch * channels, prod(kernel) * columns), base=f"{base}_columns")
    if (covering == prod(kernel) * columns).any():
        zero = edit.constant(np.zeros((1, batch * channels, 1), np.float32), f"{base}_nothing")
        wide = (1, batch * channels, prod(kernel) * columns + 1)
        flat = edit.node("Concat", [flat, zero], {"axis": 2}, base=f"{base}_and_nothing", shape=wide)
    listed = edit.constant(covering, f"{base}_places")
    most = covering.shape[1]
    shape = (1, batch * channels, *covering.shape)
    inner = value = edit.node("Gather", [flat, listed], {"axis": 2}, base=f"{base}_side_by_side", shape=shape)
    if most > 1:
        axis = edit.constant(np.array([3], np.int64), f"{base}_axis")
        attributes = {"keepdims": 0, "noop_with_empty_axes": 0}
        inner = value = edit.node("ReduceSum", [value, axis], attributes, base=f"{base}_sum", shape=shape[:-1])
    edit.hand_over(node, inner, edit.reshape(value, shape_of(result), base=f"{base}_image"))
    return None


def _covering(
    image: list[int], kernel: list[int], steps: list[int], strides: Shape, dilations: Shape, pads: Shape
) -> np.ndarray:
    """[pixels, most]: for each pixel the elements that cover it, by their number in a channel of the columns.

    The number behind the last one stands where fewer do.
    """
    inside, pixel = np.ones((*kernel, *steps), np.bool_), np.zeros((*kernel, *steps), np.int64)
    rank = len(image)
    for axis, size in enumerate(image):
        at = np.add.outer(np.arange(kernel[axis]) * dilations[axis], np.arange(steps[axis]) * strides[axis])
        spread = [1] * (2 * rank)
        spread[axis], spread[rank + axis] = at.shape
        at = (at - pads[axis]).reshape(spread)
        inside &= (at >= 0) & (at < size)
        pixel = pixel * size + at
    numbers = np.arange(pixel.size)[inside.reshape(-1)]
    pixels = pixel.reshape(-1)[inside.reshape(-1)]
    order = np.argsort(pixels, kind="stable")
    counts = np.bincount(pixels, minlength=prod(image))
    found = np.full((prod(image), max(1, int(counts.max(initial=0)))), pixel.size, np.int64)
    turn = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    found[pixels[order], turn] = numbers[order]
    return found


RULES = (
    Rule("combine_updates", ("ScatterElements", "ScatterND"), combine_updates),
    Rule("write_into_cache", ("TensorScatter",), write_into_cache),
    Rule("unpool", ("MaxUnpool",), unpool),
    Rule("sum_columns", ("Col2Im",), sum_columns),
)
