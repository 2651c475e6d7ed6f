"""gather, gather_elements, gather_nd and their inverses: kernels that move elements of any type by computed places.

A constant operand is passed as any other, from flash.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Final

from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.orders import Trails
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node, Tensor

# Components of an index of gather_nd and scatter_nd.
DEPTH: Final = 4


def typed_bytes(tensor: Tensor) -> int:
    """The type of elements as eq_elements.h has it: bytes, negative where it is unsigned."""
    size = tensor.dtype.size_bytes
    return -size if tensor.dtype.numpy.kind == "u" else size


def call_with_constants(
    kernel: str, record: dict[str, int], operands: dict[str, Tensor], node: Node, trailing: Trails = ()
) -> Call:
    """A call whose operands, by parameter in the header's order, are constants or lie in the arena."""
    constants = {name: tensor.value().reshape(-1) for name, tensor in operands.items() if tensor.is_constant}
    computed = tuple(tensor.name for tensor in operands.values() if not tensor.is_constant)
    return Call(kernel, record, computed, node.outputs, constants, trailing=trailing)


def _gather(node: Node, graph: Graph, isa: Isa) -> Call:
    x, indices = graph.operands(node)
    axis = node.integer("axis")
    fields = {
        "outer": prod(x.shape[:axis]),
        "length": x.shape[axis],
        "inner_bytes": prod(x.shape[axis + 1 :]) * x.dtype.size_bytes,
        "count": indices.elements,
    }
    return call_with_constants("eq_gather", fields, {"x": x, "indices": indices}, node)


def _elements(node: Node, graph: Graph, isa: Isa) -> Call:
    x, indices = graph.operands(node)[:2]
    axis = node.integer("axis")
    fields = {
        "outer": prod(x.shape[:axis]),
        "length": x.shape[axis],
        "count": indices.shape[axis],
        "inner": prod(x.shape[axis + 1 :]),
        "item_bytes": x.dtype.size_bytes,
    }
    operands = {"x": x, "indices": indices}
    if node.op == "gather_elements":
        return call_with_constants("eq_gather_elements", fields, operands, node)
    return _scatter("eq_scatter_elements", fields, operands | {"updates": graph.operands(node)[2]}, node)


def _nd_refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    depth = graph.operands(node)[1].shape[-1]
    return f"an index has {depth} components, more than {DEPTH}" if depth > DEPTH else None


def _nd(node: Node, graph: Graph, isa: Isa) -> Call:
    x, indices = graph.operands(node)[:2]
    batch = node.integer("batch") if node.op == "gather_nd" else 0
    depth = indices.shape[-1]
    sizes = x.shape[batch : batch + depth]
    # A component more in front, of an axis of one element, would be 0: missing ones are left out of the index.
    fields = {f"n{level}": size for level, size in enumerate((*sizes, *(1,) * (DEPTH - depth)))}
    fields |= {
        "batches": prod(x.shape[:batch]),
        "count": prod(indices.shape[batch:-1]),
        "depth": depth,
        "inner_bytes": prod(x.shape[batch + depth :]) * x.dtype.size_bytes,
    }
    operands = {"x": x, "indices": indices}
    if node.op == "gather_nd":
        return call_with_constants("eq_gather_nd", fields, operands, node)
    return _scatter("eq_scatter_nd", fields, operands | {"updates": graph.operands(node)[2]}, node)


def _scatter(kernel: str, record: dict[str, int], operands: dict[str, Tensor], node: Node) -> Call:
    """The result may lie where x lies: then nothing is copied."""
    call = call_with_constants(kernel, record, operands, node)
    return call if operands["x"].is_constant else replace(call, in_place=((0, 0),))


BINDINGS: tuple[Binding, ...] = (
    Binding("gather", "eq_gather", None, _gather),
    Binding("gather_elements", "eq_gather_elements", None, _elements),
    Binding("gather_nd", "eq_gather_nd", _nd_refusal, _nd),
    Binding("scatter_elements", "eq_scatter_elements", None, _elements),
    Binding("scatter_nd", "eq_scatter_nd", _nd_refusal, _nd),
)
