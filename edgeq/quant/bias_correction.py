"""Empirical bias correction: what rounding the weights and activations shifts on average, the biases take back.

Layer by layer in graph order, b += E[y_float] − E[y_quantized] per channel, before the activation, measured with all
earlier layers corrected already (Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction,
2019, section 4.2, empirical form). It costs nothing at run time.

The quantized model runs once, in pieces: each piece goes on from the values that earlier ones left, up to the next
layer. Correcting a layer shifts what it computed by the same amount, so nothing is run again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq import budget
from edgeq.numerics.array import Array
from edgeq.onnxio.pieces import Pieces
from edgeq.onnxio.qdq_form import Constant, QdqPlan
from edgeq.onnxio.qdq_parameters import BIAS_MAX
from edgeq.quant.batching import samples_in

if TYPE_CHECKING:
    from edgeq.quant.candidate import Candidate
    from edgeq.quant.judge import Feeds
    from edgeq.quant.scheme import Layer

# A run of all samples through all layers stays within these multiply-accumulates (some seconds on one core), but never
# below a useful mean.
_BUDGET_MACS: Final = 10e9
_SAMPLES: Final = range(8, 65)

Means = Mapping[str, Array]


def affordable_samples(layers: Sequence[Layer]) -> int:
    """How many samples a correction may use: 8 to 64."""
    macs = 0
    for layer in layers:
        weight, output = layer.node.inputs[layer.weight_index], layer.node.outputs[0]
        spatial = int(np.prod(output.shape.numpy()[2:])) if output.shape is not None else 1
        if weight is not None and weight.const_value is not None:
            macs += weight.const_value.size * spatial
    return min(max(int(_BUDGET_MACS / max(macs, 1)), _SAMPLES.start), _SAMPLES.stop - 1)


def float_means(pieces: Pieces, layers: Sequence[Layer], feeds: Feeds) -> Means:
    """What the float model's layers compute on average, per channel, before the activation, by node name."""
    names = {str(layer.node.name): str(layer.node.outputs[0].name) for layer in layers}
    totals: dict[str, Array] = {}
    piece = pieces.piece(list(names.values()), feeds[0] if feeds else ())
    for inputs in feeds:
        budget.tick("bias correction")
        results = piece.run(inputs)
        for node, name in names.items():
            totals[node] = totals.get(node, 0.0) + channel_sums(results[name], inputs)
    return {node: total / count_of(feeds) for node, total in totals.items()}


def correct_biases(
    candidate: Candidate,
    plans: Sequence[QdqPlan],
    layers: Sequence[Layer],
    feeds: Sequence[Feeds],
    wanted: Sequence[Means],
    progress: Callable[[float], None] = lambda done: None,
) -> list[QdqPlan]:
    """Plans with corrected biases; everything else is shared with those given.

    Args:
        candidate: the quantized model.
        plans: quantizations of it, corrected side by side.
        layers: the layers to correct, in graph order, channels on axis 1 of their outputs.
        feeds: by plan, inputs of the samples, one entry a run.
        wanted: by plan, :func:`float_means` of the same samples.
        progress: called with the share of the layers done.
    """
    results = [QdqPlan(dict(plan.activations), dict(plan.constants)) for plan in plans]
    run = _Progressive(candidate.pieces, feeds, [candidate.fed(plan) for plan in plans])
    for number, layer in enumerate(layers):
        budget.tick("bias correction")
        budget.tick("bias correction")
        node = str(layer.node.name)
        name = str(candidate.nodes[node].outputs[0].name)
        run.advance(name)
        key = node, layer.bias_index
        for result, inputs, means, values in zip(results, feeds, wanted, run.values, strict=True):
            got = sum(channel_sums(*pair) for pair in zip(values[name], inputs, strict=True)) / count_of(inputs)
            old = result.constants[key]
            scale = old.scale.astype(np.float64)
            steps = np.clip(np.rint(old.values + (means[node] - got) / scale), -BIAS_MAX, BIAS_MAX)
            result.constants[key] = Constant(steps.astype(np.int32), old.scale, old.zero_point, old.axis)
            shift = ((steps - old.values) * scale).astype(np.float32)
            values[name] = [array + shift.reshape(-1, *(1,) * (array.ndim - 2)) for array in values[name]]
        progress((number + 1) / len(layers))
    return results


def count_of(feeds: Feeds) -> int:
    """The number of samples in some runs."""
    return sum(samples_in(inputs) for inputs in feeds)


def channel_sums(values: Array, inputs: Mapping[str, Array]) -> Array:
    """The mean over positions of values [N, C, …], summed over the samples of a run, per channel, float64."""
    mean: Array = values.mean(axis=tuple(axis for axis in range(values.ndim) if axis != 1), dtype=np.float64)
    return mean * samples_in(inputs)


class _Progressive:
    """A model that is run further and further; of what it has computed only what is still read is kept.

    Attributes:
        values: by plan, by name, one array a run.
    """

    def __init__(self, pieces: Pieces, feeds: Sequence[Feeds], fed: Sequence[Mapping[str, Array]]) -> None:
        self._pieces = pieces
        self._fed = fed
        self.values: list[dict[str, list[Array]]] = [
            {name: [inputs[name] for inputs in runs] for name in runs[0]} for runs in feeds
        ]
        self._readers = Counter(name for node in pieces.nodes for name in node.input if name)

    def advance(self, name: str) -> None:
        """Compute one value, and keep what further nodes read of the values on the way."""
        given = list(self.values[0])
        numbers = self._pieces.makers([name], given)
        made = [output for number in numbers for output in self._pieces.nodes[number].output if output]
        for number in numbers:
            self._readers.subtract(operand for operand in self._pieces.nodes[number].input if operand)
        kept = [output for output in made if output == name or self._readers[output] > 0]
        piece = self._pieces.piece(kept, given)
        for values, fed in zip(self.values, self._fed, strict=True):
            count = len(next(iter(values.values())))
            found = [piece.run({key: runs[index] for key, runs in values.items()}, fed) for index in range(count)]
            values |= {output: [results[output] for results in found] for output in kept}
            for key in [key for key in values if self._readers[key] <= 0 and key != name]:
                del values[key]
