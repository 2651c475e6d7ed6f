"""The bytes that edgeq plans for a kernel are those of its header's macro, as each compiler counts them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeq.backends.c import bind_kernels
from edgeq.backends.c.bindings import BINDINGS
from edgeq.backends.c.declarations import kernel, scratch_fields
from edgeq.firmware.objects import model_flags
from edgeq.numerics.scaling import MODES
from edgeq.target import load_target
from tests.conformance.edges import edges
from tests.conformance.zoo import FAMILIES, zoo

COMPILERS = {
    "native": "cc",
    "aarch64-linux": "aarch64-linux-gnu-gcc",
    "cortex-m0": "arm-none-eabi-gcc",
    "cortex-m3": "arm-none-eabi-gcc",
    "cortex-m4": "arm-none-eabi-gcc",
    "cortex-m55": "arm-none-eabi-gcc",
}


@pytest.mark.parametrize("core", COMPILERS)
def test_planned_scratch_is_what_the_header_says(
    core: str, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    compiler, target = needs_program(COMPILERS[core]), load_target(core)
    graphs = [*(zoo(family, mode).graph for family in FAMILIES for mode in MODES), *map(edges, MODES)]
    asserted, kernels = set(), set()
    for step in (step for graph in graphs for step in bind_kernels(graph, target.isa)):
        if not kernel(step.kernel).takes_scratch:
            assert step.scratch_bytes == 0
            continue
        values = ", ".join(str(step.call.record[field]) for field in scratch_fields(step.kernel))
        asserted.add(f'EQ_STATIC_ASSERT({kernel(step.kernel).scratch_macro}({values}) == {step.scratch_bytes}, "");')
        kernels.add(step.kernel)
    lines = ['#include "eq_common.h"', *(f'#include "{name}.h"' for name in sorted(kernels)), *sorted(asserted)]
    (tmp_path / "scratch.c").write_text("\n".join([*lines, ""]))
    command = [compiler, *model_flags(target), "-fsyntax-only", "scratch.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with_scratch = {b.kernel for b in BINDINGS if kernel(b.kernel).takes_scratch}
    # Only instruction sets that widen their columns copy them for a 1x1 convolution.
    assert kernels == with_scratch - ({"eq_pointwise_s8"} if "dsp" not in target.isa or "mve" in target.isa else set())
