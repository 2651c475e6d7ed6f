"""A pointwise convolution with one column of results and one output channel had the first row's result in all rows.

Its products are inline assembly that reads the column of inputs through a pointer. In this shape none of its operands
changes from row to row, and gcc 12 moved the statement, which was not volatile, out of the loop that fills the column:
the clobber of memory alone does not keep it there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.images import WAYS, compare_on
from tests.conformance.test_images import CORES, need_tools
from tests.conformance.zoo import Case, build, input_sets


@pytest.mark.qemu
@pytest.mark.parametrize("core", ["m4", "m7", "m33"])
def test_one_column_of_results_is_computed_in_every_row(
    core: str, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    need_tools(core, needs_program)
    weights = {1: (1, 16, 1, 1), 2: (1,)}
    case = Case("conv2d[one_column]", ("Conv",), ((1, 16, 3, 1),), weights, {"strides": (1, 2)})
    graph = build("one_column", [case], "highmul").graph
    for way in WAYS:
        found = compare_on(CORES[core][0], graph, input_sets(graph), tmp_path / str(way), code_bytes=way)
        assert found.first is None
