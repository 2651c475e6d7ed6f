"""Reshape and Transpose move behind elementwise operators.

This brings an activation next to the layer that it is fused with. What is left, and stands around other operators, is
a matter of the integer graph (``passes.cancel_transposes``).
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import Shape, ints, is_op, name_of, operand, required, shape_of
from edgeq.ops import onnx_types
from edgeq.ops.axes import Axes

_ELEMENTWISE = Axes()
UNARY = onnx_types(lambda op, form: op.axes == _ELEMENTWISE and form.activations is not None)
BINARY = (
    *onnx_types(lambda op, form: op.axes == _ELEMENTWISE and form.activations is None),
    "Div", "Max", "Min", "Pow",
)  # fmt: skip
_MAX_SPREAD_CONSTANT = 1 << 20


def _layout_before(value: ir.Value | None, edit: Edit) -> ir.Node | None:
    """The Reshape or Transpose that makes a value for one reader only."""
    node = None if value is None else value.producer()
    if value is None or node is None or node.graph is not edit.graph or not is_op(node, "Reshape", "Transpose"):
        return None
    return node if edit.only_user(value) is not None else None


def _again(layout: ir.Node, value: ir.Value, result: ir.Value, edit: Edit) -> ir.Value:
    """The same Reshape or Transpose on another value of the same shape."""
    base = f"{name_of(result)}_{layout.op_type.lower()}"
    if layout.op_type == "Transpose":
        return edit.transpose(value, ints(layout, "perm", ()), base=base)
    return edit.reshape(value, shape_of(layout.outputs[0]), base=base)


def sink_past_unary(node: ir.Node, edit: Edit) -> str | None:
    """f(Reshape(x)) becomes Reshape(f(x))."""
    layout = _layout_before(operand(node, 0), edit)
    if layout is None:
        return "no Reshape or Transpose of its own before it"
    if any(value is not None and edit.array(value) is None for value in node.inputs[1:]):
        return "a bound is computed"
    value, result = required(layout, 0), node.outputs[0]
    inner = edit.node(
        node.op_type,
        [value, *node.inputs[1:]],
        base=f"{name_of(result)}_inner",
        shape=shape_of(value),
        dtype=result.dtype,
    )
    maker = inner.producer()
    if maker is not None:
        for attribute in node.attributes.values():
            maker.attributes.add(attribute)
    edit.hand_over(node, inner, _again(layout, inner, result, edit))
    return None


def sink_past_binary(node: ir.Node, edit: Edit) -> str | None:
    """Reshape(x) + c becomes Reshape(x + c'), and Reshape(a) + Reshape(b) becomes Reshape(a + b)."""
    result = node.outputs[0]
    left, right = _layout_before(operand(node, 0), edit), _layout_before(operand(node, 1), edit)
    if left is not None and right is not None:
        return _sink_both(node, left, right, edit)
    side = 0 if left is not None else 1
    layout = left or right
    constant = edit.array(operand(node, 1 - side))
    if layout is None or constant is None:
        return "no Reshape or Transpose beside a constant"
    if shape_of(layout.outputs[0]) != shape_of(result):
        return "the constant makes the tensor larger"
    value = required(layout, 0)
    moved = _constant_before(constant, layout, shape_of(value))
    if moved is None:
        return "the constant does not fit before the Reshape"
    other = edit.constant(moved, f"{name_of(result)}_operand") if moved is not constant else required(node, 1 - side)
    operands = [value, other] if side == 0 else [other, value]
    inner = edit.node(
        node.op_type, operands, base=f"{name_of(result)}_inner", shape=shape_of(value), dtype=result.dtype
    )
    edit.hand_over(node, inner, _again(layout, inner, result, edit))
    return None


def _sink_both(node: ir.Node, left: ir.Node, right: ir.Node, edit: Edit) -> str | None:
    a, b, result = required(left, 0), required(right, 0), node.outputs[0]
    same = left.op_type == right.op_type and shape_of(a) == shape_of(b) and left is not right
    if not same or shape_of(left.outputs[0]) != shape_of(right.outputs[0]):
        return "the two operands are laid out differently"
    if left.op_type == "Transpose" and ints(left, "perm", ()) != ints(right, "perm", ()):
        return "the two operands are transposed differently"
    inner = edit.node(node.op_type, [a, b], base=f"{name_of(result)}_inner", shape=shape_of(a), dtype=result.dtype)
    edit.hand_over(node, inner, _again(left, inner, result, edit))
    return None


def _constant_before(constant: np.ndarray, layout: ir.Node, source: Shape) -> np.ndarray | None:
    """The constant that, combined before the layout change, does what it did behind it."""
    if constant.size == 1:
        return constant if constant.ndim <= len(source) else constant.reshape(())
    target = shape_of(layout.outputs[0])
    if layout.op_type == "Transpose":
        full = constant.reshape((1,) * (len(target) - constant.ndim) + constant.shape)
        return np.transpose(full, np.argsort(ints(layout, "perm", ())))
    if math.prod(target) > _MAX_SPREAD_CONSTANT:
        return None
    return narrowed(np.broadcast_to(constant, target).reshape(source))


def narrowed(array: np.ndarray) -> np.ndarray:
    """Axes along which nothing changes become 1."""
    for axis in range(array.ndim):
        first = np.take(array, [0], axis=axis)
        if array.shape[axis] > 1 and (array == first).all():
            array = first
    return array


def lift_past_pad(node: ir.Node, edit: Edit) -> str | None:
    """Transpose(Pad(x)) becomes Pad(Transpose(x)), next to the layer that takes the padding in."""
    pad = required(node, 0).producer()
    if pad is None or not is_op(pad, "Pad") or edit.only_user(required(node, 0)) is None:
        return "no Pad of its own before it"
    pads = edit.array(operand(pad, 1))
    value, result = required(pad, 0), node.outputs[0]
    rank = len(shape_of(value))
    if pads is None or pads.size != 2 * rank or operand(pad, 3) is not None:
        return "the pads are not constant"
    perm = ints(node, "perm", ())
    moved = np.concatenate([pads[list(perm)], pads[[axis + rank for axis in perm]]]).astype(np.int64)
    turned = edit.transpose(value, perm, base=f"{name_of(result)}_transpose")
    amounts = edit.constant(moved, f"{name_of(result)}_pads")
    padded = edit.node(
        "Pad", [turned, amounts, *pad.inputs[2:3]], base=f"{name_of(result)}_pad", shape=shape_of(result)
    )
    maker = padded.producer()
    if maker is not None:
        for attribute in pad.attributes.values():
            maker.attributes.add(attribute)
    edit.supersede(result, padded)
    return None


RULES = (
    Rule("sink_past_unary", UNARY, sink_past_unary),
    Rule("sink_past_binary", BINARY, sink_past_binary),
    Rule("lift_past_pad", ("Transpose",), lift_past_pad),
)
