"""Random integer graphs: an image built with sanitizers, and the emulated cores, against the reference, bit for bit.

    make campaign-graphs
    python -m tests.campaigns.random_graphs [--count 1000] [--seed 0] [--workers 2]

Every graph follows from its seed. Half are networks with branches, several outputs and ranges that saturate
(``tests/quantized/random_models.py``), half of them with dead channels; half are operators of odd shapes and
quantization parameters side by side (``tests/conformance/test_fuzz.py``). Graphs whose seeds share a quotient by
:data:`BATCH` become one image for this computer; the first of them also runs on M0, M4 and M55. The arithmetic and the
way of emitting calls follow from that quotient, too. Results of every step are compared, on zeros, extremes and random
integers, and the reference's own before and after the passes. A table by operator is printed; exits with 1 where a bit
differs or an image fails: ``--seed N --count 1`` repeats graph N.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Final, get_args

import numpy as np
import onnx_ir
from dead_channels import kill_channels, passes_with

from edgeq.analysis.comparison import BeforePasses, Comparison
from edgeq.errors import EdgeqError
from edgeq.frontend import normalize_qdq, normalize_structure
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.lowering import lower
from edgeq.numerics import DEFAULT_MODE
from edgeq.numerics.scaling import MODES, Mode
from edgeq.ops import OPS
from edgeq.passes import run_passes
from tests.conformance.images import WAYS, compare_on
from tests.conformance.test_fuzz import draw_cases
from tests.conformance.test_images import CORES
from tests.conformance.zoo import FAMILIES, Types, build, input_sets
from tests.quantized.random_models import RandomModel

BATCH: Final = 20
BEHIND: Final = "passes"
HOST: Final = "native"
EMULATED: Final = ("m0", "m4", "m55")
REQUANTIZE: Final = "requantize"
TYPES: Final[tuple[Types, ...]] = get_args(Types)
"""Of the operators side by side, where the arithmetic has them all: int8, int16, and both."""
_MOST_FAMILIES: Final = 3
# An operator that this many graphs do not contain is not drawn at all.
_ENOUGH: Final = 200


@dataclass
class Findings:
    """What some graphs gave.

    Attributes:
        nodes: occurrences of each operator in the graphs' nodes.
        graphs: how many graphs have each operator.
        runs: graphs compared, by executor.
        elements: compared integers, by executor.
        wrong: differences and failures, each with the seed that repeats it.
    """

    nodes: Counter[str] = field(default_factory=Counter)
    graphs: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    elements: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Take up what others gave."""
        for mine, theirs in (
            (self.nodes, other.nodes),
            (self.graphs, other.graphs),
            (self.runs, other.runs),
            (self.elements, other.elements),
        ):
            mine.update(theirs)
        self.wrong += other.wrong


