"""Resize: one list of all axes, and signals as images of height one."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import AttributeValue, Edit, Rule
from edgeq.frontend.facts import ints, name_of, operand, required, shape_of, text
from edgeq.onnxio.attributes import attribute_values

_SIGNAL_RANK = 3


def make_axes_explicit(node: ir.Node, edit: Edit) -> str | None:
    """The scales or sizes of all axes, in order; no list of axes."""
    rank = len(shape_of(node.inputs[0]))
    if "axes" not in node.attributes or text(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return "there is no list of axes, or a policy looks at them"
    if text(node, "coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
        return "its region has a list of axes, too"
    scales, sizes = _lists(node, edit)
    axes = [axis % rank for axis in ints(node, "axes", ())]
    if scales is None and sizes is None:
        return "scales and sizes are computed"
    full: np.ndarray = np.ones(rank, np.float32) if scales is not None else np.array(shape_of(node.inputs[0]), np.int64)
    full[axes] = sizes if scales is None else scales
    _rebuild(node, edit, required(node, 0), full)
    return None


def widen_to_2d(node: ir.Node, edit: Edit) -> str | None:
    """A resized signal is a resized image of height one, between Reshapes."""
    x, result = required(node, 0), node.outputs[0]
    shape, base = shape_of(x), name_of(node.outputs[0])
    scales, sizes = _lists(node, edit)
    given = sizes if scales is None else scales
    if len(shape) != _SIGNAL_RANK or "axes" in node.attributes or given is None:
        return "it is no signal, or its scales are not stated"
    wide = edit.reshape(x, (*shape[:2], 1, shape[2]), base=f"{base}_input_2d")
    target = (*shape_of(result)[:2], 1, shape_of(result)[2])
    _rebuild(node, edit, wide, np.insert(given, 2, 1), target)
    return None


def _lists(node: ir.Node, edit: Edit) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The scales and the sizes, of which one is stated."""
    found = (edit.array(operand(node, 2)), edit.array(operand(node, 3)))
    scales, sizes = (None if array is None or not array.size else array.reshape(-1) for array in found)
    return scales, sizes


def _rebuild(node: ir.Node, edit: Edit, x: ir.Value, given: np.ndarray, wide: tuple[int, ...] | None = None) -> None:
    """The same Resize of another operand by a list for all axes; ``wide`` is the result's shape where that changes."""
    result = node.outputs[0]
    base = name_of(result)
    constant = edit.constant(given, f"{base}_resize")
    operands = [x, None, constant] if given.dtype.kind == "f" else [x, None, None, constant]
    attributes: dict[str, AttributeValue] = {
        name: value for name, value in attribute_values(node).items() if name != "axes"
    }
    made = edit.node("Resize", operands, attributes, base=f"{base}_resized", shape=wide or shape_of(result))
    if wide is None:
        edit.supersede(result, made)
    else:
        edit.hand_over(node, made, edit.reshape(made, shape_of(result), base=f"{base}_1d"))


RULES = (
    Rule("make_axes_explicit", ("Resize",), make_axes_explicit),
    Rule("widen_to_2d", ("Resize",), widen_to_2d),
)
