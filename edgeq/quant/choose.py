"""Which observer, and whether to correct biases: decided on samples that the candidates were not made with.

The samples form two folds. A candidate is made with one and judged on the other, in turn, so that every judgement is on
samples that calibration has not seen. What is simplest (min-max, no correction) stays unless something else is better
by a margin: smaller differences change sign with the samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.quant.batching import affordable, batches, plan_batches, samples_in
from edgeq.quant.bias_correction import Means, affordable_samples, correct_biases, float_means
from edgeq.quant.calibrate import Progress, calibrate, fold_of
from edgeq.quant.candidate import Candidate
from edgeq.quant.judge import Judge
from edgeq.quant.layer_noise import layer_ratios_db
from edgeq.quant.observers import OBSERVERS
from edgeq.quant.plan import Planner

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.numerics.array import Array
    from edgeq.onnxio.qdq_form import Constant, QdqPlan
    from edgeq.onnxio.samples import Samples
    from edgeq.quant.scheme import Layer, Scheme
    from edgeq.quant.statistics import Statistics

SIMPLEST: Final = "minmax"
BIAS_SUFFIX: Final = "+bias"
MARGIN_DB: Final = 0.3
# An observer that is worse by more than this is not made better than the others by a correction.
HOPELESS_DB: Final = 2.0
FOLDS: Final = 2
# With fewer samples a fold says nothing: the simplest is taken, and judged on the data that it was made with.
FEWEST_TO_SPLIT: Final = 8
# Enough samples to rank candidates, few enough to stay quick.
JUDGED: Final = 256
_LAYERS_ON: Final = 16
# The share of the progress that calibration takes; judging and correcting share the rest.
CALIBRATED: Final = 0.5
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
            progress=lambda done: progress(CALIBRATED * done),
        )
        for statistics in self.by_fold:
            statistics |= {copy: statistics[value] for copy, value in copies.items()}
        self.statistics = _merged(self.by_fold)
        kept = min(JUDGED, affordable(model))
        self.feeds = self._feeds(samples, kept)
        # Corrections run every layer by itself and keep what lies between: on fewer samples.
        self.few = self._feeds(samples, min(kept, affordable_samples(scheme.layers)))
        self.judge = Judge(model, self.pieces, self.feeds)
        self.candidate: Candidate | None = None
        self.is_corrected = False
        self._weights: dict[str, Constant] = {}

    def _feeds(self, samples: Samples, count: int) -> list[list[dict[str, Array]]]:
        """By fold, the inputs of some of its samples, one entry a run; ``count`` in all, but one at least in each."""
        feeds = []
        for fold in range(self.folds):
            members = [index for index in range(len(samples)) if fold_of(index, self.folds) == fold]
            chosen = _spread(members, max(count // self.folds, 1))
            feeds.append(list(batches(samples, chosen, self.batching.fetching_few)))
        return feeds

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
        distinct = _distinct(held_out)
        ratios: dict[str, float] = {}
        # The simplest first: others may turn out to be the same.
        for name in sorted(observers, key=_choices):
            same = distinct[name]
            ratios[name] = ratios[same] if same in ratios else self.judge.ratio_db(candidate, held_out[name])
            self.progress(CALIBRATED + (_JUDGED - CALIBRATED) * len(ratios) / len(observers))
        layers = [] if correction == "off" else self._correctable()
        means = [float_means(self.pieces, layers, feeds) for feeds in self.few] if layers else []
        if layers and (self.folds > 1 or correction == "on"):
            ratios |= self._corrected_ratios(candidate, _promising(ratios, distinct), held_out, layers, means)
        # What is to be corrected competes with itself only.
        allowed = {name: ratio for name, ratio in ratios.items() if correction != "on" or name.endswith(BIAS_SUFFIX)}
        chosen = self._simplest(allowed or ratios)
        observer = chosen.removesuffix(BIAS_SUFFIX)
        plan = self._plan(observer, None)
        self.is_corrected = chosen != observer
        if self.is_corrected:
            whole = {name: np.mean([part[name] for part in means], axis=0) for name in means[0]}
            feeds = [inputs for fold in self.few for inputs in fold]
            (plan,) = correct_biases(candidate, [plan], layers, [feeds], [whole])
        self.progress(1.0)
        return observer, plan, ratios

    def _corrected_ratios(
        self,
        candidate: Candidate,
        names: list[str],
        held_out: Mapping[str, list[QdqPlan]],
        layers: list[Layer],
        means: list[Means],
    ) -> dict[str, float]:
        """The ratios of observers with corrected biases; all are corrected side by side."""
        # A fold's plan, like its statistics, comes from the other fold, and so do the samples that it is corrected on.
        plans = [plan for name in names for plan in held_out[name]]
        corrected = correct_biases(candidate, plans, layers, self.few[::-1] * len(names), means[::-1] * len(names))
        parts = [corrected[start : start + self.folds] for start in range(0, len(corrected), self.folds)]
        return {
            name + BIAS_SUFFIX: self.judge.ratio_db(candidate, part) for name, part in zip(names, parts, strict=True)
        }

    def layer_ratios_db(self, plan: QdqPlan) -> dict[str, float]:
        """The signal-to-noise ratio of every layer by itself, by node name."""
        assert self.candidate is not None  # choose has made it
        feeds, count = [], 0
        for inputs in (inputs for fold in zip(*self.few, strict=False) for inputs in fold):
            if count < _LAYERS_ON:
                feeds.append(inputs)
                count += samples_in(inputs)
        return layer_ratios_db(self.pieces, self.candidate, plan, self.scheme.layers, feeds)

    def _simplest(self, ratios: Mapping[str, float]) -> str:
        """The candidate of the fewest choices that comes within the margin of the best; of equals, the better one."""
        best = max(ratios.values())
        margin = MARGIN_DB if self.folds > 1 else np.inf
        for choices in range(3):
            close = {name: ratio for name, ratio in ratios.items() if _choices(name) == choices}
            if close and best - max(close.values()) <= margin:
                return max(close, key=close.__getitem__)
        raise AssertionError("the best candidate is within the margin of itself")

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


def _choices(name: str) -> int:
    """How many choices of a candidate are not the simplest ones."""
    observer = name.removesuffix(BIAS_SUFFIX)
    return (observer != SIMPLEST) + (observer != name)


def _distinct(plans: Mapping[str, list[QdqPlan]]) -> dict[str, str]:
    """For each observer the first one, the simplest before all, that makes the same plans."""
    found: dict[str, str] = {}
    for name in sorted(plans, key=_choices):
        activations = [plan.activations for plan in plans[name]]
        same = (other for other in found if [plan.activations for plan in plans[other]] == activations)
        found[name] = next(same, name)
    return found


def _promising(ratios: Mapping[str, float], distinct: Mapping[str, str]) -> list[str]:
    """The observers whose ratio a correction may bring to the top, each that is the same as another but once."""
    best = max(ratios.values())
    return [name for name, ratio in ratios.items() if ratio >= best - HOPELESS_DB and distinct[name] == name]


def _merged(parts: list[dict[str, Statistics]]) -> dict[str, Statistics]:
    first, *rest = parts
    result = dict(first)
    for part in rest:
        result = {name: seen.merged(part[name]) for name, seen in result.items()}
    return result


def _spread(members: Sequence[int], count: int) -> list[int]:
    """At most ``count`` members, evenly over all."""
    return [members[int(index)] for index in np.unique(np.linspace(0, len(members) - 1, count).round())]
