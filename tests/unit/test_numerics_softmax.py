"""The integer softmax: its table, its formula, its distance to the real function."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.numerics.softmax import exp_table, exp_table_int16, softmax


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


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 700), st.floats(2.0**-20, 0.125, width=32), st.integers(0, 2**32 - 1), st.integers(1, 65536))
def test_int16_is_within_the_error_of_its_two_tables(length: int, scale: float, seed: int, spread: int) -> None:
    x = (np.random.default_rng(seed).integers(0, spread, (3, length)) - 32768).astype(np.int16)
    table = exp_table_int16(scale)
    got = softmax(x, table)
    assert got.dtype == np.int16
    exponentials = np.exp(scale * (x.astype(np.float64) - x.max(axis=-1, keepdims=True)))
    exact = np.minimum(exponentials / exponentials.sum(axis=-1, keepdims=True) * 32768, 32767)
    # An exponential is at most 1.5 of 2^-16 off: half a step by each table and half by their product.
    total = exponentials.sum(axis=-1, keepdims=True) * 65534
    bound = 0.5 + 1.5 * (32768 + exact * length) / (total - 1.5 * length).clip(min=65534)
    assert (np.abs(got - exact) <= bound + 1e-6).all()


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 900), st.floats(2.0**-20, 2.0**-7, width=32), st.integers(0, 2**32 - 1))
def test_int16_stays_in_uint32(length: int, scale: float, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-32768, 32768, length).astype(np.int16)
    table = [int(entry) for entry in exp_table_int16(scale)]
    products = []
    for value in x.tolist():
        difference = int(x.max()) - value
        products.append(table[difference >> 8] * table[256 + (difference & 255)] + 2**15)
    assert max(products) < 2**32
    exponentials = [product >> 16 for product in products]
    assert max(exponentials) == 65534
    total = sum(exponentials)
    assert (max(exponentials) << 15) + (total >> 1) < 2**32
    expected = [min(32767, ((value << 15) + (total >> 1)) // total) for value in exponentials]
    assert softmax(x, np.array(table, np.uint16)).tolist() == expected


def test_int16_corners() -> None:
    table = exp_table_int16(2.0**-10)
    assert table.dtype == np.uint16
    assert table[0] == table[256] == 65535
    assert softmax(np.array([[5]], dtype=np.int16), table).tolist() == [[32767]]
    assert softmax(np.array([[32767, -32768]], dtype=np.int16), table).tolist() == [[32767, 0]]
    assert softmax(np.zeros((1, 2), dtype=np.int16), table).tolist() == [[16384, 16384]]
    longest = softmax(np.zeros(65536, dtype=np.int16), table)
    assert set(longest.tolist()) == {1}  # a tie of 1/2 rounds up
    assert 65536 * 65534 < 2**32


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_table_refuses(scale: float) -> None:
    for table in (exp_table, exp_table_int16):
        with pytest.raises(ValueError, match="scale"):
            table(scale)
