"""Which layers lose most: each by itself, on the float model's own values, so that no layer is blamed for another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.numerics.array import Array
from edgeq.onnxio.qdq_form import Activation, QdqPlan
from edgeq.quant.judge import decibel

if TYPE_CHECKING:
    from edgeq.onnxio.pieces import Pieces
    from edgeq.quant.candidate import Candidate
    from edgeq.quant.judge import Feeds
    from edgeq.quant.scheme import Layer

WORST: Final = 3


def layer_ratios_db(
    pieces: Pieces, candidate: Candidate, plan: QdqPlan, layers: Sequence[Layer], feeds: Feeds
) -> dict[str, float]:
    """Signal-to-noise ratio of every layer alone in dB, by node name.

    Args:
        pieces: the normalized float model.
        candidate: the quantized model.
        plan: its integers.
        layers: the layers.
        feeds: inputs of the samples, one entry a run.
    """
    if not layers or not feeds:
        return {}
    names = list(dict.fromkeys(name for layer in layers for name in (layer.x, layer.y)))
    whole = pieces.piece(names, feeds[0])
    operands = {str(_operand(candidate, layer)): layer.x for layer in layers}
    results = {str(layer.node.name): _result(candidate, layer) for layer in layers}
    alone = candidate.pieces.piece(list(results.values()), operands)
    fed = candidate.fed(plan)
    signal = dict.fromkeys(results, 0.0)
    noise = dict.fromkeys(results, 0.0)
    for inputs in feeds:
        wanted = whole.run(inputs)
        rounded = {name: _rounded(wanted[source], plan.activations[source]) for name, source in operands.items()}
        got = alone.run(rounded, fed)
        for layer in layers:
            node = str(layer.node.name)
            real = wanted[layer.y].astype(np.float64)
            signal[node] += float((real * real).sum())
            found = _rounded(got[results[node]], plan.activations[layer.y])
            noise[node] += float(((real - found) ** 2).sum())
    return {
        node: decibel([noise[node] / signal[node] if signal[node] > 0 else float(noise[node] > 0)]) for node in results
    }


def worst_of(ratios: Mapping[str, float]) -> list[str]:
    """The names of the layers of the lowest ratios, the lowest first."""
    return sorted(ratios, key=lambda node: (ratios[node], node))[:WORST]


def _operand(candidate: Candidate, layer: Layer) -> str | None:
    """The dequantized value that the layer reads."""
    value = candidate.nodes[str(layer.node.name)].inputs[0]
    assert value is not None  # a layer has an operand
    return value.name


def _result(candidate: Candidate, layer: Layer) -> str:
    """The float value that the layer's QuantizeLinear reads: behind the activation that it absorbs."""
    value = candidate.nodes[str(layer.node.name)].outputs[0]
    while True:
        reader = next((use.node for use in value.uses()), None)
        if reader is None or reader.op_type == "QuantizeLinear":
            return str(value.name)
        value = reader.outputs[0]


def _rounded(values: Array, params: Activation) -> Array:
    """What dequantizing the quantized values gives, float32."""
    scale = np.float32(params.scale)
    steps = np.clip(np.rint(values / scale) + params.zero_point, -128, 127)
    result: Array = ((steps - params.zero_point) * scale).astype(np.float32)
    return result
