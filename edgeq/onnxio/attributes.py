"""Attributes of an ONNX node as plain values, as the operator table's schemas speak of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.ops.base import Value

if TYPE_CHECKING:
    import onnx_ir


def attribute_values(node: onnx_ir.Node) -> dict[str, Value]:
    """Every attribute by name; what is neither number, word nor list of integers appears as the name of its type."""
    found: dict[str, Value] = {}
    for name, attribute in node.attributes.items():
        kind = attribute.type.name
        if kind == "INT":
            found[name] = int(attribute.as_int())
        elif kind == "INTS":
            found[name] = tuple(int(item) for item in attribute.as_ints())
        elif kind == "FLOAT":
            found[name] = float(attribute.as_float())
        elif kind == "STRING":
            found[name] = str(attribute.as_string())
        else:
            found[name] = kind.lower()
    return found
