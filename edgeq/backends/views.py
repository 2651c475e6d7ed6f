"""Nodes that move nothing, because one of their tensors lies inside another.

A reshape is always one. A slice is one where what it takes lies in one piece; a concatenation where its operands lie
one behind the other: these are computed where the result has them. Both want their bytes where every kernel can read
them, at multiples of the alignment, and may not make more bytes necessary at once than without: a slice keeps its whole
operand alive, a concatenation takes its place as soon as the first operand is computed. States stay copies, since they
are overwritten where they lie; so do inputs, which the application writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from math import prod

from edgeq.ir import Graph, Node
from edgeq.memory.blocks import aligned
from edgeq.memory.schedule import ALIGN_BYTES, View

Views = Mapping[str, tuple[View, ...]]
"""By name of a node that moves nothing, which tensor lies inside which."""


def views_of(graph: Graph) -> Views:
    """The nodes of a graph that move nothing; a reshape of a constant is none, since nobody runs it either."""
    found: dict[str, tuple[View, ...]] = {
        node.name: (View(node.inputs[0], node.outputs[0], 0),)
        for node in graph.nodes
        if node.op == "reshape" and not graph.tensors[node.inputs[0]].is_constant
    }
    candidates = _candidates(graph, inside_of(found.values()))
    if not candidates:
        return found
    peak = _peak(graph, inside_of(found.values()))
    joined: set[str] = set()
    for node, views in candidates:
        inside = inside_of(found.values())
        parts = {home_of(view.part, inside) for view in views}
        # A tensor lies in one place: it is an operand of one of these concatenations, and once.
        if node.op == "concat" and (joined & parts or len(parts) < len(views)):
            continue
        together = _peak(graph, inside_of([*found.values(), views]))
        if together <= peak:
            found[node.name], peak = views, together
            joined |= parts if node.op == "concat" else set()
    return found


def inside_of(views: Iterable[tuple[View, ...]]) -> dict[str, str]:
    """By part its whole."""
    return {view.part: view.whole for each in views for view in each}


def step_nodes(graph: Graph) -> tuple[Node, ...]:
    """The nodes that are steps of every program, in schedule order: all but those that move nothing."""
    views = views_of(graph)
    return tuple(node for node in graph.nodes if node.op != "reshape" and node.name not in views)


def home_of(name: str, inside: Mapping[str, str]) -> str:
    """The tensor whose bytes a tensor is part of, or itself."""
    while name in inside:
        name = inside[name]
    return name


def _candidates(graph: Graph, reshaped: Mapping[str, str]) -> list[tuple[Node, tuple[View, ...]]]:
    """Slices and concatenations whose bytes lie as they must, of tensors that steps compute and that are no states."""
    computed = {name for node in graph.nodes for name in node.outputs}
    states = {home_of(name, reshaped) for state in graph.states for name in (state.input, state.output)}
    found: list[tuple[Node, tuple[View, ...]]] = []
    sliced: set[str] = set()
    for node in graph.nodes:
        if node.op not in ("slice", "concat"):
            continue
        homes = {home_of(name, reshaped) for name in (*node.inputs, *node.outputs)}
        if homes - computed or homes & states:
            continue
        if node.op == "slice":
            offset = _slice_offset(node, graph)
            if offset is not None:
                sliced.add(node.outputs[0])
                found.append((node, (View(node.inputs[0], node.outputs[0], offset),)))
        elif len(node.inputs) > 1 and not homes & sliced:  # of one operand it is a copy that somebody wants
            offsets = _concat_offsets(node, graph)
            if offsets is not None:
                pairs = zip(node.inputs, offsets, strict=True)
                found.append((node, tuple(View(node.outputs[0], part, offset) for part, offset in pairs)))
    return found


def _slice_offset(node: Node, graph: Graph) -> int | None:
    """The byte of the operand at which the result begins, where that is one piece of it and aligned."""
    x, out = graph.operands(node)[0], graph.results(node)[0]
    cut = next((axis for axis, size in enumerate(out.shape) if size != 1), len(out.shape))
    if out.shape[cut + 1 :] != x.shape[cut + 1 :] or any(step != 1 for step in node.integers("steps")[cut:]):
        return None
    strides = [prod(x.shape[axis + 1 :]) for axis in range(len(x.shape))]
    offset = x.dtype.size_bytes * sum(at * by for at, by in zip(node.integers("starts"), strides, strict=True))
    return None if offset % ALIGN_BYTES else offset


def _concat_offsets(node: Node, graph: Graph) -> list[int] | None:
    """Where each operand begins in the result, where that is one piece and aligned."""
    parts = graph.operands(node)
    if prod(parts[0].shape[: node.integer("axis")]) != 1:
        return None
    offsets = [0, *accumulate(part.size_bytes for part in parts[:-1])]
    return None if any(offset % ALIGN_BYTES for offset in offsets) else offsets


def _peak(graph: Graph, inside: Mapping[str, str]) -> int:
    """The most bytes of activations that are needed at once, each rounded up to the alignment."""
    first, last = dict[str, int](), dict[str, int]()
    for at, names in _uses(graph):
        for name in names:
            home = home_of(name, inside)
            first.setdefault(home, at)
            last[home] = at
    change = [0] * (len(graph.nodes) + 3)
    for name, at in first.items():
        size = aligned(graph.tensors[name].size_bytes, ALIGN_BYTES)
        change[at] += size
        change[last[name] + 1] -= size
    return max(accumulate(change))


def _uses(graph: Graph) -> Iterator[tuple[int, tuple[str, ...]]]:
    """What must be there before the first node, at each, and behind the last."""
    yield 0, graph.sources()
    for at, node in enumerate(graph.nodes, start=1):
        yield at, tuple(name for name in (*node.inputs, *node.outputs) if not graph.tensors[name].is_constant)
    yield len(graph.nodes) + 1, graph.sinks()
