"""Faster kernels that want scratch, in place of those that are bound first, where memory allows them.

Kernels of ``bindings.FASTER`` give the bits of those they stand in for. Layers take their turn in falling order of
their multiply-accumulates, and each gets the first that is allowed. The rule ``speed`` allows all of them. ``balanced``
allows what keeps the arena within the larger of two bounds: what it takes without any of them, and what those kernels
would need to have all their operands and results apart, if that leaves the board :data:`BESIDE_BYTES` of its memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from edgeq.backends.base import Aim
from edgeq.backends.c.bind import NOTHING_FORCED, Step, bind_kernels, bound, live_bytes, plan_steps
from edgeq.backends.c.binding import Binding
from edgeq.backends.c.bindings import FASTER
from edgeq.backends.c.runtime import Isa
from edgeq.backends.planning import Plan
from edgeq.errors import EdgeqError
from edgeq.ir import Graph

BESIDE_BYTES: Final = 8 << 10
"""Of a board's memory, what is left for the stack, the console and the application."""


def choose_kernels(
    graph: Graph,
    isa: Isa,
    aim: Aim = "balanced",
    ram_bytes: int | None = None,
    forced: Mapping[str, Binding] = NOTHING_FORCED,
) -> tuple[list[Step], Plan]:
    """A kernel for every node that is a step, and the memory plan.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        aim: what counts where a faster kernel takes memory.
        ram_bytes: of the board; None: as much as it needs.
        forced: by node name, bindings that are not to be chosen: memory is not asked for them.

    Raises:
        EdgeqError: as of :func:`bind_kernels`.
    """
    steps = bind_kernels(graph, isa, forced)
    plan = plan_steps(graph, steps)
    places = [
        place for place, step in enumerate(steps) if step.node.name not in forced and any(_faster(step, graph, isa))
    ]
    if not places:
        return steps, plan
    limit = arena_limit(graph, steps, plan, ram_bytes) if aim == "balanced" else None
    for place in sorted(places, key=lambda number: -steps[number].macs):
        for step in _faster(steps[place], graph, isa):
            if limit is not None and step.scratch_bytes > limit:
                continue
            tried = [*steps[:place], step, *steps[place + 1 :]]
            found = _plan(graph, tried)
            if found is not None and (limit is None or found.arena_bytes <= limit):
                steps, plan = tried, found
                break
    return steps, plan


def arena_limit(graph: Graph, steps: Sequence[Step], plan: Plan, ram_bytes: int | None) -> int:
    """The largest arena that ``balanced`` allows.

    Args:
        graph: the integer graph.
        steps: its nodes without faster kernels.
        plan: theirs.
        ram_bytes: of the board; None: as much as it needs.
    """
    apart = live_bytes(graph, steps)
    if ram_bytes is not None:
        apart = min(apart, ram_bytes - BESIDE_BYTES)
    return max(apart, plan.arena_bytes)


def _plan(graph: Graph, steps: Sequence[Step]) -> Plan | None:
    """The plan; None where what these kernels want does not fit."""
    try:
        return plan_steps(graph, steps)
    except EdgeqError:
        return None


def _faster(step: Step, graph: Graph, isa: Isa) -> Iterator[Step]:
    """The step with each kernel that serves its node."""
    for binding in FASTER:
        if binding.op == step.node.op and binding.refusal(step.node, graph, isa) is None:
            yield bound(binding, step.node, graph, isa, step.refused)
