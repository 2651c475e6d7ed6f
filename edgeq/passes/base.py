"""The contract of a pass: one verb, what it needs, what it promises, and a rewrite of the graph.

A pass changes schedule, layout or representation, never a value: tensors that survive keep their bits. The pipeline
verifies the graph after each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeq.ir import Graph


@dataclass(frozen=True)
class Pass:
    """One rewrite of the integer graph.

    Attributes:
        name: ``verb_noun``, as in the file's name.
        requires: properties that earlier passes have ensured.
        ensures: properties that later passes may rely on.
        run: rewrites the graph it is given and returns the number of changes.
    """

    name: str
    run: Callable[[Graph], int]
    requires: tuple[str, ...] = ()
    ensures: tuple[str, ...] = ()
