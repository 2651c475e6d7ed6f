"""gcc 12 warned of undefined behaviour in a copy of the padding's loop that no input reaches.

The loop counted its values down to zero; gcc peels rows of a small padded convolution, in some copies knows that none
are left, and takes 2^32 rounds for the number of a loop that it has proved never to run. Counting up to an end says so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.images import EVERY, compare_on
from tests.conformance.test_images import CORES, need_tools
from tests.conformance.zoo import Case, build, input_sets


@pytest.mark.qemu
@pytest.mark.parametrize("core", ["m4", "m33"])
def test_padded_convolution_compiles_without_warning(
    core: str, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    need_tools(core, needs_program)
    window = {"pads": (1, 1, 1, 1), "strides": (3, 1), "dilations": (2, 1)}
    case = Case("conv2d[padded]", ("Conv",), ((1, 16, 5, 2),), {1: (9, 16, 2, 3), 2: (9,)}, window)
    graph = build("padded", [case], "highmul").graph
    # It fails on any warning of the compiler.
    assert compare_on(CORES[core][0], graph, input_sets(graph), tmp_path, code_bytes=EVERY).first is None
