"""Other kernels than those that are bound first, where they are expected to be faster and memory allows them.

All candidates of a node give the same bits. Those of ``bindings.FASTER`` take scratch, flash or both; they are tried
where the estimate (``costs``) says that they need fewer instructions and fewer cycles, or says nothing. Of the others
one is tried where both figures are lower though both estimates be at their worst. Layers take their turn in falling
order of what they spare; each gets the first kernel with which the whole program stays within bounds. Where one does
not get its best, the order of multiply-accumulates is tried, too, and each of the kernels that spare the most in all
the layers that it serves; what spares more is taken. For ``balanced``, weights, code and arena may grow by shares, the
arena not beyond what the kernels that are bound first need when no result trails an operand; for ``ram`` the arena may
not. For ``speed`` only the board's memory is a bound; for ``size`` see ``choose_size``. Either way
:data:`edgeq.backends.placement.BESIDE_BYTES` of it are left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from edgeq.backends.base import Aim
from edgeq.backends.c.bind import NOTHING_FORCED, Step, bind_kernels, bound, live_bytes, plan_steps
from edgeq.backends.c.binding import Binding
from edgeq.backends.c.bindings import BINDINGS, FASTER
from edgeq.backends.c.costs import Estimate, estimate
from edgeq.backends.c.instances import estimated_bytes, special_shapes
from edgeq.backends.c.runtime import Isa
from edgeq.backends.constants import ALIGN_BYTES, Constants
from edgeq.backends.placement import BESIDE_BYTES
from edgeq.backends.planning import Plan
from edgeq.errors import EdgeqError
from edgeq.ir import Graph
from edgeq.target import Board

LAYER_GROWS: Final = 4
"""Times the weights of a single layer, at most, except for ``speed``: what takes more has code of its own, too."""
ARENA_GROWS: Final = Fraction(1, 4)
WEIGHTS_GROW: Final = Fraction(3, 10)
CODE_GROWS: Final = Fraction(1)
MOST_KERNELS: Final = 6
"""Which are tried for all layers at once, where not every layer can have its best."""


@dataclass(frozen=True)
class Memory:
    """What a board has for everything, in bytes; None: as much as is needed."""

    ram_bytes: int | None = None
    flash_bytes: int | None = None


UNBOUNDED: Final = Memory()


def memory_of(board: Board) -> Memory:
    """Of a board, as far as its bootloader leaves it to programs."""
    return Memory(board.ram_bytes, board.flash_bytes)


@dataclass(frozen=True)
class Bounds:
    """What a program may take at most; None: any.

    Attributes:
        arena_bytes: of the plan.
        weight_bytes: of all constants.
        code_bytes: of kernels, as estimated.
        layer_grows: times the constants of a single layer.
    """

    arena_bytes: int | None = None
    weight_bytes: int | None = None
    code_bytes: int | None = None
    layer_grows: int | None = None

    def allow_layer(self, step: Step, first: Step) -> bool:
        """Whether a layer's constants stay within their bound, of those of the kernel that is bound first."""
        return self.layer_grows is None or weight_bytes([step]) <= self.layer_grows * weight_bytes([first])

    def allow_flash(self, steps: Sequence[Step], isa: Isa) -> bool:
        """Whether constants and code stay within the bounds."""
        if self.weight_bytes is not None and weight_bytes(steps) > self.weight_bytes:
            return False
        return self.code_bytes is None or code_bytes(steps, isa) <= self.code_bytes

    def allow_plan(self, plan: Plan) -> bool:
        """Whether the arena stays within its bound."""
        return self.arena_bytes is None or plan.arena_bytes <= self.arena_bytes


def choose_kernels(
    graph: Graph,
    isa: Isa,
    aim: Aim = "balanced",
    memory: Memory = UNBOUNDED,
    forced: Mapping[str, Binding] = NOTHING_FORCED,
    direct: tuple[list[Step], Plan] | None = None,
) -> tuple[list[Step], Plan]:
    """A kernel for every node that is a step, and the memory plan.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        aim: what counts where a faster kernel takes memory.
        memory: of the board.
        forced: by node name, bindings that are not to be chosen: memory is not asked for them.
        direct: the kernels that are bound first, and their plan, where the caller has made them.

    Raises:
        EdgeqError: as of :func:`bind_kernels`.
    """
    steps, plan = direct or direct_program(graph, isa, forced)
    others = {place: _better(step, graph, isa) for place, step in enumerate(steps) if step.node.name not in forced}
    better = {place: found for place, found in others.items() if found}
    if not better:
        return steps, plan
    bounds = bounds_of(graph, isa, steps, plan, aim, memory)
    orders = (
        sorted(better, key=lambda place: -better[place][0].spared),
        sorted(better, key=lambda place: -steps[place].macs),
    )
    first = best = _Choice(steps, plan, 0.0, complete=True)
    for order in orders:
        found = _taken(graph, isa, first, bounds, {place: better[place] for place in order})
        best = max(best, found, key=lambda choice: choice.spared)  # the first of equal ones
        if found.complete:
            return best.steps, best.plan
    for served in _by_kernel(better):
        start = _together(graph, isa, first, bounds, served)
        if start is not None:
            rest = {place: better[place] for place in orders[0] if place not in served}
            best = max(best, _taken(graph, isa, start, bounds, rest), key=lambda choice: choice.spared)
    return best.steps, best.plan


def direct_program(graph: Graph, isa: Isa, forced: Mapping[str, Binding] = NOTHING_FORCED) -> tuple[list[Step], Plan]:
    """The kernels that are bound first, and their plan.

    Raises:
        EdgeqError: as of :func:`bind_kernels`.
    """
    steps = bind_kernels(graph, isa, forced)
    return steps, plan_steps(graph, steps)


