"""A quantizer is a list of steps over one state; each says what it needs and what it leaves behind, as a pass does.

:func:`run_steps` checks both: a list in a wrong order, or a step that does not do what it promises, stops with the name
of the step and of the property. A further method (of rounding, equalizing, correcting) is one file with a
:class:`Step`, and one line in the list that is to have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeq import budget

if TYPE_CHECKING:
    from edgeq.quant.properties import Property
    from edgeq.quant.state import State
    from edgeq.quant.statistics import Wanted


def wants_nothing(state: State) -> Iterable[Wanted]:
    """The statistics of a step that reads none."""
    del state
    return ()


@dataclass(frozen=True, eq=False)
class Step:
    """One step of quantization.

    Attributes:
        name: ``verb_noun``, as in the name of its file.
        run: takes the state one step further, in place.
        requires: properties that the state has before.
        ensures: properties that it has behind the step.
        wants: the statistics that the step reads; the one calibration pass collects those of all steps. It is asked
            when the specification is there.
    """

    name: str
    run: Callable[[State], None]
    requires: tuple[Property, ...] = ()
    ensures: tuple[Property, ...] = ()
    wants: Callable[[State], Iterable[Wanted]] = wants_nothing


def run_steps(state: State, steps: Sequence[Step]) -> None:
    """Run steps in order. A step whose results came with a saved state (:attr:`State.restored`) is not run again.

    Raises:
        RuntimeError: a property that a step requires or ensures does not hold, a defect of edgeq.
        EdgeqError: whatever stops a step; EQ0244 and EQ0245 where the command's budget is used up.
    """
    for step in steps:
        budget.tick(step.name)
        _check(state, step.requires, f"before {step.name}")
        if not step.ensures or not state.restored.issuperset(step.ensures):
            step.run(state)
        _check(state, step.ensures, f"after {step.name}")


def _check(state: State, properties: Iterable[Property], when: str) -> None:
    for found in properties:
        fault = found.fault(state)
        if fault is not None:
            raise RuntimeError(f"quantization, {when}: not {found.name}: {fault}")
