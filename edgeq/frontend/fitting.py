"""What ONNX's shape inference does not look at: operands and attributes that contradict each other.

It infers the shape of a Transpose from any list of axes, and that of a Gemm without its third operand. A model with
such a fault has no meaning; found here, it is refused by its own name and not where a later stage trips over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

import onnx_ir as ir

from edgeq.errors import EdgeqError, Problem
from edgeq.frontend.facts import Shape, ints, known_shape
from edgeq.onnxio.limits import shown


def check_fitting(model: ir.Model) -> None:
    """Refuse what contradicts itself.

    Args:
        model: with static shapes.

    Raises:
        EdgeqError: EQ0232 operands or attributes do not fit together, EQ0313 an attribute is no number.
    """
    problems = [problem for node in model.graph for problem in _of_node(node)]
    if problems:
        raise EdgeqError.of(problems)


def _of_node(node: ir.Node) -> Iterator[Problem]:
    where = f"node {shown(node.name or node.op_type)}"
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.FLOAT and not isfinite(attribute.as_float()):
            name = shown(attribute.name)
            yield Problem("EQ0313", f"attribute {name} of {node.op_type} is no number", where, str(attribute.value))
    shapes = [None if value is None else known_shape(value) for value in node.inputs]
    first = shapes[0] if shapes else None
    if first is None:
        return
    if node.op_type == "Transpose":
        perm = ints(node, "perm", tuple(reversed(range(len(first)))))
        if sorted(perm) != list(range(len(first))):
            yield _unfit("the order of a Transpose is none of its input's axes", where, list(perm), len(first))
    elif node.op_type == "Gemm" and len(shapes) > 2 and shapes[2] is not None:
        result = known_shape(node.outputs[0])
        if result is not None and not _broadcasts(shapes[2], result):
            yield _unfit("the third operand of a Gemm does not fit its result", where, list(shapes[2]), list(result))


def _unfit(what: str, where: str, got: object, allowed: object) -> Problem:
    return Problem("EQ0232", what, where, str(got), str(allowed), "export the model again")


def _broadcasts(shape: Shape, result: Shape) -> bool:
    """Whether a shape broadcasts to the result's, and not the other way round."""
    missing = len(result) - len(shape)
    return missing >= 0 and all(own in {1, wanted} for own, wanted in zip(shape, result[missing:], strict=True))
