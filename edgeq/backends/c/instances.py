"""Which steps share an instance of a kernel.

What the records of an instance's steps have in common is a compile-time constant of it and folds; steps pass the rest,
and pointers. Steps of the same shape (the record, and which constants they pass) can have an instance for themselves,
in which the whole record folds; all other steps of a kernel share one.

A field ``kind`` of a record chooses what a kernel computes. Steps of different kinds share no instance: it would hold
the code of all kinds.

An instance of its own makes a shape faster and costs bytes. The rule: shapes take their turn in falling order of their
multiply-accumulates, and each gets an instance while the kernels' code stays within the budget. Bytes are estimates
(``code_bytes.json``), so that the choice depends on the graph and the processor alone. Functions that kernels' headers
define beside them (``EQ_NOINLINE``) are in a program once, whatever calls them. Without a budget the shapes that
do more than an eighth of the model's multiply-accumulates get one, and kernels with one or two shapes have no other;
shapes of kernels whose loops stand in functions beside them share one, since constants hardly make those faster.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from edgeq.backends.c.bind import Step
from edgeq.backends.c.binding import Call, Shape
from edgeq.backends.c.chain import Chain
from edgeq.backends.c.declarations import kernel
from edgeq.backends.c.runtime import COMPACT, Isa, runtime_headers

_ESTIMATES: Final = Path(__file__).with_name("code_bytes.json")
BESIDE: Final = re.compile(r"^EQ_NOINLINE .*static void (\w+)\(", re.MULTILINE)
"""A function beside kernels, in the text of a header."""
_FOR: Final = re.compile(r"^EQ_NOINLINE EQ_FOR\((?P<field>\w+)\) .*static void (?P<name>\w+)\(", re.MULTILINE)
_FEW: Final = 2
_HOT_SHARE: Final = 1 / 8

Group = tuple[str, tuple[str, ...], int | None]
"""What steps must agree in to share an instance: the kernel, which constants they pass, and its kind if it has any."""
_KIND: Final = "kind"


@dataclass(frozen=True, eq=False)
class Use:
    """What one step, or one node of a chain, wants of one kernel.

    Attributes:
        step: number of the step.
        part: of a chain, which of its uses; None where the step is this call.
        calls: the distinct calls; they differ in the record alone.
        macs: multiply-accumulates.
    """

    step: int
    part: int | None
    calls: tuple[Call, ...]
    macs: int

    @property
    def label(self) -> str:
        """Tells it from all others, as a part of C symbols."""
        return str(self.step) if self.part is None else f"{self.step}_{self.part}"

    @property
    def shape(self) -> Shape:
        """Of all calls: the fields in which they differ have no number."""
        kernel, _, passed = self.calls[0].shape
        columns = zip(*(call.shape[1] for call in self.calls), strict=True)
        return kernel, tuple(values[0] if len(set(values)) == 1 else None for values in columns), passed


def uses_of(steps: Sequence[Step | Chain]) -> list[Use]:
    """What a program wants of kernels, in the order of its steps."""
    found: list[Use] = []
    for number, step in enumerate(steps):
        if isinstance(step, Step):
            found.append(Use(number, None, (step.call,), step.macs))
            continue
        part = 0
        for made in step.calls:
            kinds: dict[Group, list[Call]] = {}
            for each in made:
                kinds.setdefault(_group(each.call.shape), []).append(each.call)
            for calls in kinds.values():
                found.append(Use(number, part, tuple(calls), max(each.macs for each in made)))
                part += 1
    return found


@dataclass(frozen=True)
class Instance:
    """One instance of a kernel in the program.

    Attributes:
        call: of its first use; what all its uses have in common holds for it.
        uses: by their labels.
        steps: the numbers of their steps.
        varying: the fields of the record in which its uses differ, in order.
        name: prefix of every C symbol.
        label: tells instances of one kernel apart; None where one is enough.
        is_shared: it is a function; a step that calls the kernel by itself is its own instance.
    """

    call: Call
    uses: tuple[str, ...]
    steps: tuple[int, ...]
    varying: tuple[str, ...]
    name: str
    label: str | None
    is_shared: bool

    @property
    def function(self) -> str | None:
        """The C function that its uses call; None where a lone step is the instance itself."""
        return self._symbol if self.is_shared else None

    @property
    def struct(self) -> str | None:
        """The C type of what its steps pass beside their tensors; None where that is nothing."""
        return f"{self._symbol}_t" if self.call.passed or self.varying else None

    @property
    def _symbol(self) -> str:
        kernel = self.call.kernel.removeprefix("eq_")
        return f"{self.name}_{kernel}" if self.label is None else f"{self.name}_{kernel}_{self.label}"


def instances_of(steps: Sequence[Step | Chain], special: set[Shape], name: str) -> list[Instance]:
    """The instances of a program, in the order of their first steps.

    Args:
        steps: the bound nodes in schedule order.
        special: the shapes that get an instance for themselves.
        name: prefix of every C symbol.
    """
    groups: dict[Shape | Group, list[Use]] = {}
    for use in uses_of(steps):
        shape = use.shape
        groups.setdefault(shape if shape in special else _group(shape), []).append(use)
    kernels = Counter(uses[0].calls[0].kernel for uses in groups.values())
    return [
        Instance(
            uses[0].calls[0],
            tuple(use.label for use in uses),
            tuple(use.step for use in uses),
            _varying([call for use in uses for call in use.calls]),
            name,
            uses[0].label if kernels[uses[0].calls[0].kernel] > 1 else None,
            len(uses) > 1 or uses[0].part is not None,
        )
        for uses in groups.values()
    ]


def _varying(calls: Sequence[Call]) -> tuple[str, ...]:
    return tuple(field for field in calls[0].declaration.fields if len({call.record[field] for call in calls}) > 1)


def special_shapes(steps: Sequence[Step | Chain], isa: Isa, budget: int | None, *, compact: bool = False) -> set[Shape]:
    """The shapes that get an instance for themselves; the rule stands at the top of this module.

    Args:
        steps: the bound nodes in schedule order.
        isa: the processor's instruction sets.
        budget: bytes that the kernels' code may take; where even the fewest are more, these are taken.
        compact: code bytes count, see :data:`COMPACT`.
    """
    return _hot(steps, isa) if budget is None else _within(steps, _key(isa, compact=compact), budget)


def estimated_bytes(steps: Sequence[Step | Chain], special: set[Shape], isa: Isa, *, compact: bool = False) -> int:
    """About the bytes of the kernels' code where these shapes have instances for themselves."""
    return _estimate(_groups(_macs(steps)), special, _key(isa, compact=compact))


