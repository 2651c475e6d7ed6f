"""TVM's objects in images, against the reference: every step of every case on the boards, bit for bit.

The host module has all cases in every run; here LLVM compiles the same functions for other processors.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("tvm", reason="the extra `tvm` is not installed")

from tests.conformance.images import compare_on
from tests.conformance.test_images import CORES, need_tools
from tests.conformance.test_tvm import PAIRS, tvm_graph
from tests.conformance.zoo import NETWORK, Kind, input_sets

pytestmark = pytest.mark.qemu
# One core of each architecture that TVM has instructions of its own for.
USUAL = ("aarch64", "m0", "m4", "m55")


def check(core: str, family: str, kind: Kind, folder: Path) -> None:
    """Build an image and compare it."""
    graph = tvm_graph(family, kind)
    found = compare_on(CORES[core][0], graph, input_sets(graph), folder, tvm=True)
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"
    assert found.names >= set(graph.outputs)


@pytest.mark.parametrize("core", USUAL)
def test_network_has_the_reference_bits(core: str, tmp_path: Path, needs_program: Callable[[str], str]) -> None:
    need_tools(core, needs_program)
    check(core, NETWORK, ("highmul", "s8"), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "family"), PAIRS)
@pytest.mark.parametrize("core", CORES)
def test_family_has_the_reference_bits(
    core: str, kind: Kind, family: str, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    need_tools(core, needs_program)
    check(core, family, kind, tmp_path)
