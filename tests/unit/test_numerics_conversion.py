"""Factors between real numbers and integers: orders and whole parts are those of the exact numbers."""

from __future__ import annotations

from fractions import Fraction
from math import trunc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq.numerics.conversion import common_factors, truncated, truncation
from edgeq.numerics.scale_range import ScaleRangeError

SCALES = st.floats(2.0**-60, 2.0**20, width=32)
VALUES = st.integers(-65535, 65535)


def scaled(value: int, factors: tuple[int, int]) -> int:
    factor, shift = factors
    return value * factor << shift


@given(a_scale=SCALES, b_scale=SCALES, a=VALUES, b=VALUES)
def test_the_order_is_that_of_the_real_numbers(a_scale: float, b_scale: float, a: int, b: int) -> None:
    a_factors, b_factors = common_factors(a_scale, b_scale)
    left, right = scaled(a, a_factors), scaled(b, b_factors)
    exact = Fraction(a_scale) * a, Fraction(b_scale) * b
    assert (left < right, left == right) == (exact[0] < exact[1], exact[0] == exact[1])


def test_values_of_one_scale_are_compared_as_they_are() -> None:
    assert common_factors(0.037, 0.037) == ((1, 0), (1, 0))
    assert common_factors(0.5, 0.25) == ((1 << 23, 1), (1 << 23, 0))
    assert common_factors(0.25, 0.5) == ((1 << 23, 0), (1 << 23, 1))


@given(
    scale=st.floats(2.0**-60, 2.0**15, width=32),
    value=VALUES,
    kind=st.sampled_from(["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]),
)
def test_the_whole_part_is_that_of_the_real_number(scale: float, value: int, kind: str) -> None:
    factor, shift = truncation(scale)
    assert 0 <= shift < 63
    limits = np.iinfo(kind)
    wanted = min(max(trunc(Fraction(scale) * value), int(limits.min)), int(limits.max))
    found = truncated(np.array([value]), factor, shift, np.dtype(kind))
    assert found.dtype == kind
    assert int(found[0]) == wanted


def test_scales_from_2_31_on_have_no_whole_part_within_int32() -> None:
    truncation(float(np.nextafter(np.float32(2**31), np.float32(0))))
    with pytest.raises(ScaleRangeError, match="beyond int32"):
        truncation(2.0**31)
