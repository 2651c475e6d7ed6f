"""Reading ONNX attributes and constant integer inputs, with ONNX's defaults given at the place of use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.numerics.array import Array

if TYPE_CHECKING:
    import onnx_ir


def ints(node: onnx_ir.Node, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """An INTS attribute."""
    attribute = node.attributes.get(key)
    return default if attribute is None else tuple(int(item) for item in attribute.as_ints())


def integer(node: onnx_ir.Node, key: str, default: int) -> int:
    """An INT attribute."""
    attribute = node.attributes.get(key)
    return default if attribute is None else int(attribute.as_int())


def scalars(node: onnx_ir.Node) -> dict[str, float | int | str]:
    """Every FLOAT, INT and STRING attribute by name, for the unary functions."""
    found: dict[str, float | int | str] = {}
    for key, attribute in node.attributes.items():
        if attribute.type.name == "FLOAT":
            found[key] = float(attribute.as_float())
        elif attribute.type.name == "INT":
            found[key] = int(attribute.as_int())
        elif attribute.type.name == "STRING":
            found[key] = str(attribute.as_string())
    return found


def constant_array(node: onnx_ir.Node, index: int) -> Array | None:
    """The constant behind input ``index``, or None where the input is absent.

    Raises:
        EdgeqError: EQ0352 where the input is computed at run time.
    """
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        return None
    if value.const_value is None:
        raise EdgeqError(
            "EQ0352",
            f"input {index} of a {node.op_type} is computed at run time",
            where=f"node {node.name}, value {value.name}",
            allowed="a constant",
            hint="export the model with static shapes, or fold the computation before export",
        )
    return np.asarray(value.const_value.numpy())


def constant_ints(node: onnx_ir.Node, index: int) -> tuple[int, ...] | None:
    """The constant integers behind input ``index``, or None where the input is absent."""
    array = constant_array(node, index)
    return None if array is None else tuple(int(item) for item in array.reshape(-1))
