"""What lies where in the arena, and during which steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeq.backends.views import home_of, inside_of, step_nodes, views_of
from edgeq.folder import Compiled
from edgeq.ir import Graph
from edgeq.manifest import Program

Kind = Literal["input", "output", "state", "inner", "scratch"]


@dataclass(frozen=True)
class Tenant:
    """Bytes of the arena that hold one thing.

    Attributes:
        name: of the tensor, or of the step whose scratch it is.
        kind: what it is; ``inner`` for what one step gives another.
        offset: its first byte.
        size_bytes: how many.
        first: the step that writes it; -1 where it is there before the first one.
        last: the last step that needs it; the number of steps where it is there behind the last one.
    """

    name: str
    kind: Kind
    offset: int
    size_bytes: int
    first: int
    last: int


def tenants_of(compiled: Compiled) -> tuple[Tenant, ...]:
    """Everything that the folder's own program keeps in its arena, in the order of time.

    A program that plans no memory has none.
    """
    program, graph = compiled.manifest.program, compiled.graph
    step_of = _steps(program, graph)
    roots = inside_of(views_of(graph).values())
    count = len(program.steps)
    last: dict[str, int] = {}
    for node in graph.nodes:
        if node.name not in step_of:
            continue
        for name in node.inputs:
            root = home_of(name, roots)
            last[root] = max(last.get(root, -1), step_of[node.name])
    last |= {home_of(name, roots): count for name in graph.sinks()}
    states = {home_of(name, roots) for state in graph.states for name in (state.input, state.output)}
    sinks = {home_of(name, roots) for name in graph.outputs}

    def kind_of(name: str, default: Kind) -> Kind:
        home = home_of(name, roots)
        return "state" if home in states else "output" if home in sinks else default

    found = []
    for place in program.inputs:
        if place.offset is not None:
            ends = last.get(home_of(place.tensor, roots), -1)
            found.append(Tenant(place.tensor, kind_of(place.tensor, "input"), place.offset, place.bytes, -1, ends))
    for number, step in enumerate(program.steps):
        for place in step.results:
            if place.offset is not None:
                ends = last.get(home_of(place.tensor, roots), number)
                found.append(
                    Tenant(place.tensor, kind_of(place.tensor, "inner"), place.offset, place.bytes, number, ends)
                )
        if step.scratch_offset is not None and step.scratch_bytes:
            found.append(Tenant(step.name, "scratch", step.scratch_offset, step.scratch_bytes, number, number))
    return tuple(found)


def _steps(program: Program, graph: Graph) -> dict[str, int]:
    """By node the number of its step; a chain has several."""
    by_result = {place.tensor: number for number, step in enumerate(program.steps) for place in step.results}
    by_result |= {name: number for number, step in enumerate(program.steps) for name in step.inner}
    return {node.name: by_result[node.outputs[0]] for node in step_nodes(graph)}
