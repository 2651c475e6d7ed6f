"""A graph with its bound kernels as a schedule of one memory, the arena; its plan, checked by independent code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edgeq.ir import Graph, Node
from edgeq.memory.check import check_plan
from edgeq.memory.plan import plan_memory
from edgeq.memory.schedule import Buffer, Region, Schedule, Step, Trailing

ARENA: Final = "arena"


@dataclass(frozen=True)
class StepMemory:
    """What the kernel of one node asks of the planner.

    Attributes:
        scratch_bytes: working memory that lives for this step only.
        in_place: (operand, result) names that the kernel allows at one and the same address.
        trailing: results that the kernel allows to overlap an operand from below.
    """

    scratch_bytes: int = 0
    in_place: tuple[tuple[str, str], ...] = ()
    trailing: tuple[Trailing, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Offsets in bytes from the start of the arena.

    Attributes:
        arena_bytes: the arena's size, a multiple of the alignment.
        offsets: by activation name.
        scratch: offset of the scratch of each step that has one, by node name.
        bound_bytes: the largest sum of bytes that must be alive in one step: no plan can be smaller.
    """

    arena_bytes: int
    offsets: Mapping[str, int]
    scratch: Mapping[str, int]
    bound_bytes: int


def checked_plan(graph: Graph, needs: Mapping[str, StepMemory]) -> Plan:
    """Plan the arena of a graph.

    Args:
        graph: in schedule order.
        needs: by node name, what its kernel asks for; a node without an entry needs nothing.

    Raises:
        EdgeqError: EQ0905 where planner and checker disagree.
    """
    schedule = schedule_of(graph, needs)
    plan = plan_memory(schedule)
    check_plan(schedule, plan)
    return Plan(
        arena_bytes=plan.used_bytes[ARENA],
        offsets={name: place.offset for name, place in plan.places.items()},
        scratch={name: place.offset for name, place in plan.scratch.items()},
        bound_bytes=plan.bound_bytes[ARENA],
    )


def schedule_of(graph: Graph, needs: Mapping[str, StepMemory]) -> Schedule:
    """The activations of a graph as buffers; a reshape of one is an alias."""
    buffers = {tensor.name: Buffer(tensor.size_bytes, (ARENA,)) for tensor in graph.activations()}

    def step_of(node: Node) -> Step:
        need = needs.get(node.name, StepMemory())
        reads = tuple(name for name in dict.fromkeys(node.inputs) if name in buffers)
        return Step(
            node.name,
            reads,
            node.outputs,
            is_alias=node.op == "reshape" and bool(reads),
            scratch=Buffer(need.scratch_bytes, (ARENA,)) if need.scratch_bytes else None,
            in_place=need.in_place,
            trailing=need.trailing,
        )

    return Schedule((Region(ARENA),), buffers, graph.sources(), graph.sinks(), tuple(map(step_of, graph.nodes)))
