"""normalize: rows of int8 or int16."""

from __future__ import annotations

import numpy as np

from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.scaling import clamp_fields, constant
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node


def _normalize(node: Node, graph: Graph, isa: Isa) -> Call:
    x, scale = graph.operands(node)[0], constant(node, graph, "scale")
    epsilon = node.integer("epsilon")
    low = epsilon & 0xFFFFFFFF
    fields = {key: node.integer(key) for key in ("length", "inner", "centred", "raised", "bits", "shift", "in_zero")}
    fields |= {"rows": x.elements // fields["length"], "channels": len(scale), "bytes": x.dtype.size_bytes}
    fields |= {"epsilon_high": epsilon >> 32, "epsilon_low": low - (1 << 32) if low >> 31 else low}
    # Tables of weights are aligned to 4 bytes, which an int64 is not.
    bias = constant(node, graph, "bias")
    offsets = np.stack([bias >> 32, bias], axis=1).astype(np.int32).reshape(-1)
    tables = {"scale": scale, "offsets": offsets}
    return Call("eq_normalize", fields | clamp_fields(node), node.inputs[:1], node.outputs, tables, in_place=((0, 0),))


BINDINGS: tuple[Binding, ...] = (Binding("normalize", "eq_normalize", None, _normalize),)
