"""Plain questions to values and nodes of an ONNX graph: shapes, attributes, operands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgeq.errors import EdgeqError

Shape = tuple[int, ...]


def shape_of(value: ir.Value | None) -> Shape:
    """The static shape of a value.

    Raises:
        EdgeqError: EQ0220 the shape is not static; the rules run on static graphs only.
    """
    shape = known_shape(value)
    if shape is None:
        name = "?" if value is None else value.name
        raise EdgeqError("EQ0220", "a value has no static shape", where=name)
    return shape


def known_shape(value: ir.Value | None) -> Shape | None:
    """The static shape of a value, or None."""
    if value is None or value.shape is None or not value.shape.is_static():
        return None
    return tuple(int(dim) for dim in value.shape if isinstance(dim, int))


def ints(node: ir.Node, name: str, default: Sequence[int]) -> Shape:
    """An integer list attribute, or its default."""
    attribute = node.attributes.get(name)
    return tuple(default) if attribute is None else tuple(int(item) for item in attribute.as_ints())


def integer(node: ir.Node, name: str, default: int) -> int:
    """An integer attribute, or its default."""
    attribute = node.attributes.get(name)
    return default if attribute is None else int(attribute.as_int())


def number(node: ir.Node, name: str, default: float) -> float:
    """A float attribute, or its default."""
    attribute = node.attributes.get(name)
    return default if attribute is None else float(attribute.as_float())


def text(node: ir.Node, name: str, default: str) -> str:
    """A string attribute, or its default."""
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_string()


def operand(node: ir.Node, index: int) -> ir.Value | None:
    """An input by position; None when it is absent."""
    return node.inputs[index] if index < len(node.inputs) else None


def required(node: ir.Node, index: int) -> ir.Value:
    """An input that the operator cannot be without.

    Raises:
        EdgeqError: EQ0204 it is missing.
    """
    value = operand(node, index)
    if value is None:
        raise EdgeqError(
            "EQ0204", "a node lacks a required input", where=node.name, got=f"input {index} of {node.op_type}"
        )
    return value


def name_of(value: ir.Value) -> str:
    """The name of a value, as a base for derived names."""
    return value.name or "value"


def made_by(value: ir.Value | None, *op_types: str) -> ir.Node | None:
    """The node that makes the value, when it is of one of these types and the default domain."""
    node = None if value is None else value.producer()
    return node if node is not None and is_op(node, *op_types) else None


def is_op(node: ir.Node, *op_types: str) -> bool:
    """Whether a node is one of these operators of the default domain."""
    return node.domain in ("", "ai.onnx") and node.op_type in op_types


def scalar(array: np.ndarray | None) -> float | None:
    """The one value of a constant of any shape, or None."""
    return float(array.reshape(-1)[0]) if array is not None and array.size == 1 else None
