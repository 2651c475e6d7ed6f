"""Every core on the borders of its kernels, bit for bit; and that the cases lie on those borders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeq.backends.c import bind_kernels
from edgeq.backends.c.packing import refuse_taps
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.numerics import DEFAULT_MODE
from edgeq.numerics.scaling import MODES, Mode
from edgeq.ops import BY_NAME
from edgeq.target import load_board
from tests.conformance.edges import WINDOWS, edges, elementwise_edges
from tests.conformance.edges_int16 import int16_edges
from tests.conformance.images import EVERY, FEWEST, WAYS, compare_on
from tests.conformance.test_images import CORES, need_tools
from tests.conformance.zoo import input_sets

# Cores whose kernels differ; the others share theirs.
NORMAL = ("m0", "m4", "m55")


def check(board: str, graph: Graph, folder: Path, code_bytes: int | None, *, sanitize: bool = False) -> None:
    """Build an image and compare it."""
    found = compare_on(board, graph, input_sets(graph), folder, code_bytes=code_bytes, sanitize=sanitize)
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"
    assert found.names >= set(graph.outputs)


@pytest.mark.parametrize(
    "mode", [pytest.param(mode, marks=() if mode == DEFAULT_MODE else pytest.mark.slow) for mode in MODES]
)
def test_native_has_the_reference_bits(mode: Mode, tmp_path: Path) -> None:
    check("native", edges(mode), tmp_path, FEWEST, sanitize=True)


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("core", "mode", "code_bytes"),
    [
        pytest.param(
            core,
            mode,
            code_bytes,
            marks=() if core in NORMAL and mode == "highmul" and code_bytes == FEWEST else pytest.mark.slow,
        )
        for core in CORES
        for mode in MODES
        for code_bytes in WAYS
    ],
)
def test_core_has_the_reference_bits(
    core: str, mode: Mode, code_bytes: int | None, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    need_tools(core, needs_program)
    check(CORES[core][0], edges(mode), tmp_path, code_bytes)


@pytest.mark.qemu
@pytest.mark.parametrize("core", ["m4", pytest.param("m55", marks=pytest.mark.slow)])
def test_core_has_the_reference_bits_with_constants(
    core: str, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    """Shifts and bounds known at compile time take instructions of their own: saturation that shifts."""
    need_tools(core, needs_program)
    check(CORES[core][0], elementwise_edges("highmul"), tmp_path, EVERY)


def test_native_has_the_reference_bits_of_int16(tmp_path: Path) -> None:
    check("native", int16_edges(), tmp_path, FEWEST, sanitize=True)


@pytest.mark.qemu
@pytest.mark.parametrize("core", [*NORMAL, pytest.param("m3", marks=pytest.mark.slow)])
def test_core_has_the_reference_bits_of_int16(core: str, tmp_path: Path, needs_program: Callable[[str], str]) -> None:
    need_tools(core, needs_program)
    check(CORES[core][0], int16_edges(), tmp_path, FEWEST)


@pytest.mark.parametrize("mode", MODES)
def test_clamps_bind(mode: Mode) -> None:
    """Each node with a clamp gives both of its bounds, and would give values beyond them without it."""
    graph = edges(mode)
    samples = [run(graph, inputs).tensors for inputs in input_sets(graph)]
    tried: set[str] = set()
    for node in graph.nodes:
        low, high = node.integer("clamp_min"), node.integer("clamp_max")
        if (low, high) == (-128, 127):
            continue
        free = node.with_attrs(clamp_min=-128, clamp_max=127)
        wanted, found = [], []
        for tensors in samples:
            operands = [
                graph.tensors[name].value() if graph.tensors[name].is_constant else tensors[name]
                for name in node.inputs
            ]
            (result,) = BY_NAME[node.op].evaluate(free, operands)
            wanted.append(result.reshape(-1))
            found.append(tensors[node.outputs[0]].reshape(-1))
        beyond, within = np.concatenate(wanted), np.concatenate(found)
        assert (within.min(), within.max()) == (low, high), node.name
        assert low == -128 or beyond.min() < low, node.name
        assert high == 127 or beyond.max() > high, node.name
        tried.add(node.op)
    everything = {op.name for op in BY_NAME.values() if {"clamp_min", "clamp_max"} <= {a.name for a in op.attributes}}
    assert tried == everything


def test_windows_lie_on_both_sides_of_256() -> None:
    sizes = {height * width for height, width in WINDOWS}
    assert min(sizes) == 256
    assert {257, 289, 400} <= sizes


@pytest.mark.parametrize("core", ["m0", "m4", "m55"])
def test_kernels_refuse_and_fall_back(core: str) -> None:
    """Depthwise with two neighbouring taps of -128 takes the general kernel on M55, the special one elsewhere."""
    steps = bind_kernels(edges("highmul"), load_board(CORES[core][0]).target.isa)
    refused = [reason for step in steps for reason in step.refused.values() if "both -128" in reason]
    assert len(refused) == (1 if core == "m55" else 0)


def test_requantization_is_short_below_the_limit_only() -> None:
    steps = bind_kernels(edges("highmul"), load_board("mps2-m0").target.isa)
    narrow = [step.call.record["narrow"] for step in steps if step.node.op == "dense"][-12:]
    # Two zero points for each multiplier: right below the limit, right above, far above, the largest, 1, 0.
    assert narrow == [1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("pair", "taken"), [((-128, -128), False), ((-128, -127), True), ((-127, -128), True), ((127, 127), True)]
)
def test_tap_pairs_stay_within_int16(pair: tuple[int, int], taken: bool) -> None:
    weights = np.zeros((5, 3), np.int8)
    weights[2:4, 1] = pair
    assert (refuse_taps(weights, ("mve", "dsp", "generic")) is None) == taken
    assert refuse_taps(weights, ("dsp", "generic")) is None
    # The last of an odd number of taps has no neighbour.
    weights = np.zeros((5, 3), np.int8)
    weights[3:5] = -128
    assert refuse_taps(weights, ("mve", "dsp", "generic")) is None
