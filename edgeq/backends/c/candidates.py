"""The kernels that could run a node, and those that the user wants instead of the choice of ``choose``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from edgeq.backends.c.bind import Step
from edgeq.backends.c.binding import Binding
from edgeq.backends.c.bindings import EVERY
from edgeq.backends.c.runtime import Isa
from edgeq.backends.views import step_nodes
from edgeq.errors import EdgeqError, Problem, did_you_mean
from edgeq.ir import Graph, Node

Wanted = tuple[str, str]
"""A name or pattern of nodes, and the candidate that they shall have."""


@dataclass(frozen=True)
class Candidate:
    """A binding for a node.

    Attributes:
        binding: of the node's operator.
        refusal: why it cannot take the node; None where it can.
    """

    binding: Binding
    refusal: str | None

    def __str__(self) -> str:
        return self.binding.name if self.refusal is None else f"{self.binding.name} ({self.refusal})"


def candidates_of(node: Node, graph: Graph, isa: Isa) -> tuple[Candidate, ...]:
    """Every binding for a node, in the order in which they are tried, those that ``choose`` alone takes last."""
    return tuple(Candidate(binding, binding.refusal(node, graph, isa)) for binding in EVERY if binding.op == node.op)


def binding_of(step: Step) -> Binding:
    """The binding that made a step."""
    op, name = step.node.op, step.candidate
    return next(binding for binding in EVERY if (binding.op, binding.name) == (op, name))


def forced_kernels(graph: Graph, isa: Isa, wanted: Sequence[Wanted]) -> dict[str, Binding]:
    """The bindings that the user wants, by node name; of several for a node the last.

    Args:
        graph: the integer graph.
        isa: instruction sets in search order.
        wanted: names are those of ``edgeq check``: of nodes of the ONNX model, or of the integer graph. A pattern
            skips nodes whose operator has no such kernel.

    Raises:
        EdgeqError: EQ0155 there is no such node, EQ0156 no such kernel for it; EQ0383 the kernel refuses it; all
            of them at once.
    """
    nodes = step_nodes(graph)
    found: dict[str, Binding] = {}
    problems: list[Problem] = []
    for pattern, name in wanted:
        matching = [node for node in nodes if any(_matches(each, pattern) for each in _names(node))]
        taken, refused, unknown = [], [], []
        for node in matching:
            candidates = candidates_of(node, graph, isa)
            named = [each for each in candidates if name in {each.binding.name, each.binding.kernel}]
            fitting = next((each for each in named if each.refusal is None), None)
            if fitting is not None:
                taken.append((node, fitting.binding))
            elif named:
                refused.append(_refused(node, name, named[0], candidates))
            else:
                unknown.append(_unknown(node, name, candidates))
        if not matching:
            problems.append(_no_node(pattern, nodes))
        elif not taken and not refused:
            problems += unknown
        problems += refused
        found |= {node.name: binding for node, binding in taken}
    if problems:
        raise EdgeqError.of(problems)
    return found


def _names(node: Node) -> Iterator[str]:
    yield node.name
    yield from node.source


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)


def _label(node: Node) -> str:
    return ", ".join(node.source) or node.name


def _no_node(pattern: str, nodes: Sequence[Node]) -> Problem:
    names = [_label(node) for node in nodes]
    hint = did_you_mean(pattern, [name for node in nodes for name in _names(node)])
    return Problem("EQ0155", "the program has no such step", "--kernel", pattern, ", ".join(names), hint)


def _unknown(node: Node, name: str, candidates: Sequence[Candidate]) -> Problem:
    return Problem(
        "EQ0156",
        f"{node.op} has no kernel of that name",
        f"--kernel, node {_label(node)}",
        name,
        "; ".join(map(str, candidates)) or "none",
        did_you_mean(name, [each.binding.name for each in candidates]),
    )


def _refused(node: Node, name: str, refusing: Candidate, candidates: Sequence[Candidate]) -> Problem:
    return Problem(
        "EQ0383",
        "the kernel that is asked for cannot run the node",
        f"--kernel, node {_label(node)}",
        f"{name}: {refusing.refusal}",
        "; ".join(map(str, candidates)),
        "take one without a reason in brackets",
    )
