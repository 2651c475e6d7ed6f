"""Operators without an integer form of their own, written with those that have one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import Shape, integer, known_shape, name_of, number, operand, required, scalar, shape_of, text
from edgeq.frontend.rules.simplify import cut, padded, taken
from edgeq.ops.signature import INTEGERS

_MAX_COPIES = 64
_MAX_FACTORS = 32
_MAX_DETERMINANT = 3
_IMAGE_RANK = 4


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


def split_extreme(node: ir.Node, edit: Edit) -> str | None:
    """Max and Min of n tensors become n - 1 of two, from the left; of one tensor they are a copy."""
    result = node.outputs[0]
    if not _is_float(*node.inputs) or len(node.inputs) == 2:
        return "not float, or of two operands already"
    base, best = name_of(result), required(node, 0)
    for index, value in enumerate(node.inputs[1:], start=1):
        shape = tuple(np.broadcast_shapes(shape_of(best), shape_of(value)))
        best = edit.node(node.op_type, [best, value], base=f"{base}_{index}", shape=shape)
    if best is node.inputs[0]:
        best = edit.reshape(best, shape_of(best), base=f"{base}_copy")
    edit.supersede(result, best)
    return None


def multiply_slices(node: ir.Node, edit: Edit) -> str | None:
    """ReduceProd becomes products of the halves of its axes, until one slice is left."""
    x, result, stated = required(node, 0), node.outputs[0], operand(node, 1)
    axes = edit.array(stated)
    shape, base = shape_of(x), name_of(result)
    if not _is_float(x) or (stated is not None and axes is None) or 0 in shape:
        return "not float, or the axes are computed"
    empty = axes is None or not axes.size
    listed = range(len(shape)) if axes is None or empty else sorted({int(axis) % len(shape) for axis in axes})
    if empty and integer(node, "noop_with_empty_axes", 0):
        listed = range(0)
    if math.prod(shape[axis] for axis in listed) > _MAX_FACTORS:
        return f"it multiplies more than {_MAX_FACTORS} numbers"
    value = x
    for axis in listed:
        while (size := shape_of(value)[axis]) > 1:
            half, step = size // 2, f"{base}_{axis}_{size}"
            parts = [
                cut(edit, value, axis, bounds, f"{step}_{label}")
                for label, bounds in (("left", (0, half)), ("right", (half, 2 * half)))
            ]
            rest = [cut(edit, value, axis, (2 * half, size), f"{step}_rest")] if size % 2 else []
            value = edit.node("Mul", parts, base=f"{step}_product", shape=shape_of(parts[0]))
            if rest:
                joined = (*shape_of(value)[:axis], half + 1, *shape_of(value)[axis + 1 :])
                value = edit.node("Concat", [value, *rest], {"axis": axis}, base=f"{step}_joined", shape=joined)
    edit.supersede(result, edit.reshape(value, shape_of(result), base=f"{base}_reshape"))
    return None


def repeat_by_concat(node: ir.Node, edit: Edit) -> str | None:
    """Expand and Tile become Concat of a tensor with itself, or Gather, along each axis that grows."""
    x, result = required(node, 0), node.outputs[0]
    target, source = shape_of(result), shape_of(x)
    if not edit.is_computed(x) or 0 in target:
        return "it is constant, or empty"
    base = name_of(result)
    value, shape = x, (1,) * (len(target) - len(source)) + source
    copies = [new // old for new, old in zip(target, shape, strict=True)]
    if len(source) < len(target):
        value = edit.reshape(value, shape, base=f"{base}_rank")
    for axis in reversed(range(len(target))):
        if copies[axis] > _MAX_COPIES:
            value = taken(edit, value, axis, np.tile(np.arange(shape[axis]), copies[axis]), f"{base}_{axis}")
            shape = shape_of(value)
        elif copies[axis] > 1:
            shape = (*shape[:axis], target[axis], *shape[axis + 1 :])
            value = edit.node("Concat", [value] * copies[axis], {"axis": axis}, base=f"{base}_{axis}", shape=shape)
    if value is x:
        return "nothing is repeated"
    edit.supersede(result, value)
    return None


def power_without_base(node: ir.Node, edit: Edit) -> str | None:
    """x to the power of -1 becomes the reciprocal, a number c to the power of x becomes Exp(x · ln c)."""
    x, exponent, result = required(node, 0), required(node, 1), node.outputs[0]
    base, shape = name_of(result), shape_of(result)
    if scalar(edit.array(exponent)) == -1 and _is_float(x, result) and known_shape(x) == shape:
        edit.supersede(result, edit.node("Reciprocal", [x], base=f"{base}_reciprocal", shape=shape))
        return None
    number = scalar(edit.array(x))
    if number is None or number <= 0 or not _is_float(exponent, result) or known_shape(exponent) != shape:
        return "neither is the exponent -1 nor the base a positive number"
    edit.supersede(
        result,
        edit.node("Exp", [_scaled(edit, exponent, math.log(number), base)], base=f"{base}_power", shape=shape),
    )
    return None


def mirror_by_slices(node: ir.Node, edit: Edit) -> str | None:
    """Pad that repeats what is there (reflect, edge, wrap) becomes Concat of slices, or Gather, axis by axis."""
    mode, x, result = text(node, "mode", "constant"), required(node, 0), node.outputs[0]
    pads, axes = edit.array(operand(node, 1)), edit.array(operand(node, 3))
    if (
        mode not in {"edge", "reflect", "wrap"}
        or pads is None
        or not edit.is_computed(x)
        or (operand(node, 3) is not None and axes is None)
    ):
        return "it pads with a constant, or by computed amounts"
    shape, base, value = shape_of(x), name_of(result), x
    listed = list(range(len(shape))) if axes is None else [int(axis) % len(shape) for axis in axes]
    for axis, before, behind in zip(listed, *pads.reshape(2, -1).tolist(), strict=True):
        if not before and not behind:
            continue
        padded = np.pad(np.arange(shape[axis]), (max(before, 0), max(behind, 0)), mode)  # type: ignore[call-overload]
        kept = padded[max(-before, 0) : len(padded) - max(-behind, 0)]
        runs = _runs(kept.tolist())
        if len(runs) > _MAX_COPIES:
            value = taken(edit, value, axis, kept, f"{base}_{axis}")
            continue
        parts = [cut(edit, value, axis, run, f"{base}_{axis}_run_{number}") for number, run in enumerate(runs)]
        joined = (*shape_of(value)[:axis], len(kept), *shape[axis + 1 :])
        value = edit.node("Concat", parts, {"axis": axis}, base=f"{base}_{axis}", shape=joined)
    if value is x:
        return "nothing is padded"
    edit.supersede(result, value)
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


def multiply_running(node: ir.Node, edit: Edit) -> str | None:
    """CumProd becomes one product for each place of its axis."""
    x, result = required(node, 0), node.outputs[0]
    place = scalar(edit.array(operand(node, 1)))
    shape, base = shape_of(x), name_of(result)
    if place is None or not shape or x.dtype is None or not (x.dtype.is_integer() or _is_float(x)):
        return "the axis is computed, or the tensor is neither float nor of integers"
    axis = int(place) % len(shape)
    if not 1 <= shape[axis] <= _MAX_FACTORS:
        return f"it multiplies more than {_MAX_FACTORS} numbers"
    parts = [cut(edit, x, axis, (at, at + 1), f"{base}_{at}_part") for at in range(shape[axis])]
    if integer(node, "reverse", 0):
        parts.reverse()
    products = [parts[0]]
    for at, part in enumerate(parts[1:], start=1):
        products.append(edit.node("Mul", [products[-1], part], base=f"{base}_{at}_product", shape=shape_of(part)))
    if integer(node, "exclusive", 0):
        one = edit.constant(np.ones(shape_of(parts[0]), x.dtype.numpy()), f"{base}_one")
        products = [one, *products[:-1]]
    if integer(node, "reverse", 0):
        products.reverse()
    edit.supersede(result, edit.node("Concat", products, {"axis": axis}, base=f"{base}_joined", shape=shape))
    return None


def reverse_starts(node: ir.Node, edit: Edit) -> str | None:
    """ReverseSequence of constant lengths becomes Gather of the rows of both axes in one."""
    x, result, lengths = required(node, 0), node.outputs[0], edit.array(operand(node, 1))
    batch, time = integer(node, "batch_axis", 1), integer(node, "time_axis", 0)
    shape, base = shape_of(x), name_of(result)
    if lengths is None or {batch, time} != {0, 1}:
        return "the lengths are computed"
    order = np.tile(np.arange(shape[time]), (shape[batch], 1))
    for row, length in enumerate(lengths.tolist()):
        order[row, :length] = order[row, :length][::-1]
    sample = np.arange(shape[batch])[:, None]
    places = order * shape[1] + sample if time == 0 else (sample * shape[1] + order)
    listed = (places.T if time == 0 else places).reshape(-1)
    flat = edit.reshape(x, (shape[0] * shape[1], *shape[2:]), base=f"{base}_rows")
    edit.supersede(result, edit.reshape(taken(edit, flat, 0, listed, f"{base}_taken"), shape, base=f"{base}_reshape"))
    return None


def crop_and_pad(node: ir.Node, edit: Edit) -> str | None:
    """CenterCropPad becomes Slice of what is too long and Pad of what is too short."""
    x, result = required(node, 0), node.outputs[0]
    source, target, base = shape_of(x), shape_of(result), name_of(result)
    if not edit.is_computed(x) or not _is_float(x):
        return "it is constant, or not float"
    value = x
    for axis, (size, wanted) in enumerate(zip(source, target, strict=True)):
        if size > wanted:
            start = (size - wanted) // 2
            value = cut(edit, value, axis, (start, start + wanted), f"{base}_{axis}")
    missing = [max(wanted - size, 0) for size, wanted in zip(source, target, strict=True)]
    before = [count // 2 for count in missing]
    behind = [count - half for count, half in zip(missing, before, strict=True)]
    value = padded(edit, value, (*before, *behind), f"{base}_padded")
    edit.supersede(result, edit.reshape(value, target, base=f"{base}_copy") if value is x else value)
    return None


def gate_by_swish(node: ir.Node, edit: Edit) -> str | None:
    """SwiGLU of a gate and a value becomes gate · Sigmoid(alpha · gate) · value."""
    gate, value, result = required(node, 0), required(node, 1), node.outputs[0]
    base, shape, alpha = name_of(result), shape_of(node.outputs[0]), number(node, "alpha", 1.0)
    inner = gate if alpha == 1 else _scaled(edit, gate, alpha, f"{base}_alpha")
    share = edit.node("Sigmoid", [inner], base=f"{base}_share", shape=shape)
    swish = edit.node("Mul", [gate, share], base=f"{base}_swish", shape=shape)
    edit.supersede(result, edit.node("Mul", [swish, value], base=f"{base}_gated", shape=shape))
    return None


_MULTIPLIED = (ir.DataType.FLOAT, *(ir.DataType[kind.upper()] for kind in INTEGERS))


def mask_triangle(node: ir.Node, edit: Edit) -> str | None:
    """Trilu becomes a product with a constant mask of ones and zeros."""
    x, result = required(node, 0), node.outputs[0]
    stated = operand(node, 1)
    diagonal = 0.0 if stated is None else scalar(edit.array(stated))
    shape = shape_of(x)
    if diagonal is None or x.dtype is None or x.dtype not in _MULTIPLIED or 0 in shape:
        return "the diagonal is computed, or the tensor is neither float nor of integers"
    ones = np.ones(shape[-2:], dtype=x.dtype.numpy())
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


def expand_determinant(node: ir.Node, edit: Edit) -> str | None:
    """Det of matrices of at most three rows becomes products of their elements, along the first row."""
    x, result = required(node, 0), node.outputs[0]
    size, base = shape_of(x)[-1], name_of(result)
    if size > _MAX_DETERMINANT or not _is_float(x) or edit.params:
        return f"more than {_MAX_DETERMINANT} rows, or a quantized model states no scale of the products"
    count = math.prod(shape_of(x)[:-2])
    flat = edit.reshape(x, (count, size * size), base=f"{base}_elements")
    column = (count, 1)

    def element(row: int, at: int) -> ir.Value:
        place = row * size + at
        return flat if size == 1 else cut(edit, flat, 1, (place, place + 1), f"{base}_{row}_{at}")

    def minor(left: int, right: int, label: str) -> ir.Value:
        """Of the last two rows and two columns."""
        top, bottom = size - 2, size - 1
        products = [
            edit.node("Mul", [element(top, a), element(bottom, b)], base=f"{base}_{label}_{a}{b}", shape=column)
            for a, b in ((left, right), (right, left))
        ]
        return edit.node("Sub", products, base=f"{base}_{label}", shape=column)

    if size == 1:
        value = flat
    elif size == 2:
        value = minor(0, 1, "difference")
    else:
        terms = [
            edit.node("Mul", [element(0, at), minor(*others, f"minor_{at}")], base=f"{base}_term_{at}", shape=column)
            for at, others in enumerate(((1, 2), (0, 2), (0, 1)))
        ]
        value = edit.node("Sub", terms[:2], base=f"{base}_first", shape=column)
        value = edit.node("Add", [value, terms[2]], base=f"{base}_sum", shape=column)
    edit.supersede(result, edit.reshape(value, shape_of(result), base=f"{base}_reshape"))
    return None


def order_bounds(node: ir.Node, edit: Edit) -> str | None:
    """Clip whose lower bound is above its upper one gives the upper one everywhere, as between that and itself."""
    low, high = (scalar(edit.array(operand(node, index))) for index in (1, 2))
    if low is None or high is None or low <= high:
        return "the lower bound is not above the upper one, or one is computed"
    node.replace_input_with(1, required(node, 2))
    return None


RULES = (
    Rule("order_bounds", ("Clip",), order_bounds),
    Rule("crop_and_pad", ("CenterCropPad",), crop_and_pad),
    Rule("expand_determinant", ("Det",), expand_determinant),
    Rule("gate_by_swish", ("SwiGLU",), gate_by_swish),
    Rule("mask_triangle", ("Trilu",), mask_triangle),
    Rule("mean_by_sum", ("Mean",), mean_by_sum),
    Rule("mirror_by_slices", ("Pad",), mirror_by_slices),
    Rule("move_depth_and_space", ("DepthToSpace", "SpaceToDepth"), move_depth_and_space),
    Rule("multiply_running", ("CumProd",), multiply_running),
    Rule("multiply_slices", ("ReduceProd",), multiply_slices),
    Rule("power_without_base", ("Pow",), power_without_base),
    Rule("repeat_by_concat", ("Expand", "Tile"), repeat_by_concat),
    Rule("reverse_starts", ("ReverseSequence",), reverse_starts),
    Rule("split_extreme", ("Max", "Min"), split_extreme),
)
