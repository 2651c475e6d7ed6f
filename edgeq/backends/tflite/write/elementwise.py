"""add, mul, sub: ADD, MUL, SUB with numpy's broadcasting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edgeq.backends.tflite.draft import Draft, Field, Writer, scalar_quant, too_many_axes
from edgeq.backends.tflite.exactness import clamped, require_equal, require_factors
from edgeq.ir import DType, Node, Tensor

# Axes that the reference kernels broadcast over.
_BROADCAST_RANK: Final = {"add": 6, "mul": 6, "sub": 5}


def write_sum(draft: Draft, node: Node) -> None:
    """ADD or SUB: both operands at a common scale, three roundings."""
    a, b, result = _operands(draft, node)
    quants = [scalar_quant(tensor) for tensor in (a, b, result)]
    (a_scale, b_scale, out_scale), (a_zero, b_zero, out_zero) = zip(*quants, strict=True)
    scales, zeros = (a_scale, b_scale, out_scale), (a_zero, b_zero, out_zero)
    derived = draft.scaling.choose_sum(scales, zeros, -1 if node.op == "sub" else 1, a.dtype.numpy)
    for key, value in derived.items():
        require_equal(node, key, node.integer(key), value)
    fields: dict[str, Field] = {"PotScaleInt16": False} if a.dtype is DType.INT16 else {}
    code = node.op.upper()

    def append(name: str, activation: str) -> None:
        version = _sum_version(code, a, b)
        options = {**fields, "FusedActivationFunction": activation}
        draft.append(code, version, (a.name, b.name), name, f"{code.capitalize()}Options", **options)

    clamped(draft, node, append)


def write_mul(draft: Draft, node: Node) -> None:
    """MUL."""
    a, b, result = _operands(draft, node)
    a_scale, b_scale, out_scale = (scalar_quant(tensor)[0] for tensor in (a, b, result))
    ratio = draft.scaling.ratio(node.op, a_scale, [b_scale], out_scale)
    require_factors(draft, node, draft.scaling.choose(ratio))
    version = 4 if a.dtype is DType.INT16 else 3 if ratio[0] >= 1 else 2

    def append(name: str, activation: str) -> None:
        draft.append("MUL", version, (a.name, b.name), name, "MulOptions", FusedActivationFunction=activation)

    clamped(draft, node, append)


def _operands(draft: Draft, node: Node) -> tuple[Tensor, Tensor, Tensor]:
    a, b, result = draft.of(node, "a", "b", "result")
    for key, tensor in (("a_zero", a), ("b_zero", b), ("out_zero", result)):
        require_equal(node, key, node.integer(key), scalar_quant(tensor)[1])
    if a.shape != b.shape and len(result.shape) > _BROADCAST_RANK[node.op]:
        raise too_many_axes(node, result.shape, _BROADCAST_RANK[node.op])
    return a, b, result


def _sum_version(code: str, a: Tensor, b: Tensor) -> int:
    if a.dtype is DType.INT16:
        return 3 if code == "ADD" else 5
    if code == "SUB" and a.shape != b.shape and max(len(a.shape), len(b.shape)) > 4:
        return 3
    return 2


WRITERS: Final[Mapping[str, Writer]] = {"add": write_sum, "mul": write_mul, "sub": write_sum}