def kernel_bytes(name: str, isa: Isa, *, compact: bool = False) -> tuple[int, int]:
    """About the bytes of an instance for one shape and of a shared one; of a function beside: see ``_estimates``."""
    return _measured(name, _key(isa, compact=compact))


def _key(isa: Isa, *, compact: bool) -> Isa:
    """What estimates are looked up by: there is no folder of that name, so that headers are those of the others."""
    return (f"{isa[0]}{COMPACT}", *isa) if compact else isa


def _hot(steps: Sequence[Step | Chain], isa: Isa) -> set[Shape]:
    shapes = {use.shape: use.calls[0].kernel for use in uses_of(steps)}
    uses, macs = Counter(shapes.values()), _macs(steps)
    return {
        shape
        for shape, kernel in shapes.items()
        if uses[kernel] == 1
        or (not functions_beside(kernel, isa) and (uses[kernel] <= _FEW or macs[shape] > macs.total() * _HOT_SHARE))
    }


def _within(steps: Sequence[Step | Chain], isa: Isa, budget: int) -> set[Shape]:
    macs = _macs(steps)
    groups = _groups(macs)
    special = set[Shape]()
    for group, shapes in groups.items():  # two small instances can take less than one that is shared
        if _bytes_of(group, len(shapes), len(shapes), isa) <= _bytes_of(group, len(shapes), 0, isa):
            special |= shapes
    for shape in sorted(macs, key=macs.__getitem__, reverse=True):  # stable: ties in schedule order
        if _estimate(groups, special | {shape}, isa) <= budget:
            special.add(shape)
    return special


