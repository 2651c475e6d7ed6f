"""Reshape and Transpose move behind elementwise operators, and Transpose in front of Pad.

This brings an activation next to the layer that it is fused with. What is left, and stands around other operators, is
a matter of the integer graph (``passes.cancel_transposes``).
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import Shape, ints, is_op, name_of, operand, required, shape_of
from edgeq.ir import Node
from edgeq.onnxio.qdq_form import mask_of
from edgeq.ops import onnx_types
from edgeq.ops.axes import Axes
from edgeq.ops.layout import PAD

_PAD = PAD.axes or Axes()
ELEMENTWISE = onnx_types(lambda op, form: op.axes == Axes())
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


def sink_past_elementwise(node: ir.Node, edit: Edit) -> str | None:
    """f(Reshape(x)) becomes Reshape(f(x)), Reshape(x) + c becomes Reshape(x + c'), Reshape(a) + Reshape(b) likewise."""
    result = node.outputs[0]
    reader = edit.only_user(result)
    if reader is not None and mask_of(reader) is node:
        return "a Softmax takes it as its mask"
    computed = [value for value in node.inputs if value is not None and edit.array(value) is None]
    layouts = {value: _layout_before(value, edit) for value in computed}
    layout = next(iter(layouts.values()), None)
    if layout is None or any(not _is_alike(other, layout) for other in layouts.values()):
        return "no Reshape or Transpose of its own before each operand, all alike"
    if shape_of(layout.outputs[0]) != shape_of(result):
        return "a constant makes the tensor larger"
    shape = shape_of(layout.inputs[0])
    operands: list[ir.Value | None] = []
    for value in node.inputs:
        constant = edit.array(value)
        if constant is None:
            before = None if value is None else layouts[value]
            operands.append(None if before is None else before.inputs[0])
            continue
        moved = _constant_before(constant, layout, shape)
        if moved is None:
            return "the constant does not fit before the Reshape"
        operands.append(value if moved is constant else edit.constant(moved, f"{name_of(result)}_operand"))
    inner = edit.node(node.op_type, operands, base=f"{name_of(result)}_inner", shape=shape, dtype=result.dtype)
    maker = inner.producer()
    assert maker is not None  # edit.node has made it
    maker.attributes.update(node.attributes)
    edit.hand_over(node, inner, _again(layout, inner, result, edit))
    return None


def _is_alike(layout: ir.Node | None, other: ir.Node) -> bool:
    """Whether two nodes lay out tensors of one shape in the same way."""
    if layout is None or layout.op_type != other.op_type or ints(layout, "perm", ()) != ints(other, "perm", ()):
        return False
    return all(
        shape_of(one) == shape_of(two)
        for one, two in ((layout.inputs[0], other.inputs[0]), (layout.outputs[0], other.outputs[0]))
    )


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
    if pads is None or pads.size != 2 * len(shape_of(value)) or operand(pad, 3) is not None:
        return "the pads are not constant"
    perm = ints(node, "perm", ())
    # Where a transpose goes through a Pad, its inverse comes back through it.
    inverse = tuple(int(axis) for axis in np.argsort(perm))
    exchanged = _PAD.exchange(Node("pad", "", (), (), {"pads": tuple(pads.tolist())}), inverse)
    assert exchanged is not None  # a Pad goes with any order of axes
    turned = edit.transpose(value, perm, base=f"{name_of(result)}_transpose")
    amounts = edit.constant(np.array(exchanged[0]["pads"], np.int64), f"{name_of(result)}_pads")
    padded = edit.node(
        "Pad", [turned, amounts, *pad.inputs[2:3]], base=f"{name_of(result)}_pad", shape=shape_of(result)
    )
    maker = padded.producer()
    assert maker is not None  # edit.node has made it
    maker.attributes.update(pad.attributes)
    edit.supersede(result, padded)
    return None


RULES = (
    Rule("sink_past_elementwise", ELEMENTWISE, sink_past_elementwise),
    Rule("lift_past_pad", ("Transpose",), lift_past_pad),
)
