"""MaxPool's second result: where in its input each maximum lies.

The positions of a window are brought side by side; the first largest of them, which is what onnxruntime finds, is
looked up in a constant table of places.
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import AttributeValue, Edit, Rule
from edgeq.frontend.facts import integer, ints, name_of, required, shape_of
from edgeq.frontend.rules.spatial import resolved_pads, window_attributes
from edgeq.frontend.rules.windows import gathered, places_of

_IMAGE_RANK = 4


def find_places(node: ir.Node, edit: Edit) -> str | None:
    """A MaxPool whose places are read becomes one without, and an ArgMax over each window."""
    places = node.outputs[1] if len(node.outputs) > 1 else None
    if places is None or not (places.uses() or places.is_graph_output()):
        return _drop_places(node, edit)
    x, result = required(node, 0), node.outputs[0]
    kernel, shape, target = ints(node, "kernel_shape", ()), shape_of(x), shape_of(result)
    strides, dilations, _ = window_attributes(node, kernel)
    pads, rank = resolved_pads(node, kernel, shape[2:], target[2:]), len(kernel)
    columns_first = integer(node, "storage_order", 0)
    if pads is None or (columns_first and len(shape) > _IMAGE_RANK):
        return "a window would see padding only, or places in a volume count columns first"
    base, values, table = name_of(places), x, np.zeros((1,) * (2 * rank), np.int64)
    for axis, size in enumerate(shape[2:]):
        at = places_of(target[2 + axis], kernel[axis], strides[axis], dilations[axis]) - pads[axis]
        inside = (at >= 0) & (at < size)
        # A position of the padding is replaced by the first that is none: of equal ones the first counts.
        at = np.where(inside, at, np.take_along_axis(at, np.argmax(inside, axis=1)[:, np.newaxis], axis=1))
        values = gathered(edit, values, 2 + axis, at, f"{base}_side_by_side")
        spread = [1] * (2 * rank)
        spread[axis], spread[rank + axis] = at.shape
        table = table + at.reshape(spread) * _step(shape[2:], axis, columns_first=bool(columns_first))
    windows, count = prod(target[2:]), prod(kernel)
    split = [dim for pair in zip(target[2:], kernel, strict=True) for dim in pair]
    values = edit.reshape(values, (*shape[:2], *split), base=f"{base}_windows")
    order = (0, 1, *range(2, 2 + 2 * rank, 2), *range(3, 3 + 2 * rank, 2))
    values = edit.reshape(
        edit.transpose(values, order, base=f"{base}_turned"), (*shape[:2], windows, count), base=f"{base}_positions"
    )
    found = edit.node(
        "ArgMax",
        [values],
        {"axis": 3, "keepdims": 0},
        base=f"{base}_first",
        shape=(*shape[:2], windows),
        dtype=ir.DataType.INT64,
    )
    rows = edit.constant(np.arange(windows, dtype=np.int64) * count, f"{base}_rows")
    entry = edit.node("Add", [found, rows], base=f"{base}_entry", shape=shape_of(found))
    listed = edit.constant(table.reshape(-1), f"{base}_table")
    at_image = edit.node("Gather", [listed, entry], {"axis": 0}, base=f"{base}_of_image", shape=shape_of(found))
    images = np.arange(prod(shape[:2]), dtype=np.int64).reshape(*shape[:2], 1) * prod(shape[2:])
    whole = edit.node(
        "Add", [at_image, edit.constant(images, f"{base}_images")], base=f"{base}_flat", shape=shape_of(found)
    )
    edit.supersede(places, edit.reshape(whole, target, base=f"{base}_places"))
    return None if node.graph is None else _drop_places(node, edit)  # gone where nobody reads the maxima


def _step(shape: tuple[int, ...], axis: int, *, columns_first: bool) -> int:
    """By how much a place grows with the index along an axis."""
    return prod(shape[:axis]) if columns_first else prod(shape[axis + 1 :])


def _drop_places(node: ir.Node, edit: Edit) -> str | None:
    """A MaxPool of one result in the place of one whose second nobody reads."""
    if len(node.outputs) == 1 and "storage_order" not in node.attributes:
        return "it has one result"
    result = node.outputs[0]
    kept: dict[str, AttributeValue] = {
        name: ints(node, name, ())
        for name in ("dilations", "kernel_shape", "pads", "strides")
        if name in node.attributes
    }
    kept |= {"ceil_mode": integer(node, "ceil_mode", 0)}
    if "auto_pad" in node.attributes:
        kept["auto_pad"] = node.attributes["auto_pad"].as_string()
    edit.supersede(
        result, edit.node("MaxPool", [required(node, 0)], kept, base=f"{name_of(result)}_pool", shape=shape_of(result))
    )
    return None


RULES = (Rule("find_places", ("MaxPool",), find_places),)
