"""Empirical bias correction: what rounding the weights and activations shifts on average, the biases take back.

Layer by layer in graph order, b += E[y_float] − E[y_quantized] per channel, before the activation, measured with all
earlier layers corrected already (Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction,
2019, section 4.2, empirical form). It costs nothing at run time.

The quantized model runs once, in pieces: each piece goes on from the values that earlier ones left, up to the next
layer. Correcting a layer shifts what it computed by the same amount, so nothing is run again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq import budget
from edgeq.ir import QuantizedConstant
from edgeq.onnxio.qdq_form import QdqPlan
from edgeq.onnxio.qdq_parameters import bias_limit
from edgeq.quant.execution import Feeds, channel_sums, count_of
from edgeq.quant.properties import PLANNED
from edgeq.quant.step import Step

if TYPE_CHECKING:
    from edgeq.numerics.array import Array
    from edgeq.quant.fed_model import FedModel
    from edgeq.quant.specification import Layer
    from edgeq.quant.state import State


def correctable(state: State) -> list[Layer]:
    """The layers whose bias is not decided already."""
    given = state.given.constants
    return [layer for layer in state.specification.layers if (str(layer.node.name), layer.bias_index) not in given]


def correct_biases(state: State) -> None:
    """Correct every bias that is not given; everything else of the plan is kept."""
    feeds, wanted = state.execution.few_without(state.held_out)
    fed_model = state.execution.fed_model(state.plan)
    run = _Progressive(fed_model, feeds, fed_model.fed(state.plan))
    plan = QdqPlan(dict(state.plan.activations), dict(state.plan.constants))
    for layer in correctable(state):
        budget.tick("bias correction")
        node = str(layer.node.name)
        name = str(fed_model.nodes[node].outputs[0].name)
        run.advance(name)
        got = sum(channel_sums(*pair) for pair in zip(run.values[name], feeds, strict=True)) / count_of(feeds)
        key = node, layer.bias_index
        old = plan.constants[key]
        scale = old.scales.astype(np.float64)
        limit = bias_limit(plan.activations[layer.x])
        steps = np.clip(np.rint(old.values + (wanted[node] - got) / scale), -limit, limit)
        plan.constants[key] = QuantizedConstant(steps.astype(np.int32), old.quantization)
        shift = ((steps - old.values) * scale).astype(np.float32)
        run.values[name] = [array + shift.reshape(-1, *(1,) * (array.ndim - 2)) for array in run.values[name]]
    state.plan = plan


class _Progressive:
    """A model that is run further and further; of what it has computed only what is still read is kept.

    Attributes:
        values: by name, one array a run.
    """

    def __init__(self, fed_model: FedModel, feeds: Feeds, fed: Mapping[str, Array]) -> None:
        self._fed_model = fed_model
        self._fed = fed
        self.values: dict[str, list[Array]] = {name: [inputs[name] for inputs in feeds] for name in feeds[0]}
        self._readers = Counter(name for node in fed_model.onnx_nodes for name in node.input if name)

    def advance(self, name: str) -> None:
        """Compute one value, and keep what further nodes read of the values on the way."""
        numbers = self._fed_model.makers([name], self.values)
        nodes = [self._fed_model.onnx_nodes[number] for number in numbers]
        self._readers.subtract(operand for node in nodes for operand in node.input if operand)
        made = [output for node in nodes for output in node.output if output]
        kept = [output for output in made if output == name or self._readers[output] > 0]
        piece = self._fed_model.piece(kept, self.values)
        count = len(next(iter(self.values.values())))
        found = [
            piece.run({key: runs[index] for key, runs in self.values.items()}, self._fed) for index in range(count)
        ]
        self.values |= {output: [results[output] for results in found] for output in kept}
        for key in [key for key in self.values if self._readers[key] <= 0 and key != name]:
            del self.values[key]


STEP: Final = Step("correct_biases", correct_biases, requires=(PLANNED,), ensures=(PLANNED,))
