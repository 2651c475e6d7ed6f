"""A few graphs of ``make campaign-graphs``, and that it names the seed of a difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from edgeq.interp import run
from edgeq.interp.execute import Execution
from edgeq.ir import Graph
from edgeq.numerics.array import Array
from tests.campaigns.random_graphs import BATCH, BEHIND, EMULATED, HOST, batches, check_batch
from tests.conformance import images
from tests.conformance.test_images import need_tools


def test_random_graphs_have_the_reference_bits() -> None:
    found = check_batch(range(BATCH), emulated=())
    assert found.wrong == []
    assert found.runs == {BEHIND: BATCH, HOST: BATCH}
    assert found.elements[HOST] > 100_000


@pytest.mark.qemu
@pytest.mark.parametrize("core", EMULATED)
def test_a_random_graph_has_the_reference_bits_on_a_core(core: str, needs_program: Callable[[str], str]) -> None:
    need_tools(core, needs_program)
    found = check_batch([BATCH], emulated=[core])
    assert found.wrong == []
    assert found.runs == {BEHIND: 1, HOST: 1, core: 1}


def test_a_difference_names_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_wrongly(graph: Graph, inputs: Sequence[Array]) -> Execution:
        result = run(graph, inputs)
        for name, value in result.tensors.items():
            if name.startswith("g3/"):
                result.tensors[name] = np.bitwise_xor(value, 1)
        return result

    monkeypatch.setattr(images, "run", run_wrongly)
    found = check_batch([2, 3], emulated=())
    assert [line.partition(" on ")[0] for line in found.wrong] == ["graph 3"]


def test_seeds_of_a_batch_share_a_quotient() -> None:
    assert batches(BATCH - 2, 4) == [[BATCH - 2, BATCH - 1], [BATCH, BATCH + 1]]
