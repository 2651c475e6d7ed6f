"""Kernels that another one of their operator stands before have the reference's bits too, where they take the node."""

from __future__ import annotations

import glob
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeq.backends.c.candidates import Wanted, candidates_of
from edgeq.backends.c.runtime import Isa
from edgeq.backends.views import step_nodes
from edgeq.ir import Graph
from edgeq.target import load_board
from tests.conformance.images import compare_on
from tests.conformance.test_images import CORES, need_tools
from tests.conformance.zoo import Kind, input_sets, kinds_of, zoo

ISAS = {core: load_board(CORES[core][0]).target.isa for core in ("m0", "m3", "m4", "m55")}


def turns(graph: Graph, isa: Isa, first: int = 1) -> list[list[Wanted]]:
    """Programs in which every candidate from the second, or first, on runs once; nodes with fewer have their last."""
    usable = {
        node.name: [each.binding.name for each in candidates_of(node, graph, isa) if each.refusal is None]
        for node in step_nodes(graph)
    }
    return [
        [(glob.escape(name), found[min(turn, len(found) - 1)]) for name, found in usable.items() if len(found) > 1]
        for turn in range(first, max(map(len, usable.values()), default=1))
    ]


# Where more than the type of an operand decides; elsewhere the first candidates are nearly all there are.
FAMILIES = ("conv", "dense")
CASES = [
    pytest.param(
        core, family, kind, id=f"{core}-{'-'.join(kind)}-{family}", marks=() if core == "m4" else pytest.mark.slow
    )
    for core in ISAS
    for family in FAMILIES
    for kind in kinds_of(family)
    if kind[0] == "highmul"
]


@pytest.mark.qemu
@pytest.mark.parametrize(("core", "family", "kind"), CASES)
def test_every_candidate_has_the_reference_bits(
    core: str, family: str, kind: Kind, needs_program: Callable[[str], str], tmp_path: Path
) -> None:
    need_tools(core, needs_program)
    graph = zoo(family, *kind).graph
    for number, wanted in enumerate(turns(graph, ISAS[core])):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = compare_on(CORES[core][0], graph, input_sets(graph), folder, kernels=wanted)
        assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"


@pytest.mark.qemu
@pytest.mark.parametrize("family", FAMILIES)
def test_every_candidate_has_the_reference_bits_with_short_loops(
    family: str, needs_program: Callable[[str], str], tmp_path: Path
) -> None:
    need_tools("m4", needs_program)
    graph = zoo(family, "highmul", "s8").graph
    for number, wanted in enumerate(turns(graph, ISAS["m4"], 0)):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = compare_on(CORES["m4"][0], graph, input_sets(graph), folder, aim="size", kernels=wanted)
        assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"
