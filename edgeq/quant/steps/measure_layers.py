"""Which layers lose most: each by itself, on the float model's own values, so that no layer is blamed for another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.quant.batching import samples_in
from edgeq.quant.objective import decibel
from edgeq.quant.properties import MEASURED, PLANNED
from edgeq.quant.step import Step

if TYPE_CHECKING:
    from edgeq.numerics.array import Array
    from edgeq.quant.execution import Execution
    from edgeq.quant.fed_model import FedModel
    from edgeq.quant.specification import Layer
    from edgeq.quant.state import State

_SAMPLES: Final = 16


def measure_layers(state: State) -> None:
    """Signal-to-noise ratio of every layer alone in dB, its operand rounded as the plan says."""
    execution, plan, layers = state.execution, state.plan, state.specification.layers
    state.layer_ratios_db = {}
    if not layers:
        return
    fed_model = execution.fed_model(plan)
    feeds = _some(execution)
    names = list(dict.fromkeys(name for layer in layers for name in (layer.x, layer.y)))
    whole = execution.batching.pieces.piece(names, feeds[0])
    operands = {str(_operand(fed_model, layer)): layer.x for layer in layers}
    results = {str(layer.node.name): _result(fed_model, layer) for layer in layers}
    alone = fed_model.piece(list(results.values()), operands)
    fed = fed_model.fed(plan)
    signal = dict.fromkeys(results, 0.0)
    noise = dict.fromkeys(results, 0.0)
    for inputs in feeds:
        wanted = whole.run(inputs)
        rounded = {name: plan.activations[source].rounded(wanted[source]) for name, source in operands.items()}
        got = alone.run(rounded, fed)
        for layer in layers:
            node = str(layer.node.name)
            real = wanted[layer.y].astype(np.float64)
            signal[node] += float((real * real).sum())
            found = plan.activations[layer.y].rounded(got[results[node]])
            noise[node] += float(((real - found) ** 2).sum())
    for node in results:
        share = noise[node] / signal[node] if signal[node] > 0 else float(noise[node] > 0)
        state.layer_ratios_db[node] = decibel([share])


def _some(execution: Execution) -> list[Mapping[str, Array]]:
    """Inputs of the first samples, of all folds in turn."""
    feeds: list[Mapping[str, Array]] = []
    count = 0
    for inputs in (inputs for fold in zip(*execution.few_feeds, strict=False) for inputs in fold):
        if count < _SAMPLES:
            feeds.append(inputs)
            count += samples_in(inputs)
    return feeds


def _operand(fed_model: FedModel, layer: Layer) -> str | None:
    """The dequantized value that the layer reads."""
    value = fed_model.nodes[str(layer.node.name)].inputs[0]
    assert value is not None  # a layer has an operand
    return value.name


def _result(fed_model: FedModel, layer: Layer) -> str:
    """The float value that the layer's QuantizeLinear reads: behind the activation that it absorbs."""
    value = fed_model.nodes[str(layer.node.name)].outputs[0]
    while True:
        reader = next((use.node for use in value.uses()), None)
        if reader is None or reader.op_type == "QuantizeLinear":
            return str(value.name)
        value = reader.outputs[0]


STEP: Final = Step("measure_layers", measure_layers, requires=(PLANNED,), ensures=(MEASURED,))
