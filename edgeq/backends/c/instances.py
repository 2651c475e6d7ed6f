"""Which steps share an instance of a kernel.

What the records of an instance's steps have in common is a compile-time constant of it and folds; steps pass the rest,
and pointers. Steps of the same shape (the record, and which constants they pass) can have an instance for themselves,
in which the whole record folds; all other steps of a kernel share one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgeq.backends.c.bind import Step
from edgeq.backends.c.binding import Call

Specialize = Literal["none", "hot", "all"]
SPECIALIZE: tuple[Specialize, ...] = ("none", "hot", "all")
# A specialised instance costs about half a shared one (236 against 544 bytes on M4), so up to two pay for themselves.
_FEW = 2
_HOT_SHARE = 1 / 8


@dataclass(frozen=True)
class Instance:
    """One instance of a kernel in the program.

    Attributes:
        call: of its first step; what all its steps have in common holds for it.
        steps: their numbers.
        varying: the fields of the record in which its steps differ, in order.
        name: prefix of every C symbol.
        number: tells instances of one kernel apart; None where one is enough.
    """

    call: Call
    steps: tuple[int, ...]
    varying: tuple[str, ...]
    name: str
    number: int | None

    @property
    def function(self) -> str | None:
        """The C function that its steps call; None where a lone step is the instance itself."""
        return None if len(self.steps) == 1 else self._symbol

    @property
    def struct(self) -> str | None:
        """The C type of what its steps pass beside their tensors; None where that is nothing."""
        return f"{self._symbol}_t" if self.call.passed or self.varying else None

    @property
    def _symbol(self) -> str:
        kernel = self.call.kernel.removeprefix("eq_")
        return f"{self.name}_{kernel}" if self.number is None else f"{self.name}_{kernel}_{self.number}"


def instances_of(steps: Sequence[Step], specialize: Specialize, name: str) -> list[Instance]:
    """The instances of a program, in the order of their first steps.

    Args:
        steps: the bound nodes in schedule order.
        specialize: which shapes get an instance for themselves.
        name: prefix of every C symbol.
    """
    special = _specialised(steps, specialize)
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, step in enumerate(steps):
        call = step.call
        passed = tuple(parameter.name for parameter in call.passed)
        groups.setdefault(call.shape if call.shape in special else (call.kernel, passed), []).append(number)
    kernels = Counter(steps[numbers[0]].kernel for numbers in groups.values())
    return [
        Instance(
            steps[numbers[0]].call,
            tuple(numbers),
            _varying([steps[number].call for number in numbers]),
            name,
            numbers[0] if kernels[steps[numbers[0]].kernel] > 1 else None,
        )
        for numbers in groups.values()
    ]


def _varying(calls: Sequence[Call]) -> tuple[str, ...]:
    return tuple(field for field in calls[0].declaration.fields if len({call.record[field] for call in calls}) > 1)


def _specialised(steps: Sequence[Step], specialize: Specialize) -> set[tuple[object, ...]]:
    """The shapes that get an instance for themselves."""
    shapes = {step.call.shape: step.kernel for step in steps}
    if specialize == "all":
        return set(shapes)
    uses = Counter(shapes.values())
    macs = Counter[tuple[object, ...]]()
    for step in steps:
        macs[step.call.shape] += step.macs
    total = sum(macs.values())
    return {
        shape
        for shape, kernel in shapes.items()
        if uses[kernel] == 1 or (specialize == "hot" and (uses[kernel] <= _FEW or macs[shape] > total * _HOT_SHARE))
    }
