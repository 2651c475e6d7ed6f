"""Which method: decided on samples that its plan was not made with.

The samples form two folds. Every method makes a plan from each, and is measured on the other one, so that what is
compared are results on samples that calibration has not seen. The simplest method stays unless another one is better by
a margin: smaller differences change sign with the samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.quant.methods import BIAS, METHODS, Method
from edgeq.quant.objective import Objective
from edgeq.quant.properties import CALIBRATED, CHOSEN, PLANNED
from edgeq.quant.state import AUTO, Choice
from edgeq.quant.step import Step, run_steps
from edgeq.quant.steps.correct_biases import correctable

if TYPE_CHECKING:
    from edgeq.onnxio.qdq_form import QdqPlan
    from edgeq.quant.state import State
    from edgeq.quant.statistics import Wanted

MARGIN_DB: Final = 0.3
# A method that is worse by more than this is not made better than the others by a further step.
HOPELESS_DB: Final = 2.0


def search_methods(state: State) -> None:
    """Compare the methods and make the plan of the chosen one from all samples."""
    candidates = _candidates(state)
    search = _Search(state)
    ratios: dict[Method, float] = {}
    # A method that is another one with a further step is tried only where that step may bring it to the top.
    for length in sorted({len(method.steps) for method in candidates}):
        best = max(ratios.values(), default=-np.inf)
        begun = {method.steps for method, ratio in ratios.items() if ratio < best - HOPELESS_DB}
        begun |= {method.steps for method in search.duplicates}
        for method in candidates:
            if len(method.steps) == length and method.steps[:-1] not in begun:
                ratios[method] = search.ratio_db(method)
                state.progress("search", len(ratios) / (len(candidates) + 1))
    # With bias correction on, methods that correct compete with each other only.
    corrected = {method: ratio for method, ratio in ratios.items() if BIAS in method.words}
    allowed = corrected if corrected and state.options.bias_correction == "on" else ratios
    chosen = _simplest(allowed, MARGIN_DB if state.execution.folds > 1 else np.inf)
    final = search.run(chosen, None)
    state.ranges, state.plan = final.ranges, final.plan
    state.choice = Choice(
        chosen.words[0], BIAS in chosen.words, chosen.name, {method.name: ratio for method, ratio in ratios.items()}
    )
    state.progress("search", 1.0)


class _Search:
    """Runs methods on the folds; what methods have in common is run once.

    Attributes:
        duplicates: methods whose plans another one has made before.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.objective = Objective(state.execution)
        self.duplicates: list[Method] = []
        self._states: dict[tuple[tuple[Step, ...], int | None], State] = {}
        self._measured: list[tuple[list[QdqPlan], float]] = []

    def ratio_db(self, method: Method) -> float:
        """Signal-to-noise ratio of a method's outputs on the fold that each of its plans was made without."""
        plans = [self.run(method, fold).plan for fold in range(self.state.execution.folds)]
        for others, ratio in self._measured:
            if all(map(same_integers, plans, others)):
                self.duplicates.append(method)
                return ratio
        ratio = self.objective.ratio_db(plans)
        self._measured.append((plans, ratio))
        return ratio

    def run(self, method: Method, held_out: int | None) -> State:
        """The state behind a method's steps, on the statistics of all folds but one."""
        found = self.state
        for count, step in enumerate(method.steps, 1):
            key = method.steps[:count], held_out
            if key not in self._states:
                forked = found.fork(held_out)
                run_steps(forked, (step,))
                self._states[key] = forked
            found = self._states[key]
        return found


def same_integers(one: QdqPlan, other: QdqPlan) -> bool:
    """Whether two plans of a model are the same."""
    return one.activations == other.activations and all(
        constant is other.constants[key]
        or (
            constant.quantization == other.constants[key].quantization
            and np.array_equal(constant.values, other.constants[key].values)
        )
        for key, constant in one.constants.items()
    )


def _candidates(state: State) -> list[Method]:
    """The methods that the options allow."""
    options = state.options
    corrects = options.bias_correction == "on" or (
        options.bias_correction == AUTO and state.execution.folds > 1  # one fold cannot tell whether it helps
    )
    return [
        method
        for method in METHODS
        if options.observer in {AUTO, method.words[0]}
        and (BIAS not in method.words or (corrects and correctable(state)))
    ]


def _simplest(ratios: Mapping[Method, float], margin: float) -> Method:
    """The method of the fewest extras that comes within the margin of the best; of equals, the better one."""
    best = max(ratios.values())
    for extras in sorted({method.extras for method in ratios}):
        close = {method: ratio for method, ratio in ratios.items() if method.extras == extras}
        if best - max(close.values()) <= margin:
            return max(close, key=close.__getitem__)
    raise AssertionError("the best method is within the margin of itself")


def _wants(state: State) -> Iterable[Wanted]:
    """What any of the methods reads."""
    return [wanted for method in _candidates(state) for step in method.steps for wanted in step.wants(state)]


STEP: Final = Step("search_methods", search_methods, requires=(CALIBRATED,), ensures=(PLANNED, CHOSEN), wants=_wants)