@dataclass(frozen=True)
class _Choice:
    """A program, what it spares, and whether every layer has its best kernel."""

    steps: list[Step]
    plan: Plan
    spared: float
    complete: bool


def _by_kernel(better: Mapping[int, Sequence[_Other]]) -> Iterator[dict[int, _Other]]:
    """For each of the kernels that spare the most: the layers that it serves."""
    served: defaultdict[str, dict[int, _Other]] = defaultdict(dict)
    for place, others in better.items():
        for other in others:
            served[other.binding.name][place] = other
    spared = {name: sum(other.spared for other in others.values()) for name, others in served.items()}
    for name in sorted(spared, key=lambda name: -spared[name])[:MOST_KERNELS]:
        yield served[name]


def _together(graph: Graph, isa: Isa, direct: _Choice, bounds: Bounds, others: Mapping[int, _Other]) -> _Choice | None:
    """All of some layers with another kernel at once, since the code of the one goes where that of the other comes."""
    tried, spared = list(direct.steps), 0.0
    for place, other in others.items():
        step = bound(other.binding, tried[place].node, graph, isa, other.refused)
        if bounds.allow_layer(step, tried[place]):
            tried[place], spared = step, spared + other.spared
    found = _plan(graph, tried) if bounds.allow_flash(tried, isa) else None
    return _Choice(tried, found, spared, complete=False) if found is not None and bounds.allow_plan(found) else None


def _taken(
    graph: Graph,
    isa: Isa,
    direct: _Choice,
    bounds: Bounds,
    better: Mapping[int, Sequence[_Other]],
) -> _Choice:
    """Each layer in turn with the first kernel that the bounds allow."""
    steps, plan, spared, complete = direct.steps, direct.plan, direct.spared, direct.complete
    for place, others in better.items():
        for number, other in enumerate(others):
            step = bound(other.binding, steps[place].node, graph, isa, other.refused)
            tried = [*steps[:place], step, *steps[place + 1 :]]
            allowed = bounds.allow_layer(step, steps[place]) and bounds.allow_flash(tried, isa)
            found = _plan(graph, tried) if allowed else None
            if found is not None and bounds.allow_plan(found):
                steps, plan, spared = tried, found, spared + other.spared
                complete = complete and number == 0
                break
        else:
            complete = False
    return _Choice(steps, plan, spared, complete)


def bounds_of(graph: Graph, isa: Isa, steps: Sequence[Step], plan: Plan, aim: Aim, memory: Memory) -> Bounds:
    """What a rule allows, and never less than the direct kernels take.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        steps: its nodes without faster kernels.
        plan: theirs.
        aim: the rule.
        memory: of the board.
    """
    weights = weight_bytes(steps)
    arenas = [] if memory.ram_bytes is None else [memory.ram_bytes - BESIDE_BYTES]
    constants = [] if memory.flash_bytes is None else [memory.flash_bytes - 2 * BESIDE_BYTES]
    if aim in {"balanced", "size"}:
        arenas += [int(plan.arena_bytes * (1 + ARENA_GROWS)), live_bytes(graph, steps)]
    if aim == "ram":
        arenas.append(plan.arena_bytes)
    if aim in {"balanced", "ram"}:
        constants.append(int(weights * (1 + WEIGHTS_GROW)))
    if aim == "size":
        constants.append(weights)
    grows = CODE_GROWS if aim != "size" else 0
    return Bounds(
        max(plan.arena_bytes, min(arenas)) if arenas else None,
        max(weights, min(constants)) if constants else None,
        int(code_bytes(steps, isa) * (1 + grows)) if aim != "speed" else None,
        LAYER_GROWS if aim != "speed" else None,
    )


def weight_bytes(steps: Sequence[Step]) -> int:
    """Of constants, those of equal content once."""
    constants = Constants("")
    for number, step in enumerate(steps):
        for label, array in step.call.constants.items():
            if array is not None:
                constants.add(number, label, array)
    return sum(-(-array.nbytes // ALIGN_BYTES) * ALIGN_BYTES for array in constants.arrays.values())


def code_bytes(steps: Sequence[Step], isa: Isa) -> int:
    """Of kernels, as estimated."""
    return estimated_bytes(steps, special_shapes(steps, isa, None), isa)


def _plan(graph: Graph, steps: Sequence[Step]) -> Plan | None:
    """The plan; None where what these kernels want does not fit."""
    try:
        return plan_steps(graph, steps)
    except EdgeqError:
        return None


def faster_steps(step: Step, graph: Graph, isa: Isa) -> Iterator[Step]:
    """The step with each of the faster kernels that serve its node, the fastest first."""
    yield from steps_with(FASTER, step, graph, isa)


def steps_with(bindings: Sequence[Binding], step: Step, graph: Graph, isa: Isa) -> Iterator[Step]:
    """The step with each of some bindings that serve its node, in their order."""
    for binding in bindings:
        if binding.op == step.node.op and binding.refusal(step.node, graph, isa) is None:
            yield bound(binding, step.node, graph, isa, step.refused)


def better_bindings(step: Step, graph: Graph, isa: Isa) -> list[Binding]:
    """The candidates that are expected to be faster than a step's own, those first that spare the most."""
    return [other.binding for other in _better(step, graph, isa)]


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

    With ``sure`` also where both estimates are at their worst; layers smaller than all that were measured prove
    nothing.
    """
    share = (1 - own.worst_error) / (1 + expected.worst_error) if sure else 1.0
    if sure and not (own.measured and expected.measured):
        return False
    return expected.instructions < share * own.instructions and expected.cycles < share * own.cycles
