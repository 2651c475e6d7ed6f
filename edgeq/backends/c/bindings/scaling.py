"""The record fields that every requantizing kernel shares, read from a node, and the reasons of the common refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from edgeq.backends.c.packing import NARROW_LIMIT
from edgeq.ir import Graph, Node
from edgeq.numerics.array import Array
from edgeq.ops import BY_NAME
from edgeq.ops.signature import scaling_of


def centred_limit(zero_point: int) -> int:
    """The largest ``|x - zero_point|`` of an int8 ``x``."""
    return max(127 - zero_point, zero_point + 128)


def constant(node: Node, graph: Graph, slot: str) -> Array:
    """The data of a constant operand."""
    return BY_NAME[node.op].signature.bind(node, graph.operands(node))[slot].value()


def scalar(node: Node, graph: Graph, slot: str) -> int:
    """The first value of a constant operand."""
    return int(constant(node, graph, slot).reshape(-1)[0])


def formula_of(node: Node) -> str:
    """How a node scales: the key of every table of kernels or fields by formula."""
    return scaling_of(node).formula(node.op)


def wide_fields(node: Node) -> dict[str, int]:
    """``wide`` and ``shift`` of a kernel whose accumulator may be int64, which is shifted to the right."""
    return {"wide": int(node.text("acc") == "i64"), "shift": abs(node.integer("shift"))}


def clamp_fields(node: Node) -> dict[str, int]:
    """``clamp_min`` and ``clamp_max``."""
    return {"clamp_min": node.integer("clamp_min"), "clamp_max": node.integer("clamp_max")}


def highmul_fields(node: Node, multiplier: int, largest: tuple[int, int]) -> dict[str, int]:
    """``multiplier shift out_zero narrow``.

    Args:
        node: the node.
        multiplier: what the record holds.
        largest: the largest absolute accumulator and the multiplier that goes with it, for ``narrow``.
    """
    shift = node.integer("shift")
    narrow = (largest[0] << shift) * largest[1] < NARROW_LIMIT
    return {"multiplier": multiplier, "shift": shift, "out_zero": node.integer("out_zero"), "narrow": int(narrow)}


def _highmul(node: Node, graph: Graph, largest: int) -> dict[str, int]:
    multiplier = scalar(node, graph, "multiplier")
    return highmul_fields(node, multiplier, (largest, multiplier))


def _double(node: Node, graph: Graph, largest: int) -> dict[str, int]:
    factor = {name: scalar(node, graph, name) for name in ("multiplier", "exponent")}
    return factor | {"out_zero": node.integer("out_zero")}


_SCALAR_FIELDS: Final[Mapping[str, Callable[[Node, Graph, int], dict[str, int]]]] = {
    "highmul": _highmul,
    "double": _double,
}


def scalar_fields(node: Node, graph: Graph, largest: int) -> dict[str, int]:
    """The fields of a kernel with one factor, from ``multiplier`` to ``out_zero`` or ``narrow``.

    Args:
        node: has one factor.
        graph: holds them.
        largest: the largest absolute accumulator.
    """
    return _SCALAR_FIELDS[formula_of(node)](node, graph, largest)
