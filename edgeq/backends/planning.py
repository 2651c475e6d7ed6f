"""A graph with its bound kernels as a schedule; its plan, checked by independent code.

States lie apart from all else, at the start of the arena: what must be kept between runs is one piece. Where a board
has several memories the arena may have a part in each (:mod:`edgeq.backends.placement`); offsets count through all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from edgeq.backends.placement import ARENA, STATE, Memories, split
from edgeq.backends.views import views_of
from edgeq.errors import EdgeqError
from edgeq.ir import Graph, Node
from edgeq.memory.check import check_plan
from edgeq.memory.check_rows import check_rows
from edgeq.memory.plan import plan_memory
from edgeq.memory.planner import Planner
from edgeq.memory.rows import RowProgram
from edgeq.memory.schedule import Buffer, Region, Schedule, Step, Trailing
from edgeq.memory.solver import solve_plan, solver_name


@dataclass(frozen=True)
class StepMemory:
    """What the kernel of one node asks of the planner.

    Attributes:
        scratch_bytes: working memory that lives for this step only.
        in_place: (operand, result) names that the kernel allows at one and the same address.
        trailing: results that the kernel allows to overlap an operand from below.
        chain: of a chain, whose entry is that of its last node: the names of its other nodes.
        program: of a chain, what it does in its scratch.
    """

    scratch_bytes: int = 0
    in_place: tuple[tuple[str, str], ...] = ()
    trailing: tuple[Trailing, ...] = ()
    chain: tuple[str, ...] = ()
    program: RowProgram | None = None


class Part(NamedTuple):
    """Bytes ``start`` to ``start + bytes`` of the arena, which lie in a further memory of the board."""

    memory: str
    start: int
    bytes: int


@dataclass(frozen=True)
class Plan:
    """Offsets in bytes from the start of the arena.

    Attributes:
        arena_bytes: the arena's size, a multiple of the alignment, states and all parts included.
        state_bytes: the bytes at its start that are kept from one run to the next.
        offsets: by activation name.
        scratch: offset of the scratch of each step that has one, by node name.
        bound_bytes: what no plan can beat: the largest sum of bytes that must be alive in one step, or more where the
            solver has proven it.
        planner: who found the offsets: the solver only where its plan is smaller.
        solver: name and version of the solver that was asked; None where first fit reached the bound, or by choice.
        parts: those in further memories, one behind the other; what stands before them is in the RAM.
    """

    arena_bytes: int
    state_bytes: int
    offsets: Mapping[str, int]
    scratch: Mapping[str, int]
    bound_bytes: int
    planner: Planner = "greedy"
    solver: str | None = None
    parts: tuple[Part, ...] = ()

    @property
    def first_bytes(self) -> int:
        """The arena's bytes in the RAM."""
        return self.arena_bytes - sum(part.bytes for part in self.parts)

    def at(self, offset: int) -> tuple[str, int]:
        """The C pointer to the part in which an offset lies, and the offset from there."""
        found = [part for part in self.parts if part.start <= offset]
        return (arena_pointer(found[-1].memory), offset - found[-1].start) if found else (ARENA, offset)

    def address(self, offset: int) -> str:
        """An offset as a C expression."""
        return "{} + {}".format(*self.at(offset))

    def shown(self, offset: int) -> str:
        """An offset in a comment."""
        pointer, inside = self.at(offset)
        return str(inside) if pointer == ARENA else f"{inside} of {pointer}"

    @property
    def pointers(self) -> tuple[str, ...]:
        """The C pointers to all parts."""
        return (ARENA, *(arena_pointer(part.memory) for part in self.parts))


def arena_pointer(memory: str) -> str:
    """The C pointer to the arena's part in a further memory."""
    return f"{ARENA}_{memory}"


