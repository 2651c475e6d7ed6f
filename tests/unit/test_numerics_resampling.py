"""Where resized elements lie on the axis of their operand, by the formulas of ONNX's Resize."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from edgeq.numerics.resampling import Axis

Position = Callable[[int, int, int, Fraction], Fraction]

HALF = Fraction(1, 2)
# Output x of `target` elements, from `size` elements, by a factor.
POSITIONS: dict[str, Position] = {
    "asymmetric": lambda x, size, target, scale: x / scale,
    "align_corners": lambda x, size, target, scale: Fraction(x * (size - 1), max(target - 1, 1)),
    "half_pixel": lambda x, size, target, scale: (x + HALF) / scale - HALF,
    "pytorch_half_pixel": lambda x, size, target, scale: (x + HALF) / scale - HALF if target > 1 else Fraction(0),
    "half_pixel_symmetric": lambda x, size, target, scale: (
        Fraction(size, 2) * (1 - target / (scale * size)) + (x + HALF) / scale - HALF
    ),
}


@pytest.mark.parametrize("coordinates", POSITIONS)
@pytest.mark.parametrize(("size", "scale"), [(4, 2.0), (5, 1.5), (7, 0.4375), (3, 0.34375), (6, 1.0), (1, 3.0)])
def test_positions_are_those_of_the_standard(coordinates: str, size: int, scale: float) -> None:
    target = int(size * scale)
    wanted = [float(POSITIONS[coordinates](x, size, target, Fraction(scale))) for x in range(target)]
    found = Axis(size, target, scale).positions(coordinates)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
