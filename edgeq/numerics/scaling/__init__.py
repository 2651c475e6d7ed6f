"""The arithmetics that a node can scale by: one explicit table.

To add one, write its file and add a line to the table. Everything that offers or checks a choice reads the table: the
command line, the manifest, the attribute schemas of the operators, the conformance tests.
"""

from __future__ import annotations

from typing import Final

from edgeq.numerics.scaling.base import Factors, Parameter, Scaling
from edgeq.numerics.scaling.highmul import HighMul
from edgeq.numerics.scaling.tflite import TFLite
from edgeq.numerics.scaling.tflm import TFLM

__all__ = ["INT16_MODES", "MODES", "SCALINGS", "Factors", "Mode", "Parameter", "Scaling"]

Mode = str
"""The name of an arithmetic in the table: ``--requantize`` on the command line, ``requant`` in nodes."""

SCALINGS: Final[dict[Mode, Scaling]] = {scaling.name: scaling for scaling in (HighMul(), TFLite(), TFLM())}
MODES: Final[tuple[Mode, ...]] = tuple(SCALINGS)
INT16_MODES: Final[tuple[Mode, ...]] = tuple(mode for mode in MODES if 16 in SCALINGS[mode].activation_bits)
"""Those that have int16 activations."""
