"""Random programs: their memory planned, the plan checked by playing it, and how far it is from the bound.

    make campaign-memory
    python -m tests.campaigns.memory_plans [--count 10000] [--seed 0] [--workers 2]

Every program follows from its seed: a graph of steps with branches that join again, results in place or trailing an
operand, scratch, aliases, and a state. Each tenth seed is a chain of convolutions, pools and sums besides, cut into
bands at random, laid out, and played call by call; each tenth program, four seeds further, is played in two memories,
too. The bound is what must be alive in one step: no plan beats it, and some programs have none that reaches it. Prints
a table; exits with 1 where the checker refuses a plan.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

import numpy as np

from edgeq.backends.c.chain import make_chain
from edgeq.backends.c.chain_search import ChainSearch, Cut
from edgeq.errors import EdgeqError
from edgeq.memory.bands import Way
from edgeq.memory.check import check_plan
from edgeq.memory.homes import Home, housed
from edgeq.memory.plan import plan_memory
from edgeq.memory.schedule import Schedule
from tests.campaigns.random_schedules import ARENA, random_schedule
from tests.conformance.chains import Chains

_CHAIN_EVERY: Final = 10
_PARTED: Final = 4
_CLOSE: Final = (1.0, 1.02, 1.1)
_ISAS: Final = (("generic",), ("v6m", "generic"), ("dsp", "generic"), ("mve", "dsp", "generic"))


@dataclass
class Findings:
    """What some programs gave.

    Attributes:
        ratios: bytes of each plan, divided by its bound.
        chains: how many chains were laid out and played.
        parted: how many programs were played in two memories.
        wrong: seed and message of each plan that the checker refused.
    """

    ratios: list[float] = field(default_factory=list)
    chains: int = 0
    parted: int = 0
    wrong: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Take over those of others."""
        self.ratios += other.ratios
        self.chains += other.chains
        self.parted += other.parted
        self.wrong += other.wrong


def random_chain(seed: int) -> int:
    """Lay out and play random convolutions, pools and sums as chains; how many.

    Raises:
        EdgeqError: the checker refuses one.
    """
    draw = Random(seed)
    made = Chains()
    made.random = np.random.default_rng(seed)
    if not made.draw(draw):
        return 0
    search = ChainSearch(made.graph, draw.choice(_ISAS))
    count = 0
    for way in ("ring", "patch"):
        first = draw.randrange(len(made.graph.nodes))
        cuts = _chained(search, first, draw.randint(1, 4), way)
        if cuts is not None and search.program(cuts) is not None:
            count += 1
    return count


def play_parted(schedule: Schedule, seed: int) -> None:
    """Split a program between two memories at random, and play it.

    Raises:
        EdgeqError: the checker refuses it, or it exceeds a memory.
    """
    draw = Random(seed)
    homes = (Home(ARENA, None, draw.randint(0, 2)), Home("other", draw.randint(0, 20_000), draw.randint(0, 2)))
    accesses = {name: float(draw.randint(1, 1 << 20)) for name in schedule.buffers}
    scratch = {step.name: float(draw.randint(1, 1 << 20)) for step in schedule.steps}
    kept = set(draw.sample(sorted(schedule.buffers), 2))
    parted = housed(schedule, homes, accesses, scratch, kept)
    check_plan(parted, plan_memory(parted))


def _chained(search: ChainSearch, first: int, height: int, way: Way) -> list[Cut] | None:
    """The longest chain from a node on, all others by themselves."""
    graph = search.graph
    for end in range(len(graph.nodes), first + 1, -1):
        inner = {node.outputs[0] for node in graph.nodes[first : end - 1]}
        outside = [node for node in (*graph.nodes[:first], *graph.nodes[end:]) if inner & set(node.inputs)]
        if outside or inner & set(graph.outputs):
            continue
        if make_chain(graph, graph.nodes[first:end], height, way, search.isa) is not None:
            single = [Cut(at, at + 1, None, 0, 0, 0.0) for at in range(len(graph.nodes))]
            return [*single[:first], Cut(first, end, way, height, 0, 0.0), *single[end:]]
    return None


def run(seeds: Sequence[int]) -> Findings:
    """Plan and check the programs of some seeds."""
    found = Findings()
    for seed in seeds:
        schedule = random_schedule(seed)
        try:
            plan = plan_memory(schedule)
            check_plan(schedule, plan)
            found.ratios.append(plan.used_bytes[ARENA] / max(1, plan.bound_bytes[ARENA]))
            if seed % _CHAIN_EVERY == 0:
                found.chains += random_chain(seed)
            if seed % _CHAIN_EVERY == _PARTED:
                play_parted(schedule, seed)
                found.parted += 1
        except EdgeqError as error:
            found.wrong.append((seed, str(error)))
    return found


def table(found: Findings) -> str:
    """For people: how many are how near."""
    count = len(found.ratios)
    ratios = np.array(found.ratios or [1.0])
    lines = ["| programs | chains | in two memories | refused | mean | 99 % below | largest |", "|---" * 7 + "|"]
    lines.append(
        f"| {count:,} | {found.chains:,} | {found.parted:,} | {len(found.wrong)} | {ratios.mean():.4f} "
        f"| {np.quantile(ratios, 0.99):.3f} | {ratios.max():.3f} |"
    )
    near = (f"{100 * float((ratios <= close + 1e-9).mean()):.1f} % within {close:g}" for close in _CLOSE)
    return "\n".join([*lines, f"times the bound of what is alive: {', '.join(near)}"])


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    seeds = range(chosen.seed, chosen.seed + chosen.count)
    parts = [seeds[at : at + 100] for at in range(0, chosen.count, 100)]
    found = Findings()
    with ProcessPoolExecutor(chosen.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for each in pool.map(partial(run), parts):
            found.add(each)
    print(table(found))
    for seed, message in found.wrong:
        print(f"seed {seed}: {message}")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
