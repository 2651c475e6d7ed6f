"""The real kernels of this computer as functions that take the places of their operands from a test."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from edgeq.backends.c.binding import Call
from edgeq.backends.c.declarations import SCRATCH, kernel, scratch_bytes
from edgeq.backends.c.runtime import runtime_headers
from edgeq.firmware.objects import model_flags
from edgeq.numerics.array import Array
from edgeq.target import load_target

TARGET: Final = load_target("native")


def is_here(name: str) -> bool:
    """Whether this computer's instruction set has everything that a kernel includes."""
    try:
        runtime_headers((name,), TARGET.isa)
    except FileNotFoundError:
        return False
    return True


class Kernels:
    """A library of wrappers, one a kernel, whose only argument is an array of pointers, the record's the last."""

    def __init__(self, names: Iterable[str], folder: Path) -> None:
        chosen = sorted(set(names))
        lines = ['#include "eq_common.h"', *(f'#include "{name}.h"' for name in chosen)]
        for name in chosen:
            declared = kernel(name)
            types = [f"{'const ' if each.const else ''}{each.type} *" for each in declared.parameters]
            types.append(f"const {declared.record} *")
            passed = ", ".join(f"({type_})pointers[{number}]" for number, type_ in enumerate(types))
            head = f"void call_{name}(void **pointers)"
            lines.append(f"{head};\n{head} {{ {name}({passed}); }}")
        (folder / "kernels.c").write_text("\n".join([*lines, ""]))
        flags = [*model_flags(TARGET), "-O2", "-shared", "-fPIC", "kernels.c", "-o", "kernels.so"]
        subprocess.run(["cc", *flags], cwd=folder, check=True)
        self._library = ctypes.CDLL(str(folder / "kernels.so"))

    def run(self, call: Call, places: Mapping[str, Array]) -> None:
        """Run a kernel.

        Args:
            call: what is called.
            places: by tensor, bytes to read or write; they may be views of one array.
        """
        record = np.array([call.record[field] for field in call.declaration.fields], np.int32)
        scratch = np.zeros(scratch_bytes(call.kernel, call.record, TARGET.isa) + 16, np.int8)
        pointers = []
        for parameter, tensor in call.arguments:
            constant = call.constants.get(parameter.name)
            array = places[tensor] if tensor is not None else scratch if parameter.name == SCRATCH else constant
            pointers.append(None if array is None else array.ctypes.data)
        function = self._library[f"call_{call.kernel}"]
        function((ctypes.c_void_p * (len(pointers) + 1))(*pointers, record.ctypes.data))
