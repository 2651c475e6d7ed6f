"""Other kernels than those that are bound first, where they are expected to be faster and memory allows them.

All candidates of a node give the same bits. Those of ``bindings.FASTER`` want scratch; they are tried where the
estimate (``costs``) says that they need fewer instructions and fewer cycles, or says nothing. Of the others one is
tried where both figures are lower though both estimates be at their worst. Layers take their turn in falling order of
what they spare. The rule ``speed`` allows all of them. ``balanced`` allows what keeps the arena within the larger of
two bounds: what it takes without any of them, and what those kernels would need to have all their operands and results
apart, if that leaves the board :data:`BESIDE_BYTES` of its memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edgeq.backends.base import Aim
from edgeq.backends.c.bind import NOTHING_FORCED, Step, bind_kernels, bound, live_bytes, plan_steps
from edgeq.backends.c.binding import Binding
from edgeq.backends.c.bindings import BINDINGS, FASTER
from edgeq.backends.c.costs import Estimate, estimate
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
    others = {place: _better(step, graph, isa) for place, step in enumerate(steps) if step.node.name not in forced}
    better = {place: found for place, found in others.items() if found}
    if not better:
        return steps, plan
    limit = arena_limit(graph, steps, plan, ram_bytes) if aim == "balanced" else None
    for place in sorted(better, key=lambda number: -better[number][0].spared):
        for other in better[place]:
            step = bound(other.binding, steps[place].node, graph, isa, other.refused)
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


@dataclass(frozen=True)
class _Other:
    """A candidate in place of a step's.

    Attributes:
        binding: of the node's operator.
        spared: instructions, as estimated; without an estimate the node's multiply-accumulates.
        refused: kernel → the reason why it was not taken, the step's own included.
    """

    binding: Binding
    spared: float
    refused: dict[str, str]


def _better(step: Step, graph: Graph, isa: Isa) -> list[_Other]:
    """The candidates that are expected to be faster than a step's own, those first that spare the most."""
    node, own = step.node, estimate(step.node, graph, isa, step.candidate)
    found = []
    for binding in (*FASTER, *BINDINGS):
        if binding.op != node.op or binding.name == step.candidate:
            continue
        expected = estimate(node, graph, isa, binding.name)
        wants_memory = binding in FASTER
        if own is None or expected is None:
            if not wants_memory:
                continue
            spared, refused = float(step.macs), step.refused
        else:
            if not _is_faster(expected, own, sure=not wants_memory):
                continue
            spared = own.instructions - expected.instructions
            more = 100 * spared / expected.instructions
            refused = {**step.refused, step.kernel: f"about {more:.0f} % more instructions are expected of it"}
        if binding.refusal(node, graph, isa) is None:
            found.append(_Other(binding, spared, refused))
    return sorted(found, key=lambda other: -other.spared)


def _is_faster(expected: Estimate, own: Estimate, *, sure: bool) -> bool:
    """Whether instructions and cycles are fewer.

    With ``sure`` also where both estimates are at their worst; layers smaller than all that were measured prove nothing.
    """
    share = (1 - own.worst_error) / (1 + expected.worst_error) if sure else 1.0
    if sure and not (own.measured and expected.measured):
        return False
    return expected.instructions < share * own.instructions and expected.cycles < share * own.cycles
