"""What ONNX's shape inference does not look at: operands and attributes that contradict each other.

It infers the shape of a Transpose from any list of axes, and that of a Gemm without its third operand. A model with
such a fault has no meaning; found here, it is refused by its own name and not where a later stage trips over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite, prod
from typing import Final

import onnx_ir as ir

from edgeq.errors import EdgeqError, Problem
from edgeq.frontend.facts import Shape, ints, known_shape
from edgeq.onnxio.limits import shown


def check_fitting(model: ir.Model) -> None:
    """Refuse what contradicts itself.

    Args:
        model: with static shapes.

    Raises:
        EdgeqError: EQ0232 operands or attributes do not fit together, EQ0304 a tensor is empty,
            EQ0313 an attribute is no number.
    """
    read = [value for value in model.graph.inputs if value.uses() or value.is_graph_output()]
    problems = [problem for value in read for problem in _of_value(value, "a model input")]
    problems += [problem for node in model.graph for problem in _of_node(node)]
    if problems:
        raise EdgeqError.of(problems)


def _of_value(value: ir.Value, where: str) -> Iterator[Problem]:
    shape = known_shape(value)
    if shape is not None and 0 in shape:
        yield Problem("EQ0304", "a tensor is empty", f"{where}, value {shown(value.name or '?')}", str(list(shape)))


def _of_node(node: ir.Node) -> Iterator[Problem]:
    where = f"node {shown(node.name or node.op_type)}"
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.FLOAT and not isfinite(attribute.as_float()):
            name = shown(attribute.name)
            yield Problem("EQ0313", f"attribute {name} of {node.op_type} is no number", where, str(attribute.value))
    for value in node.outputs:
        if value.uses() or value.is_graph_output():
            yield from _of_value(value, where)
    if not node.outputs:
        return
    check = _OPERANDS.get(node.op_type)
    shapes = [None if value is None else known_shape(value) for value in node.inputs]
    result = known_shape(node.outputs[0])
    if check is not None and shapes and shapes[0] is not None and result is not None:
        for fault, got, allowed in check(node, shapes[0], shapes[1:], result):
            hint = "the model would not run in onnxruntime either: export it again"
            yield Problem("EQ0232", fault, where, str(got), str(allowed), hint)


_Faults = Iterator[tuple[str, object, object]]


def _conv(node: ir.Node, first: Shape, others: Sequence[Shape | None], result: Shape) -> _Faults:
    if others and others[0] is not None and len(others[0]) != len(first):
        yield "a convolution's weights have another rank than its input", list(others[0]), f"rank {len(first)}"


def _gemm(node: ir.Node, first: Shape, others: Sequence[Shape | None], result: Shape) -> _Faults:
    third = others[1] if len(others) > 1 else None
    if third is not None and not _broadcasts(third, result):
        yield "the third operand of a Gemm does not fit its result", list(third), list(result)


def _reshape(node: ir.Node, first: Shape, others: Sequence[Shape | None], result: Shape) -> _Faults:
    if prod(first) != prod(result):
        yield "a Reshape changes the number of elements", list(first), list(result)


def _transpose(node: ir.Node, first: Shape, others: Sequence[Shape | None], result: Shape) -> _Faults:
    order = ints(node, "perm", tuple(reversed(range(len(first)))))
    if sorted(order) != list(range(len(first))):
        yield "the order of a Transpose is none of its input's axes", list(order), f"an order of {len(first)} axes"


_OPERANDS: Final[Mapping[str, Callable[[ir.Node, Shape, Sequence[Shape | None], Shape], _Faults]]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "Reshape": _reshape,
    "Transpose": _transpose,
}


def _broadcasts(shape: Shape, result: Shape) -> bool:
    """Whether a shape broadcasts to the result's, and not the other way round."""
    missing = len(result) - len(shape)
    return missing >= 0 and all(own in {1, wanted} for own, wanted in zip(shape, result[missing:], strict=True))
