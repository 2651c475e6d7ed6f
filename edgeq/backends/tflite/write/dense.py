"""dense: FULLY_CONNECTED; matmul: BATCH_MATMUL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edgeq.backends.tflite.draft import Draft, Writer, by_type, scalar_quant, too_many_axes
from edgeq.backends.tflite.exactness import clamped, require_equal, require_factors
from edgeq.backends.tflite.write.conv import check_layer, constants
from edgeq.ir import DType, Node, Tensor

_MATMUL_RANK: Final = 5


def write_dense(draft: Draft, node: Node) -> None:
    """Weights [O,K], per channel or per tensor."""
    x, weight = draft.of(node, "x", "weight")
    check_layer(draft, node, x, weight)
    names = constants(draft, node)

    def append(name: str, activation: str) -> None:
        table = "FullyConnectedOptions"
        draft.append(
            "FULLY_CONNECTED",
            _version(x, weight),
            (x.name, *names),
            name,
            table,
            FusedActivationFunction=activation,
        )

    clamped(draft, node, append)


def write_matmul(draft: Draft, node: Node) -> None:
    """Both operands computed; no fused activation."""
    a, b, result = draft.of(node, "a", "b", "result")
    if len(result.shape) > _MATMUL_RANK:
        raise too_many_axes(node, result.shape, _MATMUL_RANK)
    (a_scale, a_zero), (b_scale, b_zero) = scalar_quant(a), scalar_quant(b)
    out_scale, out_zero = scalar_quant(result)
    for key, zero in (("a_zero", a_zero), ("b_zero", b_zero), ("out_zero", out_zero)):
        require_equal(node, key, node.integer(key), zero)
    require_factors(draft, node, draft.scaling.choose(draft.scaling.ratio(node.op, a_scale, [b_scale], out_scale)))

    def append(name: str, activation: str) -> None:
        draft.append("BATCH_MATMUL", by_type(a, 2, 3), (a.name, b.name), name, "BatchMatMulOptions")

    clamped(draft, node, append, fuses=False)


def _version(x: Tensor, weight: Tensor) -> int:
    if weight.bits == 4:
        return 13 if x.dtype is DType.INT16 else 10
    return by_type(x, 4, 7)


WRITERS: Final[Mapping[str, Writer]] = {"dense": write_dense, "matmul": write_matmul}
