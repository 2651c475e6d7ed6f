"""dense → the C kernels that only MVE has; what they cannot do falls to those of :mod:`.dense`.

One row streams the weights once, eight outputs at a time. Several rows are the pixels of a 1x1 convolution, two of
which share every weight that is loaded.
"""

from __future__ import annotations

from typing import Final

from edgeq.backends.c import orders, packing, packing_mve
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.conv import constants
from edgeq.backends.c.bindings.conv_mve import few_channels, tile_constants, without_mve
from edgeq.backends.c.bindings.scaling import clamp_fields
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node

_WEIGHTS_LEAST: Final = 2000
"""Of the largest layer: below, what is gained does not pay for the code."""


def _rows(node: Node, graph: Graph) -> int:
    x, weight = graph.operands(node)[:2]
    return x.elements // weight.shape[1]


def _match(node: Node, graph: Graph, isa: Isa) -> str | None:
    if (reason := without_mve(isa) or few_channels(graph.operands(node)[1].shape[0])) is not None:
        return reason
    layers = (graph.operands(each)[1].elements * _rows(each, graph) for each in graph.nodes if each.op == "dense")
    return None if max(layers) >= _WEIGHTS_LEAST else f"fewer than {_WEIGHTS_LEAST} products do not pay for its code"


def _match_tile(node: Node, graph: Graph, isa: Isa) -> str | None:
    return _match(node, graph, isa) or ("there is one row" if _rows(node, graph) == 1 else None)


def _fields(node: Node) -> dict[str, int]:
    return {"shift": node.integer("shift"), "out_zero": node.integer("out_zero"), **clamp_fields(node)}


def _bind_tile(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    rows, (out_c, depth) = _rows(node, graph), weights.shape
    record = {
        "in_w": rows,
        "in_c": depth,
        "out_h": 1,
        "out_w": rows,
        "out_c": out_c,
        "stride_h": 1,
        "stride_w": 1,
        **_fields(node),
    }
    pixels = orders.pixels_of(record, depth, rows * depth, 2)
    return Call(
        kernel="eq_pointwise_tile_s8",
        record=record,
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants=tile_constants(weights, bias, multiplier, isa),
        trailing=orders.trail(orders.pointwise(pixels, out_c, 1, 1)),
    )


def _bind_octets(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    sizes = {"rows": _rows(node, graph), "depth": weights.shape[1], "out_c": bias.size}
    whole = bias.size // packing_mve.TILE_CHANNELS * packing_mve.TILE_CHANNELS
    rest = whole < bias.size
    return Call(
        kernel="eq_dense_octets_s8",
        record={**sizes, **_fields(node)},
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={
            "weights": packing_mve.pack_octets(weights[:whole], bias[:whole], multiplier[:whole]),
            "rest_weights": packing.pack_rows(weights[whole:], isa) if rest else None,
            "rest_bias": bias[whole:] if rest else None,
            "rest_multiplier": multiplier[whole:] if rest else None,
        },
        trailing=orders.trail(orders.dense(sizes, 1, 1)),
    )


BINDINGS: tuple[Binding, ...] = (
    Binding("dense", "eq_pointwise_tile_s8", _match_tile, _bind_tile, "highmul"),
    Binding("dense", "eq_dense_octets_s8", _match, _bind_octets, "highmul"),
)
"""They stand before those of :mod:`.dense`."""