def _macs(steps: Sequence[Step | Chain]) -> Counter[Shape]:
    """Multiply-accumulates by shape, in schedule order."""
    macs = Counter[Shape]()
    for use in uses_of(steps):
        macs[use.shape] += use.macs
    return macs


def _groups(shapes: Iterable[Shape]) -> dict[Group, set[Shape]]:
    """The shapes that would share one instance."""
    groups: dict[Group, set[Shape]] = {}
    for shape in shapes:
        groups.setdefault(_group(shape), set()).add(shape)
    return groups


def _group(shape: Shape) -> Group:
    name, values, passed = shape
    fields = kernel(name).fields
    return name, passed, values[fields.index(_KIND)] if _KIND in fields else None


def _estimate(groups: Mapping[Group, set[Shape]], special: set[Shape], isa: Isa) -> int:
    once = Counter[str]()
    total = 0
    for group, shapes in groups.items():
        apart = len(shapes & special)
        total += _bytes_of(group, len(shapes), apart, isa)
        for name in functions_beside(group[0], isa):
            own, shared = _measured(name, isa)
            if _needs(name, group[0], shapes, isa):
                once[name] = max(once[name], shared if len(shapes) - apart > 1 else own)
    return total + once.total()


@cache
def functions_beside(name: str, isa: Isa) -> tuple[str, ...]:
    """The functions that a kernel's headers define beside it, whose bytes count once for all its instances, sorted."""
    texts = (text.decode("utf-8") for text in runtime_headers((name,), isa).values())
    return tuple(sorted({found for text in texts for found in BESIDE.findall(text)}))


def _needs(name: str, kernel_name: str, shapes: Iterable[Shape], isa: Isa) -> bool:
    """Whether a function beside a kernel is one that these shapes need, as far as its header says."""
    field = _fields_beside(kernel_name, isa).get(name)
    if field is None:
        return True
    at = kernel(kernel_name).fields.index(field)
    return any(values[at] != 0 for _, values, _ in shapes)


@cache
def _fields_beside(name: str, isa: Isa) -> Mapping[str, str]:
    """By function beside a kernel, the field of the record without which it is not needed."""
    texts = (text.decode("utf-8") for text in runtime_headers((name,), isa).values())
    return {found["name"]: found["field"] for text in texts for found in _FOR.finditer(text)}


def _bytes_of(group: Group, shapes: int, apart: int, isa: Isa) -> int:
    """About the bytes of a kernel's instances: `apart` of its shapes have their own, the others share one."""
    own, shared = _measured(group[0], isa)
    rest = shapes - apart
    return own * apart + (shared if rest > 1 else own * rest)


def _measured(name: str, isa: Isa) -> tuple[int, int]:
    """The estimates of a kernel or of a function beside; of a set that it was not measured for, the largest."""
    known = _estimates()[name]
    for each in (isa[0], isa[0].removesuffix(COMPACT)):
        if each in known:
            return known[each]
    return max(own for own, _ in known.values()), max(shared for _, shared in known.values())


@cache
def _estimates() -> dict[str, dict[str, tuple[int, int]]]:
    """Bytes of an instance for one shape and of a shared one, by kernel and instruction set.

    Of a function beside kernels: its bytes where only the one kind of instance calls it, or the other, too.
    """
    found: dict[str, dict[str, tuple[int, int]]] = json.loads(_ESTIMATES.read_text(encoding="utf-8"))
    return found
