"""Pad: amounts for every axis, then taken in by the convolution or pooling behind it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import ints, is_op, name_of, number, operand, required, scalar, shape_of, text
from edgeq.frontend.rules.activation import clamp_bounds, is_nonnegative
from edgeq.frontend.rules.simplify import cut
from edgeq.ops import onnx_types

_SPATIAL_FROM = 2
_MAX_LOOK_AHEAD = 8
# They only pass values on, or the largest of them, so that a clamp behind them could stand before them.
_PASSING = onnx_types(lambda op, form: form.scale == "same")
# Functions that are constant in float32, 2e-9 apart, outside of an interval.
_FLAT_BEYOND = {
    "Elu": (-20.0, np.inf),
    "HardSwish": (-3.0, np.inf),
    "Sigmoid": (-20.0, 20.0),
    "Tanh": (-10.0, 10.0),
}


def make_pads_explicit(node: ir.Node, edit: Edit) -> str | None:
    """Pads of all axes, a stated value, no axes operand."""
    x, result = required(node, 0), node.outputs[0]
    pads, value, axes = (edit.array(operand(node, index)) for index in (1, 2, 3))
    rank = len(shape_of(x))
    if pads is None or (operand(node, 3) is not None and axes is None):
        return "the amounts are computed"
    if text(node, "mode", "constant") != "constant":
        return "it does not pad with a constant"
    if operand(node, 2) is not None and value is None:
        return "the value is computed"
    if axes is None and value is not None and "mode" in node.attributes:
        return "all is stated"
    full = np.zeros(2 * rank, dtype=np.int64)
    listed = np.arange(rank) if axes is None else np.where(axes < 0, axes + rank, axes)
    full[listed] = pads[: len(listed)]
    full[listed + rank] = pads[len(listed) :]
    base = name_of(result)
    amounts = edit.constant(full, f"{base}_pads")
    zero = np.zeros((), np.float32 if x.dtype is None else x.dtype.numpy())
    fill = zero if value is None else value.reshape(())
    operands = [x, amounts, edit.constant(fill, f"{base}_value")]
    edit.supersede(result, edit.node("Pad", operands, {"mode": "constant"}, base=f"{base}_pad", shape=shape_of(result)))
    return None


def crop_by_slice(node: ir.Node, edit: Edit) -> str | None:
    """Negative amounts become a Slice in front of the Pad."""
    x, result, amounts = required(node, 0), node.outputs[0], edit.array(operand(node, 1))
    shape = shape_of(x)
    if amounts is None or text(node, "mode", "constant") != "constant" or amounts.size != 2 * len(shape):
        return "the amounts are not stated yet, or it does not pad with a constant"
    if not (amounts < 0).any():
        return "it does not crop"
    base, value = name_of(result), x
    for axis, (before, behind) in enumerate(zip(*np.minimum(amounts, 0).reshape(2, -1).tolist(), strict=True)):
        if shape[axis] + before + behind < 1:
            return "it crops more than there is"
        if before or behind:
            value = cut(edit, value, axis, (-before, shape[axis] + behind), f"{base}_{axis}_kept")
    pads = edit.constant(np.maximum(amounts, 0), f"{base}_pads")
    operands = [value, pads, required(node, 2)]
    edit.supersede(result, edit.node("Pad", operands, {"mode": "constant"}, base=f"{base}_pad", shape=shape_of(result)))
    return None


def fold_into_window(node: ir.Node, edit: Edit) -> str | None:
    """Conv(Pad(x)) and MaxPool(Pad(x)) pad by themselves."""
    pad = required(node, 0).producer()
    if pad is None or not is_op(pad, "Pad") or pad.graph is not edit.graph:
        return "no Pad before it"
    amounts, value = edit.array(operand(pad, 1)), scalar(edit.array(operand(pad, 2)))
    x = required(pad, 0)
    rank = len(shape_of(x))
    if amounts is None or value is None or amounts.size != 2 * rank or text(pad, "mode", "constant") != "constant":
        return "the padding is not a stated constant"
    begins, ends = amounts[:rank], amounts[rank:]
    if (amounts < 0).any() or begins[:_SPATIAL_FROM].any() or ends[:_SPATIAL_FROM].any():
        return "it crops, or pads batch or channels"
    own = ints(node, "pads", ())
    spatial = rank - _SPATIAL_FROM
    if "auto_pad" in node.attributes or len(own) != 2 * spatial:
        return "the attributes are not stated yet"
    refusal = _refusal_of_value(node, x, value, own, edit)
    if refusal is not None:
        return refusal
    pads = tuple(int(a + b) for a, b in zip(own, (*begins[_SPATIAL_FROM:], *ends[_SPATIAL_FROM:]), strict=True))
    kernel = ints(node, "kernel_shape", ())
    if node.op_type == "MaxPool" and any(pads[i] >= kernel[i % spatial] for i in range(2 * spatial)):
        return "a window would see padding only"
    node.replace_input_with(0, x)
    node.attributes.pop("pads")
    node.attributes.add(ir.AttrInt64s("pads", pads))
    return None


def _refusal_of_value(node: ir.Node, x: ir.Value, value: float, own: tuple[int, ...], edit: Edit) -> str | None:
    """Why the padded value is not what the window's own padding means."""
    if node.op_type == "Conv":
        return None if value == 0 else "a convolution pads with zero"
    if len(node.outputs) > 1:
        return "the indices are used"
    lowest = float(np.finfo(np.float32).min)
    if value <= lowest:
        return None
    if value <= 0 and is_nonnegative(x, edit):
        return None
    return "zero may exceed what is in the window" if value == 0 else "the value is neither zero nor the lowest"


