"""The fewest bytes of code for a program that need not be the fastest: few kinds of kernels, each for many layers.

Every set of the kernels that could run the nodes is looked at, as far as they are few: what each node is expected to
cost with the best of them (``costs``), and how many bytes they take (``code_bytes.json``). Taken is the set of the
fewest bytes with which the program is expected to need at most :data:`SLOWER` times the instructions of ``balanced``,
while constants stay within those of the kernels that are bound first, and the arena within the bounds of ``balanced``.
Nodes of which no cost is known keep their kernels; where none is known, and where no set keeps within the bounds,
``choose`` has its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import inf
from typing import Final

import numpy as np

from edgeq.backends.c.bind import NOTHING_FORCED, Step, bound, plan_steps
from edgeq.backends.c.binding import Binding
from edgeq.backends.c.bindings import EVERY
from edgeq.backends.c.choose import UNBOUNDED, Bounds, Memory, bounds_of, choose_kernels, direct_program, weight_bytes
from edgeq.backends.c.costs import estimate
from edgeq.backends.c.instances import estimated_bytes, functions_beside, kernel_bytes, special_shapes
from edgeq.backends.c.runtime import Isa
from edgeq.backends.planning import Plan
from edgeq.errors import EdgeqError
from edgeq.ir import Graph
from edgeq.numerics.array import Array

SLOWER: Final = Fraction(13, 10)
"""Times the instructions of ``balanced``, at most."""
_KERNELS: Final = 14
"""All sets of so many kernels are looked at; of more, those that serve the most nodes."""
_SETS: Final = 256
"""Sets for which the instances of a program are reckoned, those of the fewest bytes with one instance a kernel."""
_PLANS: Final = 64
"""Of these, sets for which memory is planned until one stays within the bounds."""


@dataclass(frozen=True)
class _Option:
    """A binding that could run a step.

    Attributes:
        binding: of its operator.
        instructions: as expected with short loops, and as far more as such estimates are off in the mean.
    """

    binding: Binding
    instructions: float


Options = Mapping[int, Sequence[_Option]]
"""By place of the step, in falling order of speed; steps without any keep their kernels."""


def fewest_bytes(
    graph: Graph,
    isa: Isa,
    memory: Memory = UNBOUNDED,
    forced: Mapping[str, Binding] = NOTHING_FORCED,
) -> tuple[list[Step], Plan]:
    """Kernels for every node that is a step, and the memory plan.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        memory: of the board.
        forced: by node name, bindings that are not to be chosen.

    Raises:
        EdgeqError: as of :func:`bind_kernels`.
    """
    direct = steps, plan = direct_program(graph, isa, forced)
    options = {
        place: found
        for place, step in enumerate(steps)
        if step.node.name not in forced and len(found := _options(step, graph, isa)) > 1
    }
    if not options:
        return choose_kernels(graph, isa, "size", memory, forced, direct)
    balanced, _ = choose_kernels(graph, isa, "balanced", memory, forced, direct)
    expected = [estimate(balanced[place].node, graph, isa, balanced[place].candidate) for place in options]
    rest = sum(
        each.instructions
        for place, step in enumerate(steps)
        if place not in options and (each := estimate(step.node, graph, isa, step.candidate)) is not None
    )
    most = float(SLOWER) * (rest + sum(each.instructions for each in expected if each is not None)) - rest
    bounds = bounds_of(graph, isa, steps, plan, "size", memory)
    programs = _Programs(graph, isa, steps, options)
    usual = choose_kernels(graph, isa, "size", memory, forced, direct)
    fewest = _bytes_taken(usual[0], isa) if _is_within(usual[0], options, most) else None
    for kernels in programs.sorted(islice(_sets(options, isa, most), _SETS)):
        if fewest is not None and programs.bytes_of(kernels) >= fewest:
            break
        program = programs.within(kernels, most, bounds)
        if program is not None:
            return program
    return usual


def _is_within(steps: Sequence[Step], options: Options, most: float) -> bool:
    """Whether steps are expected to need at most so many instructions."""
    taken = (
        next((each.instructions for each in found if each.binding.name == steps[place].candidate), inf)
        for place, found in options.items()
    )
    return sum(taken) <= most


def _bytes_taken(steps: Sequence[Step], isa: Isa) -> int:
    return estimated_bytes(steps, special_shapes(steps, isa, 0, compact=True), isa, compact=True)


def _options(step: Step, graph: Graph, isa: Isa) -> list[_Option]:
    """What could run a step, the fastest first; nothing where the cost of its own kernel is not known."""
    if estimate(step.node, graph, isa, step.candidate) is None:
        return []
    found = []
    for binding in EVERY:
        if binding.op != step.node.op:
            continue
        expected = estimate(step.node, graph, isa, binding.name, compact=True)
        if expected is not None and binding.refusal(step.node, graph, isa) is None:
            found.append(_Option(binding, expected.instructions * (1 + expected.mean_error)))
    return sorted(found, key=lambda option: option.instructions)


def _sets(options: Options, isa: Isa, most: float) -> Iterator[frozenset[str]]:
    """Sets of kernels with which the nodes are expected to need `most` instructions, in rising order of their bytes.

    Every kernel of a set is the fastest of it for a node.
    """
    users = {
        kernel: sum(any(each.binding.kernel == kernel for each in found) for found in options.values())
        for kernel in dict.fromkeys(each.binding.kernel for found in options.values() for each in found)
    }
    kernels = sorted(users, key=lambda kernel: -users[kernel])[:_KERNELS]
    members = (np.arange(1 << len(kernels))[:, None] >> np.arange(len(kernels)) & 1).astype(bool)
    instructions = np.zeros(len(members))
    for found in options.values():
        costs = np.full(len(kernels), np.inf)
        for each in reversed(found):  # of several variants the fastest
            if each.binding.kernel in kernels:
                costs[kernels.index(each.binding.kernel)] = each.instructions
        instructions += np.where(members, costs, np.inf).min(axis=1)
    taken = _bytes_of(kernels, users, members, isa)
    allowed = np.flatnonzero(instructions <= most)
    for row in allowed[np.lexsort((instructions[allowed], taken[allowed]))]:
        one = frozenset(kernel for kernel, is_member in zip(kernels, members[row], strict=True) if is_member)
        needed = {_best(choices, one) for choices in options.values()}
        if one == needed:  # another set has the kernels that this one needs
            yield one


def _best(choices: Sequence[_Option], kernels: frozenset[str]) -> str:
    """The fastest of some kernels for a node."""
    return next(each.binding.kernel for each in choices if each.binding.kernel in kernels)


def _bytes_of(kernels: Sequence[str], users: Mapping[str, int], members: Array, isa: Isa) -> Array:
    """About the bytes of code of each set: an instance of each kernel, and once what headers define beside them."""
    total = np.zeros(len(members))
    beside = dict.fromkeys(name for kernel in kernels for name in functions_beside(kernel, isa))
    for column, kernel in enumerate(kernels):
        own, shared = kernel_bytes(kernel, isa, compact=True)
        total += members[:, column] * (shared if users[kernel] > 1 else own)
    for name in beside:
        columns = [column for column, kernel in enumerate(kernels) if name in functions_beside(kernel, isa)]
        total += members[:, columns].any(axis=1) * max(kernel_bytes(name, isa, compact=True))
    return total


class _Programs:
    """Programs of sets of kernels.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        steps: with the kernels that are bound first.
        options: what could run them.
    """

    def __init__(self, graph: Graph, isa: Isa, steps: Sequence[Step], options: Options) -> None:
        self._graph, self._isa, self._steps, self._options = graph, isa, steps, options
        self._made: dict[tuple[int, str], Step] = {}

    def sorted(self, sets: Iterable[frozenset[str]]) -> list[frozenset[str]]:
        """In rising order of their bytes, those that come first of equal ones; the first few alone."""
        return sorted(sets, key=self.bytes_of)[:_PLANS]

    def bytes_of(self, kernels: frozenset[str]) -> int:
        """About the bytes of the instances of a program, as many as it has."""
        steps = [min(self._usable(place, kernels), key=_scratch)[0] for place in range(len(self._steps))]
        return _bytes_taken(steps, self._isa)

    def within(self, kernels: frozenset[str], most: float, bounds: Bounds) -> tuple[list[Step], Plan] | None:
        """A program within the bounds, or None.

        Of several variants of its kernel a node first gets the one with the least scratch, then faster ones in the
        order of nodes while memory allows them.
        """
        usable = [self._usable(place, kernels) for place in range(len(self._steps))]
        taken = [min(pairs, key=_scratch) for pairs in usable]
        plan = self._plan(taken, bounds)
        if plan is None:
            return None
        if bounds.weight_bytes is not None and weight_bytes([step for step, _ in taken]) > bounds.weight_bytes:
            return None
        for place, pairs in enumerate(usable):
            for pair in pairs:
                if pair[1] >= taken[place][1]:
                    break
                tried = [*taken[:place], pair, *taken[place + 1 :]]
                planned = self._plan(tried, bounds)
                if planned is not None:
                    taken, plan = tried, planned
                    break
        return ([step for step, _ in taken], plan) if sum(cost for _, cost in taken) <= most else None

    def _usable(self, place: int, kernels: frozenset[str]) -> list[tuple[Step, float]]:
        """The variants of the best kernel for a step, the fastest first, with their instructions."""
        step = self._steps[place]
        found = [each for each in self._options.get(place, ()) if each.binding.kernel in kernels]
        if not found:
            return [(step, 0.0)]
        return [
            (self._bound(place, each.binding), each.instructions)
            for each in found
            if each.binding.kernel == _best(found, kernels)
        ]

    def _bound(self, place: int, binding: Binding) -> Step:
        key = place, binding.name
        if key not in self._made:
            step = self._steps[place]
            self._made[key] = bound(binding, step.node, self._graph, self._isa, step.refused)
        return self._made[key]

    def _plan(self, taken: Sequence[tuple[Step, float]], bounds: Bounds) -> Plan | None:
        """The plan where it is within the bounds."""
        try:
            plan = plan_steps(self._graph, [step for step, _ in taken])
        except EdgeqError:
            return None
        return plan if bounds.allow_plan(plan) else None


def _scratch(pair: tuple[Step, float]) -> int:
    return pair[0].scratch_bytes
