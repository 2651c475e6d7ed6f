"""Print a chain as C: its bands one after the other, those that differ in their places alone as a loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from edgeq.backends.c.bind import Step
from edgeq.backends.c.chain import Chain
from edgeq.backends.c.declarations import SCRATCH
from edgeq.backends.c.instances import Instance, uses_of
from edgeq.backends.c.text import braces, fields_of, scratch_check
from edgeq.backends.c_source import place, step_parameters, with_pointers
from edgeq.backends.constants import Constants
from edgeq.backends.names import comment
from edgeq.backends.planning import Plan
from edgeq.ir import Graph
from edgeq.memory.rows import Event, RowCall

MOVES: Final = "eq_move_rows"
"""The header that moves rows of strips."""
TRACE: Final = "console_write"
"""What the rows go to in edgeq's own traced images: the console of ``boards/common``."""
_LEAST: Final = 2
"""Bands that are worth a loop."""


def chain_lines(
    graph: Graph,
    number: int,
    chain: Chain,
    plan: Plan,
    name: str,
    instances: Mapping[str, Instance],
    constants: Constants,
    *,
    traced: bool = False,
) -> list[str]:
    """The lines of a step that runs several nodes in bands.

    Args:
        graph: the integer graph.
        number: of the step.
        chain: what it runs.
        plan: offsets of what it is given, of its result and of its own memory.
        name: prefix of every C symbol.
        instances: of kernels, by label of their use.
        constants: receives the arrays of the calls.
        traced: behind each call, the rows that it wrote go to :data:`TRACE`.
    """
    printer = _Printer(graph, number, chain, plan, instances, traced=traced)
    return [
        *printer.comment(),
        *printer.records(constants),
        f"EQ_NOINLINE void {name}_step_{number}({step_parameters(plan)}) {{",
        *with_pointers([*printer.body()], plan),
        "}",
        "",
    ]


