"""Masks of attention: scores that a Softmax shall not see, whatever exporters add to them, become Where.

A number like -1e9 or minus infinity that is added to scores would be the end of any scale that covers it. So what is
added is taken apart: where it is no more than :data:`MASKED`, the score is masked by ``Where(condition, score, -1e4)``
right before the Softmax, which quantization takes as one with it; elsewhere it stays an addition. A mask that covers a
whole row by one number changes no difference within the row, and is dropped there.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import Shape, integer, is_op, made_by, name_of, operand, required, scalar, shape_of
from edgeq.onnxio.forms import is_plain
from edgeq.onnxio.qdq_form import MASKED
from edgeq.ops.softmax import mask_rows

FILL: Final = -1e4
"""The number behind a mask, below :data:`MASKED`: its exponential is zero in float32, too."""


def mask_scores(node: ir.Node, edit: Edit) -> str | None:
    """Softmax(x + mask) and Softmax(Where(condition, x, -inf)) become Softmax(Where(condition, x + rest, -1e4))."""
    scores = required(node, 0)
    maker, shape = scores.producer(), shape_of(scores)
    if not shape or integer(node, "axis", -1) % len(shape) != len(shape) - 1:
        return "not over the last axis"
    if maker is None or scores in edit.params or not is_op(maker, "Add", "Where"):
        return "nothing is added to its scores or put in their place, or what is so is rounded"
    found = _of_where(maker, edit) if is_op(maker, "Where") else _of_sum(maker, edit)
    if isinstance(found, str):
        return found
    x, rest, condition = found
    if shape_of(x) != shape:
        return "the scores are broadcast"
    base = name_of(scores)
    if rest is not None:
        x = edit.node("Add", [x, rest], base=f"{base}_biased", shape=shape)
    node.replace_input_with(0, masked_value(edit, condition, x, f"{base}_masked"))
    return None


def masked_value(edit: Edit, condition: ir.Value, x: ir.Value, base: str) -> ir.Value:
    """x where a condition holds, :data:`FILL` elsewhere; a condition is repeated until its rows go with those of x."""
    constant, shape = edit.array(condition), shape_of(x)
    if mask_rows(shape, shape_of(condition)) is None:
        if constant is None:
            whole = edit.constant(np.array(shape, np.int64), f"{base}_shape")
            condition = edit.node("Expand", [condition, whole], base=f"{base}_condition", shape=shape)
        else:
            condition = edit.constant(np.broadcast_to(constant, shape), f"{base}_condition")
    fill = edit.constant(np.array(FILL, np.float32), f"{base}_fill")
    return edit.node("Where", [condition, x, fill], base=base, shape=shape, dtype=x.dtype)


_Found = tuple[ir.Value, ir.Value | None, ir.Value]


def _of_where(maker: ir.Node, edit: Edit) -> _Found | str:
    """Where with a number for what is masked, on either side."""
    condition, first, second = (required(maker, index) for index in range(3))
    for kept, other, value in ((True, second, first), (False, first, second)):
        number = scalar(edit.array(other))
        if number is None or number > MASKED or edit.array(value) is not None:
            continue
        if kept and number == np.float32(FILL) and mask_rows(shape_of(value), shape_of(condition)) is not None:
            return "it is masked already"
        return value, None, condition if kept else _negated(edit, condition, name_of(maker.outputs[0]))
    return "no number that masks"


def _of_sum(maker: ir.Node, edit: Edit) -> _Found | str:
    """A sum of scores and of a mask, which is constant, chosen from a constant, or made of truth values."""
    shape = shape_of(maker.outputs[0])
    for x, mask in ((required(maker, 0), required(maker, 1)), (required(maker, 1), required(maker, 0))):
        constant = edit.array(mask)
        if constant is not None:
            parts = split_mask(constant, shape)
            if parts is None:
                return "the constant masks nothing"
            base = name_of(maker.outputs[0])
            condition, rest = parts
            added = edit.constant(rest, f"{base}_rest") if rest.any() else None
            return x, added, edit.constant(condition, f"{base}_condition")
        made = _truth(mask, edit)
        if made is not None:
            return x, *made
    return "no mask is added"


def split_mask(mask: np.ndarray, shape: Shape) -> tuple[np.ndarray, np.ndarray] | None:
    """What a constant that is added to scores masks, and what else it adds: bool and float32 of its own shape.

    Args:
        mask: what is added.
        shape: of the scores.

    Returns:
        None where it masks nothing.
    """
    if mask.shape[-1:] != shape[-1:]:
        mask = np.broadcast_to(mask, (*mask.shape[:-1], shape[-1]))
    condition = mask > MASKED
    if condition.all():
        return None
    whole = ~condition.any(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        level = np.where(whole, mask.max(axis=-1, keepdims=True), 0)
        shifted = np.where(np.isfinite(level), mask - level, 0)
    again = shifted > MASKED
    return again, np.where(again, shifted, 0).astype(np.float32)


def _truth(mask: ir.Value, edit: Edit) -> tuple[ir.Value | None, ir.Value] | None:
    """What else a computed mask adds, and the condition under which it does not mask; None where it is none."""
    maker = mask.producer()
    if maker is None or maker.graph is not edit.graph or mask in edit.params:
        return None
    base = name_of(mask)
    if is_op(maker, "Where"):
        numbers = [scalar(edit.array(operand(maker, index))) for index in (1, 2)]
        if numbers[0] == 0 and numbers[1] is not None and numbers[1] <= MASKED:
            return None, required(maker, 0)
        if numbers[1] == 0 and numbers[0] is not None and numbers[0] <= MASKED:
            return None, _negated(edit, required(maker, 0), base)
        return None
    if is_op(maker, "Add"):
        return _of_both(mask, maker, edit)
    if is_op(maker, "Reshape"):
        return _through_reshape(mask, maker, edit)
    if is_op(maker, "Gather"):
        return _of_table(mask, maker, edit)
    if is_op(maker, "Mul") and (factor := scalar(edit.array(operand(maker, 1)))) is not None and factor <= MASKED:
        return _of_factor(required(maker, 0), edit, base)
    return None


def _of_both(mask: ir.Value, maker: ir.Node, edit: Edit) -> tuple[ir.Value | None, ir.Value] | None:
    """The sum of two masks: what either hides is hidden."""
    base, rests, conditions = name_of(mask), list[ir.Value](), list[ir.Value]()
    for side, value in enumerate((required(maker, 0), required(maker, 1))):
        constant, made = edit.array(value), None
        if constant is None:
            made = _truth(value, edit)
        elif (parts := split_mask(constant, shape_of(mask))) is not None:
            rest = edit.constant(parts[1], f"{base}_rest_{side}") if parts[1].any() else None
            made = rest, edit.constant(parts[0], f"{base}_condition_{side}")
        else:
            rests += [value] if constant.any() else []
            continue
        if made is None:
            return None
        rests += [] if made[0] is None else [made[0]]
        conditions.append(made[1])
    if not conditions:
        return None
    condition, rest_ = conditions[0], rests[0] if rests else None
    if len(conditions) > 1:
        shape = tuple(np.broadcast_shapes(*(shape_of(each) for each in conditions)))
        condition = edit.node("And", conditions, base=f"{base}_condition", shape=shape, dtype=ir.DataType.BOOL)
    if len(rests) > 1:
        shape = tuple(np.broadcast_shapes(*(shape_of(each) for each in rests)))
        rest_ = edit.node("Add", rests, base=f"{base}_rest", shape=shape)
    return rest_, condition


def _through_reshape(mask: ir.Value, maker: ir.Node, edit: Edit) -> tuple[ir.Value | None, ir.Value] | None:
    found = _truth(required(maker, 0), edit)
    if found is None:
        return None
    rest, condition = found
    shape, source = shape_of(mask), shape_of(maker.inputs[0])
    if shape_of(condition) != source or (rest is not None and shape_of(rest) != source):
        return None
    base = name_of(mask)
    added = None if rest is None else edit.reshape(rest, shape, base=f"{base}_rest")
    return added, edit.reshape(condition, shape, base=f"{base}_condition")


def _of_table(mask: ir.Value, maker: ir.Node, edit: Edit) -> tuple[ir.Value | None, ir.Value] | None:
    """Rows of a constant by computed indices: the same rows of its condition."""
    table, indices = edit.array(operand(maker, 0)), required(maker, 1)
    axis = integer(maker, "axis", 0)
    if table is None or table.dtype != np.float32 or not table.ndim or axis % table.ndim == table.ndim - 1:
        return None
    condition = table > MASKED
    if condition.all() or not condition.any(axis=-1).all():
        return None
    rest, base, attributes = np.where(condition, table, np.float32(0)), name_of(mask), {"axis": axis}
    chosen = [edit.constant(condition, f"{base}_conditions"), indices]
    kept = edit.node(
        "Gather", chosen, attributes, base=f"{base}_condition", shape=shape_of(mask), dtype=ir.DataType.BOOL
    )
    if not rest.any():
        return None, kept
    biases = [edit.constant(rest, f"{base}_biases"), indices]
    return edit.node("Gather", biases, attributes, base=f"{base}_rest", shape=shape_of(mask)), kept


def _of_factor(value: ir.Value, edit: Edit, base: str) -> tuple[None, ir.Value] | None:
    """A truth value as a number, or 1 less it, times a number that masks."""
    plain = _cast_truth(value, edit)
    if plain is not None:
        return None, _negated(edit, plain, base)
    maker = value.producer()
    if maker is None:
        return None
    if is_op(maker, "Sub") and scalar(edit.array(operand(maker, 0))) == 1:
        plain = _cast_truth(required(maker, 1), edit)
    elif is_op(maker, "Add") and scalar(edit.array(operand(maker, 1))) == 1:
        inner = made_by(required(maker, 0), "Mul")
        negative = inner is not None and scalar(edit.array(operand(inner, 1))) == -1
        plain = _cast_truth(required(inner, 0), edit) if inner is not None and negative else None
    return None if plain is None else (None, plain)


def _cast_truth(value: ir.Value, edit: Edit) -> ir.Value | None:
    """The truth value of which a value is the number 0 or 1; of an integer, whether it is not 0."""
    cast = made_by(value, "Cast")
    source = None if cast is None else required(cast, 0)
    if source is None or not is_plain(source):
        return None
    if source.dtype == ir.DataType.BOOL:
        return source
    kind = ir.DataType.BOOL
    return edit.node(
        "Cast", [source], {"to": int(kind)}, base=f"{name_of(value)}_true", shape=shape_of(source), dtype=kind
    )


def _negated(edit: Edit, condition: ir.Value, base: str) -> ir.Value:
    constant = edit.array(condition)
    if constant is not None:
        return edit.constant(~constant, f"{base}_kept")
    return edit.node("Not", [condition], base=f"{base}_kept", shape=shape_of(condition), dtype=ir.DataType.BOOL)


RULES = (Rule("mask_scores", ("Softmax",), mask_scores),)
