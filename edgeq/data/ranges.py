"""What the integers at the inputs of a quantized model represent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.onnxio.samples import Samples


@dataclass(frozen=True)
class Range:
    """The real values of the smallest and the largest integer of an input."""

    low: float
    high: float

    def share_outside(self, samples: Samples, name: str) -> float:
        """The share of an input's values that would saturate by more than a quarter of the range."""
        margin = (self.high - self.low) / 4
        spec = next(spec for spec in samples.specs if spec.name == name)
        outside = count = 0
        for _, rows in samples.stored[name].blocks():
            real = np.asarray(samples.real(spec, rows), np.float64)
            outside += int(((real < self.low - margin) | (real > self.high + margin)).sum())
            count += real.size
        return outside / max(count, 1)


def input_ranges(model: onnx_ir.Model) -> dict[str, Range]:
    """By input, the range of the QuantizeLinear that reads it, for inputs that one with constant parameters reads."""
    found: dict[str, Range] = {}
    for value in model.graph.inputs:
        for node in value.consumers():
            constants = [operand.const_value if operand is not None else None for operand in node.inputs[1:3]]
            if node.op_type != "QuantizeLinear" or len(constants) < 2:
                continue
            scale, zero = constants
            if scale is not None and zero is not None and scale.size == zero.size == 1:
                numbers = zero.numpy()
                if numbers.dtype.kind in "iu":
                    limits, step, origin = np.iinfo(numbers.dtype), float(scale.numpy().item()), int(numbers.item())
                    found[str(value.name)] = Range((limits.min - origin) * step, (limits.max - origin) * step)
    return found
