"""The integer softmax: its table, its formula, its distance to the real function."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.numerics.softmax import exp_table, softmax


@settings(deadline=None, max_examples=20)
@given(st.floats(2.0**-16, 50.0, width=32))
def test_table_is_correctly_rounded(scale: float) -> None:
    table = exp_table(scale)
    assert table.dtype == np.uint32
    assert table[0] == 2**23
    with localcontext() as context:
        context.prec = 40
        for d in range(0, 256, 15):
            assert abs(int(table[d]) - (-Decimal(scale) * d).exp() * 2**23) <= Decimal("0.5")


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 700), st.floats(1e-3, 3.0), st.integers(0, 2**32 - 1))
def test_result_is_within_one_step_of_float(length: int, scale: float, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-128, 128, (4, length)).astype(np.int8)
    exponentials = np.exp(scale * (x.astype(np.float64) - x.max(axis=-1, keepdims=True)))
    exact = np.minimum(exponentials / exponentials.sum(axis=-1, keepdims=True) * 256, 255) - 128
    # Half a step from the division, and from each table entry at most 2^-24 of a probability, n of them in the sum.
    assert np.abs(softmax(x, exp_table(scale)) - exact).max() <= 0.5 + 256 * (length + 1) * 2.0**-24


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 511), st.integers(0, 2**32 - 1))
def test_rows_up_to_511_stay_in_uint32(length: int, seed: int) -> None:
    x = np.random.default_rng(seed).integers(100, 128, length).astype(np.int8)
    table = exp_table(0.01)
    exponentials = [int(table[int(x.max()) - int(value)]) for value in x]
    total = sum(exponentials)
    assert total < 2**32
    assert max(exponentials) * 256 + total // 2 < 2**32
    expected = [min(255, (value * 256 + total // 2) // total) - 128 for value in exponentials]
    assert softmax(x, table).tolist() == expected


def test_corners() -> None:
    table = exp_table(1.0)
    assert softmax(np.array([[5]], dtype=np.int8), table).tolist() == [[127]]
    assert softmax(np.array([[127, -128]], dtype=np.int8), table).tolist() == [[127, -128]]
    assert softmax(np.zeros((1, 2), dtype=np.int8), table).tolist() == [[0, 0]]
    assert set(softmax(np.zeros(1000, dtype=np.int8), table).tolist()) == {-128}


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_table_refuses(scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        exp_table(scale)
