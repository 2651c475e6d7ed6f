"""What a node of an ONNX model is in the operator table, by its name and by the types of its operands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.ops import OnnxForm, Op, onnx_forms, plain_form

if TYPE_CHECKING:
    import onnx_ir


def is_plain(value: onnx_ir.Value) -> bool:
    """Whether a value holds integers or truth values."""
    return value.dtype is not None and (value.dtype.is_integer() or value.dtype.name == "BOOL")


def stays_float(node: onnx_ir.Node | None) -> bool:
    """Whether a node is kept in software float."""
    if node is None:
        return False
    known = onnx_forms().get(node.op_type)
    return known is not None and known[1].floats and node.domain == known[1].domain


def passes_float(value: onnx_ir.Value | None) -> bool:
    """Whether nothing quantizes a value: it goes from nodes in software float to such nodes alone, or is theirs."""
    if value is None or is_plain(value) or not stays_float(value.producer()):
        return False
    return not value.is_graph_output() and all(stays_float(use.node) for use in value.uses())


def form_of(node: onnx_ir.Node) -> tuple[Op, OnnxForm] | None:
    """The integer operator of a node, and how ONNX spells it; None where there is none.

    Some ONNX operators are one integer operator for floats and another one for integers: the first operand decides.
    """
    known = onnx_forms().get(node.op_type)
    domain = known[1].domain if known is not None else ""
    if (node.domain if node.domain != "ai.onnx" else "") != domain:
        return None
    first = next((value for value in node.inputs if value is not None), None)
    return plain_form(node.op_type) if first is not None and is_plain(first) else known