def arithmetic_of(seed: int) -> Mode:
    """The arithmetic of a seed's batch."""
    return MODES[seed // BATCH % len(MODES)]


def way_of(seed: int) -> int | None:
    """How the calls of a seed's batch are emitted."""
    return WAYS[seed // BATCH % len(WAYS)]


def draw_graph(seed: int) -> tuple[Graph, Graph]:
    """The integer graph of a seed, as lowering gives it and behind the passes.

    Raises:
        EdgeqError: the model is refused, which no drawn model may be.
    """
    mode, name = arithmetic_of(seed), f"g{seed}"
    draw = np.random.default_rng(seed)
    if draw.integers(2):
        model = normalize_qdq(normalize_structure(onnx_ir.from_proto(RandomModel(seed).model)))
        lowered = lower(model, mode=mode, name=name)
        if draw.integers(2):
            lowered = kill_channels(lowered, draw)
        graph = lowered.copy()
        # Networks are narrow: every count of channels is worth a test.
        run_passes(graph, passes_with(multiple=1))
        return lowered, graph
    first, *others = map(str, draw.permutation(FAMILIES))
    # A change of scale alone is nothing in the float model that the other families are quantized from.
    others = [] if first == REQUANTIZE else [family for family in others if family != REQUANTIZE]
    families = [first, *others[: draw.integers(_MOST_FAMILIES)]]
    types: Types = TYPES[seed % len(TYPES)] if mode == DEFAULT_MODE else "s8"
    zoo = build(name, [case for family in families for case in draw_cases(family, 1, seed)], mode, types)
    return zoo.lowered, zoo.graph


def join_graphs(graphs: Iterable[Graph]) -> Graph:
    """Several graphs side by side in one; tensors and nodes are named ``GRAPH/NAME``."""
    joined = Graph("graphs")
    for graph in graphs:

        def names(plain: Sequence[str], prefix: str = graph.name) -> tuple[str, ...]:
            return tuple(f"{prefix}/{name}" for name in plain)

        for tensor in graph.tensors.values():
            joined.add_tensor(replace(tensor, name=names([tensor.name])[0]))
        joined.nodes += [
            node.with_(name=names([node.name])[0], inputs=names(node.inputs), outputs=names(node.outputs))
            for node in graph.nodes
        ]
        joined.inputs += names(graph.inputs)
        joined.outputs += names(graph.outputs)
    return joined


def check_batch(seeds: Sequence[int], emulated: Sequence[str] = EMULATED) -> Findings:
    """Draw the graphs of some seeds of one batch and compare them.

    Args:
        seeds: those with the same quotient by :data:`BATCH`.
        emulated: cores, of :data:`CORES`, on which those that :data:`BATCH` divides run, too.
    """
    found = Findings()
    graphs: dict[int, Graph] = {}
    for seed in seeds:
        try:
            lowered, graphs[seed] = draw_graph(seed)
        except EdgeqError as error:
            found.wrong.append(f"graph {seed}: {error}")
            continue
        _compare_passes(seed, lowered, graphs[seed], found)
        operators = [node.op for node in graphs[seed].nodes]
        found.nodes.update(operators)
        found.graphs.update(set(operators))
    if _compare(HOST, graphs, found):
        # One of them is wrong; an image that aborts says nothing of the others.
        before = len(found.wrong)
        for seed, graph in graphs.items():
            found.wrong += _compare(HOST, {seed: graph}, found)
        if len(found.wrong) == before:
            found.wrong.append(f"graphs {seeds[0]} to {seeds[-1]}: wrong together, right each alone")
    for core in emulated:
        found.wrong += _compare(core, {seed: graph for seed, graph in graphs.items() if seed % BATCH == 0}, found)
    return found


def _compare_passes(seed: int, lowered: Graph, graph: Graph, found: Findings) -> None:
    """The reference's tensors before and after the passes."""
    before, result = BeforePasses(lowered, graph), Comparison(BEHIND)
    for number, sample in enumerate(input_sets(graph)):
        expected = run(graph, sample).tensors
        before.compare(result, number, before.run(sample, expected), expected)
    found.runs[BEHIND] += 1
    found.elements[BEHIND] += result.elements
    if result.first:
        found.wrong.append(f"graph {seed} ({arithmetic_of(seed)}) after the passes: {result.first}")


def _compare(executor: str, graphs: Mapping[int, Graph], found: Findings) -> list[str]:
    """Run graphs in one image; what is wrong."""
    if not graphs:
        return []
    seed = next(iter(graphs))
    board = HOST if executor == HOST else CORES[executor][0]
    joined = join_graphs(graphs.values())
    what = f"graph {seed} on {executor} ({arithmetic_of(seed)}, {way_of(seed)})"
    with tempfile.TemporaryDirectory(prefix="edgeq-graphs-") as folder:
        try:
            result = compare_on(
                board,
                joined,
                input_sets(joined),
                Path(folder),
                code_bytes=way_of(seed),
                sanitize=executor == HOST,
            )
        except (AssertionError, EdgeqError) as error:
            return [f"{what}: {error}"]
    found.runs[executor] += len(graphs)
    found.elements[executor] += result.elements
    return [f"{what}: {result.mismatches} of {result.elements} elements differ, {result.first}"] if result.first else []


def batches(first: int, count: int) -> list[list[int]]:
    """The seeds from ``first`` on, by batch."""
    return [list(group) for _, group in groupby(range(first, first + count), lambda seed: seed // BATCH)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the first graph; the next have the numbers behind it")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    start = time.monotonic()
    found = Findings()
    # A forked child would inherit onnxruntime's threads without their state.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, mp_context=context) as pool:
        for one in pool.map(check_batch, batches(options.seed, options.count)):
            found.add(one)
            done, seconds = found.runs[BEHIND], time.monotonic() - start
            print(f"{done} graphs, {len(found.wrong)} wrong, {seconds:.0f} s", file=sys.stderr, flush=True)
    return _report(found, options.count, time.monotonic() - start)


def _report(found: Findings, count: int, seconds: float) -> int:
    for op in OPS:
        print(f"{op.name:16} {found.nodes[op.name]:6} nodes in {found.graphs[op.name]:5} graphs")
    for executor, runs in found.runs.items():
        print(f"{executor:16} {runs:6} graphs, {found.elements[executor]} elements compared")
    if count >= _ENOUGH:
        found.wrong += [f"{op.name} occurs in no graph" for op in OPS if not found.nodes[op.name]]
    for line in found.wrong:
        print(f"WRONG {line}")
    print(f"{count} graphs, {len(found.wrong)} wrong, {seconds:.0f} s")
    return int(bool(found.wrong))


if __name__ == "__main__":
    sys.exit(main())
