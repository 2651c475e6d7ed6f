"""Functions of plain integers against numpy where it defines them, and the intervals that prove their results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq.numerics.integers import FUNCTIONS, apply, reduced, wrapped
from edgeq.numerics.intervals import INTERVALS, joined, repeated, within

KINDS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
NUMPY = {
    "add": np.add,
    "and": np.bitwise_and,
    "max": np.maximum,
    "min": np.minimum,
    "multiply": np.multiply,
    "or": np.bitwise_or,
    "shift_left": np.left_shift,
    "shift_right": np.right_shift,
    "subtract": np.subtract,
    "xor": np.bitwise_xor,
}
SMALL = st.tuples(st.integers(-9, 9), st.integers(-9, 9)).map(lambda pair: (min(pair), max(pair)))


def drawn(kind: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of the whole range, both ends of it against each other among them."""
    limits, draw = np.iinfo(kind), np.random.default_rng(seed)
    ends = np.array([limits.min, limits.max, 0, 1, limits.max // 2], kind)
    a = draw.integers(limits.min, limits.max, 40, np.dtype(kind), endpoint=True)
    return np.concatenate([np.repeat(ends, 5), a]), np.concatenate([np.tile(ends, 5), a[::-1]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("function", NUMPY)
def test_a_function_wraps_around_as_numpy_does(function: str, kind: str) -> None:
    a, b = drawn(kind)
    if function.startswith("shift"):
        b = (np.abs(b.astype(object)) % np.iinfo(kind).bits).astype(kind)
    assert apply(function, a, b).dtype == np.dtype(kind)
    assert apply(function, a, b).tolist() == NUMPY[function](a, b).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_division_is_towards_zero_and_remainders_add_up(kind: str) -> None:
    a, b = drawn(kind, 1)
    quotient, rest, modulo = (apply(name, a, b) for name in ("divide", "remainder", "modulo"))
    limits = np.iinfo(kind)
    for x, y, q, r, m in zip(*(array.tolist() for array in (a, b, quotient, rest, modulo)), strict=True):
        if y == 0:
            assert (q, r, m) == (0, 0, 0)
        elif (x, y) != (limits.min, -1):
            assert q * y + r == x
            assert abs(r) < abs(y)
            assert r * x >= 0
            assert (m - x) % y == 0
            assert m * y >= 0
            assert abs(m) < abs(y)
        else:
            assert (q, r, m) == (limits.min, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_powers_are_repeated_products(kind: str) -> None:
    a, _ = drawn(kind, 2)
    product = np.ones_like(a)
    for exponent in range(70):
        assert apply("power", a, np.full_like(a, exponent)).tolist() == product.tolist()
        product = apply("multiply", product, a)


def test_negative_powers_keep_their_whole_part() -> None:
    a = np.array([-2, -1, -1, 0, 1, 2], np.int8)
    assert apply("power", a, np.array([-1, -1, -2, -1, -3, -1], np.int8)).tolist() == [0, -1, 1, 0, 1, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_shifted_out_leaves_the_sign(kind: str) -> None:
    a, bits = drawn(kind)[0], np.iinfo(kind).bits
    for amount in (bits, 127):
        many = np.full_like(a, amount)
        assert not apply("shift_left", a, many).any() or amount < bits
        assert apply("shift_right", a, many).tolist() == [-1 if x < 0 else 0 for x in a.tolist()] or amount < bits


@pytest.mark.parametrize("kind", KINDS)
def test_a_reduction_is_the_function_of_all(kind: str) -> None:
    x = drawn(kind)[0][:60].reshape(3, 4, 5)
    with np.errstate(over="ignore"):
        assert reduced("add", x, (1,), keepdims=True).tolist() == x.sum(1, keepdims=True, dtype=kind).tolist()
        assert reduced("multiply", x, (1, 2), keepdims=False).tolist() == x.prod((1, 2), dtype=kind).tolist()
    assert reduced("max", x, (0, 1, 2), keepdims=False).tolist() == x.max().tolist()


@given(value=st.integers(-(1 << 70), 1 << 70), kind=st.sampled_from(KINDS))
def test_wrapping_is_modulo_the_type(value: int, kind: str) -> None:
    got = int(wrapped(np.array(value, object), np.dtype(kind)))
    limits: Any = np.iinfo(kind)
    assert limits.min <= got <= limits.max
    assert (got - value) % (1 << limits.bits) == 0


@pytest.mark.parametrize("function", FUNCTIONS)
@given(a=SMALL, b=SMALL)
def test_an_interval_holds_every_result(function: str, a: tuple[int, int], b: tuple[int, int]) -> None:
    found = INTERVALS[function](a, b)
    if found is None:
        return
    for x in range(a[0], a[1] + 1):
        for y in range(b[0], b[1] + 1):
            assert found[0] <= FUNCTIONS[function](x, y, 64) <= found[1], (x, y)


@given(x=SMALL, count=st.integers(1, 4), function=st.sampled_from(["add", "max", "min", "multiply"]))
def test_an_interval_of_a_reduction_holds_every_result(x: tuple[int, int], count: int, function: str) -> None:
    found = repeated(function, x, count)
    assert found is not None
    corners = [
        np.array([first] * (count - 1) + [last], np.int64) for first in x for last in (*x, 0) if x[0] <= last <= x[1]
    ]
    for row in corners:
        got = int(reduced(function, row, (0,), keepdims=False))
        assert found[0] <= got <= found[1]


def test_intervals_are_joined_and_compared() -> None:
    assert joined((1, 3), (-2, 2)) == (-2, 3)
    assert within((1, 2), (1, 2))
    assert not within((0, 2), (1, 2))