def clamp_fill(node: ir.Node, edit: Edit) -> str | None:
    """A fill that every reader clamps is stored clamped: Relu(Pad(x, −1e9)) = Relu(Pad(x, 0)).

    The range of the padded tensor, and so its step, would else be that of a number that no result depends on.
    """
    fill = scalar(edit.array(operand(node, 2)))
    if required(node, 0).dtype != ir.DataType.FLOAT:
        return "not float"
    if fill is None or text(node, "mode", "constant") != "constant":
        return "the fill is not a stated constant"
    needed = _needed_interval(node.outputs[0], edit)
    if needed is None:
        return "a reader is no clamp"
    clamped = min(max(fill, needed[0]), needed[1])
    if clamped == fill:
        return "the fill lies within what its readers tell apart"
    value = edit.constant(np.array(clamped, dtype=np.float32), f"{name_of(node.outputs[0])}_value")
    old = required(node, 2)
    node.replace_input_with(2, value)
    edit.inherit_name(value, old)
    return None


def _needed_interval(value: ir.Value, edit: Edit, depth: int = 0) -> tuple[float, float] | None:
    """The interval outside of which no reader tells numbers apart, or None where one does everywhere."""
    if value.is_graph_output() or depth > _MAX_LOOK_AHEAD:
        return None
    found = []
    for use in value.uses():
        if is_op(use.node, *_PASSING) and len(use.node.outputs) == 1:
            interval = _needed_interval(use.node.outputs[0], edit, depth + 1)
        elif use.idx == 0 and is_op(use.node, "Relu", "Clip"):
            interval = clamp_bounds(use.node, edit)
        elif is_op(use.node, "HardSigmoid"):
            alpha, beta = number(use.node, "alpha", 0.2), number(use.node, "beta", 0.5)
            interval = (-beta / alpha - 1, (1 - beta) / alpha + 1) if alpha > 0 else None
        else:
            interval = _FLAT_BEYOND.get(use.node.op_type) if is_op(use.node, *_FLAT_BEYOND) else None
        if interval is None:
            return None
        found.append(interval)
    return (min(low for low, _ in found), max(high for _, high in found)) if found else None


RULES = (
    Rule("make_pads_explicit", ("Pad",), make_pads_explicit),
    Rule("crop_by_slice", ("Pad",), crop_by_slice),
    Rule("fold_into_window", ("Conv", "MaxPool"), fold_into_window),
    Rule("clamp_fill", ("Pad",), clamp_fill),
)
