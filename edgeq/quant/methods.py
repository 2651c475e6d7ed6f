"""The methods that `auto` chooses from: each is a list of steps from statistics to a plan.

A method takes one variant of every stage. A further variant is one line here; where it is no stage's first one, a
method that has it must be better by a margin to be chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

from edgeq.quant.steps import choose_ranges, correct_biases, round_to_nearest

if TYPE_CHECKING:
    from edgeq.quant.step import Step

BIAS: Final = "bias"

# By stage, by the word for it in a method's name: a step, or None where the stage is left out; the simplest first.
STAGES: Final[tuple[Mapping[str, Step | None], ...]] = (
    {name: choose_ranges.STEPS[name] for name in ("minmax", "mae", "mse", "percentile")},
    {"": round_to_nearest.STEP},
    {"": None, BIAS: correct_biases.STEP},
)


@dataclass(frozen=True)
class Method:
    """One list of steps.

    Attributes:
        words: the variant of each stage.
        steps: in order.
        extras: how many stages have another variant than their simplest.
    """

    words: tuple[str, ...]
    steps: tuple[Step, ...]
    extras: int

    @property
    def name(self) -> str:
        """``mse+bias``."""
        return "+".join(word for word in self.words if word)


def methods_of(stages: Sequence[Mapping[str, Step | None]]) -> tuple[Method, ...]:
    """Every combination of one variant of each stage."""
    found = []
    for variants in product(*(stage.items() for stage in stages)):
        words = tuple(word for word, _ in variants)
        extras = sum(word != next(iter(stage)) for word, stage in zip(words, stages, strict=True))
        found.append(Method(words, tuple(step for _, step in variants if step is not None), extras))
    return tuple(found)


METHODS: Final = methods_of(STAGES)
