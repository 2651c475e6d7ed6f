"""lookup: any function of one value, as a table of 256 entries, or of 513 with lines between them for int16."""

from __future__ import annotations

import numpy as np

from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.scaling import constant
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node


def _lookup(node: Node, graph: Graph, isa: Isa) -> Call:
    """The graph's table starts at x = -128; the kernel's is indexed by x modulo 256, which saves the addition."""
    table = np.roll(constant(node, graph, "table").astype(np.int8), -128)
    record = {"elements": graph.results(node)[0].elements}
    return Call("eq_lookup_s8", record, node.inputs[:1], node.outputs, {"table": table}, in_place=((0, 0),))


def _interpolate(node: Node, graph: Graph, isa: Isa) -> Call:
    record = {"elements": graph.results(node)[0].elements}
    table = {"table": constant(node, graph, "table")}
    return Call("eq_lookup_s16", record, node.inputs[:1], node.outputs, table, in_place=((0, 0),))


BINDINGS: tuple[Binding, ...] = (
    Binding("lookup", "eq_lookup_s8", None, _lookup),
    Binding("lookup", "eq_lookup_s16", None, _interpolate),
)
