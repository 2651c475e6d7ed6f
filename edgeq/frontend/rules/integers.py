"""Operators on plain integers, written with those that have an integer form."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import name_of, required, shape_of
from edgeq.onnxio.attributes import attribute_values
from edgeq.onnxio.forms import is_plain

_EXPONENT: Final = ir.DataType.INT64


def _cast(edit: Edit, value: ir.Value, dtype: ir.DataType, base: str) -> ir.Value:
    return edit.node("Cast", [value], {"to": int(dtype)}, base=base, shape=shape_of(value), dtype=dtype)


def relu_by_maximum(node: ir.Node, edit: Edit) -> str | None:
    """Relu of integers becomes Max of them and 0."""
    x, result = required(node, 0), node.outputs[0]
    if not is_plain(x) or x.dtype is None:
        return "not of integers"
    base = name_of(result)
    zero = edit.constant(np.zeros((), x.dtype.numpy()), f"{base}_zero")
    edit.supersede(result, edit.node("Max", [x, zero], base=f"{base}_max", shape=shape_of(result)))
    return None


def pool_signed(node: ir.Node, edit: Edit) -> str | None:
    """MaxPool of uint8 becomes one of int8, whose order is the same when the highest bit is turned."""
    x, result = required(node, 0), node.outputs[0]
    if x.dtype != ir.DataType.UINT8 or len(node.outputs) > 1:
        return "not of uint8, or the indices are used"
    base, shape = name_of(result), shape_of(result)
    highest = edit.constant(np.array(128, np.uint8), f"{base}_highest")
    turned = edit.node("BitwiseXor", [x, highest], base=f"{base}_turned", shape=shape_of(x))
    signed = _cast(edit, turned, ir.DataType.INT8, f"{base}_signed")
    pooled = edit.node(node.op_type, [signed], attribute_values(node), base=f"{base}_pool", shape=shape)
    unsigned = _cast(edit, pooled, ir.DataType.UINT8, f"{base}_unsigned")
    edit.supersede(result, edit.node("BitwiseXor", [unsigned, highest], base=f"{base}_back", shape=shape))
    return None


def match_exponent(node: ir.Node, edit: Edit) -> str | None:
    """The exponent of an integer becomes one of its type; where it is computed both become int64."""
    x, exponent, result = required(node, 0), required(node, 1), node.outputs[0]
    if not is_plain(x) or x.dtype is None or exponent.dtype in (None, x.dtype):
        return "not of an integer, or both are of one type"
    base, shape, array = name_of(result), shape_of(result), edit.array(exponent)
    if array is not None:
        limits = np.iinfo(x.dtype.numpy())
        if not (np.isfinite(array) & (array == np.floor(array)) & (array >= limits.min) & (array <= limits.max)).all():
            return "an exponent is no integer of the type of the base"
        other = edit.constant(array.astype(x.dtype.numpy()), f"{base}_exponent")
        edit.supersede(result, edit.node("Pow", [x, other], base=f"{base}_power", shape=shape))
        return None
    if not is_plain(exponent) or exponent.dtype == ir.DataType.UINT64:
        return "the exponent is no integer of 63 bits"
    pair = [
        value if value.dtype == _EXPONENT else _cast(edit, value, _EXPONENT, f"{base}_{label}")
        for label, value in (("base", x), ("exponent", exponent))
    ]
    power = edit.node("Pow", pair, base=f"{base}_power", shape=shape)
    edit.supersede(result, power if x.dtype == _EXPONENT else _cast(edit, power, x.dtype, f"{base}_cast"))
    return None


RULES = (
    Rule("match_exponent", ("Pow",), match_exponent),
    Rule("pool_signed", ("GlobalMaxPool", "MaxPool"), pool_signed),
    Rule("relu_by_maximum", ("Relu",), relu_by_maximum),
)
