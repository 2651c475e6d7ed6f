"""The arithmetic of recurrent layers at the bounds of its factors."""

from __future__ import annotations

import numpy as np
import pytest

from edgeq.numerics.recurrent import MULTIPLIER_BITS, gate_factors
from edgeq.numerics.scale_range import ScaleRangeError

SMALL = np.array([1.0])


def test_factors_have_as_many_bits_as_fit() -> None:
    found = gate_factors(np.array([2.0**28, 1.0]), SMALL)
    assert (found.shift, found.x.tolist(), found.h.tolist()) == (1, [2**29, 2], [2])
    below = gate_factors(np.array([0.5 - 2.0**-40]), SMALL / 4)
    assert (below.shift, below.x.tolist(), below.h.tolist()) == (MULTIPLIER_BITS, [2**29], [2**28])


@pytest.mark.parametrize("ratio", [2.0**29, 2.0**29 - 2.0**-3])
def test_a_ratio_beyond_29_bits_is_refused(ratio: float) -> None:
    for given in ((np.array([ratio]), SMALL), (SMALL, np.array([ratio]))):
        with pytest.raises(ScaleRangeError, match=r"ratio 5\.36871e\+08 of a sum"):
            gate_factors(*given)
