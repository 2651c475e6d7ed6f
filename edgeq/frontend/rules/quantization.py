"""Quantization that exporters write as arithmetic."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import integer, made_by, name_of, operand, required, scalar, shape_of

_INTEGERS: Final = (ir.DataType.INT8, ir.DataType.UINT8)


def recognise_dequantize(node: ir.Node, edit: Edit) -> str | None:
    """(Cast(q) - zero point) · scale becomes DequantizeLinear: so tf2onnx writes the inputs of int8 TFLite files."""
    result = node.outputs[0]
    for side in (0, 1):
        value, scale = required(node, side), scalar(edit.array(operand(node, 1 - side)))
        shift, zero = made_by(value, "Sub"), 0.0
        if shift is not None:
            stated = scalar(edit.array(operand(shift, 1)))
            if stated is None:
                continue
            value, zero = required(shift, 0), stated
        cast = made_by(value, "Cast")
        integers = None if cast is None else required(cast, 0)
        if integers is None or integers.dtype not in _INTEGERS or value.dtype != ir.DataType.FLOAT or scale is None:
            continue
        limits = np.iinfo(integers.dtype.numpy())
        if not (np.isfinite(scale) and scale > 0) or zero != round(zero) or not limits.min <= zero <= limits.max:
            return "scale or zero point is out of range"
        _dequantize(edit, result, integers, scale, zero)
        return None
    return "not a cast integer, less a number, times a number"


def cast_to_dequantize(node: ir.Node, edit: Edit) -> str | None:
    """The cast of an 8-bit input to float32 is DequantizeLinear of scale 1: the input keeps its type."""
    value, result = required(node, 0), node.outputs[0]
    if not value.is_graph_input() or value.dtype not in _INTEGERS or result.dtype != ir.DataType.FLOAT:
        return "not the cast of an 8-bit input to float32"
    _dequantize(edit, result, value, 1.0, 0.0)
    return None


def dequantize_before_gather(node: ir.Node, edit: Edit) -> str | None:
    """DequantizeLinear(Gather(integers, indices)) becomes Gather(DequantizeLinear(integers), indices): a table."""
    gather, result = made_by(required(node, 0), "Gather"), node.outputs[0]
    if gather is None or edit.array(operand(gather, 0)) is None or edit.array(operand(gather, 1)) is not None:
        return "not a Gather of a constant by computed indices"
    if scalar(edit.array(operand(node, 1))) is None:
        return "several scales"
    base, kind, table = name_of(result), ir.DataType.FLOAT, required(gather, 0)
    real = edit.node(
        "DequantizeLinear", [table, *node.inputs[1:]], base=f"{base}_table", shape=shape_of(table), dtype=kind
    )
    axis = {"axis": integer(gather, "axis", 0)}
    made = edit.node("Gather", [real, operand(gather, 1)], axis, base=base, shape=shape_of(result), dtype=kind)
    edit.supersede(result, made)
    return None


def _dequantize(edit: Edit, result: ir.Value, integers: ir.Value, scale: float, zero: float) -> None:
    base = name_of(result)
    assert integers.dtype is not None
    parameters = [
        edit.constant(np.array(scale, np.float32), f"{base}_scale"),
        edit.constant(np.array(zero, integers.dtype.numpy()), f"{base}_zero_point"),
    ]
    operands = [integers, *parameters]
    kind, shape = ir.DataType.FLOAT, shape_of(result)
    edit.supersede(result, edit.node("DequantizeLinear", operands, base=f"{base}_real", shape=shape, dtype=kind))


RULES = (
    Rule("recognise_dequantize", ("Mul",), recognise_dequantize),
    Rule("dequantize_before_gather", ("DequantizeLinear",), dequantize_before_gather),
)
CAST_RULES = (Rule("cast_to_dequantize", ("Cast",), cast_to_dequantize),)
"""When :data:`RULES` have found no more: a cast that is part of a dequantization belongs to that."""
