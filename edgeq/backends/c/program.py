"""A graph as a C program: its files, and the facts that firmware and reports need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from edgeq.backends.base import Aim, ChainChoice
from edgeq.backends.bundle import Bundle
from edgeq.backends.c.bind import NOTHING_FORCED, Step
from edgeq.backends.c.binding import Binding
from edgeq.backends.c.candidates import Wanted, forced_kernels
from edgeq.backends.c.chain import Chain, plan_program
from edgeq.backends.c.chain_search import arena_within, nearly_free, smallest_arena, with_chains
from edgeq.backends.c.chain_source import MOVES
from edgeq.backends.c.choose import UNBOUNDED, Memory, choose_kernels, direct_program
from edgeq.backends.c.choose_size import fewest_bytes
from edgeq.backends.c.emit import model_source
from edgeq.backends.c.examples import project_files
from edgeq.backends.c.instances import estimated_bytes, special_shapes, uses_of
from edgeq.backends.c.runtime import Isa, runtime_headers
from edgeq.backends.c_source import model_header
from edgeq.backends.constants import Constants, weights_header, weights_source
from edgeq.backends.placement import Memories
from edgeq.backends.planning import Plan
from edgeq.ir import Graph
from edgeq.memory.planner import Planner
from edgeq.notes import note
from edgeq.target import Target

_BUDGETS: Final[Mapping[Aim, int]] = {"size": 0, "speed": 1 << 30}
"""Bytes of code, where the user states none."""


@dataclass(frozen=True)
class CProgram:
    """What the C backend makes of a graph: the files, and the facts that firmware and reports need.

    ``forced`` are the kernels that were asked for, by node name. ``traced`` is the text of ``NAME.c`` for an image that
    also answers the rows inside steps that run in bands; None where there are none.
    """

    bundle: Bundle
    steps: tuple[Step | Chain, ...]
    plan: Plan
    constants: Constants
    forced: Mapping[str, str]
    traced: str | None = None

    @property
    def chains(self) -> tuple[ChainChoice, ...]:
        """Which nodes run in bands."""
        found = (step for step in self.steps if isinstance(step, Chain))
        return tuple(ChainChoice(tuple(node.name for node in one.nodes), one.height, one.way) for one in found)


def emit_c(
    graph: Graph,
    name: str,
    target: Target,
    *,
    code_bytes: int | None = None,
    onnx_outputs: Sequence[str] = (),
    complete: bool = True,
    aim: Aim = "balanced",
    memory: Memory = UNBOUNDED,
    arena_bytes: int | None = None,
    chains: Sequence[ChainChoice] | None = None,
    kernels: Sequence[Wanted] = (),
    planner: Planner = "greedy",
    memories: Memories | None = None,
) -> CProgram:
    """Bind, plan and print a graph.

    Args:
        graph: the integer graph.
        name: prefix of every C symbol and file, checked before.
        target: the processor.
        code_bytes: a budget for the kernels' code; None: see ``instances``; for ``size`` the fewest, for ``speed`` an
            instance for each shape.
        onnx_outputs: the ONNX names of the outputs; none: the tensors' own names.
        complete: with everything that a user's project needs. Otherwise only what edgeq's own images are built from,
            whose weights do not come from a text.
        aim: what counts where a faster kernel takes memory; see ``choose``.
        memory: of the board.
        arena_bytes: the most that the arena may take, for the aim ``ram``; None: as little as possible.
        chains: which nodes run in bands; None: as memory asks for it.
        kernels: those that are asked for; see ``candidates``.
        planner: who may place tensors in the arena: the solver is asked once, for the steps that are chosen.
        memories: in which the arena may lie; None: in one piece.

    Raises:
        EdgeqError: EQ0380 where a node has no kernel; EQ0155, EQ0156, EQ0383 where one cannot have what is asked for.
    """
    forced = forced_kernels(graph, target.isa, kernels)
    steps: Sequence[Step | Chain]
    if chains or (aim == "ram" and chains is not None):
        steps, plan = with_chains(graph, target.isa, chains, forced)
    elif aim == "ram" and arena_bytes is not None:
        steps, plan = arena_within(graph, target.isa, arena_bytes, forced)
    elif aim == "ram":
        steps, plan = smallest_arena(graph, target.isa, forced)
    elif aim == "balanced" and chains is None:
        steps, plan = balanced_program(graph, target.isa, memory, forced)
    elif aim == "size":
        steps, plan = fewest_bytes(graph, target.isa, memory, forced)
    else:
        steps, plan = choose_kernels(graph, target.isa, aim, memory, forced)
    plan = placed_again(graph, steps, plan, planner, memories)
    compact = aim == "size"
    budget = _BUDGETS.get(aim) if code_bytes is None else code_bytes
    special = special_shapes(steps, target.isa, budget, compact=compact)
    if code_bytes:
        _tell_excess(estimated_bytes(steps, special, target.isa, compact=compact), code_bytes)
    constants = Constants(name)
    source = partial(model_source, graph, steps, plan, name, target, special, constants, compact=compact)
    files = {
        f"{name}.c": source().encode(),
        f"{name}.h": model_header(graph, len(steps), plan, name, target, onnx_outputs).encode(),
        f"{name}_weights.h": weights_header(name, constants).encode(),
    }
    if complete:
        used = {use.calls[0].kernel for use in uses_of(steps)}
        moves = {MOVES} if any(isinstance(step, Chain) for step in steps) else set()
        headers = runtime_headers(sorted(used | moves), target.isa)
        files |= project_files(graph, plan, name, target)
        files |= {f"runtime/{header}": text for header, text in headers.items()}
        files[f"{name}_weights.c"] = weights_source(name, constants)
    traced = source(traced=True) if any(isinstance(step, Chain) for step in steps) else None
    return CProgram(Bundle(dict(sorted(files.items()))), tuple(steps), plan, constants, _names(forced), traced)


def balanced_program(
    graph: Graph,
    isa: Isa,
    memory: Memory = UNBOUNDED,
    forced: Mapping[str, Binding] = NOTHING_FORCED,
    direct: tuple[list[Step], Plan] | None = None,
) -> tuple[Sequence[Step | Chain], Plan]:
    """Steps and plan of what is compiled where nothing else is asked for.

    Chains are for boards alone: where memory is not short, every tensor had better be there to be compared.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        memory: of the board.
        forced: by node name, bindings that are not to be chosen.
        direct: the kernels that are bound first, and their plan, where the caller has made them.

    Raises:
        EdgeqError: EQ0380 where a node has no kernel.
    """
    direct = direct or direct_program(graph, isa, forced)
    found = choose_kernels(graph, isa, "balanced", memory, forced, direct)
    return found if memory.ram_bytes is None else nearly_free(graph, isa, found, forced, direct)


def placed_again(
    graph: Graph, steps: Sequence[Step | Chain], plan: Plan, planner: Planner, memories: Memories | None = None
) -> Plan:
    """The plan of chosen steps in the board's memories, by the solver where first fit may not have found the smallest.

    Raises:
        EdgeqError: EQ0159 a tensor cannot lie where it is wanted; EQ0401 the memories are too small.
    """
    whole = memories is None or memories.take_all(plan.arena_bytes)
    if whole and (planner == "greedy" or plan.arena_bytes == plan.bound_bytes):
        return plan
    return plan_program(graph, steps, planner, memories)


def _names(forced: Mapping[str, Binding]) -> dict[str, str]:
    return {node: binding.name for node, binding in forced.items()}


def _tell_excess(estimate: int, budget: int) -> None:
    if estimate > budget:
        note(
            "EQ0403",
            "the kernels take more code than their budget",
            got=f"about {estimate} bytes",
            allowed=f"--code-bytes {budget}",
            hint="these are the fewest: every kernel has one instance; fewer kinds of layers need fewer kernels",
        )
