"""The bytes of scratch that edgeq computes from a kernel's macro are those that each compiler counts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeq.backends.c.bindings import BINDINGS
from edgeq.backends.c.declarations import kernel, scratch_bytes, scratch_fields
from edgeq.firmware.objects import model_flags
from edgeq.target import load_target
from tests.golden.code_bytes import FILE as ESTIMATES

COMPILERS = {
    "native": "cc",
    "aarch64-linux": "aarch64-linux-gnu-gcc",
    "cortex-m0": "arm-none-eabi-gcc",
    "cortex-m3": "arm-none-eabi-gcc",
    "cortex-m4": "arm-none-eabi-gcc",
    "cortex-m55": "arm-none-eabi-gcc",
}


@pytest.mark.parametrize("core", COMPILERS)
def test_computed_scratch_is_what_the_header_says(
    core: str, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    compiler, target = needs_program(COMPILERS[core]), load_target(core)
    every = {binding.kernel for binding in BINDINGS if kernel(binding.kernel).takes_scratch}
    estimates = json.loads(ESTIMATES.read_text(encoding="utf-8"))
    names = sorted(name for name in every if target.isa[0] in estimates[name])
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
