"""dense and matmul → C kernels.

Neither is safe in place: every output reads the whole input row.
"""

from __future__ import annotations

from math import prod
from typing import Final

from edgeq.backends.c import packing
from edgeq.backends.c.binding import Binding, Call, Field, Isa
from edgeq.backends.c.bindings.conv import (
    constants,
    refuse_common,
    requantization,
    tflite_requantization,
)
from edgeq.ir import DType, Graph, Node

_MATMUL_DEPTH_MAX: Final = (1 << 15) - 1
"""The corrections for the zero points fit int32 up to here (eq_matmul_sums.h)."""


def _match_dense(node: Node, graph: Graph, isa: Isa) -> str | None:
    del isa
    return refuse_common(node, graph, "highmul")


def _match_dense_tflite(node: Node, graph: Graph, isa: Isa) -> str | None:
    del isa
    return refuse_common(node, graph, "tflite")


def _dense_sizes(node: Node, graph: Graph) -> dict[str, Field]:
    x, weight = graph.operands(node)[:2]
    out_c, depth = weight.shape
    return {"rows": x.elements // depth, "depth": depth, "out_c": out_c}


def _bind_dense(node: Node, graph: Graph, isa: Isa) -> Call:
    weights, bias, multiplier = constants(node, graph)
    return Call(
        kernel="eq_dense_s8",
        record="eq_dense_s8_t",
        fields={
            **_dense_sizes(node, graph),
            **requantization(node, weights, bias, multiplier),
            "weights": packing.pack_rows(weights, isa),
            "bias": bias,
            "multiplier": multiplier,
        },
        inputs=node.inputs[:1],
        outputs=node.outputs,
    )


def _bind_dense_tflite(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    return Call(
        kernel="eq_dense_tflite_s8",
        record="eq_dense_tflite_s8_t",
        fields={**_dense_sizes(node, graph), **tflite_requantization(node, graph)},
        inputs=node.inputs[:1],
        outputs=node.outputs,
    )


def _refuse_matmul(node: Node, graph: Graph, mode: str) -> str | None:
    if node.text("requant") != mode:
        return f"the node requantizes as {node.text('requant')}"
    if node.attrs.get("acc", "i32") != "i32":
        return f"the accumulator is {node.attrs['acc']}"
    a, b = graph.operands(node)[:2]
    if a.is_constant or b.is_constant:
        return "both operands must be computed"
    if (a.dtype, b.dtype, graph.results(node)[0].dtype) != (DType.INT8,) * 3:
        return "operands and output must be int8"
    if a.shape[-1] > _MATMUL_DEPTH_MAX:
        return f"the depth is {a.shape[-1]}, more than {_MATMUL_DEPTH_MAX}"
    return None


def _match_matmul(node: Node, graph: Graph, isa: Isa) -> str | None:
    del isa
    return _refuse_matmul(node, graph, "highmul")


def _match_matmul_tflite(node: Node, graph: Graph, isa: Isa) -> str | None:
    del isa
    return _refuse_matmul(node, graph, "tflite")


def _bind_matmul(node: Node, graph: Graph, isa: Isa) -> Call:
    del isa
    a, b, multiplier = graph.operands(node)[:3]
    rows, depth = a.shape[-2:]
    tflite = node.text("requant") == "tflite"
    scaling: dict[str, Field] = {
        "multiplier": int(multiplier.value().reshape(-1)[0]),
    }
    if tflite:
        scaling["exponent"] = int(graph.operands(node)[3].value().reshape(-1)[0])
    else:
        scaling["shift"] = node.integer("shift")
    name = "eq_matmul_tflite_s8" if tflite else "eq_matmul_s8"
    return Call(
        kernel=name,
        record=f"{name}_t",
        fields={
            "batches": prod(a.shape[:-2]),
            "rows": rows,
            "depth": depth,
            "columns": b.shape[-1],
            "a_zero": node.integer("a_zero"),
            "b_zero": node.integer("b_zero"),
            **scaling,
            "out_zero": node.integer("out_zero"),
            "clamp_min": node.integer("clamp_min"),
            "clamp_max": node.integer("clamp_max"),
        },
        inputs=node.inputs[:2],
        outputs=node.outputs,
        scratch_bytes=4 * rows + depth,
    )


BINDINGS: tuple[Binding, ...] = (
    Binding("dense", "eq_dense_s8", _match_dense, _bind_dense),
    Binding("dense", "eq_dense_tflite_s8", _match_dense_tflite, _bind_dense_tflite),
    Binding("matmul", "eq_matmul_s8", _match_matmul, _bind_matmul),
    Binding("matmul", "eq_matmul_tflite_s8", _match_matmul_tflite, _bind_matmul),
)
"""First match wins."""
