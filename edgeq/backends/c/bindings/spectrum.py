"""log_mel → its C kernel, with the tables that follow from the length of the transform."""

from __future__ import annotations

from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.scaling import clamp_fields, constant
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.numerics.fourier import twiddles
from edgeq.numerics.log_mel import table


def _log_mel(node: Node, graph: Graph, isa: Isa) -> Call:
    window, weights, bands = (constant(node, graph, name) for name in ("window", "weights", "bands"))
    length = node.integer("length")
    read = bands[bands[:, 1] > 0]
    fields = {name: node.integer(name) for name in ("frames", "step", "start", "length", "magnitude", "floor")}
    fields |= {name: node.integer(name) for name in ("multiplier", "shift", "in_zero", "out_zero")}
    fields |= {"x_bytes": graph.operands(node)[0].dtype.size_bytes, **clamp_fields(node)}
    fields |= {"out_bytes": graph.results(node)[0].dtype.size_bytes}
    fields |= {
        "samples": len(window),
        "bits": length.bit_length() - 2,
        "count": len(bands),
        "low": int(read[:, 0].min()),
        "high": int((read[:, 0] + read[:, 1]).max()),
    }
    tables = {
        "window": window,
        "twiddles": twiddles(length).reshape(-1),
        "weights": weights,
        "bands": bands.reshape(-1),
        "table": table(),
    }
    return Call("eq_log_mel", fields, node.inputs[:1], node.outputs, tables)


BINDINGS: tuple[Binding, ...] = (Binding("log_mel", "eq_log_mel", None, _log_mel),)
