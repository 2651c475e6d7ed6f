"""Nodes that do nothing, and arithmetic in the few forms that the other rules and lowering know."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import integer, known_shape, name_of, operand, required, scalar, shape_of


def _drop(node: ir.Node, edit: Edit, value: ir.Value) -> str | None:
    """Read the operand instead of the result; where an output needs a value of its own, copy it by a Reshape."""
    result = node.outputs[0]
    if edit.can_alias(result, value):
        edit.replace(result, value)
        return None
    if edit.array(value) is not None:
        return "a model output is a constant"
    edit.supersede(result, edit.reshape(value, shape_of(value), base=f"{name_of(result)}_copy"))
    return None


def remove_identity(node: ir.Node, edit: Edit) -> str | None:
    """Identity."""
    return _drop(node, edit, required(node, 0))


def remove_dropout(node: ir.Node, edit: Edit) -> str | None:
    """Dropout, which passes its input on at inference."""
    if len(node.outputs) > 1 and (node.outputs[1].uses() or node.outputs[1].is_graph_output()):
        return "the mask is used"
    training = operand(node, 2)
    if training is not None and scalar(edit.array(training)) != 0:
        return "training_mode is not constant false"
    return _drop(node, edit, required(node, 0))


def remove_cast(node: ir.Node, edit: Edit) -> str | None:
    """Cast to the type that the value has."""
    value = required(node, 0)
    if value.dtype is None or value.dtype != node.outputs[0].dtype:
        return "the type changes"
    return _drop(node, edit, value)


def cast_like_by_cast(node: ir.Node, edit: Edit) -> str | None:
    """CastLike becomes Cast to the type of its second operand."""
    value, like, result = required(node, 0), required(node, 1), node.outputs[0]
    if like.dtype is None:
        return "the type is not known"
    made = edit.node(
        "Cast", [value], {"to": int(like.dtype)}, base=name_of(result), shape=shape_of(result), dtype=like.dtype
    )
    edit.supersede(result, made)
    return None


def finite_is_false(node: ir.Node, edit: Edit) -> str | None:
    """IsNaN and IsInf of a float are false: no value of firmware is either, and calibration refuses both."""
    value, result = required(node, 0), node.outputs[0]
    if value.dtype != ir.DataType.FLOAT or result.is_graph_output():
        return "not float, or an output of the model would be constant"
    edit.replace(result, edit.constant(np.zeros(shape_of(result), np.bool_), f"{name_of(result)}_false"))
    return None


_LOGIC = {"And": np.logical_and, "Not": np.logical_not, "Or": np.logical_or, "Xor": np.logical_xor}


def fold_logic(node: ir.Node, edit: Edit) -> str | None:
    """And, Not, Or and Xor of constants, and Where whose condition is the same everywhere."""
    arrays, result = [edit.array(value) for value in node.inputs], node.outputs[0]
    known = [array for array in arrays if array is not None]
    if node.op_type != "Where":
        if len(known) < len(arrays) or result.is_graph_output():
            return "an operand is computed, or an output of the model would be constant"
        folded = np.asarray(_LOGIC[node.op_type](*known))
        edit.replace(result, edit.constant(folded, f"{name_of(result)}_folded"))
        return None
    condition = arrays[0]
    if condition is None or not condition.size or condition.all() != condition.any():
        return "the condition is computed, or not the same everywhere"
    value = required(node, 1 if condition.all() else 2)
    if known_shape(value) != known_shape(result):
        return "the value is broadcast"
    return _drop(node, edit, value)


def remove_unchanged(node: ir.Node, edit: Edit) -> str | None:
    """Expand, Tile, Slice, Concat and Pad that change nothing."""
    value = required(node, 0)
    if known_shape(value) != known_shape(node.outputs[0]):
        return "the shape changes"
    if node.op_type == "Concat" and len(node.inputs) != 1:
        return "several operands"
    if node.op_type == "Slice":
        steps = edit.array(operand(node, 4))
        if operand(node, 4) is not None and (steps is None or (steps < 0).any()):
            return "steps may be negative"
    if node.op_type == "Pad":
        pads = edit.array(operand(node, 1))
        if pads is None or pads.any():
            return "pads are not zero"
    return _drop(node, edit, value)


def remove_neutral(node: ir.Node, edit: Edit) -> str | None:
    """Multiplication by one, addition of zero, power of one."""
    neutral = 1.0 if node.op_type in ("Mul", "Div", "Pow") else 0.0
    sides = (0, 1) if node.op_type in ("Mul", "Add") else (1,)
    for side in sides:
        array = edit.array(operand(node, side))
        value = operand(node, 1 - side)
        if array is None or value is None or not array.size or not (array == neutral).all():
            continue
        if known_shape(value) == known_shape(node.outputs[0]) and value.dtype == node.outputs[0].dtype:
            return _drop(node, edit, value)
    return "no neutral operand"


def divide_by_multiplying(node: ir.Node, edit: Edit) -> str | None:
    """x / c becomes x · (1/c)."""
    value, divisor = required(node, 0), edit.array(operand(node, 1))
    if divisor is None or not edit.is_computed(value):
        return "the divisor is not constant"
    if divisor.dtype.kind != "f":
        return "an integer division"
    inverse = 1.0 / divisor.astype(np.float64)
    if not np.isfinite(inverse.astype(divisor.dtype)).all():
        return "a divisor is zero or tiny"
    result = node.outputs[0]
    factor = edit.constant(inverse.astype(divisor.dtype), f"{name_of(result)}_factor")
    edit.supersede(result, edit.node("Mul", [value, factor], base=f"{name_of(result)}_mul", shape=shape_of(result)))
    return None


def subtract_by_adding(node: ir.Node, edit: Edit) -> str | None:
    """x - c becomes x + (-c)."""
    value, constant = required(node, 0), edit.array(operand(node, 1))
    if constant is None or not edit.is_computed(value):
        return "the second operand is not constant"
    if constant.dtype.kind != "f":
        return "an integer subtraction"
    result = node.outputs[0]
    offset = edit.constant(-constant, f"{name_of(result)}_offset")
    edit.supersede(result, edit.node("Add", [value, offset], base=f"{name_of(result)}_add", shape=shape_of(result)))
    return None


def put_constant_second(node: ir.Node, edit: Edit) -> str | None:
    """c + x becomes x + c, so that rules look in one place only."""
    first, second = required(node, 0), required(node, 1)
    if edit.array(first) is None or not edit.is_computed(second):
        return "the first operand is not constant"
    node.replace_input_with(0, second)
    node.replace_input_with(1, first)
    return None


def split_sum(node: ir.Node, edit: Edit) -> str | None:
    """Sum of n operands becomes additions of two, from the left."""
    result = node.outputs[0]
    values = [value for value in node.inputs if value is not None]
    if len(values) == 1:
        return _drop(node, edit, values[0])
    total, shape = values[0], shape_of(values[0])
    for index, value in enumerate(values[1:], start=1):
        shape = tuple(np.broadcast_shapes(shape, shape_of(value)))
        total = edit.node("Add", [total, value], base=f"{name_of(result)}_{index}", shape=shape)
    edit.supersede(result, total)
    return None


def negate_by_multiplying(node: ir.Node, edit: Edit) -> str | None:
    """-x becomes x · -1, which folds into a neighbouring layer."""
    value = required(node, 0)
    if value.dtype != ir.DataType.FLOAT:
        return "not float"
    result = node.outputs[0]
    factor = edit.constant(np.array(-1.0, dtype=np.float32), f"{name_of(result)}_factor")
    edit.supersede(result, edit.node("Mul", [value, factor], base=f"{name_of(result)}_mul", shape=shape_of(result)))
    return None


def square_by_multiplying(node: ir.Node, edit: Edit) -> str | None:
    """x to the power of two becomes x · x, to the power of a half the square root."""
    x, exponent, result = required(node, 0), scalar(edit.array(operand(node, 1))), node.outputs[0]
    if exponent not in (2.0, 0.5) or x.dtype != result.dtype or known_shape(x) != known_shape(result):
        return "the exponent is neither 2 nor 1/2"
    if exponent == 0.5 and x.dtype != ir.DataType.FLOAT:
        return "not float"
    base, shape = name_of(result), shape_of(result)
    if exponent == 2.0:
        edit.supersede(result, edit.node("Mul", [x, x], base=f"{base}_square", shape=shape))
    else:
        edit.supersede(result, edit.node("Sqrt", [x], base=f"{base}_root", shape=shape))
    return None


def split_to_slices(node: ir.Node, edit: Edit) -> str | None:
    """Split becomes one Slice for each part that is read."""
    value = required(node, 0)
    shape = shape_of(value)
    axis = integer(node, "axis", 0) % len(shape)
    start = 0
    for part in list(node.outputs):
        stop = start + shape_of(part)[axis]
        if part.uses() or part.is_graph_output():
            sliced = cut(edit, value, axis, (start, stop), f"{name_of(part)}_part")
            edit.supersede(part, sliced)
        start = stop
    return None


def gather_to_slice(node: ir.Node, edit: Edit) -> str | None:
    """Gather of one constant index, or of consecutive ones, becomes a Slice."""
    value, indices = required(node, 0), edit.array(operand(node, 1))
    if indices is None or not edit.is_computed(value) or indices.ndim > 1 or not indices.size:
        return "the indices are not constant"
    shape = shape_of(value)
    axis = integer(node, "axis", 0) % len(shape)
    wanted = np.where(indices < 0, indices + shape[axis], indices).reshape(-1)
    first = int(wanted[0])
    if (wanted != np.arange(first, first + wanted.size)).any() or first < 0 or first + wanted.size > shape[axis]:
        return "the indices are not consecutive"
    result = node.outputs[0]
    part = cut(edit, value, axis, (first, first + int(wanted.size)), f"{name_of(result)}_part")
    if indices.ndim == 0:
        part = edit.reshape(part, shape_of(result), base=f"{name_of(result)}_flat")
    edit.supersede(result, part)
    return None


def cut(edit: Edit, value: ir.Value, axis: int, bounds: tuple[int, int], base: str) -> ir.Value:
    """A Slice of one axis, from the first bound to before the second."""
    shape = list(shape_of(value))
    shape[axis] = bounds[1] - bounds[0]
    numbers = (("starts", bounds[0]), ("ends", bounds[1]), ("axes", axis), ("steps", 1))
    operands = [edit.constant(np.array([item], dtype=np.int64), f"{base}_{name}") for name, item in numbers]
    return edit.node("Slice", [value, *operands], base=base, shape=tuple(shape))


def taken(edit: Edit, value: ir.Value, axis: int, indices: np.ndarray, base: str) -> ir.Value:
    """A Gather of the listed indices of one axis."""
    shape = (*shape_of(value)[:axis], len(indices), *shape_of(value)[axis + 1 :])
    listed = edit.constant(np.asarray(indices, np.int64), f"{base}_indices")
    return edit.node("Gather", [value, listed], {"axis": axis}, base=base, shape=shape)


def padded(edit: Edit, value: ir.Value, amounts: Sequence[int], base: str) -> ir.Value:
    """A Pad by zeros, amounts in front of all axes and then behind them; the value itself where all are 0."""
    if not any(amounts):
        return value
    rank = len(shape_of(value))
    shape = tuple(size + amounts[i] + amounts[rank + i] for i, size in enumerate(shape_of(value)))
    pads = edit.constant(np.array(amounts, np.int64), f"{base}_pads")
    zero = edit.constant(np.zeros((), np.float32 if value.dtype is None else value.dtype.numpy()), f"{base}_value")
    return edit.node("Pad", [value, pads, zero], {"mode": "constant"}, base=base, shape=shape)


def slice_backwards(node: ir.Node, edit: Edit) -> str | None:
    """A Slice with a negative step becomes a Gather along its axis; the other axes stay a Slice."""
    value, result = required(node, 0), node.outputs[0]
    starts, ends, axes, steps = (edit.array(operand(node, index)) for index in range(1, 5))
    if starts is None or ends is None or steps is None or (operand(node, 3) is not None and axes is None):
        return "the bounds are not constant, or all steps are 1"
    if (steps > 0).all():
        return "every step is forward"
    rank, base = len(shape_of(value)), name_of(result)
    listed = range(len(starts)) if axes is None else [int(axis) % rank for axis in axes]
    for axis, start, end, step in zip(listed, starts.tolist(), ends.tolist(), steps.tolist(), strict=True):
        size = shape_of(value)[axis]
        indices = np.arange(size)[slice(start, end if step > 0 or end >= -size else None, step)]
        if not indices.size:
            return "nothing is left"
        if step > 0:
            value = _forward(edit, value, axis, indices, f"{base}_{axis}")
        else:
            value = taken(edit, value, axis, indices, f"{base}_{axis}")
    edit.supersede(result, value)
    return None


def _forward(edit: Edit, value: ir.Value, axis: int, indices: np.ndarray, base: str) -> ir.Value:
    """A Slice of evenly spaced indices of one axis."""
    step = int(indices[1] - indices[0]) if indices.size > 1 else 1
    numbers = (("starts", indices[0]), ("ends", indices[-1] + 1), ("axes", axis), ("steps", step))
    operands = [edit.constant(np.array([item], dtype=np.int64), f"{base}_{name}") for name, item in numbers]
    shape = (*shape_of(value)[:axis], len(indices), *shape_of(value)[axis + 1 :])
    return edit.node("Slice", [value, *operands], base=base, shape=shape)


def make_slice_explicit(node: ir.Node, edit: Edit) -> str | None:
    """Slice with axes and steps stated, starts and ends inside the tensor."""
    value = required(node, 0)
    shape = shape_of(value)
    arrays = [edit.array(operand(node, index)) for index in range(1, 5)]
    starts, ends, axes, steps = arrays
    if starts is None or ends is None or any(operand(node, i) is not None and arrays[i - 1] is None for i in (3, 4)):
        return "the bounds are not constant"
    axes = np.arange(len(starts)) if axes is None else np.where(axes < 0, axes + len(shape), axes)
    steps = np.ones(len(starts), dtype=np.int64) if steps is None else steps
    if (steps <= 0).any():
        return "a step is not positive"
    order = np.argsort(axes, kind="stable")
    stated = []
    for position in order:
        start, stop, step = slice(int(starts[position]), int(ends[position]), int(steps[position])).indices(
            shape[int(axes[position])]
        )
        stated.append((start, max(start, stop), int(axes[position]), step))
    wanted = [np.array(column, dtype=np.int64) for column in zip(*stated, strict=True)]
    if all(have is not None and np.array_equal(have, want) for have, want in zip(arrays, wanted, strict=True)):
        return "it is stated already"
    result = node.outputs[0]
    names = ("starts", "ends", "axes", "steps")
    operands = [edit.constant(column, f"{name_of(result)}_{n}") for n, column in zip(names, wanted, strict=True)]
    edit.supersede(
        result, edit.node("Slice", [value, *operands], base=f"{name_of(result)}_slice", shape=shape_of(result))
    )
    return None


RULES = (
    Rule("remove_identity", ("Identity",), remove_identity),
    Rule("remove_dropout", ("Dropout",), remove_dropout),
    Rule("remove_cast", ("Cast",), remove_cast),
    Rule("cast_like_by_cast", ("CastLike",), cast_like_by_cast),
    Rule("finite_is_false", ("IsInf", "IsNaN"), finite_is_false),
    Rule("fold_logic", ("And", "Not", "Or", "Where", "Xor"), fold_logic),
    Rule("split_to_slices", ("Split",), split_to_slices),
    Rule("gather_to_slice", ("Gather",), gather_to_slice),
    Rule("make_slice_explicit", ("Slice",), make_slice_explicit),
    Rule("slice_backwards", ("Slice",), slice_backwards),
    Rule("remove_unchanged", ("Expand", "Tile", "Slice", "Concat", "Pad"), remove_unchanged),
    Rule("split_sum", ("Sum",), split_sum),
    Rule("divide_by_multiplying", ("Div",), divide_by_multiplying),
    Rule("subtract_by_adding", ("Sub",), subtract_by_adding),
    Rule("negate_by_multiplying", ("Neg",), negate_by_multiplying),
    Rule("square_by_multiplying", ("Pow",), square_by_multiplying),
    Rule("put_constant_second", ("Add", "Mul"), put_constant_second),
    Rule("remove_neutral", ("Add", "Mul", "Sub", "Div", "Pow"), remove_neutral),
)
"""Everything that is safe on float models."""

STRUCTURE_RULES = tuple(
    rule
    for rule in RULES
    if rule.name in ("remove_identity", "remove_dropout", "make_slice_explicit", "remove_unchanged")
)
"""What may run on quantized models too: no constant changes, no operator moves."""
