"""C against the reference: every step of every case, on this computer and on every core, bit for bit.

One image holds a family; its cases are data. A failure names the tensor, and thereby the case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from edgeq.ir import Graph
from edgeq.target import load_board
from tests.conformance.images import EVERY, FEWEST, WAYS, compare_on
from tests.conformance.zoo import FAMILIES, NETWORK, Kind, input_sets, kinds_of, network, scales_by_mode, zoo

GRAPHS = (*FAMILIES, NETWORK)
# Every core; they share out the ways of emitting a call, since a compiler's mistake may show in one way only. The whole
# product is slow.
CORES: dict[str, tuple[str, int | None]] = {
    "aarch64": ("linux-aarch64", None),
    "m0": ("mps2-m0", None),
    "m3": ("mps2-an385", FEWEST),
    "m4": ("mps2-an386", EVERY),
    "m7": ("mps2-an500", None),
    "m33": ("mps2-an505", FEWEST),
    "m55": ("mps3-an547", EVERY),
}

# Their kernels are those of another core; other families, and types beside int8, are slow tests there.
LIKE_ANOTHER = ("aarch64", "m7", "m33")
USUAL = ("conv", "dense", "elementwise", "pool", "recurrent", NETWORK)


def need_tools(core: str, needs_program: Callable[[str], str]) -> None:
    """Skip where a core's compiler or emulator is missing."""
    emulator = load_board(CORES[core][0]).emulator
    assert emulator is not None
    for program in ("aarch64-linux-gnu-gcc" if core == "aarch64" else "arm-none-eabi-gcc", emulator.program):
        needs_program(program)


def graph_of(family: str, kind: Kind) -> Graph:
    """The integer graph of a family, or of the small network."""
    return network(*kind) if family == NETWORK else zoo(family, *kind).graph


def check(board: str, family: str, kind: Kind, folder: Path, code_bytes: int | None, *, sanitize: bool = False) -> None:
    """Build an image and compare it."""
    graph = graph_of(family, kind)
    found = compare_on(board, graph, input_sets(graph), folder, code_bytes=code_bytes, sanitize=sanitize)
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"
    assert found.names >= set(graph.outputs)


def images(budgets: Sequence[int | None]) -> list[ParameterSet]:
    """Every graph with every way of emitting a call; slow where a faster test does nearly the same.

    An arithmetic by which a family does not scale changes nothing but the changes of scale around it, and an instance
    for each shape has the same kernels whatever the types.
    """
    return [
        pytest.param(
            budget,
            kind,
            family,
            id=f"{budget}-{'-'.join(kind)}-{family}" if len(budgets) > 1 else f"{'-'.join(kind)}-{family}",
            marks=pytest.mark.slow
            if (kind[0] != "highmul" and not scales_by_mode(family))
            or (budget is EVERY and (kind[1] != "s8" or family not in USUAL))
            else (),
        )
        for budget in budgets
        for family in GRAPHS
        for kind in kinds_of(family)
    ]


@pytest.mark.parametrize(("code_bytes", "kind", "family"), images([None, EVERY]))
def test_native_has_the_reference_bits(code_bytes: int | None, kind: Kind, family: str, tmp_path: Path) -> None:
    check("native", family, kind, tmp_path, code_bytes)


@pytest.mark.parametrize(("code_bytes", "kind", "family"), images([FEWEST]))
def test_native_has_the_reference_bits_under_sanitizers(
    code_bytes: int | None, kind: Kind, family: str, tmp_path: Path
) -> None:
    check("native", family, kind, tmp_path, code_bytes, sanitize=True)


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("core", "kind", "family"),
    [
        pytest.param(
            core,
            kind,
            family,
            id="-".join((core, *kind, family)),
            marks=pytest.mark.slow if core in LIKE_ANOTHER and family not in USUAL else (),
        )
        for core in CORES
        for family in GRAPHS
        for kind in kinds_of(family)
        if kind[0] == "highmul" and (kind[1] == "s8" or core not in LIKE_ANOTHER)
    ],
)
def test_core_has_the_reference_bits(
    core: str, kind: Kind, family: str, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    need_tools(core, needs_program)
    board, code_bytes = CORES[core]
    check(board, family, kind, tmp_path, code_bytes)


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize(
    ("kind", "family"),
    [pytest.param(kind, family, id=f"{'-'.join(kind)}-{family}") for family in GRAPHS for kind in kinds_of(family)],
)
@pytest.mark.parametrize("code_bytes", WAYS)
@pytest.mark.parametrize("core", CORES)
def test_core_has_the_reference_bits_emitted_otherwise(
    core: str, kind: Kind, code_bytes: int | None, family: str, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    need_tools(core, needs_program)
    check(CORES[core][0], family, kind, tmp_path, code_bytes)
