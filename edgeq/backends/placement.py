"""Which part of the arena lies in which memory of a board.

The rule of :mod:`edgeq.memory.homes` decides, by accesses that follow from the graph: a step writes its result once,
and reads an element of its operands as often as it multiplies with it, at least once. That is an upper bound which
kernels undercut by keeping elements in registers, all by about the same factor; only the order counts. Inputs, outputs
and states stay in the RAM: the application and its DMA, which may not reach other memories, read and write them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from edgeq.backends.views import home_of, inside_of, step_nodes, views_of
from edgeq.errors import EdgeqError, Problem, did_you_mean
from edgeq.ir import Graph, Tensor
from edgeq.memory.homes import Home, housed
from edgeq.memory.schedule import Plan, Region, Schedule
from edgeq.ops import BY_NAME
from edgeq.target import Board

ARENA: Final = "arena"
"""The region that lies in the RAM."""
STATE: Final = "state"
RAM: Final = "ram"
"""What users call it."""
BESIDE_BYTES: Final = 8 << 10
"""Of a board's RAM what is left for stack, console and application, and of its flash for their code; twice as much."""
_STACK_BYTES: Final = 2 << 10
"""What stack and harness take of the RAM at most, nearly always."""


@dataclass(frozen=True)
class Memories:
    """The memories that an arena may use.

    Attributes:
        homes: the first is the RAM's, which stays with :data:`ARENA` for a name.
        places: names or patterns of tensors, and the memory in which they shall lie; of several the last counts.
        is_asked: the user has named memories; else the arena is in one piece where they are too small.
        whole_bytes: an arena of so many bytes stays in one piece, though it exceeds the RAM's share; None: none does.
    """

    homes: tuple[Home, ...]
    places: tuple[tuple[str, str], ...] = ()
    is_asked: bool = False
    whole_bytes: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What users call them."""
        return (RAM, *(home.name for home in self.homes[1:]))

    def take_all(self, arena_bytes: int) -> bool:
        """Whether an arena in one piece needs no choice: it fits in the RAM, and nothing is cheaper or asked for."""
        ram, *others = self.homes
        fits = ram.size_bytes is None or arena_bytes <= max(ram.size_bytes, self.whole_bytes or 0)
        return fits and not self.places and all(ram.wait_cycles <= other.wait_cycles for other in others)


def memories_of(
    board: Board, limits: Sequence[tuple[str, int]] = (), places: Sequence[tuple[str, str]] = ()
) -> Memories | None:
    """The memories of a board; None where the arena is in one piece, since nothing else is there or asked for.

    Args:
        board: with its memories.
        limits: what the arena may take at most of some, in place of all that there is.
        places: see :class:`Memories`.

    Raises:
        EdgeqError: EQ0159 the board has no such memory.
    """
    is_asked = bool(limits or places)
    if not is_asked and not board.memories:
        return None
    names = () if board.ram is None else (RAM, *(bank.name for bank in board.memories))
    problems = [
        _problem("the board has no such memory", name, names, "--memory") for name, _ in limits if name not in names
    ]
    if problems or board.ram is None:
        raise EdgeqError.of(problems or [_problem("the board has one memory", board.name, (), "--memory, --place")])
    most = dict(limits)
    ram = Home(ARENA, most.get(RAM, max(0, board.ram.app_size_bytes - BESIDE_BYTES)), board.ram.wait_cycles)
    others = [
        Home(bank.name, min(bank.size_bytes, most.get(bank.name, bank.size_bytes)), bank.wait_cycles)
        for bank in board.memories
    ]
    whole = None if RAM in most else board.ram.app_size_bytes - _STACK_BYTES
    return Memories((ram, *others), tuple(places), is_asked, whole)


def split(graph: Graph, schedule: Schedule, plan: Plan, memories: Memories) -> Schedule:
    """A schedule with one memory for each buffer.

    Args:
        graph: in schedule order.
        schedule: with one region for all but states.
        plan: its plan, for the bytes of states.
        memories: the board's.

    Raises:
        EdgeqError: EQ0159 a tensor cannot lie where it is wanted; EQ0401 the memories are too small.
    """
    alias = _homes(graph)
    kept = {alias[name] for name in (*graph.sources(), *graph.sinks())}
    wanted = _wanted(graph, schedule, memories, alias, kept)
    kept |= {root for root, home in wanted.items() if home == ARENA}
    buffers = {
        name: replace(buffer, regions=(wanted[alias[name]],)) if alias[name] in wanted else buffer
        for name, buffer in schedule.buffers.items()
    }
    ram, *others = memories.homes
    size = None if ram.size_bytes is None else max(0, ram.size_bytes - plan.used_bytes[STATE])
    regions = (*schedule.regions, *(Region(home.name, home.size_bytes) for home in others))
    return housed(
        replace(schedule, buffers=buffers, regions=regions),
        (replace(ram, size_bytes=size), *others),
        _accesses(graph, schedule),
        {step.name: 2.0 * step.scratch.size_bytes for step in schedule.steps if step.scratch is not None},
        {name for name in buffers if alias[name] in kept},
    )


def _homes(graph: Graph) -> dict[str, str]:
    """By activation, the tensor that its bytes are part of."""
    inside = inside_of(views_of(graph).values())
    return {tensor.name: home_of(tensor.name, inside) for tensor in graph.activations()}


def _accesses(graph: Graph, schedule: Schedule) -> Mapping[str, float]:
    """By buffer, the bytes that a run reads and writes of it."""
    found = dict.fromkeys(schedule.buffers, 0.0)
    for node in step_nodes(graph):
        read = [graph.tensors[name] for name in dict.fromkeys(node.inputs) if not graph.tensors[name].is_constant]
        macs = BY_NAME[node.op].macs(node, graph.operands(node))
        uses = max(1.0, macs / max(1, sum(tensor.elements for tensor in read)))
        for tensor, times in (*((each, uses) for each in read), *((graph.tensors[name], 1.0) for name in node.outputs)):
            if tensor.name in found:
                found[tensor.name] += times * tensor.size_bytes
    return found


def _wanted(
    graph: Graph, schedule: Schedule, memories: Memories, alias: Mapping[str, str], kept: set[str]
) -> dict[str, str]:
    """By tensor that lies in no other, the region that the user wants for it."""
    found: dict[str, str] = {}
    problems: list[Problem] = []
    tensors = [graph.tensors[name] for name in schedule.buffers]
    for pattern, memory in memories.places:
        if memory not in memories.names:
            problems.append(_problem("the board has no such memory", memory, memories.names))
            continue
        matching = [tensor for tensor in tensors if any(_matches(name, pattern) for name in _names(tensor))]
        free = {alias[tensor.name] for tensor in matching} - kept
        if not free:
            what = "no tensor between two steps has this name"
            if matching:
                what = "inputs, outputs and states stay in the RAM, where the application reads and writes them"
            names = [name for tensor in tensors if alias[tensor.name] not in kept for name in _names(tensor)]
            problems.append(_problem(what, pattern, names))
        found |= dict.fromkeys(free, ARENA if memory == RAM else memory)
    if problems:
        raise EdgeqError.of(problems)
    return found


def _names(tensor: Tensor) -> tuple[str, ...]:
    source = () if tensor.source is None else (tensor.source.name,)
    return tuple(dict.fromkeys((tensor.name, *source)))


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)


def _problem(what: str, got: str, allowed: Sequence[str], where: str = "--place") -> Problem:
    return Problem("EQ0159", what, where, got, ", ".join(allowed) or None, did_you_mean(got, list(allowed)))
