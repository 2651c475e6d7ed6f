"""How far the arenas of both planners are from the smallest ones that there are, as OR-tools' CP-SAT proves it.

    make campaign-bounds
    python -m tests.campaigns.plan_bounds [--count 10000] [--seed 0]

The programs are those of ``make campaign-memory``. A plan that reaches the bytes alive in one step is proven by it; the
solver tries every other one, as ``edgeq compile`` does. Where it does not finish, what it has proven counts, which is
less than the least arena. Its plans are played by the checker. Exits with 1 where one is more than 2 % above.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from edgeq.extras import require
from edgeq.memory.check import check_plan
from edgeq.memory.plan import plan_memory
from edgeq.memory.planner import SOLVER
from edgeq.memory.solver import solve_plan
from tests.campaigns.random_schedules import ARENA, random_schedule

_CLOSE: Final = 1.02


def told(planner: str, ratios: Sequence[float]) -> str:
    """One line for people: how near the plans of a planner are."""
    count, near = len(ratios), sum(ratio <= _CLOSE for ratio in ratios)
    best = sum(ratio <= 1 for ratio in ratios)
    return (
        f"{planner}: {best:,} the smallest, {near:,} ({100 * near / count:.2f} %) within {_CLOSE} times the bound, "
        f"mean {sum(ratios) / count:.5f}, largest {max(ratios):.4f}"
    )


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    require(SOLVER)
    greedy: list[float] = []
    solved: list[float] = []
    tried = proven = smaller = 0
    for seed in range(chosen.seed, chosen.seed + chosen.count):
        schedule = random_schedule(seed)
        first = best = plan_memory(schedule)
        if first.used_bytes != first.bound_bytes:
            best = solve_plan(schedule, first)
            check_plan(schedule, best)
            tried += 1
            proven += best.used_bytes == best.bound_bytes
            smaller += best.used_bytes != first.used_bytes
        bound = max(1, best.bound_bytes[ARENA])
        greedy.append(first.used_bytes[ARENA] / bound)
        solved.append(best.used_bytes[ARENA] / bound)
        if solved[-1] > _CLOSE:
            print(f"seed {seed}: {solved[-1]:.4f} times a bound")
    print(
        f"{chosen.count:,} programs; the solver tried {tried:,}, made {smaller:,} smaller, proved {proven:,} smallest"
    )
    print(told("greedy", greedy))
    print(told("solver", solved))
    return 1 if max(solved) > _CLOSE else 0


if __name__ == "__main__":
    sys.exit(main())
