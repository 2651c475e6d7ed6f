"""Which observer, and whether to correct biases: decided on samples that the candidates were not made with.

The samples form two folds, every second one each. A candidate is made with one and judged on the other, in turn, so
that every judgement is on samples that calibration has not seen. What is simplest (min-max, no correction) stays unless
something else is better by a margin: smaller differences change sign with the samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.quant.batching import affordable, batches, plan_batches, samples_in
from edgeq.quant.bias_correction import affordable_samples, correct_biases, float_means
from edgeq.quant.calibrate import Progress, calibrate
from edgeq.quant.candidate import Candidate
from edgeq.quant.judge import Judge
from edgeq.quant.layer_noise import layer_ratios_db
from edgeq.quant.observers import OBSERVERS
from edgeq.quant.plan import Planner

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.onnxio.qdq_form import Constant, QdqPlan
    from edgeq.onnxio.samples import Samples
    from edgeq.quant.scheme import Layer, Scheme
    from edgeq.quant.statistics import Statistics

SIMPLEST: Final = "minmax"
MARGIN_DB: Final = 0.5
FOLDS: Final = 2
# With fewer samples a fold says nothing: the simplest is taken, and judged on the data that it was made with.
FEWEST_TO_SPLIT: Final = 8
# Enough samples to rank candidates, few enough to stay quick.
JUDGED: Final = 64
_LAYERS_ON: Final = 16
# The share of the progress that calibration takes; judging and correcting share the rest.
_CALIBRATED: Final = 0.5
_JUDGED: Final = 0.8


class Chooser:
    """One quantization on its way.

    Attributes:
        folds: into how many parts the samples are split.
        statistics: what calibration saw of all samples, by value name.
    """

    def __init__(
        self,
        model: onnx_ir.Model,
        samples: Samples,
        scheme: Scheme,
        copies: Mapping[str, str],
        given: QdqPlan,
        progress: Progress,
    ) -> None:
        self.model = model
        self.scheme = scheme
        self.given = given
        self.grids = samples.grids
        self.progress = progress
        self.folds = FOLDS if len(samples) >= FEWEST_TO_SPLIT else 1
        self.batching = plan_batches(model, samples)
        self.pieces = self.batching.pieces
        observed = [name for name in scheme.names if name not in copies]
        self.by_fold = calibrate(
            model,
            samples,
            observed,
            self.batching,
            folds=self.folds,
            progress=lambda done: progress(_CALIBRATED * done),
        )
        for statistics in self.by_fold:
            statistics |= {copy: statistics[value] for copy, value in copies.items()}
        self.statistics = _merged(self.by_fold)
        count = min(JUDGED, affordable_samples(scheme.layers), affordable(model)) // self.folds
        members = [_spread(range(fold, len(samples), self.folds), max(count, 1)) for fold in range(self.folds)]
        self.feeds = [list(batches(samples, chosen, self.batching.fetching_few)) for chosen in members]
        self.judge = Judge(model, self.pieces, self.feeds)
        self.candidate: Candidate | None = None
        self.is_corrected = False
        self._weights: dict[str, Constant] = {}

    def choose(self, observers: list[str], correction: str) -> tuple[str, QdqPlan, dict[str, float]]:
        """Judge the candidates and make the chosen one of all samples.

        Args:
            observers: names of the observers to choose from.
            correction: ``on``, ``off`` or ``auto``.

        Returns:
            The observer's name, the plan, and by candidate (``mse``, ``mse+bias``) its ratio in dB.
        """
        held_out = {name: [self._plan(name, fold) for fold in range(self.folds)] for name in observers}
        any_plan = held_out[observers[0]][0]
        candidate = self.candidate = Candidate(self.model, any_plan, is_batched=self.batching.is_batched)
        ratios = {}
        for name in observers:
            ratios[name] = self.judge.ratio_db(candidate, held_out[name])
            self.progress(_CALIBRATED + (_JUDGED - _CALIBRATED) * len(ratios) / len(observers))
        chosen = self._best(ratios)
        plan = self._plan(chosen, None)
        layers = self._correctable()
        if correction != "off" and layers:
            means = [float_means(self.pieces, layers, feeds) for feeds in self.feeds]
            # Each fold's plan, like the fold's statistics, comes from the other one.
            corrected = correct_biases(candidate, held_out[chosen], layers, self.feeds[::-1], means[::-1])
            ratios[f"{chosen}+bias"] = self.judge.ratio_db(candidate, corrected)
            gain = ratios[f"{chosen}+bias"] - ratios[chosen]
            self.is_corrected = correction == "on" or (gain > MARGIN_DB and self.folds > 1)
            if self.is_corrected:
                whole = {name: np.mean([part[name] for part in means], axis=0) for name in means[0]}
                feeds = [inputs for fold in self.feeds for inputs in fold]
                (plan,) = correct_biases(candidate, [plan], layers, [feeds], [whole])
        self.progress(1.0)
        return chosen, plan, ratios

    def layer_ratios_db(self, plan: QdqPlan) -> dict[str, float]:
        """The signal-to-noise ratio of every layer by itself, by node name."""
        assert self.candidate is not None  # choose has made it
        feeds, count = [], 0
        for inputs in (inputs for fold in zip(*self.feeds, strict=False) for inputs in fold):
            if count < _LAYERS_ON:
                feeds.append(inputs)
                count += samples_in(inputs)
        return layer_ratios_db(self.pieces, self.candidate, plan, self.scheme.layers, feeds)

    def _best(self, ratios: Mapping[str, float]) -> str:
        best = max(ratios, key=ratios.__getitem__)
        if SIMPLEST in ratios and (self.folds == 1 or ratios[best] - ratios[SIMPLEST] <= MARGIN_DB):
            return SIMPLEST
        return best

    def _plan(self, observer: str, held_out: int | None) -> QdqPlan:
        """The plan that one observer makes of all folds but one; of all where there is one fold or none is named."""
        others = [statistics for fold, statistics in enumerate(self.by_fold) if fold != held_out]
        statistics = self.statistics if held_out is None or not others else _merged(others)
        observe = OBSERVERS[observer]
        return Planner(self.scheme, statistics, self.grids, observe, self.given, self._weights).plan()

    def _correctable(self) -> list[Layer]:
        """The layers whose bias is not decided already."""
        return [
            layer
            for layer in self.scheme.layers
            if (str(layer.node.name), layer.bias_index) not in self.given.constants
        ]


def _merged(parts: list[dict[str, Statistics]]) -> dict[str, Statistics]:
    first, *rest = parts
    result = dict(first)
    for part in rest:
        result = {name: seen.merged(part[name]) for name, seen in result.items()}
    return result


def _spread(members: range, count: int) -> list[int]:
    """At most ``count`` members, evenly over all."""
    return [members[int(index)] for index in np.unique(np.linspace(0, len(members) - 1, count).round())]
