"""A plan of the arena, checked by code that shares nothing with the planner."""

from __future__ import annotations

from collections.abc import Mapping

from edgeq.ir import Graph
from edgeq.passes.check_plan import check_plan
from edgeq.passes.plan_memory import Plan, StepMemory, plan_memory


def checked_plan(graph: Graph, needs: Mapping[str, StepMemory]) -> Plan:
    """Plan the arena of a graph.

    Args:
        graph: in schedule order.
        needs: by node name, what its kernel asks for; a node without an entry needs nothing.

    Raises:
        EdgeqError: EQ0905 where planner and checker disagree.
    """
    plan = plan_memory(graph, needs)
    check_plan(
        graph,
        arena_bytes=plan.arena_bytes,
        offsets=plan.offsets,
        scratch={name: (offset, needs[name].scratch_bytes) for name, offset in plan.scratch.items()},
        in_place={name: need.in_place for name, need in needs.items()},
    )
    return plan
