"""What runs while a model is quantized: the float model and quantized ones, on a few calibration samples of each fold.

Sessions and samples are made when a step first asks for them; all forks of a state share them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq import budget
from edgeq.numerics.array import Array
from edgeq.quant.batching import Batching, affordable, batches, plan_batches, samples_in
from edgeq.quant.calibration import fold_of, folds_of
from edgeq.quant.fed_model import FedModel

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.onnxio.qdq_form import QdqPlan
    from edgeq.onnxio.samples import Samples
    from edgeq.quant.specification import Layer

# Inputs of samples, one entry a run.
Feeds = Sequence[Mapping[str, Array]]

# Enough samples to rank methods, few enough to stay quick.
_COMPARED: Final = 256
# A run of some samples through all layers one by one stays within these multiply-accumulates (some seconds on one
# core), but never below a useful mean.
_LAYERWISE_MACS: Final = 10e9
_LAYERWISE_SAMPLES: Final = range(8, 65)


class Execution:
    """Runs a float model, and quantized models made of it.

    Args:
        model: the normalized float model.
        samples: calibration data.
        layers: its multiply-accumulate operators.
    """

    def __init__(self, model: onnx_ir.Model, samples: Samples, layers: Sequence[Layer]) -> None:
        self.model: Final = model
        self.samples: Final = samples
        self.layers: Final = layers
        self.folds: Final = folds_of(len(samples))
        self._fed_model: FedModel | None = None
        self._means: dict[int, dict[str, Array]] = {}

    @cached_property
    def batching(self) -> Batching:
        """How samples are run, and the float model itself."""
        return plan_batches(self.model, self.samples)

    @cached_property
    def feeds(self) -> list[Feeds]:
        """By fold, the samples that methods are compared on."""
        return self._feeds(min(_COMPARED, affordable(self.model)))

    @cached_property
    def few_feeds(self) -> list[Feeds]:
        """By fold, the samples that are run layer by layer: fewer, because all that lies between is kept."""
        return self._feeds(min(_COMPARED, affordable(self.model), layerwise_samples(self.layers)))

    def few_without(self, held_out: int | None) -> tuple[list[Mapping[str, Array]], dict[str, Array]]:
        """The samples of all folds but one, and :meth:`means` of them; of all folds where there is one."""
        folds = [fold for fold in range(self.folds) if fold != held_out or self.folds == 1]
        means = [self.means(fold) for fold in folds]
        whole = {name: np.mean([part[name] for part in means], axis=0) for name in means[0]}
        return [inputs for fold in folds for inputs in self.few_feeds[fold]], whole

    def means(self, fold: int) -> dict[str, Array]:
        """What the float model's layers compute on average, per channel, before the activation, by node name."""
        if fold not in self._means:
            feeds = self.few_feeds[fold]
            names = {str(layer.node.name): str(layer.node.outputs[0].name) for layer in self.layers}
            totals: dict[str, Array] = {}
            piece = self.batching.pieces.piece(list(names.values()), feeds[0])
            for inputs in feeds:
                budget.tick("means of the float model")
                results = piece.run(inputs)
                for node, name in names.items():
                    totals[node] = totals.get(node, 0.0) + channel_sums(results[name], inputs)
            self._means[fold] = {node: total / count_of(feeds) for node, total in totals.items()}
        return self._means[fold]

    def fed_model(self, plan: QdqPlan) -> FedModel:
        """The QDQ model that takes the integers of any plan: the sessions are the same for all."""
        if self._fed_model is None:
            self._fed_model = FedModel(self.model, plan, is_batched=self.batching.is_batched)
        return self._fed_model

    def _feeds(self, count: int) -> list[Feeds]:
        """By fold, the inputs of some of its samples; ``count`` in all, but one at least in each."""
        feeds: list[Feeds] = []
        for fold in range(self.folds):
            members = [
                run for run in range(self.samples.runs) if fold_of(self.samples.sample_of(run), self.folds) == fold
            ]
            chosen = _spread(members, max(count // self.folds, 1))
            feeds.append(list(batches(self.samples, chosen, self.batching.fetching_few)))
        return feeds


def layerwise_samples(layers: Sequence[Layer]) -> int:
    """How many samples may be run layer by layer: 8 to 64."""
    macs = 0
    for layer in layers:
        weight, output = layer.node.inputs[layer.weight_index], layer.node.outputs[0]
        spatial = int(np.prod(output.shape.numpy()[2:])) if output.shape is not None else 1
        if weight is not None and weight.const_value is not None:
            macs += weight.const_value.size * spatial
    limits = _LAYERWISE_SAMPLES
    return min(max(int(_LAYERWISE_MACS / max(macs, 1)), limits.start), limits.stop - 1)


def count_of(feeds: Feeds) -> int:
    """The number of samples in some runs."""
    return sum(samples_in(inputs) for inputs in feeds)


def channel_sums(values: Array, inputs: Mapping[str, Array]) -> Array:
    """The mean over positions of values [N, C, …], summed over the samples of a run, per channel, float64."""
    mean: Array = values.mean(axis=tuple(axis for axis in range(values.ndim) if axis != 1), dtype=np.float64)
    return mean * samples_in(inputs)


def _spread(members: Sequence[int], count: int) -> list[int]:
    """At most ``count`` members, evenly over all."""
    return [members[int(index)] for index in np.unique(np.linspace(0, len(members) - 1, count).round())]
