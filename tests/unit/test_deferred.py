"""Packages that the command line never asks anything of are not loaded, and still work for code that does ask."""

from __future__ import annotations

import subprocess
import sys


def _says(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_reading_models_does_not_load_sympy() -> None:
    assert _says("import edgeq.cli, edgeq.frontend, sys; print('sympy.core' in sys.modules)") == "False"


def test_symbolic_dimensions_still_compute() -> None:
    code = "import edgeq.cli, onnx_ir; d = onnx_ir.SymbolicDim('n') * 2 + 1; print(d.value)"
    assert _says(code) == "2*n + 1"


def test_sympy_is_whole_where_it_is_imported() -> None:
    code = "import edgeq.cli, sympy; import sympy.core; from sympy import Max; print(Max(2, sympy.Integer(3)))"
    assert _says(code) == "3"
    assert (
        _says("import edgeq.cli; from sympy.core import Integer; import sympy; print(sympy.Integer is Integer)")
        == "True"
    )


def test_the_library_changes_no_other_package() -> None:
    assert _says("import edgeq, edgeq.lazily, sys; print('sympy' in sys.modules)") == "False"
