"""lookup: any function of one int8 value, as a table of 256 entries."""

from __future__ import annotations

import numpy as np

from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.scaling import constant, int8_refusal
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node


def _refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    del isa
    return int8_refusal(node, graph)


def _lookup(node: Node, graph: Graph, isa: Isa) -> Call:
    """The graph's table starts at x = -128; the kernel's is indexed by x modulo 256, which saves the addition."""
    del isa
    table = np.roll(constant(graph, node.inputs[1]).astype(np.int8), -128)
    record = {"elements": graph.results(node)[0].elements}
    return Call("eq_lookup_s8", record, node.inputs[:1], node.outputs, {"table": table}, in_place=((0, 0),))


BINDINGS: tuple[Binding, ...] = (Binding("lookup", "eq_lookup_s8", _refusal, _lookup),)
