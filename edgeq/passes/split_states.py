"""Keep what a state stacks as states of their own.

Exporters stack the caches of all layers of a language model along the first axis: each layer reads its slab, and a
concatenation of the new slabs is what the next run reads. With a state for each slab nothing is cut out or joined, and
each can be updated in place.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Final

from edgeq.ir import Graph, Node, State
from edgeq.passes.base import Pass

Slab = tuple[int, int]


def run(graph: Graph) -> int:
    """Split every state that can be, in place; return how many were."""
    whole = graph.states
    states: list[State] = []
    for state in whole:
        states += _split(graph, state) or [state]
    graph.states = tuple(states)
    return len(set(whole) - set(states))


def _split(graph: Graph, state: State) -> list[State]:
    """A state for each slab, with the nodes that read it; none where something needs the state as a whole."""
    join = graph.producer(state.output)
    if join is None or join.op != "concat" or join.integer("axis") != 0 or _read_otherwise(graph, state, join):
        return []
    ends = list(accumulate(graph.tensors[name].shape[0] for name in join.inputs))
    slabs = list(zip([0, *ends], ends, strict=False))
    homes = {node.name: _home(graph, node, slabs) for node in graph.nodes if state.input in node.inputs}
    if len(slabs) < 2 or not homes or None in homes.values():
        return []
    old = graph.tensors.pop(state.input)
    names: list[str] = []
    for first, end in slabs:
        part = old.with_(
            name=graph.fresh_name(f"{old.name}.{len(names)}"), shape=(end - first, *old.shape[1:]), source=None
        )
        names.append(graph.add_tensor(part))
    same: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        home = homes.get(node.name)
        if node is join:
            continue
        if home is None:
            nodes.append(node)
            continue
        moved = _moved(node, names[home], slabs[home][0])
        if graph.tensors[node.outputs[0]].shape == graph.tensors[names[home]].shape and not _is_sink(graph, node):
            same[node.outputs[0]] = names[home]
        else:
            nodes.append(moved)
    graph.replace_nodes(node.with_(inputs=tuple(same.get(name, name) for name in node.inputs)) for node in nodes)
    kept = [same.get(name, name) for name in join.inputs]
    return [State(name, new, slab) for name, new, slab in zip(names, kept, slabs, strict=True)]


def _read_otherwise(graph: Graph, state: State, join: Node) -> bool:
    """Whether a whole side of the state is needed, or a new slab is not at the state's quantization or a constant."""
    old = graph.tensors[state.input]
    parts = [graph.tensors[name] for name in join.inputs]
    sinks = graph.sinks()
    return (
        sinks.count(state.output) > 1
        or state.input in sinks
        or any(state.output in node.inputs for node in graph.nodes)
        or any(part.is_constant or part.quant != old.quant for part in parts)
    )


def _home(graph: Graph, node: Node, slabs: list[Slab]) -> int | None:
    """The number of the slab in which a slice of the state lies."""
    if node.op != "slice" or node.integers("steps")[0] != 1:
        return None
    first, end = node.integers("starts")[0], node.integers("ends")[0]
    return next((number for number, slab in enumerate(slabs) if slab[0] <= first and end <= slab[1]), None)


def _moved(node: Node, name: str, first: int) -> Node:
    """The slice, of a slab that begins at row `first` of the state."""
    starts, ends = node.integers("starts"), node.integers("ends")
    at = {"starts": (starts[0] - first, *starts[1:]), "ends": (ends[0] - first, *ends[1:])}
    return node.with_(inputs=(name,)).with_attrs(**at)


def _is_sink(graph: Graph, node: Node) -> bool:
    return node.outputs[0] in graph.sinks()


PASS: Final = Pass("split_states", run)