def checked_plan(
    graph: Graph,
    needs: Mapping[str, StepMemory],
    planner: Planner = "greedy",
    memories: Memories | None = None,
) -> Plan:
    """Plan the arena of a graph.

    Args:
        graph: in schedule order.
        needs: by node name, what its kernel asks for; a node without an entry needs nothing.
        planner: ``solver`` asks it, too, where first fit does not reach the bound.
        memories: of the board, where the arena may be split; None: all of it is in one.

    Raises:
        EdgeqError: EQ0905 where planner and checker disagree; with ``memories`` EQ0159 a tensor cannot lie where it is
            wanted, EQ0401 those that are asked for are too small.
    """
    schedule = schedule_of(graph, needs)
    plan = plan_memory(schedule)
    if memories is not None and not memories.take_all(sum(plan.used_bytes.values())):
        try:
            parted = split(graph, schedule, plan, memories)
            schedule, plan = parted, plan_memory(parted)
        except EdgeqError as error:
            if memories.is_asked or error.problems[0].code != "EQ0401":
                raise
    greedy, solver = plan, None
    if planner == "solver" and plan.used_bytes != plan.bound_bytes:
        plan, solver = solve_plan(schedule, plan), solver_name()
    check_plan(schedule, plan)
    start, end = {STATE: 0, ARENA: plan.used_bytes[STATE]}, plan.used_bytes[STATE] + plan.used_bytes[ARENA]
    parts = []
    for region in (region.name for region in schedule.regions if region.name not in start):
        start[region] = end
        if plan.used_bytes[region]:
            parts.append(Part(region, end, plan.used_bytes[region]))
        end += plan.used_bytes[region]
    found = Plan(
        arena_bytes=sum(plan.used_bytes.values()),
        state_bytes=plan.used_bytes[STATE],
        offsets={name: start[place.region] + place.offset for name, place in plan.places.items()},
        scratch={name: start[place.region] + place.offset for name, place in plan.scratch.items()},
        bound_bytes=plan.used_bytes[STATE] + sum(plan.bound_bytes.values()) - plan.bound_bytes[STATE],
        planner="greedy" if plan.used_bytes == greedy.used_bytes else "solver",
        solver=solver,
        parts=tuple(parts),
    )
    sizes = {name: graph.tensors[name].size_bytes for name in found.offsets}
    for name, need in needs.items():
        if need.program is not None:
            own = found.scratch.get(name, 0)
            check_rows(name, need.program, found.offsets, sizes, own, found.arena_bytes)
    return found


def schedule_of(graph: Graph, needs: Mapping[str, StepMemory]) -> Schedule:
    """The activations of a graph as buffers; both sides of a state lie at one place."""
    views = views_of(graph)
    kept = _kept(graph)
    inside = {name for need in needs.values() for name in need.chain}
    by_name = {node.name: node for node in graph.nodes}
    hidden = {tensor for name in inside for tensor in by_name[name].outputs}
    buffers = {
        tensor.name: Buffer(tensor.size_bytes, (STATE if tensor.name in kept else ARENA,))
        for tensor in graph.activations()
        if tensor.name not in hidden
    }

    def step_of(node: Node) -> Step:
        need = needs.get(node.name, StepMemory())
        inputs = [name for other in need.chain for name in by_name[other].inputs]
        reads = tuple(name for name in dict.fromkeys((*inputs, *node.inputs)) if name in buffers)
        return Step(
            node.name,
            reads,
            node.outputs,
            views=views.get(node.name, ()),
            scratch=Buffer(need.scratch_bytes, (ARENA,)) if need.scratch_bytes else None,
            in_place=need.in_place,
            trailing=need.trailing,
        )

    return Schedule(
        (Region(ARENA), Region(STATE)),
        buffers,
        graph.sources(),
        graph.sinks(),
        tuple(step_of(node) for node in graph.nodes if node.name not in inside),
        tuple((state.input, state.output) for state in graph.states),
    )


def _kept(graph: Graph) -> set[str]:
    """The tensors that share their bytes with a side of a state."""
    found = {name for state in graph.states for name in (state.input, state.output)}
    aliases = [{node.inputs[0], node.outputs[0]} for node in graph.nodes if node.op == "reshape"]
    for both in (*reversed(aliases), *aliases):
        if found & both:
            found |= both
    return {name for name in found if not graph.tensors[name].is_constant}
