"""How much memory running a model takes here, known from its shapes before anything of that size is made."""

from __future__ import annotations

from math import prod
from typing import Final

import onnx_ir as ir

from edgeq import budget
from edgeq.frontend.facts import known_shape
from edgeq.onnxio.limits import shown

_FLOAT_BYTES: Final = 4
# Statistics of a tensor are taken in float64, with two more arrays of that size beside it.
_OBSERVED_BYTES: Final = 24


def check_memory(model: ir.Model) -> None:
    """Calibration sees every tensor of one sample at once; refuse a model where that exceeds the budget.

    Args:
        model: with static shapes.

    Raises:
        EdgeqError: EQ0244, naming the largest tensor.
    """
    elements = {
        str(value.name): prod(known_shape(value) or ())
        for value in (*model.graph.inputs, *(value for node in model.graph for value in node.outputs))
        if value.name
    }
    if not elements:
        return
    largest = max(elements, key=elements.__getitem__)
    total = _FLOAT_BYTES * sum(elements.values()) + _OBSERVED_BYTES * elements[largest]
    budget.need(total, "running the model", f"its largest tensor, {shown(largest)}, has {elements[largest]} elements")
