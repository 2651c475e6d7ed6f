"""requantize: QUANTIZE from integers to integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from edgeq.backends.tflite.draft import Draft, Writer, by_type, scalar_quant
from edgeq.backends.tflite.exactness import clamped, require_equal, require_factors
from edgeq.ir import Node


def write_requantize(draft: Draft, node: Node) -> None:
    """QUANTIZE; no fused activation."""
    x, result = draft.of(node, "x", "result")
    (in_scale, in_zero), (out_scale, out_zero) = scalar_quant(x), scalar_quant(result)
    require_equal(node, "in_zero", node.integer("in_zero"), in_zero)
    require_equal(node, "out_zero", node.integer("out_zero"), out_zero)
    require_factors(draft, node, draft.scaling.choose(np.array([in_scale / out_scale])))

    def append(name: str, activation: str) -> None:
        draft.append("QUANTIZE", by_type(result, 1, 2), (x.name,), name, "QuantizeOptions")

    clamped(draft, node, append, fuses=False)


WRITERS: Final[Mapping[str, Writer]] = {"requantize": write_requantize}
