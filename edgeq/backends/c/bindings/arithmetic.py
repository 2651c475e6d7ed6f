"""maximum, minimum, divide and prelu: broadcast loops over rows, as in the sums and products."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgeq.backends.c import orders
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.scaling import centred_limit, clamp_fields, constant, highmul_fields, scalar
from edgeq.backends.c.bindings.strides import broadcast_fields, broadcast_refusal
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.numerics.array import Array

_SIDES: Final = ("a", "b")


def _pair_call(kernel: str, node: Node, graph: Graph, fields: dict[str, int], constants: dict[str, Array]) -> Call:
    """A call of a kernel with the pointers `a` and `b`, of which a constant is one."""
    pair, out = graph.operands(node)[:2], graph.results(node)[0]
    computed = [tensor for tensor in pair if not tensor.is_constant]
    held = {side: tensor.value() for side, tensor in zip(_SIDES, pair, strict=True) if tensor.is_constant}
    fields = fields | broadcast_fields(out.shape, dict(zip(_SIDES, (each.shape for each in pair), strict=True)))
    return Call(
        kernel,
        fields,
        tuple(tensor.name for tensor in computed),
        node.outputs,
        held | constants,
        in_place=tuple((index, 0) for index, tensor in enumerate(computed) if tensor.elements == out.elements),
        trailing=orders.broadcasts(fields, dict(zip(_SIDES, pair, strict=True)), out),
    )


def _refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    return broadcast_refusal(graph.results(node)[0].shape, *(each.shape for each in graph.operands(node)[:2]))


def _extreme(node: Node, graph: Graph, isa: Isa) -> Call:
    """The smaller of two is the complement of the larger of their complements."""
    kernel = "eq_maximum_s8" if graph.results(node)[0].dtype.size_bytes == 1 else "eq_maximum_s16"
    return _pair_call(kernel, node, graph, {"flip": -1 if node.op == "minimum" else 0}, {})


def _divide(node: Node, graph: Graph, isa: Isa) -> Call:
    """The graph's table starts at b = -128; the kernel's is indexed by b modulo 256."""
    fields = {"a_zero": node.integer("a_zero"), "out_zero": node.integer("out_zero")} | clamp_fields(node)
    return _pair_call("eq_divide_s8", node, graph, fields, {"factors": np.roll(constant(node, graph, "factors"), -128)})


def _divide_int16(node: Node, graph: Graph, isa: Isa) -> Call:
    fields = {"multiplier": scalar(node, graph, "factors"), "shift": node.integer("shift")} | clamp_fields(node)
    return _pair_call("eq_divide_s16", node, graph, fields, {})


def _prelu(node: Node, graph: Graph, isa: Isa) -> Call:
    x, out = graph.operands(node)[0], graph.results(node)[0]
    slopes, positive = constant(node, graph, "slopes"), scalar(node, graph, "multiplier")
    zero = node.integer("in_zero")
    limit = centred_limit(zero) if x.dtype.size_bytes == 1 else -x.dtype.min
    largest = max(positive, int(np.abs(slopes.astype(np.int64)).max()))
    fields = highmul_fields(node, positive, (limit, largest)) | {"in_zero": zero} | clamp_fields(node)
    fields |= broadcast_fields(out.shape, {"a": x.shape, "b": slopes.shape})
    kernel = "eq_prelu_s8" if x.dtype.size_bytes == 1 else "eq_prelu_s16"
    return Call(kernel, fields, node.inputs[:1], node.outputs, {"slopes": slopes}, in_place=((0, 0),))


BINDINGS: tuple[Binding, ...] = (
    *(
        Binding(op, kernel, _refusal, _extreme)
        for op in ("maximum", "minimum")
        for kernel in ("eq_maximum_s8", "eq_maximum_s16")
    ),
    Binding("divide", "eq_divide_s8", _refusal, _divide),
    Binding("divide", "eq_divide_s16", _refusal, _divide_int16),
    *(Binding("prelu", kernel, _refusal, _prelu) for kernel in ("eq_prelu_s8", "eq_prelu_s16")),
)
