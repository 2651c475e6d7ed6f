"""Operators without an integer form of their own, written with those that have one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import Shape, integer, known_shape, name_of, operand, required, scalar, shape_of, text
from edgeq.frontend.rules.simplify import cut

_MAX_COPIES = 64
_IMAGE_RANK = 4
_POWERS = (3.0, -1.0)


def _is_float(*values: ir.Value | None) -> bool:
    return all(value is not None and value.dtype == ir.DataType.FLOAT for value in values)


def _scaled(edit: Edit, value: ir.Value, factor: float, base: str) -> ir.Value:
    """value · factor."""
    constant = edit.constant(np.array(factor, dtype=np.float32), f"{base}_factor")
    return edit.node("Mul", [value, constant], base=f"{base}_scaled", shape=shape_of(value))


def mean_by_sum(node: ir.Node, edit: Edit) -> str | None:
    """Mean of n tensors becomes their Sum times 1/n."""
    result = node.outputs[0]
    if not _is_float(*node.inputs):
        return "not float"
    base, shape = name_of(result), shape_of(result)
    total = edit.node("Sum", node.inputs, base=f"{base}_sum", shape=shape)
    edit.supersede(result, _scaled(edit, total, 1 / len(node.inputs), base))
    return None


def extreme_by_relu(node: ir.Node, edit: Edit) -> str | None:
    """Max(a, b) becomes b + Relu(a - b), Min(a, b) becomes a - Relu(a - b); from the left where there are more."""
    result = node.outputs[0]
    if not _is_float(*node.inputs):
        return "not float"
    values = [value for value in node.inputs if value is not None]
    if sum(edit.is_computed(value) for value in values) == 1 and len(values) == 2:
        number = next(scalar(edit.array(value)) for value in values if not edit.is_computed(value))
        if number is not None and known_shape(result) in [known_shape(value) for value in values]:
            return "one operand is a number: that is Clip"
    base, best = name_of(result), values[0]
    for index, value in enumerate(values[1:], start=1):
        step = f"{base}_{index}"
        # A constant goes where it is subtracted and added: both are additions of a constant then.
        a, b = (value, best) if node.op_type == "Max" and not edit.is_computed(best) else (best, value)
        shape = tuple(np.broadcast_shapes(shape_of(a), shape_of(b)))
        above = edit.node(
            "Relu",
            [edit.node("Sub", [a, b], base=f"{step}_difference", shape=shape)],
            base=f"{step}_above",
            shape=shape,
        )
        if node.op_type == "Max":
            best = edit.node("Add", [above, b], base=f"{step}_max", shape=shape)
        else:
            best = edit.node("Sub", [a, above], base=f"{step}_min", shape=shape)
    if best is values[0]:
        best = edit.reshape(best, shape_of(best), base=f"{base}_copy")
    edit.supersede(result, best)
    return None


def sum_by_mean(node: ir.Node, edit: Edit) -> str | None:
    """ReduceSum becomes ReduceMean times the number of elements."""
    x, result = required(node, 0), node.outputs[0]
    stated = operand(node, 1)
    axes = edit.array(stated)
    if not _is_float(x) or (stated is not None and axes is None):
        return "not float, or the axes are computed"
    shape, base = shape_of(x), name_of(result)
    whole = axes is None or not axes.size
    if whole and integer(node, "noop_with_empty_axes", 0):
        edit.supersede(result, edit.reshape(x, shape, base=f"{base}_copy"))
        return None
    listed = range(len(shape)) if whole or axes is None else sorted({int(axis) % len(shape) for axis in axes})
    count = math.prod(shape[axis] for axis in listed)
    if not count:
        return "the tensor is empty"
    attributes = {"keepdims": integer(node, "keepdims", 1), "noop_with_empty_axes": 0}
    constant = edit.constant(np.array(list(listed), dtype=np.int64), f"{base}_axes")
    mean = edit.node("ReduceMean", [x, constant], attributes, base=f"{base}_mean", shape=shape_of(result))
    edit.supersede(result, _scaled(edit, mean, count, base) if count > 1 else mean)
    return None


def extreme_by_pooling(node: ir.Node, edit: Edit) -> str | None:
    """ReduceMax over constant axes becomes GlobalMaxPool, of the axes that stay by those that go; Min negates."""
    x, result = required(node, 0), node.outputs[0]
    stated = operand(node, 1)
    axes = edit.array(stated)
    shape, base = shape_of(x), name_of(result)
    if not _is_float(x) or (stated is not None and axes is None) or 0 in shape:
        return "not float, or the axes are computed"
    whole = axes is None or not axes.size
    if whole and integer(node, "noop_with_empty_axes", 0):
        edit.supersede(result, edit.reshape(x, shape, base=f"{base}_copy"))
        return None
    gone = range(len(shape)) if whole or axes is None else sorted({int(axis) % len(shape) for axis in axes})
    kept = [axis for axis in range(len(shape)) if axis not in set(gone)]
    if len(shape) == _IMAGE_RANK and list(gone) == [2, 3] and node.op_type == "ReduceMax":
        return "it is over the two spatial axes of an image"
    value = _scaled(edit, x, -1.0, f"{base}_operand") if node.op_type == "ReduceMin" else x
    order = [*kept, *gone]
    if order != sorted(order):
        value = edit.transpose(value, order, base=f"{base}_order")
    image = (1, math.prod(shape[axis] for axis in kept), math.prod(shape[axis] for axis in gone), 1)
    pooled = edit.node(
        "GlobalMaxPool",
        [edit.reshape(value, image, base=f"{base}_image")],
        base=f"{base}_pool",
        shape=(*image[:2], 1, 1),
    )
    if node.op_type == "ReduceMin":
        pooled = _scaled(edit, pooled, -1.0, f"{base}_pool")
    edit.hand_over(node, pooled, edit.reshape(pooled, shape_of(result), base=f"{base}_reshape"))
    return None


def repeat_by_concat(node: ir.Node, edit: Edit) -> str | None:
    """Expand and Tile become Concat of a tensor with itself, along each axis that grows."""
    x, result = required(node, 0), node.outputs[0]
    target, source = shape_of(result), shape_of(x)
    if not _is_float(x) or not edit.is_computed(x) or 0 in target:
        return "it is constant, or not float"
    base = name_of(result)
    value, shape = x, (1,) * (len(target) - len(source)) + source
    copies = [new // old for new, old in zip(target, shape, strict=True)]
    if max(copies) > _MAX_COPIES:
        return f"it repeats more than {_MAX_COPIES} times along one axis"
    if len(source) < len(target):
        value = edit.reshape(value, shape, base=f"{base}_rank")
    for axis in reversed(range(len(target))):
        if copies[axis] > 1:
            shape = (*shape[:axis], target[axis], *shape[axis + 1 :])
            value = edit.node("Concat", [value] * copies[axis], {"axis": axis}, base=f"{base}_{axis}", shape=shape)
    if value is x:
        return "nothing is repeated"
    edit.supersede(result, value)
    return None


def power_by_products(node: ir.Node, edit: Edit) -> str | None:
    """x to the power of 3 becomes x · x · x, to the power of -1 the reciprocal."""
    x, result, exponent = required(node, 0), node.outputs[0], scalar(edit.array(operand(node, 1)))
    if exponent not in _POWERS or not _is_float(x, result) or known_shape(x) != known_shape(result):
        return "the exponent is neither 3 nor -1"
    base, shape = name_of(result), shape_of(result)
    if exponent == -1:
        edit.supersede(result, edit.node("Reciprocal", [x], base=f"{base}_reciprocal", shape=shape))
        return None
    square = edit.node("Mul", [x, x], base=f"{base}_square", shape=shape)
    edit.supersede(result, edit.node("Mul", [square, x], base=f"{base}_cube", shape=shape))
    return None


def gather_by_slices(node: ir.Node, edit: Edit) -> str | None:
    """Gather of constant indices that are not consecutive becomes Concat of the runs among them."""
    value, indices = required(node, 0), edit.array(operand(node, 1))
    if indices is None or not edit.is_computed(value) or not indices.size or not _is_float(value):
        return "the indices are not constant, or the tensor is not float"
    shape, result = shape_of(value), node.outputs[0]
    axis = integer(node, "axis", 0) % len(shape)
    wanted = [int(index) + (shape[axis] if index < 0 else 0) for index in indices.reshape(-1)]
    if min(wanted) < 0 or max(wanted) >= shape[axis]:
        return "an index is out of range"
    runs = _runs(wanted)
    if len(runs) > _MAX_COPIES:
        return f"there are more than {_MAX_COPIES} runs of indices"
    base = name_of(result)
    parts = [cut(edit, value, axis, run, f"{base}_run_{number}") for number, run in enumerate(runs)]
    joined = parts[0]
    if len(parts) > 1:
        flat = (*shape[:axis], len(wanted), *shape[axis + 1 :])
        joined = edit.node("Concat", parts, {"axis": axis}, base=f"{base}_joined", shape=flat)
    if shape_of(joined) != shape_of(result):
        joined = edit.reshape(joined, shape_of(result), base=f"{base}_shaped")
    edit.supersede(result, joined)
    return None


def mirror_by_slices(node: ir.Node, edit: Edit) -> str | None:
    """Pad that repeats what is there (reflect, edge, wrap) becomes Concat of the slices it repeats, axis by axis."""
    mode, x, result = text(node, "mode", "constant"), required(node, 0), node.outputs[0]
    pads, axes = edit.array(operand(node, 1)), edit.array(operand(node, 3))
    if (
        mode not in {"edge", "reflect", "wrap"}
        or pads is None
        or not _is_float(x)
        or (operand(node, 3) is not None and axes is None)
    ):
        return "it pads with a constant, or by computed amounts"
    shape, base, value = shape_of(x), name_of(result), x
    listed = list(range(len(shape))) if axes is None else [int(axis) % len(shape) for axis in axes]
    wanted: list[tuple[int, list[tuple[int, int]]]] = []
    for axis, before, behind in zip(listed, *pads.reshape(2, -1).tolist(), strict=True):
        if before < 0 or behind < 0:
            return "it crops"
        indices: np.ndarray = np.arange(shape[axis])
        if before or behind:
            padded = np.pad(indices, (before, behind), mode)  # type: ignore[call-overload]
            wanted.append((axis, _runs(padded.tolist())))
    if any(len(runs) > _MAX_COPIES for _, runs in wanted):
        return f"it repeats more than {_MAX_COPIES} slices along an axis"
    for axis, runs in wanted:
        parts = [cut(edit, value, axis, run, f"{base}_{axis}_run_{number}") for number, run in enumerate(runs)]
        shape = (*shape[:axis], sum(last - first for first, last in runs), *shape[axis + 1 :])
        value = edit.node("Concat", parts, {"axis": axis}, base=f"{base}_{axis}", shape=shape)
    if value is x:
        return "nothing is padded"
    edit.supersede(result, value)
    return None


def prelu_by_relu(node: ir.Node, edit: Edit) -> str | None:
    """PRelu with a slope per channel becomes slope · x + (1 - slope) · Relu(x)."""
    x, slopes, result = required(node, 0), edit.array(operand(node, 1)), node.outputs[0]
    if slopes is None or not _is_float(x) or (slopes == slopes.reshape(-1)[:1]).all():
        return "the slopes are computed, or all the same"
    base, shape = name_of(result), shape_of(result)
    rest = edit.constant((1.0 - slopes.astype(np.float64)).astype(np.float32), f"{base}_rest")
    line = edit.node("Mul", [x, required(node, 1)], base=f"{base}_line", shape=shape)
    positive = edit.node("Relu", [x], base=f"{base}_positive", shape=shape)
    bent = edit.node("Mul", [positive, rest], base=f"{base}_bent", shape=shape)
    edit.supersede(result, edit.node("Add", [line, bent], base=f"{base}_sum", shape=shape))
    return None


def _runs(indices: Sequence[int]) -> list[tuple[int, int]]:
    """Consecutive indices as (first, behind the last)."""
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and runs[-1][1] == index:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs


def mask_triangle(node: ir.Node, edit: Edit) -> str | None:
    """Trilu becomes a product with a constant mask of ones and zeros."""
    x, result = required(node, 0), node.outputs[0]
    stated = operand(node, 1)
    diagonal = 0.0 if stated is None else scalar(edit.array(stated))
    shape = shape_of(x)
    if diagonal is None or not _is_float(x) or 0 in shape:
        return "the diagonal is computed, or the tensor is not float"
    ones = np.ones(shape[-2:], dtype=np.float32)
    mask = np.triu(ones, int(diagonal)) if integer(node, "upper", 1) else np.tril(ones, int(diagonal))
    base = name_of(result)
    factor = edit.constant(mask, f"{base}_mask")
    edit.supersede(result, edit.node("Mul", [x, factor], base=f"{base}_masked", shape=shape))
    return None


def move_depth_and_space(node: ir.Node, edit: Edit) -> str | None:
    """DepthToSpace and SpaceToDepth become Reshape, Transpose, Reshape."""
    x, result = required(node, 0), node.outputs[0]
    shape, block, base = shape_of(x), integer(node, "blocksize", 1), name_of(result)
    if len(shape) != _IMAGE_RANK or not _is_float(x):
        return "not an image of float"
    batch, channels, rows, columns = shape
    mode = text(node, "mode", "DCR")
    if node.op_type == "SpaceToDepth":
        split: Shape = (batch, channels, rows // block, block, columns // block, block)
        perm = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    elif mode == "DCR":
        split, perm = (batch, block, block, channels // block**2, rows, columns), (0, 3, 4, 1, 5, 2)
    else:
        split, perm = (batch, channels // block**2, block, block, rows, columns), (0, 1, 4, 2, 5, 3)
    turned = edit.transpose(edit.reshape(x, split, base=f"{base}_split"), perm, base=f"{base}_turned")
    edit.supersede(result, edit.reshape(turned, shape_of(result), base=f"{base}_joined"))
    return None


RULES = (
    Rule("extreme_by_pooling", ("ReduceMax", "ReduceMin"), extreme_by_pooling),
    Rule("extreme_by_relu", ("Max", "Min"), extreme_by_relu),
    Rule("gather_by_slices", ("Gather",), gather_by_slices),
    Rule("mask_triangle", ("Trilu",), mask_triangle),
    Rule("mean_by_sum", ("Mean",), mean_by_sum),
    Rule("mirror_by_slices", ("Pad",), mirror_by_slices),
    Rule("move_depth_and_space", ("DepthToSpace", "SpaceToDepth"), move_depth_and_space),
    Rule("power_by_products", ("Pow",), power_by_products),
    Rule("prelu_by_relu", ("PRelu",), prelu_by_relu),
    Rule("repeat_by_concat", ("Expand", "Tile"), repeat_by_concat),
    Rule("sum_by_mean", ("ReduceSum",), sum_by_mean),
)
