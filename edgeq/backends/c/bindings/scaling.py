"""The record fields that every requantizing kernel shares, read from a node, and the reasons of the common refusals."""

from __future__ import annotations

from edgeq.ir import DType, Graph, Node
from edgeq.numerics.array import Array

# |accumulator * 2^shift * multiplier| below this lets ARMv6-M requantize with three multiplications (eq_requantize.h).
NARROW_LIMIT = (1 << 47) - (1 << 40)


def centred_limit(zero_point: int) -> int:
    """The largest ``|x - zero_point|`` of an int8 ``x``."""
    return max(127 - zero_point, zero_point + 128)


def constant(graph: Graph, name: str) -> Array:
    """The data of a constant tensor."""
    return graph.tensors[name].value()


def scalar(graph: Graph, name: str) -> int:
    """The value of a constant tensor with one element."""
    return int(constant(graph, name).reshape(-1)[0])


def mode_refusal(node: Node, mode: str) -> str | None:
    """Why a kernel of the given requantization mode cannot serve the node, or None."""
    found = node.text("requant")
    return None if found == mode else f"requantizes as {found}, not {mode}"


def int8_refusal(node: Node, graph: Graph, inputs: int = 1) -> str | None:
    """Why a kernel for int8 data cannot serve the node (its first ``inputs`` inputs and its results), or None."""
    for tensor in (*graph.operands(node)[:inputs], *graph.results(node)):
        if tensor.dtype is not DType.INT8:
            return f"{tensor.name} is {tensor.dtype.value}, not int8"
    return None


def accumulator_refusal(node: Node) -> str | None:
    """Why a kernel with an int32 accumulator cannot serve the node, or None."""
    acc = node.attrs.get("acc", "i32")
    return None if acc == "i32" else f"accumulates in {acc}, not i32"


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


def tflite_fields(node: Node, graph: Graph) -> dict[str, int]:
    """``multiplier exponent out_zero``; the last two inputs are the multiplier and the exponent."""
    return {
        "multiplier": scalar(graph, node.inputs[-2]),
        "exponent": scalar(graph, node.inputs[-1]),
        "out_zero": node.integer("out_zero"),
    }
