"""The bytes of scratch that edgeq computes from a kernel's macro are those that each compiler counts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeq.backends.c.bindings import BINDINGS
from edgeq.backends.c.declarations import kernel, scratch_bytes, scratch_fields
from edgeq.backends.c.runtime import Isa, runtime_headers
from edgeq.firmware.objects import model_flags
from edgeq.target import load_target

COMPILERS = {
    "native": "cc",
    "aarch64-linux": "aarch64-linux-gnu-gcc",
    "cortex-m0": "arm-none-eabi-gcc",
    "cortex-m3": "arm-none-eabi-gcc",
    "cortex-m4": "arm-none-eabi-gcc",
    "cortex-m55": "arm-none-eabi-gcc",
}


def exists_for(name: str, isa: Isa) -> bool:
    """Whether a kernel's primitives exist for an instruction set."""
    try:
        return bool(runtime_headers((name,), isa))
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("core", COMPILERS)
def test_computed_scratch_is_what_the_header_says(
    core: str, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    compiler, target = needs_program(COMPILERS[core]), load_target(core)
    every = {binding.kernel for binding in BINDINGS if kernel(binding.kernel).takes_scratch}
    names = sorted(name for name in every if exists_for(name, target.isa))
    assert core == "cortex-m55" or set(names) < every, "only MVE has all kernels"
    lines = ['#include "eq_common.h"', *(f'#include "{name}.h"' for name in names)]
    for name in names:
        record = {field: 3 + 2 * number for number, field in enumerate(kernel(name).fields)}
        values = ", ".join(str(record[field]) for field in scratch_fields(name))
        bytes_ = scratch_bytes(name, record, target.isa)
        assert bytes_ > 0
        lines.append(f'EQ_STATIC_ASSERT({kernel(name).scratch_macro}({values}) == {bytes_}, "");')
    (tmp_path / "scratch.c").write_text("\n".join([*lines, ""]))
    command = [compiler, *model_flags(target), "-fsyntax-only", "scratch.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
