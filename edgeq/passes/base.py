"""The contract of a pass: one verb, what it needs, what it promises, and a rewrite of the graph.

A pass changes schedule, layout or representation, never a value: tensors that survive keep their bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeq.errors import EdgeqError
from edgeq.ir import Graph
from edgeq.ir.verify import verify_graph
from edgeq.ops import infer


@dataclass(frozen=True)
class Property:
    """What a pass needs of a graph or leaves behind.

    Attributes:
        name: for messages, ``no dead nodes``.
        holds: whether a graph has it.
    """

    name: str
    holds: Callable[[Graph], bool]


@dataclass(frozen=True)
class Pass:
    """One rewrite of the integer graph.

    Attributes:
        name: ``verb_noun``, as in the file's name.
        requires: properties that the graph has before; earlier passes ensure them.
        ensures: properties that it has behind; later passes may rely on them.
        run: rewrites the graph it is given and returns the number of changes.
        reads_scales: what it does depends on multipliers, zero points and clamps, beside structure and weights.
    """

    name: str
    run: Callable[[Graph], int]
    requires: tuple[Property, ...] = ()
    ensures: tuple[Property, ...] = ()
    reads_scales: bool = False


def run_passes(graph: Graph, passes: Sequence[Pass]) -> None:
    """Rewrite a graph in place, with the structural verifier and the properties checked around every pass.

    Raises:
        EdgeqError: EQ0901, an internal error that names the pass and what does not hold.
    """
    for step in passes:
        _require(graph, step.requires, f"before {step.name}")
        step.run(graph)
        verify_graph(graph, infer, after=step.name)
        _require(graph, step.ensures, f"after {step.name}")


def _require(graph: Graph, properties: Sequence[Property], when: str) -> None:
    missing = [item.name for item in properties if not item.holds(graph)]
    if missing:
        raise EdgeqError(
            "EQ0901",
            f"the integer graph is not valid {when}",
            got=f"it does not have: {', '.join(missing)}",
            hint="this is a defect of edgeq: report it with the model",
        )
