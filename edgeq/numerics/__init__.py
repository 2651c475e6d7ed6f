"""Exact integer arithmetic: what every number in the integer world means, in numpy, from the definition.

Nothing here knows graphs, operators or ONNX. Integers are computed in int64 (or proven exact in floating point),
real numbers as exact fractions or 80-digit decimals; the C kernels and every other executor must give these bits.
"""

from __future__ import annotations

from typing import Final

DEFAULT_MODE: Final = "highmul"
"""The arithmetic that is taken where none is named; of the table in ``numerics.scaling``, which imports numpy."""
