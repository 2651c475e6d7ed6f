"""Faster kernels that want memory, in place of those that are bound first.

Kernels of ``bindings.FASTER`` give the bits of those they stand in for and take scratch, flash or both. Layers take
their turn in falling order of their multiply-accumulates; each gets the first kernel with which the whole program stays
within two bounds. For ``balanced`` the weights may grow by :data:`WEIGHTS_GROW`, and the arena by :data:`ARENA_GROWS`,
but not beyond what the direct kernels need when no result trails an operand. For ``speed`` only the board's memory is a
bound. Either way :data:`BESIDE_BYTES` of it are left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from edgeq.backends.base import Aim
from edgeq.backends.c.bind import Step, bind_kernels, bound, live_bytes, plan_steps
from edgeq.backends.c.bindings import FASTER
from edgeq.backends.c.runtime import Isa
from edgeq.backends.planning import Plan
from edgeq.errors import EdgeqError
from edgeq.ir import Graph

ARENA_GROWS: Final = Fraction(1, 4)
WEIGHTS_GROW: Final = Fraction(3, 10)
BESIDE_BYTES: Final = 8 << 10
"""Of a board's RAM what is left for stack, console and application, and of its flash for their code; twice as much."""


@dataclass(frozen=True)
class Memory:
    """What a board has for everything, in bytes; None: as much as is needed."""

    ram_bytes: int | None = None
    flash_bytes: int | None = None


UNBOUNDED: Final = Memory()


@dataclass(frozen=True)
class _Bounds:
    """The largest arena, and the most bytes of constants; None: any."""

    arena_bytes: int | None
    weight_bytes: int | None

    def allow(self, plan: Plan, steps: Sequence[Step]) -> bool:
        return (self.arena_bytes is None or plan.arena_bytes <= self.arena_bytes) and self.allow_weights(steps)

    def allow_weights(self, steps: Sequence[Step]) -> bool:
        return self.weight_bytes is None or _weight_bytes(steps) <= self.weight_bytes


def choose_kernels(
    graph: Graph, isa: Isa, aim: Aim = "balanced", memory: Memory = UNBOUNDED
) -> tuple[list[Step], Plan]:
    """A kernel for every node that is a step, and the memory plan.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        aim: what counts where a faster kernel takes memory.
        memory: of the board.

    Raises:
        EdgeqError: as of :func:`bind_kernels`.
    """
    steps = bind_kernels(graph, isa)
    plan = plan_steps(graph, steps)
    places = [place for place, step in enumerate(steps) if any(faster_steps(step, graph, isa))]
    if not places:
        return steps, plan
    bounds = _bounds(graph, steps, plan, aim, memory)
    for place in sorted(places, key=lambda number: -steps[number].macs):
        for step in faster_steps(steps[place], graph, isa):
            tried = [*steps[:place], step, *steps[place + 1 :]]
            if not bounds.allow_weights(tried):
                continue
            found = _plan(graph, tried)
            if found is not None and bounds.allow(found, tried):
                steps, plan = tried, found
                break
    return steps, plan


def _bounds(graph: Graph, steps: Sequence[Step], plan: Plan, aim: Aim, memory: Memory) -> _Bounds:
    """What the rule allows, and never less than the direct kernels take."""
    weights = _weight_bytes(steps)
    arenas = [] if memory.ram_bytes is None else [memory.ram_bytes - BESIDE_BYTES]
    constants = [] if memory.flash_bytes is None else [memory.flash_bytes - 2 * BESIDE_BYTES]
    if aim == "balanced":
        arenas += [int(plan.arena_bytes * (1 + ARENA_GROWS)), live_bytes(graph, steps)]
        constants.append(int(weights * (1 + WEIGHTS_GROW)))
    return _Bounds(
        max(plan.arena_bytes, min(arenas)) if arenas else None,
        max(weights, min(constants)) if constants else None,
    )


def _weight_bytes(steps: Sequence[Step]) -> int:
    """Of the constants; None stands for one that the kernel does without."""
    arrays = (array for step in steps for array in step.call.constants.values())
    return sum(array.nbytes for array in arrays if array is not None)


def _plan(graph: Graph, steps: Sequence[Step]) -> Plan | None:
    """The plan; None where what these kernels want does not fit."""
    try:
        return plan_steps(graph, steps)
    except EdgeqError:
        return None


def faster_steps(step: Step, graph: Graph, isa: Isa) -> Iterator[Step]:
    """The step with each of the faster kernels that serve its node, the fastest first."""
    for binding in FASTER:
        if binding.op == step.node.op and binding.refusal(step.node, graph, isa) is None:
            yield bound(binding.bind(step.node, graph, isa), step.node, graph, isa, step.refused)
