"""Instances where code bytes count: what a step passes is one struct of numbers as narrow as all its steps allow.

Beside the fields in which its steps differ it has the offsets of their tensors and scratch in the arena, so that a
step's function only loads the struct's address. What all steps have in common stays a constant of the instance.
Unsigned types come first: Thumb loads them with short instructions, those near the beginning of a struct above all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from edgeq.backends.c.bind import Step
from edgeq.backends.c.binding import Call
from edgeq.backends.c.declarations import SCRATCH
from edgeq.backends.c.instances import Instance
from edgeq.backends.c.text import braces, fields_of
from edgeq.backends.planning import Plan
from edgeq.ir import Graph

_TYPES: Final = (
    ("uint8_t", 0, (1 << 8) - 1),
    ("int8_t", -(1 << 7), (1 << 7) - 1),
    ("uint16_t", 0, (1 << 16) - 1),
    ("int16_t", -(1 << 15), (1 << 15) - 1),
    ("int32_t", -(1 << 31), (1 << 31) - 1),
)
"""From the narrowest; the order of the members, too."""


class CompactInstance:
    """A shared instance that takes the arena and a struct.

    Args:
        graph: the integer graph.
        instance: of several steps.
        steps: all steps of the program; none is a chain.
        plan: offsets of every activation and scratch.
    """

    def __init__(self, graph: Graph, instance: Instance, steps: Sequence[Step], plan: Plan) -> None:
        self.graph = graph
        self.instance = instance
        rows = [_numbers(steps[number], plan) for number in instance.steps]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        self.common = {name: values[0] for name, values in columns.items() if len(set(values)) == 1}
        types = {name: _type_of(values) for name, values in columns.items() if name not in self.common}
        order = [name for name, _, _ in _TYPES]
        self.types = dict(sorted(types.items(), key=lambda item: order.index(item[1])))

    @property
    def struct(self) -> str | None:
        """The C type of what its steps pass; None where that is nothing."""
        return f"{self.instance.function}_t" if self.types or self.instance.call.passed else None

    def lines(self) -> list[str]:
        """The struct and the function."""
        call, lines = self.instance.call, list[str]()
        parameters = ["uint8_t *arena"]
        if self.struct is not None:
            members = [*(f"{kind} {name}" for name, kind in self.types.items()), *map(str, call.passed)]
            lines = ["typedef struct {", *(f"  {member};" for member in members), f"}} {self.struct};", ""]
            parameters.append(f"const {self.struct} *p")
        values = {field: self._number(field) for field in call.record}
        return [
            *lines,
            f"static EQ_NOINLINE void {self.instance.function}({', '.join(parameters)}) {{",
            f"  const {call.declaration.record} record = {braces(fields_of(values, call.declaration.fields), '  ')};",
            f"  {call.kernel}({', '.join([*self._arguments(call), '&record'])});",
            "}",
            "",
        ]

    def data(self, step: Step, plan: Plan, symbols: Mapping[str, str]) -> list[str]:
        """The members of a step's struct, in order."""
        values: dict[str, int | str] = {**_numbers(step, plan), **symbols}
        return fields_of(values, [*self.types, *(item.name for item in step.call.passed)])

    def _arguments(self, call: Call) -> list[str]:
        passed = {parameter.name for parameter in call.passed}
        found = []
        for parameter, tensor in call.arguments:
            place = f"arena + {self._number(_offset(parameter.name))}"
            if parameter.name == SCRATCH:
                found.append(place)
            elif tensor is not None:
                kind = f"{'const ' if parameter.const else ''}{self.graph.tensors[tensor].dtype.c_name}"
                found.append(f"({kind} *)({place})")
            else:
                found.append(f"p->{parameter.name}" if parameter.name in passed else "NULL")
        return found

    def _number(self, name: str) -> str:
        return str(self.common[name]) if name in self.common else f"p->{name}"


def _offset(parameter: str) -> str:
    return f"{parameter}_at"


def _numbers(step: Step, plan: Plan) -> dict[str, int]:
    """Everything of a step that is no pointer to constants: offsets, then the record."""
    offsets = {
        _offset(parameter.name): plan.scratch[step.node.name] if tensor is None else plan.offsets[tensor]
        for parameter, tensor in step.call.arguments
        if tensor is not None or parameter.name == SCRATCH
    }
    return {**offsets, **step.call.record}


def _type_of(values: Sequence[int]) -> str:
    return next(name for name, least, most in _TYPES if least <= min(values) and max(values) <= most)
