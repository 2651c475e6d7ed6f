"""Scales of values that no foreign quantizer saw: those between the parts into which a rule took an operator.

Calibration would observe them; here their bounds follow from what is known. Where the reader's result is quantized,
what lies outside of it saturates there in any case. A product with one number gets its operand at the scale of the
result divided by that number, so that the rounding in between costs nothing. Elsewhere it is the operands' interval.
"""

from __future__ import annotations

from math import log, prod
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.facts import is_op, made_by, name_of, operand, scalar, shape_of
from edgeq.frontend.qdq_read import Recovery
from edgeq.ir import DType, Quantization
from edgeq.onnxio.qdq_form import fused_activation
from edgeq.onnxio.qdq_parameters import activation_parameters
from edgeq.ops import onnx_types

Interval = tuple[float, float]
# Results within the interval of the operand.
# Of an operator with indices behind the operand whose values it passes on, too.
_WITHIN: Final = onnx_types(lambda op, form: form.passes_range and form.activations in {(0,), (0, 1)})


def bound_made_value(found: Recovery) -> bool:
    """Give one value that a rule made its parameters, where those of its neighbours are known; in place.

    One at a time, the last of the graph first: what its parameters say of others is worth more than intervals.

    Returns:
        Whether any was found.
    """
    for node in reversed(list(found.edit.graph)):
        value = node.outputs[0] if node.outputs else None
        if value is None or value in found.params or name_of(value) in found.stated or fused_activation(node):
            continue
        params = _by_reader(found, value) or _by_operands(found, value)
        if params is not None:
            found.params[value] = params
            return True
    return False


def _by_operands(found: Recovery, value: ir.Value) -> Quantization | None:
    interval = _interval_of_result(found, value)
    if interval is None or not np.isfinite(interval).all():
        return None
    node = value.producer()
    operands = () if node is None else node.inputs
    types = {found.params[item].dtype for item in operands if item is not None and item in found.params}
    return activation_parameters(*interval, DType.INT16 if DType.INT16 in types else DType.INT8)


def _by_reader(found: Recovery, value: ir.Value) -> Quantization | None:
    """From the one operator that reads a value and whose result is quantized."""
    reader = found.edit.only_user(value)
    if reader is None or reader.domain:
        return None
    absorbed = fused_activation(reader)
    result = found.params.get(reader.outputs[0]) or (absorbed and found.params.get(absorbed.outputs[0]))
    if not result:
        return None
    other = operand(reader, 1) if operand(reader, 0) is value else operand(reader, 0)
    if is_op(reader, "Mul"):
        factor = scalar(found.edit.array(other))
        if not factor or factor < 0:
            return None
        scale, zero = result.single()
        return Quantization.per_tensor(result.dtype, scale / factor, zero)
    addend = None if other is None else _interval(found, other)
    if addend is None or absorbed is not None or not is_op(reader, "Add", "Sub"):
        return None
    low, high = result.low, result.high
    if is_op(reader, "Add"):
        wanted = low - addend[1], high - addend[0]
    elif operand(reader, 0) is value:
        wanted = low + addend[0], high + addend[1]
    else:
        wanted = addend[0] - high, addend[1] - low
    own = _interval_of_result(found, value) or wanted
    meeting = max(wanted[0], own[0]), min(wanted[1], own[1])
    return activation_parameters(*meeting, result.dtype) if meeting[0] <= meeting[1] else None


def _interval_of_power(found: Recovery, node: ir.Node) -> Interval | None:
    """Powers of a sum with a number that keeps it above zero lie between those of its ends."""
    exponent, plus = scalar(found.edit.array(operand(node, 1))), made_by(operand(node, 0), "Add")
    offset = None if plus is None else scalar(found.edit.array(operand(plus, 1)))
    base = None if plus is None or plus.inputs[0] is None else _interval(found, plus.inputs[0])
    if exponent is None or offset is None or base is None or base[0] + offset <= 0:
        return None
    first, second = ((end + offset) ** exponent for end in base)
    return min(first, second), max(first, second)


def _interval(found: Recovery, value: ir.Value) -> Interval | None:
    """The numbers that a value can be: of its parameters, its constant, or its operands."""
    params = found.params.get(value)
    if params is not None:
        return params.low, params.high
    array = found.edit.array(value)
    if array is not None:
        return (float(array.min(initial=0.0)), float(array.max(initial=0.0))) if array.dtype.kind == "f" else None
    return _interval_of_result(found, value)


def _interval_of_result(found: Recovery, value: ir.Value) -> Interval | None:
    """The numbers that the operator behind a value can give."""
    node = value.producer()
    if node is None or node.domain or not node.inputs or node.inputs[0] is None:
        return None
    intervals = [_interval(found, item) for item in node.inputs[:2] if item is not None]
    first = intervals[0]
    if first is None:
        return None
    if is_op(node, *_WITHIN):
        return first
    if is_op(node, "Relu"):
        return max(first[0], 0.0), max(first[1], 0.0)
    if is_op(node, "ReduceLogSumExp"):
        return first[0], first[1] + log(prod(shape_of(node.inputs[0])) / prod(shape_of(value)))
    if is_op(node, "Pow"):
        return _interval_of_power(found, node)
    if len(intervals) != 2 or intervals[1] is None or not is_op(node, "Add", "Mul", "Sub"):
        return None
    second = intervals[1]
    if is_op(node, "Add"):
        return first[0] + second[0], first[1] + second[1]
    if is_op(node, "Sub"):
        return first[0] - second[1], first[1] - second[0]
    products = [a * b for a in first for b in second]
    return 0.0 if node.inputs[0] is node.inputs[1] else min(products), max(products)
