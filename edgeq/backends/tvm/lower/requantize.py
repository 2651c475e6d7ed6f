"""Change of scale and zero point."""

from __future__ import annotations

from typing import Final

from edgeq.backends.tvm.integers import i32, loops
from edgeq.backends.tvm.step import Step


def _requantize(step: Step) -> None:
    with loops(*step.shape) as index:
        step.store_scaled(i32(step.inputs[0][tuple(index)]) - step.node.integer("in_zero"), index)


LOWERINGS: Final = {"requantize": _requantize}
