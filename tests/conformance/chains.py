"""Chains of rows to test with: graphs of independent chains, and programs that run them in bands as they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from random import Random

import numpy as np

from edgeq.backends.c.bind import Step
from edgeq.backends.c.binding import Binding
from edgeq.backends.c.chain import Chain, make_chain
from edgeq.backends.c.chain_search import ChainSearch, Cut
from edgeq.backends.c.runtime import Isa
from edgeq.backends.c.slices import row_step
from edgeq.backends.planning import Plan
from edgeq.ir import Graph
from edgeq.memory.bands import Way
from edgeq.ops.pool import average_pool_counts
from tests.conformance.edges import Attributes, Edges

Ends = tuple[tuple[int, int], ...]
Pads = tuple[int, int, int, int]
Search = Callable[[Graph, Isa, Mapping[str, Binding]], tuple[Sequence[Step | Chain], Plan]]


class Chains(Edges):
    """A graph of chains beside each other; each has an input and an output.

    Attributes:
        ends: first node and end of each chain.
    """

    def __init__(self) -> None:
        super().__init__("highmul")
        self.ends: list[tuple[int, int]] = []
        self._start = 0

    def done(self) -> None:
        """What was added since the last call is a chain."""
        last = self.graph.nodes[-1].outputs[0]
        before = self.graph.outputs
        self.graph.outputs = (*[name for name in before if self._is_end(name)], last)
        self.ends.append((self._start, len(self.graph.nodes)))
        self._start = len(self.graph.nodes)

    def _is_end(self, name: str) -> bool:
        return any(self.graph.nodes[end - 1].outputs[0] == name for _, end in self.ends)

    @property
    def last(self) -> str:
        """The result of the last node."""
        return self.graph.nodes[-1].outputs[0]

    def conv(
        self, x: str, outputs: int, kernel: tuple[int, int], stride: int, pads: Pads, *, depthwise: bool = False
    ) -> str:
        """A convolution; depthwise it has as many outputs as inputs."""
        channels = self.graph.tensors[x].shape[3]
        outputs = channels if depthwise else outputs
        weights = self.random.integers(-127, 128, (outputs, *kernel, 1 if depthwise else channels))
        scaling, attributes = self.scaling(1.2 / (74 * np.sqrt(weights[0].size)), outputs)
        constants = (self.constant(weights, np.int8), self.constant(self.random.integers(-999, 999, outputs)), *scaling)
        geometry: Attributes = {
            "strides": (stride, stride),
            "pads": pads,
            "dilations": (1, 1),
            "group": channels if depthwise else 1,
            "pad_value": -7,
        }
        self.node("conv2d", (x, *constants), {**geometry, **attributes}, 3, (-128, 127))
        return self.last

    def pool(self, x: str, op: str, kernel: tuple[int, int], stride: int, pads: Pads) -> str:
        """A pooling layer."""
        window: Attributes = {"kernel": kernel, "strides": (stride, stride), "pads": pads}
        if op == "max_pool":
            self.node(op, (x,), window, 0, (-128, 127))
            return self.last
        counts = average_pool_counts(self.graph.tensors[x].shape, kernel, (stride, stride), pads)
        scaling, attributes = self.scaling(1.5 / counts[-1], len(counts))
        self.node(op, (x, *scaling), {**window, **attributes, "counts": counts, "in_zero": 3}, 0, (-120, 127))
        return self.last

    def sum(self, a: str, b: str) -> str:
        """An addition."""
        attributes = {"a_multiplier": 160, "b_multiplier": 200, "offset": 128 + 999, "shift": 8}
        self.node("add", (a, b), attributes, 0, (-128, 127))
        return self.last

    def table(self, x: str) -> str:
        """A function of single values."""
        self.add("lookup", (x, self.constant(self.integers(256), np.int8)), {"function": "Random"})
        return self.last

    def draw(self, draw: Random) -> bool:
        """Add a random chain; whether there is any."""
        x = self.input(1, draw.randint(3, 20), 4 * draw.randint(1, 4), draw.randint(1, 6))
        for _ in range(draw.randint(2, 6)):
            height, width, channels = self.graph.tensors[x].shape[1:]
            if height < 2 or width % 4:
                break
            kernel = draw.choice((1, 3, 3, 5))
            stride = draw.choice((1, 1, 2)) if height > 4 and width % 8 == 0 else 1
            pads = (kernel // 2,) * 4
            kind = draw.choice(("conv", "depthwise", "max_pool", "table", "sum"))
            if kind == "table":
                x = self.table(x)
            elif kind == "sum":
                x = self.sum(x, self.conv(x, channels, (3, 3), 1, (1, 1, 1, 1)))
            elif kind == "max_pool":
                x = self.pool(x, kind, (2, 2), 1, (0, 0, 1, 1))
            else:
                depthwise = kind == "depthwise" and channels > 1
                x = self.conv(x, draw.randint(1, 9), (kernel, kernel), stride, pads, depthwise=depthwise)
        if len(self.graph.nodes) == self._start:
            return False
        self.done()
        return True


def random_chains(seed: int, count: int) -> Graph:
    """A graph of random chains beside each other."""
    made = Chains()
    made.random = np.random.default_rng(seed)
    draw = Random(seed)
    for _ in range(count):
        made.draw(draw)
    return made.graph


@cache
def chains() -> tuple[Graph, Ends]:
    """Residual blocks, separable convolutions, pools, odd sizes, uneven padding, windows beyond the picture, time."""
    made = Chains()
    x = made.input(1, 9, 8, 8)
    made.sum(x, made.conv(made.conv(x, 8, (3, 3), 1, (1, 1, 1, 1)), 8, (3, 3), 1, (1, 1, 1, 1)))
    made.done()
    x = made.conv(made.input(1, 17, 16, 3), 8, (3, 3), 1, (1, 1, 1, 1))
    side = made.conv(x, 12, (1, 1), 2, (0, 0, 0, 0))
    x = made.sum(side, made.conv(made.conv(x, 12, (3, 3), 2, (1, 1, 1, 1)), 12, (3, 3), 1, (1, 1, 1, 1)))
    made.pool(x, "max_pool", (2, 2), 2, (0, 0, 0, 0))
    made.done()
    x = made.input(1, 24, 10, 20)
    for stride in (1, 2, 1):
        x = made.conv(x, 0, (3, 3), stride, (1, 1, 1, 1), depthwise=True)
        x = made.conv(x, 24, (1, 1), 1, (0, 0, 0, 0))
    made.done()
    x = made.conv(made.input(1, 20, 12, 12), 0, (3, 3), 2, (0, 0, 1, 1), depthwise=True)
    x = made.pool(x, "average_pool", (3, 3), 1, (1, 1, 1, 1))
    made.conv(made.table(x), 9, (5, 1), 1, (3, 0, 1, 2))
    made.done()
    x = made.conv(made.input(1, 12, 10, 1), 8, (10, 4), 2, (4, 1, 5, 2))
    made.conv(x, 5, (3, 3), 1, (1, 1, 1, 0))
    made.done()
    x = made.conv(made.input(1, 6, 8, 4), 16, (5, 5), 1, (2, 2, 2, 2))
    made.conv(made.conv(x, 16, (5, 3), 1, (2, 1, 2, 1)), 20, (1, 1), 1, (0, 0, 0, 0))
    made.done()
    # Over time: one row, whose places are cut.
    x = made.conv(made.input(1, 1, 40, 8), 16, (1, 5), 2, (0, 2, 0, 2))
    x = made.conv(made.sum(x, made.conv(x, 16, (1, 3), 1, (0, 1, 0, 1))), 0, (1, 3), 1, (0, 0, 0, 2), depthwise=True)
    made.pool(x, "max_pool", (1, 2), 2, (0, 0, 0, 0))
    made.done()
    return made.graph, tuple(made.ends)


def in_bands(
    ends: Ends, height: int, way: Way
) -> Callable[[Graph, Isa, Mapping[str, Binding]], tuple[Sequence[Step | Chain], Plan]]:
    """In place of the search: exactly these nodes run as chains."""

    def program(graph: Graph, isa: Isa, forced: Mapping[str, Binding]) -> tuple[Sequence[Step | Chain], Plan]:
        assert not forced
        made = ChainSearch(graph, isa).program([Cut(first, end, way, height, 0, 0.0) for first, end in ends])
        assert made is not None
        return made

    return program


def in_bands_everywhere(height: int, way: Way) -> Callable[..., tuple[Sequence[Step | Chain], Plan]]:
    """In place of the search: from the first node on the longest chains that there are."""

    def program(graph: Graph, isa: Isa, *_: object) -> tuple[Sequence[Step | Chain], Plan]:
        cuts: list[Cut] = []
        at = 0
        while at < len(graph.nodes):
            end = _longest(graph, at, height, way, isa)
            cuts.append(Cut(at, end, way if end - at > 1 else None, height, 0, 0.0))
            at = end
        made = ChainSearch(graph, isa).program(cuts)
        assert made is not None
        return made

    return program


def _longest(graph: Graph, first: int, height: int, way: Way, isa: Isa) -> int:
    """The end of the longest chain that begins with a node; the node's own, where there is none."""
    steps = 0
    while first + steps < len(graph.nodes) and row_step(graph.nodes[first + steps], graph) is not None:
        steps += 1
    for end in range(first + steps, first + 1, -1):
        inner = {name for node in graph.nodes[first : end - 1] for name in node.outputs}
        outside = (*graph.nodes[:first], *graph.nodes[end:])
        read = {name for node in outside for name in node.inputs} | set(graph.sinks())
        used = {name for node in graph.nodes[first:end] for name in node.inputs}
        if (
            not inner & read
            and inner <= used
            and make_chain(graph, graph.nodes[first:end], height, way, isa) is not None
        ):
            return end
    return first + 1
