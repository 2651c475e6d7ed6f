"""A change of scale and zero point, where neighbours that should share one do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir import DType, Node, Tensor
from edgeq.numerics.array import Array
from edgeq.ops.accumulator import IN_ZERO, REQUANT, requantize, require_scaled
from edgeq.ops.base import Op, Shape, no_macs


def _infer(node: Node, operands: Sequence[Tensor]) -> list[tuple[Shape, DType]]:
    require_scaled(node, operands, (DType.INT8,))
    return [(operands[0].shape, DType.INT8)]


def _evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, *scaling = arrays
    return [requantize(node, x.astype(np.int32) - node.integer("in_zero"), scaling)]


REQUANTIZE = Op(
    name="requantize",
    family="requantize",
    summary="Change of scale and zero point: x, multiplier[1], (exponent)",
    attributes=(*REQUANT, IN_ZERO),
    infer=_infer,
    evaluate=_evaluate,
    macs=no_macs,
)
OPS = (REQUANTIZE,)
