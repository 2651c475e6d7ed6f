"""dense and matmul → C kernels.

Neither is safe in place: every output reads the whole input row. A row of a dense layer may go when its last output is
written.
"""

from __future__ import annotations

from math import prod
from typing import Final

from edgeq.backends.c import orders, packing
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.conv import (
    constants,
    exponent_constants,
    refuse_short_scaling,
    requantization,
)
from edgeq.backends.c.bindings.scaling import (
    centred_limit,
    clamp_fields,
    formula_of,
    scalar,
    scalar_fields,
    wide_fields,
)
from edgeq.backends.c.runtime import Isa
from edgeq.ir import DType, Graph, Node
from edgeq.numerics.array import Array

_MATMUL_DEPTH_MAX: Final = (1 << 15) - 1
"""The corrections for the zero points fit int32 up to here (eq_matmul_sums.h)."""
PANEL_LEAST: Final = 1 << 10
"""ARMv6-M has a loop for rows that it shares with no convolution: 400 bytes of code more than the plain kernel."""


def _dense_sizes(node: Node, graph: Graph) -> dict[str, int]:
    x, weight = graph.operands(node)[:2]
    out_c, depth = weight.shape
    return {"rows": x.elements // depth, "depth": depth, "out_c": out_c}


def _bind_dense(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    sizes = _dense_sizes(node, graph)
    return Call(
        kernel="eq_dense_s8",
        record={**sizes, **requantization(node, weights, bias, multiplier)},
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": packing.pack_rows(weights, isa), "bias": bias, "multiplier": multiplier},
        trailing=orders.trail(orders.dense(sizes, 1, 1)),
    )


_QUADS_FROM: Final = 4000


def _weights(node: Node, graph: Graph) -> int:
    return graph.operands(node)[1].elements


def _quads(node: Node, graph: Graph) -> Array | None:
    return packing.pack_quads(*constants(node, graph))


def _match_quads(node: Node, graph: Graph, isa: Isa) -> str | None:
    if packing.provider(isa, "rows") != "dsp":
        return "it needs the DSP extension and no vectors"
    if not any(_weights(each, graph) >= _QUADS_FROM for each in graph.nodes if each.op == "dense"):
        return f"layers of fewer than {_QUADS_FROM} weights do not pay for its code"
    return "weights of two channels do not fit one halfword, or a sum 24 bits" if _quads(node, graph) is None else None


def _bind_quads(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    sizes = _dense_sizes(node, graph)
    fields = {"shift": node.integer("shift"), "out_zero": node.integer("out_zero"), **clamp_fields(node)}
    return Call(
        kernel="eq_dense_quads_s8",
        record={**sizes, **fields},
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": _quads(node, graph)},
        trailing=orders.trail(orders.dense(sizes, 1, 1)),
    )


def _match_panel(node: Node, graph: Graph, isa: Isa) -> str | None:
    if isa[0] not in packing.PANELS:
        return packing.NO_PANELS
    if isa[0] == "v6m" and graph.operands(node)[1].elements < PANEL_LEAST:
        return f"fewer than {PANEL_LEAST} weights do not pay for a loop in assembly"
    return refuse_short_scaling(node, graph, isa)


def _bind_panel(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    sizes = _dense_sizes(node, graph)
    return Call(
        kernel="eq_dense_panel_s8",
        record={**sizes, "out_zero": node.integer("out_zero"), **clamp_fields(node)},
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants={"weights": packing.pack_panels(weights[None], bias, multiplier, isa, copied=False)},
        trailing=orders.trail(orders.dense(sizes, 1, 1)),
    )


def _bind_dense_exponent(node: Node, graph: Graph, isa: Isa) -> Call:
    sizes = _dense_sizes(node, graph)
    return Call(
        kernel=_EXPONENT[formula_of(node)],
        record={**sizes, "out_zero": node.integer("out_zero"), **clamp_fields(node)},
        inputs=node.inputs[:1],
        outputs=node.outputs,
        constants=exponent_constants(node, graph),
        trailing=orders.trail(orders.dense(sizes, 1, 1)),
    )


def _refuse_matmul(node: Node, graph: Graph, isa: Isa) -> str | None:
    a, b = graph.operands(node)[:2]
    if a.is_constant or b.is_constant:
        return "both operands must be computed"
    if a.dtype is DType.INT8 and a.shape[-1] > _MATMUL_DEPTH_MAX:
        return f"the depth is {a.shape[-1]}, more than {_MATMUL_DEPTH_MAX}"
    return None


def _bind_matmul(node: Node, graph: Graph, isa: Isa) -> Call:
    a, b = graph.operands(node)[:2]
    rows, depth = a.shape[-2:]
    limits = centred_limit(node.integer("a_zero")), centred_limit(node.integer("b_zero"))
    scaling = scalar_fields(node, graph, depth * limits[0] * limits[1])
    scaling.pop("narrow", None)  # the kernel has no such variant
    name = _MATMULS[formula_of(node)]
    return Call(
        kernel=name,
        record={
            "batches": prod(a.shape[:-2]),
            "rows": rows,
            "depth": depth,
            "columns": b.shape[-1],
            "a_zero": node.integer("a_zero"),
            "b_zero": node.integer("b_zero"),
            **scaling,
            **clamp_fields(node),
        },
        inputs=node.inputs[:2],
        outputs=node.outputs,
    )


def _bind_matmul_int16(node: Node, graph: Graph, isa: Isa) -> Call:
    a, b = graph.operands(node)[:2]
    rows, depth = a.shape[-2:]
    record = {"batches": prod(a.shape[:-2]), "rows": rows, "depth": depth, "columns": b.shape[-1]}
    record |= {"multiplier": scalar(node, graph, "multiplier")} | wide_fields(node) | clamp_fields(node)
    return Call("eq_matmul_s16", record, node.inputs[:2], node.outputs)


_EXPONENT: Final = {"single": "eq_dense_tflite_s8", "double": "eq_dense_tflm_s8"}
_MATMULS: Final = {"highmul": "eq_matmul_s8", "double": "eq_matmul_tflite_s8"}
BINDINGS: tuple[Binding, ...] = (
    Binding("dense", "eq_dense_quads_s8", _match_quads, _bind_quads, "highmul"),
    Binding("dense", "eq_dense_panel_s8", _match_panel, _bind_panel, "highmul"),
    Binding("dense", "eq_dense_s8", None, _bind_dense, "highmul"),
    *(Binding("dense", kernel, None, _bind_dense_exponent, formula) for formula, kernel in _EXPONENT.items()),
    *(Binding("matmul", kernel, _refuse_matmul, _bind_matmul, formula) for formula, kernel in _MATMULS.items()),
    Binding(
        "matmul",
        "eq_matmul_s16",
        _refuse_matmul,
        _bind_matmul_int16,
        "highmul",
        ("i32", "i64"),
    ),
)
"""First match wins."""
