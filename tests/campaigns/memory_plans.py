"""Random programs: their memory planned, the plan checked by playing it, and how far it is from the bound.

    make campaign-memory
    python -m tests.campaigns.memory_plans [--count 10000] [--seed 0] [--workers 2]

Every program follows from its seed: a graph of steps with branches that join again, results in place or trailing an
operand, scratch, aliases, and a state. Each tenth seed is a chain of convolutions, pools and sums besides, cut into
bands at random, laid out, and played call by call. The bound is what must be alive in one step: no plan beats it, and
some programs have none that reaches it. Prints a table; exits with 1 where the checker refuses a plan.
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
from edgeq.memory.plan import plan_memory
from edgeq.memory.schedule import Buffer, Order, Region, Schedule, Step, Trailing
from tests.conformance.chains import Chains

_ARENA: Final = "arena"
_CHAIN_EVERY: Final = 10
_LONGEST: Final = 40
_CLOSE: Final = (1.0, 1.02, 1.1)
_ISAS: Final = (("generic",), ("v6m", "generic"), ("dsp", "generic"), ("mve", "dsp", "generic"))


@dataclass
class Findings:
    """What some programs gave.

    Attributes:
        ratios: bytes of each plan, divided by its bound.
        chains: how many chains were laid out and played.
        wrong: seed and message of each plan that the checker refused.
    """

    ratios: list[float] = field(default_factory=list)
    chains: int = 0
    wrong: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Take over those of others."""
        self.ratios += other.ratios
        self.chains += other.chains
        self.wrong += other.wrong


def random_schedule(seed: int) -> Schedule:
    """A program of up to 40 steps, as its memory sees it."""
    draw = Random(seed)
    buffers = {"x": Buffer(_size(draw), (_ARENA,)), "state": Buffer(draw.randint(1, 400), (_ARENA,))}
    fresh = ["x"]  # read by few so far
    names = ["x", "state"]
    steps: list[Step] = []
    branchy = draw.random()
    for number in range(draw.randint(2, _LONGEST)):
        name = f"t{number}"
        source = draw.choice(names) if draw.random() < branchy / 3 else fresh[-1]
        reads = [source]
        if draw.random() < branchy / 2:
            reads.append(draw.choice(names))
        reads = list(dict.fromkeys(reads))
        scratch = Buffer(draw.randint(1, 2000), (_ARENA,)) if draw.random() < 0.4 else None
        size = buffers[source].size_bytes
        kind = draw.choice(("trailing", "trailing", "in_place", "plain", "alias"))
        if kind == "alias" and source != "state":
            steps.append(Step(name, (source,), (name,), is_alias=True))
        elif kind == "in_place":
            pairs = tuple((operand, name) for operand in reads if buffers[operand].size_bytes == size)
            steps.append(Step(name, tuple(reads), (name,), scratch=scratch, in_place=pairs))
        elif kind == "trailing":
            order, size = _order(draw, size)
            steps.append(Step(name, tuple(reads), (name,), scratch=scratch, trailing=(Trailing(source, name, order),)))
        else:
            size = _size(draw)
            steps.append(Step(name, tuple(reads), (name,), scratch=scratch))
        buffers[name] = Buffer(size, (_ARENA,))
        names.append(name)
        fresh.append(name)
    buffers["next"] = buffers["state"]
    steps.append(Step("next", (names[-1],), ("next",)))
    return Schedule((Region(_ARENA),), buffers, ("x", "state"), (names[-1], "next"), tuple(steps), (("state", "next"),))


def _size(draw: Random) -> int:
    return draw.choice((16, 48, 100, 768)) * draw.randint(1, 40)


def _order(draw: Random, operand: int) -> tuple[Order, int]:
    """Rows of which one reaches some further ones, as a window over an image; and the bytes of the result."""
    rows = draw.randint(1, 32)
    row = max(1, operand // rows)
    given, reach = draw.randint(1, 2 * row), draw.randint(0, 2)
    number = np.arange(rows, dtype=np.int64)
    unread = np.minimum(np.maximum(number + 1 - reach, 0) * row, operand)
    unread[-1] = operand
    return Order((number + 1) * given, unread), rows * given


def random_chain(seed: int) -> int:
    """Lay out and play random convolutions, pools and sums as chains; how many.

    Raises:
        EdgeqError: the checker refuses one.
    """
    draw = Random(seed)
    made = Chains()
    made.random = np.random.default_rng(seed)
    shape = (1, draw.randint(3, 20), 4 * draw.randint(1, 4), draw.randint(1, 6))
    x = made.input(*shape)
    for _ in range(draw.randint(2, 6)):
        height, width, channels = made.graph.tensors[x].shape[1:]
        if height < 2 or width % 4:
            break
        kernel = draw.choice((1, 3, 3, 5))
        stride = draw.choice((1, 1, 2)) if height > 4 and width % 8 == 0 else 1
        pads = (kernel // 2,) * 4
        kind = draw.choice(("conv", "depthwise", "max_pool", "table", "sum"))
        if kind == "table":
            x = made.table(x)
        elif kind == "sum":
            x = made.sum(x, made.conv(x, channels, (3, 3), 1, (1, 1, 1, 1)))
        elif kind == "max_pool":
            x = made.pool(x, kind, (2, 2), 1, (0, 0, 1, 1))
        else:
            depthwise = kind == "depthwise" and channels > 1
            x = made.conv(x, draw.randint(1, 9), (kernel, kernel), stride, pads, depthwise=depthwise)
    if not made.graph.nodes:
        return 0
    made.done()
    search = ChainSearch(made.graph, draw.choice(_ISAS))
    count = 0
    for way in ("ring", "patch"):
        first = draw.randrange(len(made.graph.nodes))
        cuts = _chained(search, first, draw.randint(1, 4), way)
        if cuts is not None and search.program(cuts) is not None:
            count += 1
    return count


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
            found.ratios.append(plan.used_bytes[_ARENA] / max(1, plan.bound_bytes[_ARENA]))
            if seed % _CHAIN_EVERY == 0:
                found.chains += random_chain(seed)
        except EdgeqError as error:
            found.wrong.append((seed, str(error)))
    return found


def table(found: Findings) -> str:
    """For people: how many are how near."""
    count = len(found.ratios)
    ratios = np.array(found.ratios or [1.0])
    lines = ["| programs | chains | refused | mean | 99 % below | largest |", "|---|---|---|---|---|---|"]
    lines.append(
        f"| {count:,} | {found.chains:,} | {len(found.wrong)} | {ratios.mean():.4f} | {np.quantile(ratios, 0.99):.3f} "
        f"| {ratios.max():.3f} |"
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
