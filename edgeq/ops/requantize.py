"""A change of scale and zero point, where neighbours that should share one do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir import Node
from edgeq.numerics.array import Array
from edgeq.ops.accumulator import IN_ZERO, REQUANT, RESULT_TYPE, requantize
from edgeq.ops.axes import Axes
from edgeq.ops.base import Op, no_macs, same_shape
from edgeq.ops.signature import FACTORS, Signature, Slot


def _evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, *scaling = arrays
    return [requantize(node, x.astype(np.int32) - node.integer("in_zero"), scaling, x)]


REQUANTIZE = Op(
    name="requantize",
    family="requantize",
    summary="Change of scale, zero point and type: x, multiplier[1], (exponent)",
    signature=Signature(
        (Slot("x"), *FACTORS), (("int8", "int8"), ("int8", "int16"), ("int16", "int16"), ("int16", "int8"))
    ),
    attributes=(*REQUANT, RESULT_TYPE, IN_ZERO),
    shape=same_shape,
    evaluate=_evaluate,
    macs=no_macs,
    axes=Axes(),
    overwrites=(0,),
)
OPS = (REQUANTIZE,)
