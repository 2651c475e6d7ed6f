"""Several nodes as one step of the program: a chain that runs in bands of rows.

The integer graph stays as it is: a chain is how the C backend executes some of its nodes, and depends on the core and
the aim. What lies between the nodes is in the step's scratch, as strips of some rows; :mod:`edgeq.memory.bands` says
which rows when, and :mod:`edgeq.memory.plan` lays the strips out like any other buffers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from edgeq.backends.c.bind import NOTHING_FORCED, Step, memory_of
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.runtime import Isa
from edgeq.backends.c.slices import bind_slices, has_aligned_rows, row_step, rows_of, signature_of
from edgeq.backends.placement import Memories
from edgeq.backends.planning import Plan, StepMemory, checked_plan
from edgeq.ir import Graph, Node
from edgeq.memory.bands import Bands, Piece, Rows, RowStep, Way, bands_of
from edgeq.memory.blocks import Block, Distance, Task, rivals_of, trailing_distance
from edgeq.memory.plan import place_blocks
from edgeq.memory.planner import Planner
from edgeq.memory.rows import Access, Event, RowCall, RowMove, RowProgram
from edgeq.memory.schedule import Order, Region, Trailing
from edgeq.ops import BY_NAME

_STRIPS: Final = "strips"


@dataclass(frozen=True, eq=False)
class Chain:
    """Nodes that run in bands, as one step.

    Attributes:
        nodes: in order.
        steps: how they read rows.
        calls: by node, its distinct calls.
        way: how the rows between them are held.
        height: rows of the result that a band makes.
        program: what is done, in order; inner tensors and scratch lie in the step's own memory.
        chosen: by call of the program, the number of the node and of its call.
        scratch_bytes: of that memory.
        trailing: how far the result may trail what is read.
        node_macs: multiply-accumulates by node, those that are repeated once.
        macs_done: those that are executed.
    """

    nodes: tuple[Node, ...]
    steps: tuple[RowStep, ...]
    calls: tuple[tuple[Step, ...], ...]
    way: Way
    height: int
    program: RowProgram
    chosen: tuple[tuple[int, int], ...]
    scratch_bytes: int
    trailing: tuple[Trailing, ...]
    node_macs: tuple[int, ...]
    macs_done: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those that are repeated once."""
        return sum(self.node_macs)

    @property
    def node(self) -> Node:
        """The one that gives the result."""
        return self.nodes[-1]

    @property
    def kernel(self) -> str:
        """The kernels, each once, in order."""
        return ", ".join(dict.fromkeys(step.kernel for steps in self.calls for step in steps))

    @property
    def candidate(self) -> str:
        """As :attr:`kernel`: a chain is no binding's."""
        return self.kernel

    @property
    def refused(self) -> Mapping[str, str]:
        """Nothing: a chain is chosen for its memory."""
        return {}

    @property
    def singles(self) -> tuple[Step, ...]:
        """By node, its first call with the multiply-accumulates of the whole node."""
        return tuple(
            replace(made[0], node=node, macs=macs)
            for node, made, macs in zip(self.nodes, self.calls, self.node_macs, strict=True)
        )

    @property
    def inner(self) -> tuple[str, ...]:
        """The tensors that never exist as a whole."""
        return tuple(step.writes for step in self.steps[:-1])

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The tensors that it is given."""
        inner = set(self.inner)
        return tuple(dict.fromkeys(name for step in self.steps for name, _ in step.reads if name not in inner))

    def memory(self) -> StepMemory:
        """What it asks of the planner."""
        names = tuple(node.name for node in self.nodes[:-1])
        return StepMemory(self.scratch_bytes, (), self.trailing, names, self.program)


def plan_program(
    graph: Graph,
    steps: Sequence[Step | Chain],
    planner: Planner = "greedy",
    memories: Memories | None = None,
) -> Plan:
    """Plan the arena for steps of which some are chains.

    Raises:
        EdgeqError: as of :func:`edgeq.backends.planning.checked_plan`.
    """
    needs = {step.node.name: step.memory() if isinstance(step, Chain) else memory_of(step) for step in steps}
    return checked_plan(graph, needs, planner, memories)


def make_chain(
    graph: Graph,
    nodes: Sequence[Node],
    height: int,
    way: Way,
    isa: Isa,
    preferred: Mapping[str, Binding] = NOTHING_FORCED,
) -> Chain | None:
    """Bind and lay out a chain.

    Args:
        graph: holds the nodes.
        nodes: in schedule order; results of all but the last are read by them alone.
        height: rows of the last result that a band makes.
        way: how results between them are held.
        isa: instruction sets in search order.
        preferred: by node name, bindings that stand before the others where they serve bands; see ``bind_slices``.

    Returns:
        The chain; None where the nodes cannot run in bands.
    """
    found = [row_step(node, graph) for node in nodes]
    steps = [step for step in found if step is not None]
    if len(steps) < len(nodes) or not all(has_aligned_rows(graph.tensors[step.writes]) for step in steps[:-1]):
        return None
    heights = {name: rows_of(graph.tensors[name]) for step in steps for name in (step.writes, *dict(step.reads))}
    bands = bands_of(steps, heights, height, way)
    if bands is None or any(not len(rows) for piece in _pieces(bands) for rows in piece.reads):
        return None
    calls: list[tuple[Step, ...]] = []
    numbers: list[dict[tuple[object, ...], int]] = []
    for number, (node, step) in enumerate(zip(nodes, steps, strict=True)):
        kinds: dict[tuple[object, ...], list[Piece]] = {}
        for piece in _pieces(bands):
            if piece.step == number:
                kinds.setdefault(signature_of(piece, step), []).append(piece)
        order = sorted(kinds, key=lambda key: -len(kinds[key]))
        pieces = [kinds[key][0] for key in order]
        made = bind_slices(node, graph, step, pieces, isa, preferred.get(node.name))
        if made is None:
            return None
        calls.append(tuple(made))
        numbers.append({key: at for at, key in enumerate(order)})
    return _Layout(graph, list(nodes), steps, bands, calls, numbers, way, height).chain()


def _pieces(bands: Bands) -> Iterator[Piece]:
    return (piece for band in bands.bands for piece in band.pieces)


class _Layout:
    """Places the strips, and gives every call its addresses."""

    def __init__(
        self,
        graph: Graph,
        nodes: list[Node],
        steps: list[RowStep],
        bands: Bands,
        calls: list[tuple[Step, ...]],
        numbers: list[dict[tuple[object, ...], int]],
        way: Way,
        height: int,
    ) -> None:
        self.nodes = nodes
        self.steps = steps
        self.bands = bands
        self.calls = calls
        self.numbers = numbers
        self.way = way
        self.height = height
        self.inner = [step.writes for step in steps[:-1]]
        self.row_bytes = {
            name: graph.tensors[name].size_bytes // rows_of(graph.tensors[name])
            for step in steps
            for name in (step.writes, *dict(step.reads))
        }
        self.sizes = {name: graph.tensors[name].size_bytes for name in self.row_bytes}
        self.macs = [BY_NAME[node.op].macs(node, graph.operands(node)) for node in nodes]

    def chain(self) -> Chain:
        offsets, scratch, size = self._place()
        bands: list[tuple[Event, ...]] = []
        chosen: list[tuple[int, int]] = []
        done = 0
        before: Mapping[str, int] = {}
        for band in self.bands.bands:
            events: list[Event] = []
            for name, rows in band.moves:
                row = self.row_bytes[name]
                at, to = (offsets[name] + (rows.first - starts[name]) * row for starts in (before, band.starts))
                events.append(RowMove(name, rows.first * row, rows.end * row, at, to))
            before = band.starts
            for piece in band.pieces:
                variant = self._variant(piece)
                step = self.calls[piece.step][variant]
                events.append(self._call(piece, step, band.starts, offsets, scratch.get(piece.step)))
                chosen.append((piece.step, variant))
                done += step.macs
            bands.append(tuple(events))
        program = RowProgram(tuple(bands), size)
        return Chain(
            tuple(self.nodes),
            tuple(self.steps),
            tuple(self.calls),
            self.way,
            self.height,
            program,
            tuple(chosen),
            size,
            self._trailing(program),
            tuple(self.macs),
            done,
        )

    def _call(
        self, piece: Piece, made: Step, starts: Mapping[str, int], offsets: Mapping[str, int], scratch: int | None
    ) -> RowCall:
        step = self.steps[piece.step]
        rows_under = {name: rows for (name, _), rows in zip(step.reads, piece.reads, strict=True)}

        def access(name: str, rows: Rows) -> Access:
            row = self.row_bytes[name]
            first, end = rows.first * row, rows.end * row
            if name in offsets:
                return Access(name, first, end, offsets[name] + first - starts[name] * row, inside=True)
            return Access(name, first, end, first, inside=False)

        return RowCall(
            self.nodes[piece.step].name,
            tuple(access(name, rows_under[name]) for name in made.call.inputs),
            access(step.writes, piece.rows),
            scratch,
            made.scratch_bytes,
            tuple((source, order) for source, _, order in made.call.trailing),
            tuple(source for source, _ in made.call.in_place),
        )

    def _variant(self, piece: Piece) -> int:
        return self.numbers[piece.step][signature_of(piece, self.steps[piece.step])]

    def _place(self) -> tuple[dict[str, int], dict[int, int], int]:
        """Offsets of the strips, of each node's scratch, and the bytes of all."""
        last = len(self.steps) - 1
        reader = {name: max(n for n, step in enumerate(self.steps) if name in dict(step.reads)) for name in self.inner}
        blocks = []
        for number, name in enumerate(self.inner):
            lasting = name in self.bands.lasting
            times = (0, last) if lasting else (number, reader[name])
            blocks.append(Block({name: 0}, self.bands.capacity[name] * self.row_bytes[name], *times, (_STRIPS,)))
        for number, steps in enumerate(self.calls):
            need = max(step.scratch_bytes for step in steps)
            if need:
                blocks.append(Block({}, need, number, number, (_STRIPS,), None, str(number)))
        if not blocks:
            return {}, {}, 0
        place_of = {name: at for at, name in enumerate(self.inner)}
        distances = {}
        for number, name in enumerate(self.inner):
            if name in self.bands.lasting:
                continue
            for operand in dict(self.steps[number].reads):
                if operand in place_of and reader[operand] == number:
                    found = self._distance(number, operand)
                    if found is not None:
                        distances[place_of[name], place_of[operand]] = Distance(found, 1)
        task = Task({_STRIPS: Region(_STRIPS)}, blocks, rivals_of(blocks), distances)
        starts, used = place_blocks(task)
        offsets = {name: starts[at] for name, at in place_of.items()}
        scratch = {int(block.step): starts[at] for at, block in enumerate(blocks) if block.step is not None}
        return offsets, scratch, used

    def _distance(self, number: int, operand: str) -> int | None:
        """How far a result's strip must begin below that of an operand whose rows die with it; None: not at all."""
        row = self.row_bytes[operand]
        least: list[int] = []
        for band in self.bands.bands:
            for piece in band.pieces:
                if piece.step != number:
                    continue
                call = self.calls[number][self._variant(piece)].call
                order = _order_of(call, operand)
                if order is None:
                    return None
                start = band.starts[operand]
                reads = dict(zip(dict(self.steps[number].reads), piece.reads, strict=True))[operand]
                held = (band.ends[operand] - start) * row
                kept = (band.kept.get(operand, start + held // row) - start) * row
                unread = np.minimum((reads.first - start) * row + order.unread, kept)
                done = len(reads) * row <= order.unread
                unread = np.where(done, kept, unread)
                result = (piece.rows.first - band.starts[self.steps[number].writes]) * self.row_bytes[
                    self.steps[number].writes
                ]
                least.append(
                    trailing_distance(Order(result + order.written, np.minimum.accumulate(unread[::-1])[::-1]), held)
                )
        return max(least)

    def _trailing(self, program: RowProgram) -> tuple[Trailing, ...]:
        """How the result trails each tensor that the chain is given, call by call."""
        end = self.steps[-1].writes
        calls = [event for event in program.events if isinstance(event, RowCall)]
        given = dict.fromkeys(access.tensor for call in calls for access in call.reads if not access.inside)
        return tuple(Trailing(name, end, _composed(calls, name, end, self.sizes[name])) for name in given)


def _order_of(call: Call, operand: str) -> Order | None:
    """How a call reads an operand and writes its result, without planes; None where it does not say."""
    for source, _, order in call.trailing:
        if call.inputs[source] == operand and order.planes == 1:
            return order
    return None


def _composed(calls: Sequence[RowCall], operand: str, result: str, size: int) -> Order:
    """The order of all calls that write a result, units of one behind those of the other."""
    later = [size]
    for call in reversed(calls):
        starts = [access.first for access in call.reads if access.tensor == operand]
        later.append(min([later[-1], *starts]))
    later.reverse()
    written, unread = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for number, call in enumerate(calls):
        if call.write.tensor != result:
            continue
        behind = later[number + 1]
        own = [at for at, access in enumerate(call.reads) if access.tensor == operand]
        orders = [order for source, order in call.trailing if source in own and order.planes == 1]
        if own and not orders:
            behind = later[number]
        if orders:
            access, order = call.reads[own[0]], orders[0]
            done = order.unread >= access.end - access.first
            written.append(call.write.first + order.written)
            unread.append(np.where(done, behind, np.minimum(access.first + order.unread, behind)))
        written.append(np.array([call.write.end]))
        unread.append(np.array([behind]))
    ends = np.concatenate(written).astype(np.int64)
    needed = np.concatenate(unread).astype(np.int64)
    return Order(np.maximum.accumulate(ends), np.minimum.accumulate(needed[::-1])[::-1])
