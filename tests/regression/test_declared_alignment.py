"""Arrays were declared without the alignment of their definition.

On x86-64 a compiler may take an array of 16 bytes or more to be aligned to 16; clang does, and the program died of a
vector load from an address that was only a multiple of 4.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.compilers import deliver, host_program
from tests.conformance.images import EVERY
from tests.conformance.test_images import graph_of
from tests.conformance.zoo import input_sets


def test_declarations_state_what_definitions_have(tmp_path: Path) -> None:
    delivered = deliver(graph_of("conv", ("highmul", "s8")), "native", tmp_path, None)
    header = (tmp_path / "conv_weights.h").read_text()
    declared = re.findall(r"^extern (.*);$", header, re.MULTILINE)
    defined = re.findall(r"^(.*\]) = \{$", (tmp_path / "conv_weights.c").read_text(), re.MULTILINE)
    assert declared == defined
    assert len(declared) == len(delivered.program.constants.arrays) > 20
    assert all(line.startswith("CONV_WEIGHTS const ") for line in declared)
    assert re.search(r"#define CONV_WEIGHTS .*aligned\(4\)", header)


@pytest.mark.parametrize("family", ["conv", "dense"])
def test_clang_reads_no_more_than_is_aligned(family: str, tmp_path: Path, needs_program: Callable[[str], str]) -> None:
    clang = needs_program("clang")
    graph = graph_of(family, ("highmul", "s8"))
    delivered = deliver(graph, "native", tmp_path, EVERY)
    found = delivered.compare(input_sets(graph), "native", host_program(delivered, [clang, "-O2"]))
    assert found.first is None
