"""Choose a kernel for every node, keep why others were refused, and plan the memory that the choice needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings import BINDINGS, UNSUPPORTED
from edgeq.backends.c.declarations import scratch_bytes
from edgeq.backends.c.runtime import Isa
from edgeq.backends.planning import Plan, StepMemory, checked_plan
from edgeq.backends.program import batch_problems
from edgeq.backends.views import step_nodes
from edgeq.errors import EdgeqError, Problem
from edgeq.ir import Graph, Node
from edgeq.memory.schedule import Trailing
from edgeq.ops import BY_NAME

NOTHING_FORCED: Final[Mapping[str, Binding]] = MappingProxyType({})


@dataclass(frozen=True)
class Step:
    """One node bound to a kernel.

    Attributes:
        node: the node.
        call: the kernel and its record.
        refused: kernel → the reason why it was not taken, for those tried before.
        macs: multiply-accumulates of the node.
        scratch_bytes: memory that lives for this step only.
        candidate: name of the binding.
    """

    node: Node
    call: Call
    refused: dict[str, str]
    macs: int
    scratch_bytes: int
    candidate: str = ""

    @property
    def kernel(self) -> str:
        """The C function."""
        return self.call.kernel


def bind_kernels(graph: Graph, isa: Isa, forced: Mapping[str, Binding] = NOTHING_FORCED) -> list[Step]:
    """Bind every node that is a step.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        forced: by node name, a binding that takes the node, whatever stands before it.

    Raises:
        EdgeqError: EQ0362, EQ0380, all nodes for which no kernel exists.
    """
    steps: list[Step] = []
    problems = batch_problems(graph, "c")
    for node in step_nodes(graph):
        refused: dict[str, str] = {}
        if node.name in forced:
            steps.append(bound(forced[node.name], node, graph, isa, refused))
            continue
        for binding in BINDINGS:
            if binding.op != node.op:
                continue
            reason = binding.refusal(node, graph, isa)
            if reason is None:
                steps.append(bound(binding, node, graph, isa, refused))
                break
            refused[binding.kernel] = reason
        else:
            why = UNSUPPORTED.get(node.op) or "; ".join(f"{kernel}: {text}" for kernel, text in refused.items())
            problems.append(
                Problem(
                    "EQ0380",
                    f"no C kernel can run this {node.op}",
                    where=f"node {', '.join(node.source) or node.name}",
                    got=why or "the operator has no C kernel",
                    hint="`edgeq ops` lists the limits of every kernel",
                )
            )
    if problems:
        raise EdgeqError.of(problems)
    return steps


def bound(binding: Binding, node: Node, graph: Graph, isa: Isa, refused: dict[str, str]) -> Step:
    """The step of a node and a binding that takes it.

    Raises:
        TypeError: the call's tensors have other types than its kernel takes.
    """
    call = binding.bind(node, graph, isa)
    call.check_types(graph)
    macs = BY_NAME[node.op].macs(node, graph.operands(node))
    return Step(node, call, refused, macs, scratch_bytes(call.kernel, call.record, isa), binding.name)


def plan_steps(graph: Graph, steps: Sequence[Step]) -> Plan:
    """Plan the arena for the bound kernels."""
    return checked_plan(graph, {step.node.name: memory_of(step) for step in steps})


def live_bytes(graph: Graph, steps: Sequence[Step]) -> int:
    """The arena that the bound kernels need at least where no result may trail an operand."""
    needs = {step.node.name: replace(memory_of(step), trailing=()) for step in steps}
    return checked_plan(graph, needs).bound_bytes


def memory_of(step: Step) -> StepMemory:
    """What a step asks of the planner."""
    reads, writes = step.call.inputs, step.call.outputs
    return StepMemory(
        step.scratch_bytes,
        tuple((reads[source], writes[result]) for source, result in step.call.in_place),
        tuple(Trailing(reads[source], writes[result], order) for source, result, order in step.call.trailing),
    )
