"""Faster kernels that want scratch, in place of those that are bound first, where memory allows them.

Kernels of ``bindings.FASTER`` give the bits of those they stand in for. The rule ``balanced``: layers take their turn
in falling order of their multiply-accumulates, and each gets the first that fits as long as the arena does not grow;
``speed``: each gets the fastest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgeq.backends.base import Aim
from edgeq.backends.c.bind import Step, bind_kernels, bound, plan_steps
from edgeq.backends.c.bindings import FASTER
from edgeq.backends.c.runtime import Isa
from edgeq.backends.planning import Plan
from edgeq.errors import EdgeqError
from edgeq.ir import Graph


def choose_kernels(graph: Graph, isa: Isa, aim: Aim = "balanced") -> tuple[list[Step], Plan]:
    """A kernel for every node that is a step, and the memory plan.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        aim: what counts where a faster kernel takes memory.

    Raises:
        EdgeqError: as of :func:`bind_kernels`.
    """
    steps = bind_kernels(graph, isa)
    plan = plan_steps(graph, steps)
    for place in sorted(range(len(steps)), key=lambda number: -steps[number].macs):
        for step in _faster(steps[place], graph, isa):
            if aim == "balanced" and step.scratch_bytes + _operand_bytes(step, graph) > plan.arena_bytes:
                continue
            tried = [*steps[:place], step, *steps[place + 1 :]]
            found = _plan(graph, tried)
            if found is not None and (aim == "speed" or found.arena_bytes <= plan.arena_bytes):
                steps, plan = tried, found
                break
    return steps, plan


def _operand_bytes(step: Step, graph: Graph) -> int:
    """What lies in the arena beside its scratch while a step runs, at least; operand and result apart."""
    return sum(graph.tensors[name].size_bytes for name in {*step.call.inputs, *step.call.outputs})


def _plan(graph: Graph, steps: Sequence[Step]) -> Plan | None:
    """The plan; None where what these kernels want does not fit."""
    try:
        return plan_steps(graph, list(steps))
    except EdgeqError:
        return None


def _faster(step: Step, graph: Graph, isa: Isa) -> Iterator[Step]:
    """The step with each kernel that serves its node."""
    for binding in FASTER:
        if binding.op == step.node.op and binding.refusal(step.node, graph, isa) is None:
            yield bound(binding.bind(step.node, graph, isa), step.node, graph, isa, step.refused)
