"""Reading ONNX attributes and constant integer inputs, with ONNX's defaults given at the place of use.

Nothing is read before :func:`require_implemented` has found every attribute in the operator's schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import EdgeqError, Problem
from edgeq.numerics.array import Array
from edgeq.onnxio.attributes import attribute_values
from edgeq.onnxio.forms import form_of
from edgeq.ops import OnnxForm, Op

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


def number(node: onnx_ir.Node, key: str, default: float) -> float:
    """A FLOAT attribute."""
    attribute = node.attributes.get(key)
    return default if attribute is None else float(attribute.as_float())


def text(node: onnx_ir.Node, key: str, default: str) -> str:
    """A STRING attribute."""
    attribute = node.attributes.get(key)
    return default if attribute is None else str(attribute.as_string())


def scalars(node: onnx_ir.Node) -> dict[str, float | int | str]:
    """Every FLOAT, INT and STRING attribute by name, for the unary functions."""
    return {name: value for name, value in attribute_values(node).items() if not isinstance(value, tuple)}


def require_implemented(node: onnx_ir.Node) -> tuple[Op, OnnxForm]:
    """The operator of a node and how ONNX spells it, unless the node says what the lowering rule would not hear.

    Raises:
        EdgeqError: EQ0355 the operator has no integer form, EQ0360 an attribute, EQ0361 a rank that is not implemented.
    """
    known = form_of(node)
    if known is None:
        raise EdgeqError(
            "EQ0355",
            f"{node.op_type} has no integer form",
            where=f"node {node.name}",
            hint="`edgeq ops` lists what has one",
        )
    op, form = known
    problems = [
        Problem(
            "EQ0360",
            f"this {name} of a {node.op_type} is not implemented",
            where=f"node {node.name}",
            got=str(list(value) if isinstance(value, tuple) else value),
            allowed=allowed,
            hint="`edgeq check` says what to use instead",
        )
        for name, value, allowed in form.refuse(attribute_values(node))
    ]
    x = node.inputs[0]
    if x is not None and x.shape is not None and len(x.shape) != (op.rank or len(x.shape)):
        problems.append(
            Problem(
                "EQ0361",
                f"a {node.op_type} of this rank is not implemented",
                where=f"node {node.name}",
                got=f"shape {list(x.shape)}",
                allowed=f"rank {op.rank}",
                hint="reshape around it",
            )
        )
    if problems:
        raise EdgeqError.of(problems)
    return op, form


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
