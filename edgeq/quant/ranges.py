"""The range of every group of values that share a scale: what observers choose and roundings start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeq.ir import Quantization


@dataclass(frozen=True)
class Ranges:
    """By group of the specification.

    Attributes:
        extents: the smallest and the largest real value to represent; zero lies between.
        decided: the parameters where they do not follow from the range: prescribed by an operator, given with a partly
            quantized model, or those of integer input data.
    """

    extents: tuple[tuple[float, float], ...]
    decided: tuple[Quantization | None, ...]
