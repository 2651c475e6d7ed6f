"""What firmware and reports read of a program, whichever backend printed it: C files, steps, and a memory plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from edgeq.backends.bundle import Bundle
from edgeq.backends.constants import Constants
from edgeq.backends.planning import Plan
from edgeq.errors import Problem
from edgeq.ir import Graph, Node
from edgeq.ops import BY_NAME

# The object that a bundle brings compiled, beside its C files.
PREBUILT: Final = "steps.o"


class ProgramStep(Protocol):
    """One node as one function of the program."""

    @property
    def node(self) -> Node:
        """The node."""

    @property
    def kernel(self) -> str:
        """What computes it."""

    @property
    def refused(self) -> Mapping[str, str]:
        """Kernel → why it was not taken, for those tried before."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the node."""

    @property
    def scratch_bytes(self) -> int:
        """Memory that lives for this step only."""


class Program(Protocol):
    """A graph as sources with the interface of ``NAME.h``."""

    @property
    def bundle(self) -> Bundle:
        """The files."""

    @property
    def steps(self) -> Sequence[ProgramStep]:
        """In schedule order."""

    @property
    def plan(self) -> Plan:
        """Where everything lies in the arena."""

    @property
    def constants(self) -> Constants:
        """The arrays of ``NAME_weights.c``."""


def batch_problems(graph: Graph, backend: str) -> list[Problem]:
    """The nodes that would run several samples where the operator has kernels for one."""
    return [
        Problem(
            "EQ0362",
            f"backend {backend} runs one sample at a time",
            where=f"node {', '.join(node.source) or node.name}",
            got=f"{node.op} of {x.shape[0]} samples",
            allowed="1",
            hint="export with batch 1, and run the model once per sample",
        )
        for node in graph.nodes
        for x in graph.operands(node)[:1]
        if BY_NAME[node.op].one_sample and x.shape[0] != 1
    ]