class _Printer:
    def __init__(
        self,
        graph: Graph,
        number: int,
        chain: Chain,
        plan: Plan,
        instances: Mapping[str, Instance],
        *,
        traced: bool,
    ) -> None:
        self.traced = traced
        self.graph = graph
        self.number = number
        self.chain = chain
        self.plan = plan
        self.own = plan.scratch.get(chain.node.name, 0)
        self.instances: dict[int, Instance] = {}  # by identity of the call
        self.records_of: dict[int, str] = {}
        by_call = {call: use.label for use in uses_of([chain]) for call in use.calls}
        for node, made in enumerate(chain.calls):
            for variant, step in enumerate(made):
                part = by_call[step.call].removeprefix("0_")
                self.instances[id(step)] = instances[f"{number}_{part}"]
                self.records_of[id(step)] = f"step_{number}_{node}_{variant}"

    def comment(self) -> list[str]:
        """The comment over the function."""
        chain, tensors = self.chain, self.graph.tensors
        again = f" ({chain.macs_done} with those that are repeated)" if chain.macs_done > chain.macs else ""
        names = [comment(", ".join(node.source) or node.name) for node in chain.nodes]
        rows = f"{chain.height} row{'s' if chain.height > 1 else ''}"
        return [
            f"/* step {self.number}: {len(names)} nodes in bands of {rows}, {chain.macs} MACs{again}",
            *(f"   {node.op} for {name}" for node, name in zip(chain.nodes, names, strict=True)),
            *(f"   reads {place(tensors[tensor], self.plan)}" for tensor in chain.reads),
            f"   gives {place(tensors[chain.node.outputs[0]], self.plan)}",
            f"   strips and scratch {chain.scratch_bytes} bytes at {self.plan.shown(self.own)}",
            "*/",
        ]

    def records(self, constants: Constants) -> Iterator[str]:
        """What the calls pass beside their tensors, and assertions of their scratch."""
        for node, made in enumerate(self.chain.calls):
            for variant, step in enumerate(made):
                call, instance = step.call, self.instances[id(step)]
                symbols = {
                    parameter.name: constants.add(f"{self.number}_{node}_{variant}", parameter.name, array)
                    for parameter, _ in call.arguments
                    if (array := call.constants.get(parameter.name)) is not None
                }
                if instance.struct is not None:
                    passed = [parameter.name for parameter in call.passed]
                    fields = [*fields_of(call.record, instance.varying), *fields_of(symbols, passed)]
                    yield f"static const {instance.struct} {self.records_of[id(step)]} = {braces(fields)};"
                yield from scratch_check(f"step {self.number}, node {node}", step)

    def body(self) -> Iterator[str]:
        """The calls; bands that follow each other at even distances are a loop."""
        bands = self._bands()
        at = 0
        while at < len(bands):
            count = _even(bands[at:])
            if count < _LEAST or not bands[at]:
                yield from (f"  {line}" for item in bands[at] for line in self._statements(item, None))
                at += 1
                continue
            yield f"  for (int32_t band = 0; band < {count}; ++band) {{"
            for item, following in zip(bands[at], bands[at + 1], strict=True):
                yield from (f"    {line}" for line in self._statements(item, following))
            yield "  }"
            at += count

    def _bands(self) -> list[list[_Item]]:
        chosen = iter(self.chain.chosen)
        found = []
        for band in self.chain.program.bands:
            items = []
            for event in band:
                step = None
                if isinstance(event, RowCall):
                    node, variant = next(chosen)
                    step = self.chain.calls[node][variant]
                items.append(_Item(step, event, self._addresses(event)))
            found.append(items)
        return found

    def _addresses(self, event: Event) -> tuple[int, ...]:
        """Offsets in the arena: the result, then what is read."""
        if not isinstance(event, RowCall):
            return self.own + event.to, self.own + event.at
        return tuple(
            access.at + (self.own if access.inside else self.plan.offsets[access.tensor])
            for access in (event.write, *event.reads)
        )

    def _address(self, at: int, stride: int | None) -> str:
        """A place, which another band has so many bytes further on."""
        if not stride:
            return self.plan.address(at)
        pointer, offset = self.plan.at(at)
        return f"{pointer} + ({offset} + {stride} * band)"

    def _statements(self, item: _Item, following: _Item | None) -> Iterator[str]:
        places = [
            self._address(at, None if following is None else then - at)
            for at, then in zip(item.addresses, (following or item).addresses, strict=True)
        ]
        if item.step is None:
            assert not isinstance(item.event, RowCall)
            yield f"eq_move_rows({places[0]}, {places[1]}, {item.event.end - item.event.first});"
            return
        assert isinstance(item.event, RowCall)
        step, instance = item.step, self.instances[id(item.step)]
        by_name = dict(zip((item.event.write.tensor, *step.call.inputs), places, strict=True))
        arguments = []
        for parameter, tensor in step.call.arguments:
            if parameter.name == SCRATCH:
                assert item.event.scratch is not None
                arguments.append(self.plan.address(self.own + item.event.scratch))
            elif tensor is not None:
                kind = f"{'const ' if parameter.const else ''}{self.graph.tensors[tensor].dtype.c_name}"
                arguments.append(f"({kind} *)({by_name[tensor]})")
        if instance.struct is not None:
            arguments.append(f"&{self.records_of[id(step)]}")
        yield f"{instance.function}({', '.join(arguments)});"
        if self.traced:
            yield f"{TRACE}({places[0]}, {item.event.write.end - item.event.write.first});"


class _Item:
    """One call or move, with its places in the arena."""

    def __init__(self, step: Step | None, event: Event, addresses: tuple[int, ...]) -> None:
        self.step = step
        self.event = event
        self.addresses = addresses

    def like(self, other: _Item) -> bool:
        """Whether it differs from another one in its places alone."""
        return self.step is other.step and self._size() == other._size()

    def _size(self) -> tuple[object, ...]:
        return () if isinstance(self.event, RowCall) else (self.event.tensor, self.event.end - self.event.first)

    def shift(self, other: _Item) -> tuple[int, ...]:
        """How far the places of another one lie from these."""
        return tuple(b - a for a, b in zip(self.addresses, other.addresses, strict=True))


def _even(bands: Sequence[Sequence[_Item]]) -> int:
    """How many bands, from the first on, differ in places alone, at even distances."""
    count = 1
    shifts = None
    for one, other in pairwise(bands):
        if len(one) != len(other) or not all(a.like(b) for a, b in zip(one, other, strict=True)):
            break
        found = [a.shift(b) for a, b in zip(one, other, strict=True)]
        if shifts is not None and found != shifts:
            break
        shifts = found
        count += 1
    return count
