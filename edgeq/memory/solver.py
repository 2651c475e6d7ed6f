"""Offsets by OR-tools' CP-SAT, where first fit does not reach the bytes that are alive in one step.

The solver places the blocks of a plan anew, in the memories in which that has put them: two that live in one step lie
apart, or one trails the other by its distance. It begins with the plan's own offsets, and only a smaller plan counts.
One worker with a fixed seed stops after a number of its own operations, never after a time, and solves no linear
programs, whose rounding may differ: one version gives the same offsets on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

from edgeq.extras import missing
from edgeq.memory.blocks import Task, task_of
from edgeq.memory.planner import SOLVER
from edgeq.memory.schedule import Place, Plan, Schedule

_EFFORT: Final = 10.0
"""Deterministic seconds; one is about a second of a present computer."""
_MOST_PAIRS: Final = 40_000
"""Of blocks alive in one step: with more the solver would not finish, and building its model takes longer than that."""
_MOST_TURNS: Final = 1 << 30
"""Units of blocks: more than any memory has."""


@dataclass(frozen=True)
class Solved:
    """What the solver says of one memory.

    Attributes:
        offsets: by number of the block, of those in the memory; None: it found none that need less.
        used_bytes: what these need, or the plan that it was given.
        bound_bytes: no plan needs less.
    """

    offsets: Mapping[int, int] | None
    used_bytes: int
    bound_bytes: int


def is_installed() -> bool:
    """Whether there is a solver."""
    return not missing(SOLVER)


def solver_name() -> str:
    """Name and version of the solver that is installed."""
    return f"OR-tools {version('ortools')} CP-SAT"


def solve_plan(schedule: Schedule, plan: Plan, effort: float = _EFFORT) -> Plan:
    """A plan that needs fewer bytes, or the same with what is proven of it.

    Args:
        schedule: what was planned.
        plan: its valid plan.
        effort: deterministic seconds for each memory.
    """
    task = task_of(schedule)
    scratch = {step.name: plan.scratch[step.name] for step in schedule.steps if step.scratch is not None}
    places = [scratch[block.step] if block.step is not None else block.place(plan.places) for block in task.blocks]
    used, bounds = dict(plan.used_bytes), dict(plan.bound_bytes)
    for region in task.regions:
        if used[region] == bounds[region]:
            continue
        inside = {number: place.offset for number, place in enumerate(places) if place.region == region}
        solved = solve(task, region, inside, bounds[region], used[region], effort)
        for number, offset in (solved.offsets or {}).items():
            places[number] = Place(region, offset)
        used[region], bounds[region] = solved.used_bytes, solved.bound_bytes
    located = list(zip(task.blocks, places, strict=True))
    return replace(
        plan,
        places={name: place.moved(at) for block, place in located for name, at in block.buffers.items()},
        scratch={block.step: place for block, place in located if block.step is not None},
        used_bytes=used,
        bound_bytes=bounds,
    )


def solve(
    task: Task, region: str, offsets: Mapping[int, int], least: int, most: int, effort: float = _EFFORT
) -> Solved:
    """The smallest memory for some blocks, or what is proven of it.

    Args:
        task: what is to be placed.
        region: the memory.
        offsets: by number of each block in it, where a valid plan puts it.
        least: bytes that are known to be needed.
        most: bytes that the valid plan uses.
        effort: deterministic seconds.

    Raises:
        ValueError: the plan is not valid for the solver.
    """
    pairs = [(one, other) for one in offsets for other in task.rivals[one] if one < other and other in offsets]
    if least == most or len(pairs) > _MOST_PAIRS:
        return Solved(None, most, least)
    cp_model: Any = import_module("ortools.sat.python.cp_model")
    align = task.regions[region].align_bytes
    model: Any = cp_model.CpModel()
    starts: dict[int, Any] = {}
    sizes = {number: task.size(number, region) // align for number in offsets}
    top = model.new_int_var(least // align, most // align, "top")
    for number, offset in offsets.items():
        pinned = task.blocks[number].offset is not None
        low, high = (offset // align,) * 2 if pinned else (0, most // align - sizes[number])
        starts[number] = model.new_int_var(low, high, f"start{number}")
        model.add_hint(starts[number], offset // align)
        model.add(starts[number] + sizes[number] <= top)
    for pair in pairs:
        model.add_bool_or(
            [way for both in (pair, pair[::-1]) for way in _ways(model, task, starts, sizes, both, align)]
        )
    model.minimize(top)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.linearization_level = 0
    solver.parameters.use_objective_lb_search = True
    solver.parameters.max_deterministic_time = effort
    solver.parameters.catch_sigint_signal = False  # it would leave the system's handler behind, not edgeq's
    status = solver.solve(model)
    if status in (cp_model.INFEASIBLE, cp_model.MODEL_INVALID):
        raise ValueError("the plan is not valid for the solver")
    bound = max(least, round(solver.best_objective_bound) * align)
    if status == cp_model.UNKNOWN:
        return Solved(None, most, bound)
    found = {number: solver.value(start) * align for number, start in starts.items()}
    used = max((offset + task.size(number, region) for number, offset in found.items()), default=0)
    return Solved(found, used, bound) if used < most else Solved(None, most, bound)


def _ways(
    model: Any,  # noqa: ANN401 - of a package that need not be there
    task: Task,
    starts: Mapping[int, Any],
    sizes: Mapping[int, int],
    pair: Sequence[int],
    align: int,
) -> list[Any]:
    """The ways for the first of two blocks to lie below the second: apart, or trailing it."""
    below, above = pair
    apart = model.new_bool_var(f"apart{below}_{above}")
    model.add(starts[below] + sizes[below] <= starts[above]).only_enforce_if(apart)
    distance = task.distances.get((below, above))
    if distance is None:
        return [apart]
    least, step = distance.between(align)
    trails = model.new_bool_var(f"trails{below}_{above}")
    gap = starts[above] - starts[below]
    model.add(gap >= least // align).only_enforce_if(trails)
    if step > align:
        turns = model.new_int_var(-_MOST_TURNS, _MOST_TURNS, f"turns{below}_{above}")
        model.add(gap == turns * (step // align)).only_enforce_if(trails)
    return [apart, trails]
