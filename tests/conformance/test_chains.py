"""Chains of nodes that run in bands of rows: the bits of the definition on every core; the checker sees faults."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from edgeq.analysis.comparison import Mismatch
from edgeq.backends.c import emit_c, program
from edgeq.backends.c.chain import Chain, make_chain
from edgeq.backends.c.chain_search import smallest_arena
from edgeq.backends.c.chain_source import TRACE
from edgeq.backends.c.choose import choose_kernels
from edgeq.backends.c.emit import model_source
from edgeq.errors import EdgeqError
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.memory.bands import Way
from edgeq.memory.check_rows import check_rows
from edgeq.memory.rows import RowCall, RowMove, RowProgram
from edgeq.numerics.array import Array
from edgeq.target import load_board
from tests.campaigns import memory_plans
from tests.conformance.chains import Chains, chains, in_bands, in_bands_everywhere, random_chains
from tests.conformance.images import EVERY, FEWEST, WAYS, compare_on

BOARDS: Final = ("mps2-m0", "mps2-an385", "mps2-an386", "mps3-an547")
_BANDS: tuple[tuple[int, Way], ...] = ((1, "ring"), (2, "ring"), (3, "ring"), (1, "patch"), (2, "patch"))


def inputs() -> list[list[Array]]:
    graph, _ = chains()
    draw = np.random.default_rng(5)
    shapes = [graph.tensors[name].shape for name in graph.inputs]
    return [[draw.integers(-128, 128, shape).astype(np.int8) for shape in shapes] for _ in range(2)]


def compare(
    board: str, bands: tuple[int, Way], folder: Path, patch: pytest.MonkeyPatch, *, sanitize: bool = False
) -> None:
    graph, ends = chains()
    patch.setattr(program, "smallest_arena", in_bands(ends, *bands))
    code = EVERY if bands[0] == 2 else FEWEST
    found = compare_on(board, graph, inputs(), folder, aim="ram", code_bytes=code, sanitize=sanitize)
    assert found.names == {node.outputs[0] for node in graph.nodes}
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ: {found.first}"


@pytest.mark.parametrize("bands", _BANDS, ids=lambda bands: f"{bands[1]}{bands[0]}")
def test_bands_have_the_reference_bits_on_the_host(
    bands: tuple[int, Way], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare("native", bands, tmp_path, monkeypatch, sanitize=True)


@pytest.mark.qemu
@pytest.mark.parametrize("bands", _BANDS, ids=lambda bands: f"{bands[1]}{bands[0]}")
@pytest.mark.parametrize("board", BOARDS)
def test_bands_have_the_reference_bits(
    board: str,
    bands: tuple[int, Way],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    needs_program: Callable[[str], str],
) -> None:
    needs_program("arm-none-eabi-gcc")
    needs_program("qemu-system-arm")
    compare(board, bands, tmp_path, monkeypatch)


def hidden() -> tuple[Graph, list[Array]]:
    """A convolution under a maximum of four elements, which hides the others; an input."""
    made = Chains()
    made.pool(made.conv(made.input(1, 12, 8, 4), 8, (3, 3), 1, (1, 1, 1, 1)), "max_pool", (2, 2), 2, (0, 0, 0, 0))
    made.done()
    made.graph.name = "hidden"
    values = np.random.default_rng(3).integers(-128, 128, (1, 12, 8, 4))
    return made.graph, [values.astype(np.int8)]


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["native", "mps2-m0", "mps2-an386"])
def test_fault_that_the_result_hides_is_named(
    board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs_program: Callable[[str], str]
) -> None:
    if board != "native":
        needs_program("arm-none-eabi-gcc")
        needs_program("qemu-system-arm")
    graph, sample = hidden()
    conv, pool = (node.outputs[0] for node in graph.nodes)
    right = run(graph, sample).tensors[conv]
    # In rows 4 to 7, those of the second band: one that is not the largest of its window, nor what it is made.
    window = right[0, 4:6, :2, :]
    row, column, channel = (int(at) for at in np.argwhere((window < window.max(axis=(0, 1))) & (window > -128))[0])
    print_source = model_source

    def broken(*arguments: Any, **options: Any) -> str:
        lines = print_source(*arguments, **options).split("\n")
        calls = [number for number, line in enumerate(lines) if re.match(r"  \w*conv2d\w*\(\(int8_t", line)]
        found = re.search(r"arena \+ (\d+)", lines[calls[1]])
        assert found is not None
        at = int(found[1]) + int(np.ravel_multi_index((row, column, channel), (4, 8, 8)))
        lines.insert(calls[1] + 1, f"  arena[{at}] = 0x80;")
        return "\n".join(lines)

    monkeypatch.setattr(program, "smallest_arena", in_bands(((0, 2),), 2, "ring"))
    monkeypatch.setattr(program, "model_source", broken)
    result = compare_on(board, graph, [sample], tmp_path, aim="ram", code_bytes=FEWEST)
    assert (result.mismatches, result.names) == (1, {conv, pool})
    index = (0, 4 + row, column, channel)
    assert result.first is not None
    assert result.first == Mismatch(board, 0, 0, conv, index, int(right[index]), -128, None, 1, (4, 8))


def test_traced_program_differs_in_traces_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, ends = chains()
    monkeypatch.setattr(program, "smallest_arena", in_bands(ends, 1, "ring"))
    made = emit_c(graph, graph.name, load_board("mps2-an386").target, aim="ram")
    assert made.traced is not None
    lines = made.traced.split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith(f"void {TRACE}("))
    untraced = [line for line in (*lines[:at], *lines[at + 2 :]) if not line.lstrip().startswith(f"{TRACE}(")]
    assert "\n".join(untraced).encode() == made.bundle.files[f"{graph.name}.c"]


def compare_random(board: str, seed: int, folder: Path, patch: pytest.MonkeyPatch) -> None:
    graph = random_chains(seed, 10)
    ways: tuple[Way, ...] = ("ring", "patch")
    patch.setattr(program, "smallest_arena", in_bands_everywhere(1 + seed // 2 % 3, ways[seed % 2]))
    draw = np.random.default_rng(seed)
    sample = [draw.integers(-128, 128, graph.tensors[name].shape).astype(np.int8) for name in graph.inputs]
    code = WAYS[seed % len(WAYS)]
    found = compare_on(board, graph, [sample], folder, aim="ram", code_bytes=code, sanitize=board == "native")
    assert found.names == {node.outputs[0] for node in graph.nodes}
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ: {found.first}"


@pytest.mark.parametrize("seed", range(2))
def test_random_chains_have_the_reference_bits_on_the_host(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare_random("native", seed, tmp_path, monkeypatch)


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
@pytest.mark.parametrize("board", BOARDS)
def test_random_chains_have_the_reference_bits(
    board: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs_program: Callable[[str], str]
) -> None:
    needs_program("arm-none-eabi-gcc")
    needs_program("qemu-system-arm")
    compare_random(board, seed, tmp_path, monkeypatch)


def test_random_programs_and_chains_have_valid_plans() -> None:
    found = memory_plans.run(range(0, 200, 5))
    assert not found.wrong
    assert found.chains
    assert min(found.ratios) >= 1


def test_search_lowers_the_arena() -> None:
    graph, ends = chains()
    first, end = ends[1]
    alone = graph.copy()
    alone.inputs, alone.outputs = (graph.inputs[1],), (graph.nodes[end - 1].outputs[0],)
    alone.replace_nodes(graph.nodes[first:end])
    steps, plan = smallest_arena(alone, ("dsp", "generic"))
    single, apart = choose_kernels(alone, ("dsp", "generic"))
    assert len(steps) < len(single)
    assert plan.arena_bytes < 0.75 * apart.arena_bytes


def chain() -> Chain:
    graph, ends = chains()
    made = make_chain(graph, graph.nodes[slice(*ends[0])], 1, "ring", ("generic",))
    assert made is not None
    return made


def played(rows: RowProgram, result_at: int = 0) -> None:
    graph, _ = chains()
    made = chain()
    (given,) = made.reads
    result = made.node.outputs[0]
    sizes = {name: graph.tensors[name].size_bytes for name in (given, result)}
    check_rows("chain", rows, {given: 0, result: result_at}, sizes, 2000, 2000 + rows.size_bytes)


def test_checker_takes_what_was_laid_out() -> None:
    played(chain().program)
    played(chain().program, result_at=1024)


def changed(kind: type[RowCall | RowMove], change: Callable[[RowCall | RowMove], RowCall | RowMove]) -> RowProgram:
    """The program of the chain with one event changed, of those of a kind the second last."""
    made = chain().program
    places = [
        (number, at)
        for number, band in enumerate(made.bands)
        for at, event in enumerate(band)
        if isinstance(event, kind)
    ]
    number, at = places[-4]
    bands = [list(band) for band in made.bands]
    bands[number][at] = change(bands[number][at])
    return replace(made, bands=tuple(map(tuple, bands)))


@pytest.mark.parametrize("fault", ["read", "write", "scratch", "move", "order", "result"])
def test_checker_finds_planted_faults(fault: str) -> None:
    made = chain().program

    def moved(event: RowCall | RowMove) -> RowCall | RowMove:
        if isinstance(event, RowMove):
            return event._replace(at=event.at + 8)
        if fault == "read":
            return event._replace(reads=(event.reads[0]._replace(at=event.reads[0].at + 8), *event.reads[1:]))
        if fault == "write":
            return event._replace(write=event.write._replace(at=event.write.at + 8))
        if fault == "scratch":
            return event._replace(scratch=event.write.at if event.write.inside else 0, scratch_bytes=8)
        return event._replace(trailing=(), in_place=())

    kind = RowMove if fault == "move" else RowCall
    if fault == "order":
        bands = tuple(
            tuple(event._replace(trailing=(), in_place=()) if isinstance(event, RowCall) else event for event in band)
            for band in made.bands
        )
        rows = replace(made, bands=bands)
    elif fault == "result":
        rows = replace(made, bands=made.bands[:-1])
    else:
        rows = changed(kind, moved)
    with pytest.raises(EdgeqError, match="EQ0905"):
        played(rows)
