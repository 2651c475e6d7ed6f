"""How far the planner's arenas are from the smallest ones that there are, as OR-tools' CP-SAT proves it.

    make campaign-bounds
    PYTHON-WITH-ORTOOLS -m tests.campaigns.plan_bounds [--count 10000] [--seed 0] [--effort 5]

The programs are those of ``make campaign-memory``. A plan that reaches the bytes alive in one step is proven by it.
For every other one the solver places the same blocks: two that live in one step lie apart, or one trails the other by
its distance. It runs one worker for a deterministic time, so that its bounds are the same everywhere. Where it does not
finish, what it has proven counts, which is less than the least arena. Exits with 1 where a plan is more than 2 % above.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from importlib import import_module
from math import lcm
from typing import Any, Final

from edgeq.memory.blocks import Task, task_of
from edgeq.memory.plan import plan_memory
from tests.campaigns.random_schedules import ARENA, random_schedule

_CLOSE: Final = 1.02


@dataclass(frozen=True)
class Bound:
    """What the solver says of one program.

    Attributes:
        bytes: no plan is smaller.
        is_exact: there is a plan of so many.
    """

    bytes: int
    is_exact: bool


def solver_bound(task: Task, least: int, most: int, effort: float) -> Bound:
    """The smallest arena, or a bound on it.

    Args:
        task: of one region, its blocks free.
        least: what is known to be needed.
        most: what is known to be enough.
        effort: deterministic seconds.
    """
    cp_model: Any = import_module("ortools.sat.python.cp_model")
    align = task.regions[ARENA].align_bytes
    model: Any = cp_model.CpModel()
    sizes = [task.size(number, ARENA) // align for number in range(len(task.blocks))]
    starts = [model.new_int_var(0, most // align - size, f"s{number}") for number, size in enumerate(sizes)]
    top = model.new_int_var(least // align, most // align, "top")
    for start, size in zip(starts, sizes, strict=True):
        model.add(start + size <= top)
    for one, rivals in enumerate(task.rivals):
        for other in rivals:
            if one > other:
                continue
            ways = []
            for below, above in ((one, other), (other, one)):
                apart = model.new_bool_var(f"apart{below}_{above}")
                model.add(starts[below] + sizes[below] <= starts[above]).only_enforce_if(apart)
                ways.append(apart)
                distance = task.distances.get((below, above))
                if distance is None:
                    continue
                found = distance.between(align)
                trails = model.new_bool_var(f"trails{below}_{above}")
                ways.append(trails)
                model.add(starts[below] + found.least // align <= starts[above]).only_enforce_if(trails)
                if found.step > align:
                    steps = model.new_int_var(-most, most, f"steps{below}_{above}")
                    model.add(
                        starts[above] - starts[below] == steps * (lcm(found.step, align) // align)
                    ).only_enforce_if(trails)
            model.add_bool_or(ways)
    model.minimize(top)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_deterministic_time = effort
    status = solver.solve(model)
    if status == cp_model.INFEASIBLE:
        raise ValueError("the planner's own plan is none for the solver")
    return Bound(round(solver.best_objective_bound) * align, status == cp_model.OPTIMAL)


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--effort", type=float, default=5.0)
    chosen = parser.parse_args()
    ratios: list[float] = []
    exact = solved = 0
    far: list[tuple[int, float, bool]] = []
    for seed in range(chosen.seed, chosen.seed + chosen.count):
        schedule = random_schedule(seed)
        plan = plan_memory(schedule)
        used, least = plan.used_bytes[ARENA], plan.bound_bytes[ARENA]
        found = Bound(least, used == least)
        if used > least:
            solved += 1
            found = solver_bound(task_of(schedule), least, used, chosen.effort)
            exact += found.is_exact
        ratios.append(used / max(1, found.bytes))
        if ratios[-1] > _CLOSE:
            far.append((seed, ratios[-1], found.is_exact))
    ratios.sort()
    count = len(ratios)
    print(
        f"{count:,} programs, {count - solved:,} at the bytes alive in one step; of the others {exact:,} solved exactly"
    )
    print(
        f"plan / bound: mean {sum(ratios) / count:.4f}, 99 % below {ratios[min(count - 1, count * 99 // 100)]:.4f}, "
        f"largest {ratios[-1]:.4f}; {count - len(far):,} within {_CLOSE}"
    )
    for seed, ratio, is_exact in far:
        print(f"seed {seed}: {ratio:.3f} times {'the least arena' if is_exact else 'a bound'}")
    return 1 if far else 0


if __name__ == "__main__":
    sys.exit(main())
