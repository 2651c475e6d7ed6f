"""Which nodes run as chains, so that the arena is smallest: the aim ``ram``.

The schedule is cut into single steps and chains. What a chain needs follows from the rates at which its nodes read
rows, without a look at bands or kernels; dynamic programming over the cuts gives the least peak, and then the cheapest
cuts below it. The cheapest few are bound, laid out, planned and checked, and the smallest arena wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final

from edgeq.backends.base import ChainChoice
from edgeq.backends.c.bind import NOTHING_FORCED, Step, memory_of
from edgeq.backends.c.binding import Binding
from edgeq.backends.c.candidates import binding_of
from edgeq.backends.c.chain import Chain, make_chain, plan_program
from edgeq.backends.c.choose import better_bindings, direct_program, faster_steps, weight_bytes
from edgeq.backends.c.runtime import Isa
from edgeq.backends.c.slices import has_aligned_rows, row_step, rows_of
from edgeq.backends.planning import Plan
from edgeq.errors import EdgeqError
from edgeq.ir import Graph, Node
from edgeq.memory.bands import Need, RowStep, Way, Window, needs_of
from edgeq.memory.blocks import trailing_distance
from edgeq.ops import BY_NAME

HEIGHTS: Final = (1, 2, 4)
"""Rows of a band."""
_LONGEST: Final = 24
_WAYS: Final[tuple[Way, ...]] = ("ring", "patch")
_SLACK: Final = (1.0, 1.01, 1.03, 1.08)
"""Peaks that are tried, as multiples of the least: no plan reaches every bound."""
_SHARES: Final = (1.0, 0.98, 0.95, 0.9, 0.8)
"""Of an arena that is asked for, the peaks that are tried: a plan may need more than its peak."""
_LEVELS: Final = (0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8)
"""Between the smallest arena and that without chains."""
_FREE: Final = 0.005
"""Instructions that count as none, as a share of the multiply-accumulates."""
_SPARED: Final = (0.7, 0.75, 0.8, 0.85)
"""Of an arena, what chains must leave to be worth having unasked."""
_MOVE_COST: Final = 0.75
"""Instructions for a byte that moves."""
_CALL_COST: Final = 80
_GROWTH: Final = 1.3
"""How much larger the weights of a faster kernel may be."""
_TRIED: Final = 2
"""Faster kernels that are tried for a node of a chain."""
_NODE_COST: Final = 400
"""What the code of a node in a chain counts, as if it were instructions."""


@dataclass(frozen=True)
class Cut:
    """Nodes ``first`` to ``end`` as one step: a single node, or a chain.

    Attributes:
        way: of a chain; None for a single node.
        height: rows of a band.
        peak_bytes: what must lie in the arena while it runs, about.
        cost: instructions more than its nodes need one by one, about.
    """

    first: int
    end: int
    way: Way | None
    height: int
    peak_bytes: int
    cost: float


Planned = tuple[list[Step | Chain], Plan]
"""The steps of a program and its plan."""


def smallest_arena(graph: Graph, isa: Isa, forced: Mapping[str, Binding] = NOTHING_FORCED) -> Planned:
    """Steps and plan of the smallest arena that was found, with faster kernels where it does not grow.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        forced: by node name, bindings of nodes that run by themselves.
    """
    search = ChainSearch(graph, isa, forced)
    best: Planned = (list(search.steps), search.plan)
    for cuts in search.candidates():
        made = search.program(cuts)
        if made is not None and made[1].arena_bytes <= best[1].arena_bytes:
            best = made
    return search.faster(best, best[1].arena_bytes)


def nearly_free(
    graph: Graph,
    isa: Isa,
    found: tuple[list[Step], Plan],
    forced: Mapping[str, Binding] = NOTHING_FORCED,
    direct: tuple[list[Step], Plan] | None = None,
) -> tuple[Sequence[Step | Chain], Plan]:
    """Steps and plan with chains where these spare much of the arena and cost next to no instructions.

    Nodes keep their kernels in chains. A program whose weights would grow stays as it is: where bands need another
    packing, they run on another kernel than whole images.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        found: steps and plan without chains.
        forced: as for :func:`smallest_arena`.
        direct: the kernels that are bound first, and their plan, where the caller has made them.
    """
    steps, plan = found
    search = ChainSearch(graph, isa, forced, direct)
    faster = {
        step.node.name: step
        for step, first in zip(steps, search.steps, strict=True)
        if step.candidate != first.candidate
    }
    macs = sum(step.macs for step in steps)
    for share in _SPARED:
        cuts = search.cheapest(int(plan.arena_bytes * share))
        if cuts is None or sum(cut.cost for cut in cuts) > _FREE * macs:
            continue
        made = search.program(cuts, faster)
        if made is None or made[1].arena_bytes > plan.arena_bytes * _SPARED[-1]:
            continue
        if weight_bytes(_calls(made[0])) <= weight_bytes(steps):
            return made
    return found


def _calls(steps: Sequence[Step | Chain]) -> list[Step]:
    """Single steps, and every call of chains."""
    return [
        call for step in steps for calls in (step.calls if isinstance(step, Chain) else ((step,),)) for call in calls
    ]


def arena_within(graph: Graph, isa: Isa, arena_bytes: int, forced: Mapping[str, Binding] = NOTHING_FORCED) -> Planned:
    """Steps and plan of an arena of at most so many bytes, for the fewest instructions as far as they are known.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        arena_bytes: the bound.
        forced: as for :func:`smallest_arena`.

    Raises:
        EdgeqError: EQ0404, no plan that was found is so small.
    """
    search = ChainSearch(graph, isa, forced)
    found: Planned = (list(search.steps), search.plan)
    for share in _SHARES:
        if found[1].arena_bytes <= arena_bytes:
            return search.faster(found, arena_bytes)
        cuts = search.cheapest(int(arena_bytes * share))
        made = search.program(cuts) if cuts is not None else None
        found = found if made is None else made
    found = smallest_arena(graph, isa, forced)
    if found[1].arena_bytes <= arena_bytes:
        return found
    raise EdgeqError(
        "EQ0404",
        "the arena cannot be made so small",
        where="--arena-bytes",
        got=arena_bytes,
        allowed=f"{found[1].arena_bytes} or more: the smallest arena that was found",
        hint="`edgeq fit` lists the ways to fit",
    )


def with_chains(
    graph: Graph, isa: Isa, chains: Sequence[ChainChoice], forced: Mapping[str, Binding] = NOTHING_FORCED
) -> Planned:
    """Steps and plan with these chains, and every other node by itself.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        chains: of nodes of the graph.
        forced: as for :func:`smallest_arena`.

    Raises:
        ValueError: the nodes of one cannot run in bands.
    """
    places = {node.name: at for at, node in enumerate(graph.nodes)}
    firsts = {places[chain.nodes[0]]: chain for chain in chains}
    cuts: list[Cut] = []
    at = 0
    while at < len(graph.nodes):
        chain = firsts.get(at)
        end = at + (1 if chain is None else len(chain.nodes))
        way, height = (None, 0) if chain is None else (chain.way, chain.height)
        cuts.append(Cut(at, end, way, height, 0, 0.0))
        at = end
    found = ChainSearch(graph, isa, forced).program(cuts)
    if found is None:
        raise ValueError(f"{graph.name}: nodes cannot run in bands: {chains}")
    return found


def arenas(graph: Graph, isa: Isa, most: int = 4) -> list[int]:
    """Sizes of arenas from the smallest one up to what needs no chain, each with fewer instructions, about.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        most: how many, at most.
    """
    search = ChainSearch(graph, isa)
    least, single = smallest_arena(graph, isa)[1].arena_bytes, search.plan.arena_bytes
    found: dict[int, float] = {}
    for share in _LEVELS:
        cuts = search.cheapest(int(least + (single - least) * share))
        made = search.program(cuts) if cuts is not None else None
        if cuts is not None and made is not None and least < made[1].arena_bytes < single:
            found[made[1].arena_bytes] = sum(cut.cost for cut in cuts)
    better: list[int] = []
    for size in sorted(found, key=lambda size: (found[size], size)):
        if not better or size < better[-1]:
            better.append(size)
    return sorted([least, *better[-most + 1 :]])


class ChainSearch:
    """The cuts of a graph.

    Attributes:
        steps: every node by itself.
        plan: of these.
    """

    def __init__(
        self,
        graph: Graph,
        isa: Isa,
        forced: Mapping[str, Binding] = NOTHING_FORCED,
        direct: tuple[list[Step], Plan] | None = None,
    ) -> None:
        self.graph = graph
        self.isa = isa
        self.steps, self.plan = direct or direct_program(graph, isa, forced)
        self._forced = forced
        self._by_node = {step.node.name: step for step in self.steps}
        self._rows = [None if node.name in forced else row_step(node, graph) for node in graph.nodes]
        self._macs = [BY_NAME[node.op].macs(node, graph.operands(node)) for node in graph.nodes]
        self._first, self._last = self._lifetimes()
        self._made: dict[tuple[object, ...], Chain | None] = {}

    @cached_property
    def _cuts(self) -> list[list[Cut]]:
        """By first node, all steps that begin there."""
        return [list(self._cuts_from(first)) for first in range(len(self.graph.nodes))]

    def candidates(self) -> Iterator[tuple[Cut, ...]]:
        """Cuts of the whole schedule that may have a small arena, the one with the least peak first."""
        least = self._least_peak()
        seen: set[tuple[Cut, ...]] = set()
        for slack in _SLACK:
            found = self.cheapest(int(least * slack))
            if found is not None and found not in seen:
                seen.add(found)
                yield found

    def cheapest(self, peak_bytes: int) -> tuple[Cut, ...] | None:
        """The cheapest cuts whose peaks are at most so large; None where there are none."""
        count = len(self._cuts)
        best: list[tuple[float, Cut | None] | None] = [None] * (count + 1)
        best[0] = (0.0, None)
        for first, cuts in enumerate(self._cuts):
            before = best[first]
            if before is None:
                continue
            for cut in cuts:
                after = best[cut.end]
                cost = before[0] + cut.cost
                if cut.peak_bytes <= peak_bytes and (after is None or cost < after[0]):
                    best[cut.end] = (cost, cut)
        if best[count] is None:
            return None
        found: list[Cut] = []
        at = count
        while at:
            entry = best[at]
            assert entry is not None and entry[1] is not None  # noqa: PT018 - reached from the start
            found.append(entry[1])
            at = entry[1].first
        return tuple(reversed(found))

    def faster(self, found: Planned, arena_bytes: int) -> Planned:
        """The same with faster kernels, as far as the arena stays within so many bytes."""
        steps, plan = list(found[0]), found[1]
        for place in sorted(range(len(steps)), key=lambda number: -steps[number].macs):
            step = steps[place]
            if isinstance(step, Chain):
                steps, plan = self._faster_chain(steps, plan, place, arena_bytes)
                continue
            if step.node.name in self._forced:
                continue
            for other in faster_steps(step, self.graph, self.isa):
                if other.scratch_bytes > arena_bytes or weight_bytes([other]) > _GROWTH * weight_bytes([step]):
                    continue
                tried = [*steps[:place], other, *steps[place + 1 :]]
                planned = plan_program(self.graph, tried)
                if planned.arena_bytes <= arena_bytes:
                    steps, plan = tried, planned
                    break
        return steps, plan

    def _faster_chain(
        self, steps: list[Step | Chain], plan: Plan, place: int, arena_bytes: int
    ) -> tuple[list[Step | Chain], Plan]:
        """The same with faster kernels in one chain, node by node, those with the most work first."""
        chain = steps[place]
        assert isinstance(chain, Chain)
        preferred: dict[str, Binding] = {}
        singles = chain.singles
        for number in sorted(range(len(singles)), key=lambda number: -singles[number].macs):
            node = singles[number].node
            for binding in better_bindings(singles[number], self.graph, self.isa)[:_TRIED]:
                wanted = {**preferred, node.name: binding}
                made = make_chain(self.graph, chain.nodes, chain.height, chain.way, self.isa, wanted)
                if made is None or made.calls[number][0].candidate != binding.name:
                    continue
                if weight_bytes(made.calls[number]) > _GROWTH * weight_bytes(chain.calls[number]):
                    continue
                tried = [*steps[:place], made, *steps[place + 1 :]]
                planned = plan_program(self.graph, tried)
                if planned.arena_bytes <= arena_bytes:
                    steps, plan, preferred = tried, planned, wanted
                    break
        return steps, plan

    def program(self, cuts: Sequence[Cut], faster: Mapping[str, Step] = MappingProxyType({})) -> Planned | None:
        """The steps of some cuts, and their plan; None where a chain cannot be made.

        Args:
            cuts: of the whole schedule.
            faster: by node name, steps in place of those that are bound first, whose kernels chains prefer, too.
        """
        steps: list[Step | Chain] = []
        for cut in cuts:
            node = self.graph.nodes[cut.first]
            if cut.way is None:
                step = faster.get(node.name, self._by_node.get(node.name))
                if step is not None:
                    steps.append(step)
                continue
            nodes = self.graph.nodes[cut.first : cut.end]
            preferred = {node.name: binding_of(faster[node.name]) for node in nodes if node.name in faster}
            key = (cut.first, cut.end, cut.height, cut.way, *((name, each.name) for name, each in preferred.items()))
            if key not in self._made:
                self._made[key] = make_chain(self.graph, nodes, cut.height, cut.way, self.isa, preferred)
            made = self._made[key]
            if made is None:
                return None
            steps.append(made)
        return steps, plan_program(self.graph, steps)

    def _least_peak(self) -> int:
        count = len(self._cuts)
        best = [0, *[1 << 62] * count]
        for first, cuts in enumerate(self._cuts):
            for cut in cuts:
                best[cut.end] = min(best[cut.end], max(best[first], cut.peak_bytes))
        return best[count]

    def _lifetimes(self) -> tuple[dict[str, int], dict[str, int]]:
        """Where each activation is made, and where it is read last; what a reshape gives is what it is given."""
        nodes = self.graph.nodes
        first = dict.fromkeys(self.graph.sources(), -1)
        last = dict.fromkeys(self.graph.sources(), -1)
        for at, node in enumerate(nodes):
            last |= {name: at for name in node.inputs if not self.graph.tensors[name].is_constant}
            for name in node.outputs:
                first.setdefault(name, at)
                last.setdefault(name, at)
        last |= dict.fromkeys(self.graph.sinks(), len(nodes))
        for node in reversed(nodes):
            if node.op == "reshape" and node.inputs[0] in last:
                last[node.inputs[0]] = max(last[node.inputs[0]], last[node.outputs[0]])
                first[node.outputs[0]] = len(nodes)  # counted as its operand
        return first, last

    def _cuts_from(self, first: int) -> Iterator[Cut]:
        yield Cut(first, first + 1, None, 0, self._single_peak(first), 0.0)
        steps: list[RowStep] = []
        for end in range(first + 1, min(first + _LONGEST, len(self._rows)) + 1):
            step = self._rows[end - 1]
            if step is None:
                return
            if steps and not has_aligned_rows(self.graph.tensors[steps[-1].writes]):
                return
            steps.append(step)
            if end - first > 1 and self._is_closed(first, end):
                for way in _WAYS:
                    for height in HEIGHTS:
                        found = self._chain_cut(first, end, steps, way, height)
                        if found is not None:
                            yield found

    def _is_closed(self, first: int, end: int) -> bool:
        """Whether everything between the nodes is read by them alone, and nothing else is read."""
        inner = [node.outputs[0] for node in self.graph.nodes[first : end - 1]]
        return all(first <= self._first[name] and self._first[name] < self._last[name] < end for name in inner)

    def _size(self, name: str) -> int:
        return -(-self.graph.tensors[name].size_bytes // 16) * 16

    def _around(self, first: int, end: int) -> tuple[int, list[str]]:
        """Bytes that lie there for others while nodes run, and what of their operands dies with them."""
        reads = {name for node in self.graph.nodes[first:end] for name in node.inputs if name in self._first}
        others = sum(self._size(name) for name, at in self._first.items() if at < first and self._last[name] >= end)
        dying = [name for name in reads if self._first[name] < first and self._last[name] < end]
        return others, sorted(dying)

    def _single_peak(self, at: int) -> int:
        node = self.graph.nodes[at]
        step = self._by_node.get(node.name)
        if step is None:
            return 0
        others, dying = self._around(at, at + 1)
        made = sum(self._size(name) for name in node.outputs)
        apart = sum(self._size(name) for name in dying) + made
        need = memory_of(step)
        shared = [0]
        for operand, result in need.in_place:
            if operand in dying and self._size(result) <= self._size(operand):
                shared.append(self._size(result))
        for item in need.trailing:
            if item.operand in dying:
                sizes = self._size(item.operand), self._size(item.result)
                least = trailing_distance(item.order, self.graph.tensors[item.operand].size_bytes)
                shared.append(sum(sizes) - max(*sizes, sizes[0] + least))
        return others + apart - max(shared) + step.scratch_bytes

    def _chain_cut(self, first: int, end: int, steps: Sequence[RowStep], way: Way, height: int) -> Cut | None:
        nodes = self.graph.nodes[first:end]
        heights = {
            name: rows_of(self.graph.tensors[name]) for step in steps for name in (step.writes, *dict(step.reads))
        }
        result = steps[-1].writes
        if height > 1 and height >= heights[result]:
            return None
        needs = needs_of(steps, heights, height)
        if needs is None:
            return None
        row = {name: self.graph.tensors[name].size_bytes // heights[name] for name in heights}
        bands = -(-heights[result] // height)
        own, moved = self._own_bytes(nodes, steps, way, needs, row)
        others, dying = self._around(first, end)
        made = self._size(result)
        apart = sum(self._size(name) for name in dying) + made
        shared = [0]
        for name in dying:
            least = _distance(steps, name, way, needs, heights, row, bands)
            shared.append(made + self._size(name) - max(made, self._size(name), self._size(name) + least))
        cost = 0.0
        for number, step in enumerate(steps):
            need = needs[step.writes]
            cost += _CALL_COST * bands + _NODE_COST
            if way == "patch":
                rows = min(need.rate + need.up - need.low, heights[step.writes]) * bands
                cost += self._macs[first + number] * max(0.0, rows / max(1, need.limit) - 1)
        cost += moved * bands * _MOVE_COST
        return Cut(first, end, way, height, others + apart - max(shared) + own, cost)

    def _own_bytes(
        self,
        nodes: Sequence[Node],
        steps: Sequence[RowStep],
        way: Way,
        needs: Mapping[str, Need],
        row: Mapping[str, int],
    ) -> tuple[int, int]:
        """Bytes of strips and scratch, and those that a band moves."""
        readers = _readers(steps)
        lasting = moved = 0
        lives: list[tuple[int, int, int]] = []  # first node, last node, bytes of what a band leaves nothing of
        for number, step in enumerate(steps[:-1]):
            name = step.writes
            need = needs[name]
            low = need.low
            if way == "ring":
                low = min([need.up, *(needs[at].up * window.stride - window.pad for at, window in readers[name])])
            size = _aligned(min(need.rate + need.up - low, need.limit - min(0, low)) * row[name])
            if way == "ring" and low < need.up:
                lasting += size
                moved += (need.up - low) * row[name]
            else:
                last = max(at for at, other in enumerate(steps) if name in dict(other.reads))
                lives.append((number, last, size))
        peak = max(
            sum(size for begin, last, size in lives if begin <= number <= last)
            + _aligned(self._by_node[node.name].scratch_bytes)
            for number, node in enumerate(nodes)
        )
        return lasting + peak, moved


def _aligned(size: int) -> int:
    return -(-size // 16) * 16


def _readers(steps: Sequence[RowStep]) -> dict[str, list[tuple[str, Window]]]:
    found: dict[str, list[tuple[str, Window]]] = {}
    for step in steps:
        for name, window in step.reads:
            found.setdefault(name, []).append((step.writes, window))
    return found


def _distance(
    steps: Sequence[RowStep],
    operand: str,
    way: Way,
    needs: Mapping[str, Need],
    heights: Mapping[str, int],
    row: Mapping[str, int],
    bands: int,
) -> int:
    """About how far the result must begin below an operand, see :func:`edgeq.memory.blocks.trailing_distance`."""
    result = steps[-1].writes
    least = -heights[operand] * row[operand]
    ends = [needs[result].end(band) * row[result] for band in range(bands)]
    for reader, window in _readers(steps)[operand]:
        need = needs[reader]
        for band, written in enumerate(ends):
            done = need.end(band) if way == "ring" else need.first(band + 1)
            if reader == result:
                # A kernel writes its own rows while it reads theirs; element by element where rows are the same.
                done = need.end(band) if window.reach == 1 else need.end(band - 1)
            if done < need.limit and band < bands - 1:
                unread = max(0, done * window.stride - window.pad)
                least = max(least, written - unread * row[operand])
    return least
