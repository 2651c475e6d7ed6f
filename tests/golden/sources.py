"""The C of one small program for each family of operators, as files to read and to compare byte by byte.

    make golden        # write c/FAMILY.c anew, after a change that is meant

``edgeq/backends/c/README.md`` states the form that these files show. Each holds the first conformance case of some ONNX
operators of the family, for Cortex-M4.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from edgeq.backends.c import emit_c
from edgeq.target import load_target
from tests.conformance import zoo

FOLDER: Final = Path(__file__).resolve().parent / "c"
# Operators of a family that its file shows; more would not be read.
_MOST: Final = 4


def source_of(family: str) -> bytes:
    """``FAMILY.c``."""
    first: dict[tuple[str, ...], zoo.Case] = {}
    for case in zoo.cases_of(family, "highmul"):
        first.setdefault(case.types, case)
    graph = zoo.build(family, list(first.values())[:_MOST], "highmul").graph
    return emit_c(graph, family, load_target("cortex-m4"), complete=False).bundle.files[f"{family}.c"]


def main() -> int:
    """Write the files anew."""
    FOLDER.mkdir(exist_ok=True)
    for family in zoo.FAMILIES:
        path, content = FOLDER / f"{family}.c", source_of(family)
        if not path.is_file() or path.read_bytes() != content:
            print(f"changed: {path.name}")
            path.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
