"""Pooling and averages: attributes stated, ceil_mode and counted padding resolved, means over space as pooling."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import Shape, integer, ints, is_op, name_of, operand, required, shape_of, text
from edgeq.frontend.rules.simplify import padded
from edgeq.frontend.rules.spatial import resolved_pads, window_attributes
from edgeq.ops import onnx_types
from edgeq.ops.reduce import REDUCED

_IMAGE_RANK = 4
_SIGNAL_RANK = 3
_REDUCTIONS = onnx_types(lambda op, form: op.axes == REDUCED)


def _rebuild(node: ir.Node, edit: Edit, x: ir.Value, pads: Shape, *, tag: str) -> None:
    """The same pooling with stated attributes, floor mode and padding that does not count."""
    kernel = ints(node, "kernel_shape", ())
    strides, dilations, _ = window_attributes(node, kernel)
    attributes: dict[str, Shape | int] = {
        "ceil_mode": 0,
        "dilations": dilations,
        "kernel_shape": kernel,
        "pads": pads,
        "strides": strides,
    }
    if node.op_type == "AveragePool":
        attributes["count_include_pad"] = 0
    result = node.outputs[0]
    edit.supersede(
        result, edit.node(node.op_type, [x], attributes, base=f"{name_of(result)}_{tag}", shape=shape_of(result))
    )


def make_attributes_explicit(node: ir.Node, edit: Edit) -> str | None:
    """Every attribute is stated; ceil_mode becomes padding at the end; padding that counts becomes a Pad before it."""
    if len(node.outputs) > 1 and node.outputs[1].name:
        return "the indices are used"
    kernel = ints(node, "kernel_shape", ())
    counted = node.op_type == "AveragePool" and integer(node, "count_include_pad", 0) == 1
    stated = all(name in node.attributes for name in ("kernel_shape", "strides", "pads", "dilations"))
    plain = not integer(node, "ceil_mode", 0) and text(node, "auto_pad", "NOTSET") == "NOTSET"
    x, result = required(node, 0), node.outputs[0]
    if stated and plain and not (counted and any(ints(node, "pads", ()))) and "auto_pad" not in node.attributes:
        return "all attributes are stated"
    source, target = shape_of(x)[2:], shape_of(result)[2:]
    pads = resolved_pads(node, kernel, source, target)
    if pads is None:
        return "a window would see padding only"
    if not counted or not any(pads):
        _rebuild(node, edit, x, pads, tag="pool")
        return None
    written = pads if plain or text(node, "auto_pad", "NOTSET") != "NOTSET" else ints(node, "pads", (0,) * len(pads))
    rank = len(kernel)
    around = (0, 0, *written[:rank], 0, 0, *written[rank:])
    wider = padded(edit, x, around, f"{name_of(result)}_padded")
    _rebuild(node, edit, wider, tuple(p - w for p, w in zip(pads, written, strict=True)), tag="pool")
    return None


def widen_to_2d(node: ir.Node, edit: Edit) -> str | None:
    """Pooling over one dimension becomes pooling over two, of height one, between Reshapes."""
    x, result = required(node, 0), node.outputs[0]
    if node.op_type.startswith("Global") and len(shape_of(x)) > _IMAGE_RANK:
        return _flatten_global(node, edit)
    if len(shape_of(x)) != _SIGNAL_RANK or len(node.outputs) > 1:
        return "it is not one-dimensional"
    if not node.op_type.startswith("Global") and ("pads" not in node.attributes or integer(node, "ceil_mode", 0)):
        return "the attributes are not stated yet"
    base = name_of(result)
    batch, channels, length = shape_of(x)
    wide = edit.reshape(x, (batch, channels, 1, length), base=f"{base}_input_2d")
    attributes: dict[str, Shape | int] = {}
    if not node.op_type.startswith("Global"):
        (kernel,) = ints(node, "kernel_shape", ())
        (stride,), (dilation,), (begin, end) = window_attributes(node, (kernel,))
        attributes = {
            "ceil_mode": 0,
            "dilations": (1, dilation),
            "kernel_shape": (1, kernel),
            "pads": (0, begin, 0, end),
            "strides": (1, stride),
        }
        if node.op_type == "AveragePool":
            attributes["count_include_pad"] = 0
    steps = shape_of(result)[2]
    flat = edit.node(node.op_type, [wide], attributes, base=f"{base}_2d", shape=(batch, channels, 1, steps))
    edit.hand_over(node, flat, edit.reshape(flat, shape_of(result), base=f"{base}_1d"))
    return None


def _flatten_global(node: ir.Node, edit: Edit) -> str | None:
    """Global pooling over three dimensions or more is pooling over two, of all but the last in one."""
    x, result = required(node, 0), node.outputs[0]
    shape, base = shape_of(x), name_of(result)
    image = (*shape[:2], math.prod(shape[2:-1]), shape[-1])
    flat = edit.reshape(x, image, base=f"{base}_input_2d")
    pooled = edit.node(node.op_type, [flat], base=f"{base}_2d", shape=(*shape[:2], 1, 1))
    edit.hand_over(node, pooled, edit.reshape(pooled, shape_of(result), base=f"{base}_nd"))
    return None


# --- reductions -------------------------------------------------------------------------------------------------


def reduced_axes(node: ir.Node, edit: Edit) -> tuple[int, ...] | None:
    """The reduced axes, sorted and not negative; None where they are computed."""
    rank = len(shape_of(node.inputs[0]))
    stated = operand(node, 1)
    if stated is None:
        return () if integer(node, "noop_with_empty_axes", 0) else tuple(range(rank))
    array = edit.array(stated)
    if array is None:
        return None
    if not array.size:
        return () if integer(node, "noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(sorted({int(axis) % rank for axis in array}))


def make_axes_explicit(node: ir.Node, edit: Edit) -> str | None:
    """The axes are stated as a sorted constant without negative ones; axes of size one are reshaped away."""
    axes = reduced_axes(node, edit)
    if axes is None:
        return "the axes are computed"
    x, result = required(node, 0), node.outputs[0]
    shape, base = shape_of(x), name_of(node.outputs[0])
    if all(shape[axis] == 1 for axis in axes):
        value = _of_one_element(node.op_type, x, edit, base)
        edit.supersede(result, edit.reshape(value, shape_of(result), base=f"{base}_reshape"))
        return None
    array = edit.array(operand(node, 1))
    if array is not None and tuple(int(axis) for axis in array) == axes and "keepdims" in node.attributes:
        return "the axes are stated"
    constant = edit.constant(np.array(axes, dtype=np.int64), f"{base}_axes")
    attributes = {"keepdims": integer(node, "keepdims", 1), "noop_with_empty_axes": 0}
    edit.supersede(
        result, edit.node(node.op_type, [x, constant], attributes, base=f"{base}_reduce", shape=shape_of(result))
    )
    return None


def _of_one_element(kind: str, x: ir.Value, edit: Edit, base: str) -> ir.Value:
    """What a reduction makes of a single element."""
    if kind == "ReduceSumSquare":
        return edit.node("Mul", [x, x], base=f"{base}_square", shape=shape_of(x))
    function = {"ReduceL1": "Abs", "ReduceL2": "Abs", "ReduceLogSum": "Log"}.get(kind)
    return x if function is None else edit.node(function, [x], base=f"{base}_element", shape=shape_of(x))


def lift_over_transpose(node: ir.Node, edit: Edit) -> str | None:
    """Mean(Transpose(x)), and any other reduction, becomes Transpose(Mean(x)), of a much smaller tensor."""
    axes, turn = reduced_axes(node, edit), required(node, 0).producer()
    if axes is None or turn is None or not is_op(turn, "Transpose") or turn.graph is not edit.graph:
        return "no Transpose before it"
    perm, x, result = ints(turn, "perm", ()), required(turn, 0), node.outputs[0]
    base = name_of(result)
    moved = tuple(sorted(perm[axis] for axis in axes))
    constant = edit.constant(np.array(moved, dtype=np.int64), f"{base}_axes")
    shape = tuple(1 if axis in moved else dim for axis, dim in enumerate(shape_of(x)))
    attributes = {"keepdims": 1, "noop_with_empty_axes": 0}
    inner = edit.node(node.op_type, [x, constant], attributes, base=f"{base}_inner", shape=shape)
    turned = edit.transpose(inner, perm, base=f"{base}_transpose")
    if shape_of(turned) != shape_of(result):
        turned = edit.reshape(turned, shape_of(result), base=f"{base}_reshape")
    edit.hand_over(node, inner, turned)
    return None


def pool_globally(node: ir.Node, edit: Edit) -> str | None:
    """A mean (or maximum) over the two spatial axes of an image becomes global pooling."""
    axes, x, result = reduced_axes(node, edit), required(node, 0), node.outputs[0]
    if axes != (2, 3) or len(shape_of(x)) != _IMAGE_RANK or shape_of(x)[0] != 1 or x.dtype != ir.DataType.FLOAT:
        return "not float, or not over the two spatial axes of one image"
    pool = "GlobalAveragePool" if node.op_type == "ReduceMean" else "GlobalMaxPool"
    base = name_of(result)
    pooled = edit.node(pool, [x], base=f"{base}_pool", shape=(*shape_of(x)[:2], 1, 1))
    if shape_of(pooled) == shape_of(result):
        edit.supersede(result, pooled)
    else:
        edit.hand_over(node, pooled, edit.reshape(pooled, shape_of(result), base=f"{base}_reshape"))
    return None


STRUCTURE_RULES = (Rule("make_attributes_explicit", ("AveragePool", "MaxPool"), make_attributes_explicit),)
RULES = (
    *STRUCTURE_RULES,
    Rule("widen_to_2d", ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool"), widen_to_2d),
    Rule("lift_over_transpose", _REDUCTIONS, lift_over_transpose),
    Rule("pool_globally", ("ReduceMax", "ReduceMean"), pool_globally),
    Rule("make_axes_explicit", _REDUCTIONS, make_axes_explicit),
)
