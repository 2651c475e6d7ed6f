"""Every operator of the integer world, in one sorted tuple.

To add an operator, write its block in the file of its family and add it to that file's ``OPS``; a new family is one
more line here. Lowering and bindings are tables over these names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edgeq.ir import DType, Graph, Node, Tensor
from edgeq.ops import (
    arithmetic,
    conv,
    dense,
    elementwise,
    floating,
    fold,
    gather,
    integer,
    layout,
    logic,
    lookup,
    normalize,
    pool,
    recurrent,
    reduce,
    requantize,
    resize,
    select,
    softmax,
    spectrum,
    trees,
)
from edgeq.ops.base import FIXED_INT16, Attribute, OnnxAttribute, OnnxForm, Op, Sample, ScaleRule
from edgeq.ops.signature import Shape, invalid

__all__ = [
    "BY_NAME",
    "FIXED_INT16",
    "OPS",
    "Attribute",
    "OnnxAttribute",
    "OnnxForm",
    "Op",
    "Sample",
    "ScaleRule",
    "infer",
    "onnx_forms",
    "onnx_types",
    "plain_form",
    "plain_limits",
]

# Operators whose result holds every element of their only operand.
_MOVED = ("reshape", "transpose")

OPS: tuple[Op, ...] = tuple(
    sorted(
        (
            *arithmetic.OPS,
            *conv.OPS,
            *dense.OPS,
            *elementwise.OPS,
            *floating.OPS,
            *fold.OPS,
            *gather.OPS,
            *integer.OPS,
            *layout.OPS,
            *logic.OPS,
            *lookup.OPS,
            *normalize.OPS,
            *pool.OPS,
            *reduce.OPS,
            *recurrent.OPS,
            *requantize.OPS,
            *resize.OPS,
            *select.OPS,
            *softmax.OPS,
            *spectrum.OPS,
            *trees.OPS,
        ),
        key=lambda op: op.name,
    )
)
BY_NAME: dict[str, Op] = {op.name: op for op in OPS}
_PLAIN_FORMS: dict[str, tuple[Op, OnnxForm]] = {form.type: (op, form) for op in OPS for form in op.onnx if form.plain}
_ONNX_FORMS: dict[str, tuple[Op, OnnxForm]] = dict(
    sorted(((form.type, (op, form)) for op in OPS for form in op.onnx if not form.plain), key=lambda item: item[0])
)


def onnx_forms() -> Mapping[str, tuple[Op, OnnxForm]]:
    """The supported ONNX operator types, sorted: type → (the integer operator, how ONNX spells it).

    Those of integers and truth values alone are left out: see :func:`plain_form`.
    """
    return _ONNX_FORMS


def plain_form(type_: str) -> tuple[Op, OnnxForm] | None:
    """What an ONNX operator type is for integers and truth values: its meaning for them alone, or that for all."""
    return _PLAIN_FORMS.get(type_) or _ONNX_FORMS.get(type_)


def onnx_types(has: Callable[[Op, OnnxForm], bool]) -> tuple[str, ...]:
    """The supported ONNX operator types of whose meaning for floats something holds, sorted."""
    return tuple(name for name, (op, form) in onnx_forms().items() if has(op, form))


def plain_limits(graph: Graph, name: str) -> tuple[int, int]:
    """The least and the largest value that a plain tensor may have: what its readers, if they index, tell apart."""
    tensor = graph.tensors[name]
    low, high = tensor.dtype.min, tensor.dtype.max
    for node in graph.consumers(name):
        op, operands = BY_NAME[node.op], graph.operands(node)
        if node.op in _MOVED:
            bounds = plain_limits(graph, node.outputs[0])
        elif op.indexed is not None and op.signature.bind(node, operands).get("indices") is tensor:
            count = op.indexed(node, operands)
            bounds = -count, count - 1
        else:
            continue
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return low, high


def infer(node: Node, operands: Sequence[Tensor]) -> list[tuple[Shape, DType]]:
    """Shapes and types of a node's results: what ``ir.verify.verify_graph`` asks for.

    Raises:
        EdgeqError: EQ0903 for an unknown operator, or attributes or operands that it does not accept.
    """
    op = BY_NAME.get(node.op)
    if op is None:
        raise invalid(node, "no such operator", node.op, ", ".join(BY_NAME))
    _require_attributes(node, op.attributes)
    types = op.signature.types_of(node, operands)
    _require_attributes(node, [attribute.bounded(types) for attribute in op.attributes])
    op.signature.require_constants(node, operands)
    return op.infer(node, operands)


def _require_attributes(node: Node, attributes: Sequence[Attribute]) -> None:
    """The node has every attribute of its operator and mode, none besides, each of a value that it may have."""
    mode = node.attrs.get("requant")
    schema = {item.name: item for item in attributes if not item.modes or mode in item.modes}
    for name, item in schema.items():
        if name not in node.attrs and not item.optional:
            raise invalid(node, "an attribute is missing", name, item.allowed())
    for name, value in node.attrs.items():
        if name not in schema:
            raise invalid(node, "there is no such attribute", name, ", ".join(schema))
        if not schema[name].accepts(value):
            raise invalid(node, f"attribute {name} is out of range", repr(value), schema[name].allowed())
