"""Which steps share an instance of a kernel, and which instances have their record as compile-time constants.

Steps with the same shape (the record, and which constants they pass) can share an instance in which the record folds;
only pointers are passed to it. All other steps of a kernel share one that reads the record.
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
        special: the record is a compile-time constant of the instance.
        name: prefix of every C symbol.
        number: tells instances of one kernel apart; None where one is enough.
    """

    call: Call
    steps: tuple[int, ...]
    special: bool
    name: str
    number: int | None

    @property
    def record(self) -> str:
        """The C constant that holds the record of a special instance."""
        return f"record_{self.steps[0]}"

    @property
    def function(self) -> str | None:
        """The C function that its steps call; None where a lone step is the instance itself."""
        return None if len(self.steps) == 1 else self._symbol

    @property
    def struct(self) -> str | None:
        """The C struct of what its steps pass beside their tensors; None where that is a record or nothing."""
        return f"{self._symbol}_t" if self.call.passed else None

    @property
    def argument(self) -> str | None:
        """The C type of what its steps pass beside their tensors; None where that is nothing."""
        return self.struct or (None if self.special else self.call.declaration.record)

    @property
    def _symbol(self) -> str:
        kernel = self.call.kernel.removeprefix("eq_")
        return f"{self.name}_{kernel}" if self.number is None else f"{self.name}_{kernel}_{self.number}"


def instances_of(steps: Sequence[Step], specialize: Specialize, name: str) -> list[Instance]:
    """The instances of a program, in the order of their first steps.

    Args:
        steps: the bound nodes in schedule order.
        specialize: which shapes get an instance of their own.
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
            len(numbers) == 1 or key in special,
            name,
            numbers[0] if kernels[steps[numbers[0]].kernel] > 1 else None,
        )
        for key, numbers in groups.items()
    ]


def _specialised(steps: Sequence[Step], specialize: Specialize) -> set[tuple[object, ...]]:
    """The shapes that get an instance of their own."""
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
