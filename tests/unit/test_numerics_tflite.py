"""LiteRT's arithmetic against exact rationals, and against values that LiteRT's reference kernels gave."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.numerics import tflite
from edgeq.numerics.rounding import divide_half_away, round_half_away, round_half_up
from edgeq.numerics.tflite_softmax import softmax, softmax_parameters

INT32 = st.integers(-(2**31), 2**31 - 1)


def f32(value: float) -> float:
    return float(np.float32(value))


@given(INT32, INT32)
def test_high_mul_rounds_half_up(a: int, b: int) -> None:
    got = int(tflite.saturating_rounding_doubling_high_mul(np.array([a]), b)[0])
    assert got == min(round_half_up(Fraction(a * b, 2**31)), 2**31 - 1)


@given(INT32, st.integers(0, 31))
def test_divide_by_pot_rounds_half_away(value: int, exponent: int) -> None:
    got = int(tflite.rounding_divide_by_pot(np.array([value]), exponent)[0])
    assert got == round_half_away(Fraction(value, 2**exponent))


@given(INT32, st.integers(1, 10**6))
def test_divide_half_away(value: int, count: int) -> None:
    assert int(divide_half_away(np.array([value]), count)[0]) == round_half_away(Fraction(value, count))


@given(st.integers(-(2**24), 2**24), st.integers(2**30, 2**31 - 1), st.integers(-31, 6))
def test_double_and_single_rounding(acc: int, q: int, e: int) -> None:
    value = np.array([acc])
    inner = round_half_up(Fraction((acc << max(e, 0)) * q, 2**31))
    assert int(tflite.multiply_by_quantized_multiplier(value, q, e)[0]) == round_half_away(
        Fraction(inner, 2 ** max(-e, 0))
    )
    assert int(tflite.multiply_once(value, q, e)[0]) == round_half_up(Fraction(acc * q) * Fraction(2) ** (e - 31))


@settings(max_examples=300)
@given(st.floats(1e-9, 2.0**29))
def test_quantize_multiplier_keeps_31_bits(factor: float) -> None:
    q, e = tflite.quantize_multiplier(factor)
    assert 2**30 <= q < 2**31
    assert abs(q * Fraction(2) ** (e - 31) - Fraction(factor)) <= Fraction(2) ** (e - 32)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (0.0, (0, 0)),
        (1.0, (2**30, 1)),
        (0.5, (2**30, 0)),
        (1.0 - 2.0**-40, (2**30, 1)),  # the mantissa rounds up to 1
        (0.5 + 2.0**-32, (2**30 + 1, 0)),  # a tie goes up
        (2.0**-32, (2**30, -31)),
        (2.0**-33, (0, 0)),
    ],
)
def test_quantize_multiplier_at_corners(factor: float, expected: tuple[int, int]) -> None:
    assert tflite.quantize_multiplier(factor) == expected


@pytest.mark.parametrize("factor", [-1.0, float("nan"), float("inf"), 2.0**30])
def test_quantize_multiplier_refuses(factor: float) -> None:
    with pytest.raises(ValueError, match="requantization factor"):
        tflite.quantize_multiplier(factor)


def test_multipliers_keep_the_shape() -> None:
    q, e = tflite.quantize_multipliers([[0.5, 0.25], [1.0, 3.0]])
    assert q.dtype == e.dtype == np.int32
    assert e.tolist() == [[0, -1], [1, 2]]


def test_shifted_accumulator_must_fit() -> None:
    with pytest.raises(OverflowError):
        tflite.multiply_by_quantized_multiplier(np.array([2**29]), 2**30, 2)


@pytest.mark.parametrize(
    ("scales", "zeros", "sign", "expected"),
    [
        ((0.05, 0.02, 0.06), (3, -7, -10), 1, [-75, -95, -44, -46, -10, 0, 1, 127]),
        ((0.5, 0.25, 0.5), (0, 0, 0), 1, [-65, -102, -36, -52, 0, 14, 0, 127]),
        ((0.05, 0.02, 0.06), (3, -7, -10), -1, [-128, -97, -82, 9, -15, -16, 81, 49]),
        ((0.5, 0.25, 0.5), (0, 0, 0), -1, [-128, -99, -86, 38, 0, -4, 127, 64]),
    ],
)
def test_addition_gives_what_litert_gave(
    scales: tuple[float, float, float], zeros: tuple[int, int, int], sign: int, expected: list[int]
) -> None:
    a = np.array([-128, -100, -61, -7, 0, 5, 64, 127], dtype=np.int8)
    b = np.array([127, -3, 50, -90, 0, 17, -128, 127], dtype=np.int8)
    a_scale, b_scale, out_scale = map(f32, scales)
    parameters = tflite.add_parameters(a_scale, b_scale, out_scale)
    assert tflite.add(a, b, *zeros, parameters, -128, 127, sign).tolist() == expected


@pytest.mark.parametrize(
    ("scales", "zeros", "x", "expected"),
    [
        ((0.05, 0.02), (3, -7), [-127, -100, -61, -7, 0, 5, 64], -95),
        ((0.1, 0.1), (0, 0), [1, 0, 0, 0, 0, 0, 2], 1),  # 3/7 becomes 1: two roundings
        ((0.3, 0.1), (-5, 100), [-6] * 7, 97),
        ((0.03125, 0.015625), (-13, -11), [-82, 77, 94, 21, -118, -104, -43], -29),  # -30 with a rounded multiplier
        ((0.5, 0.25), (9, -13), [64, -44, 17, 112, 107, -7, -76], 18),  # 19
    ],
)
def test_mean_gives_what_litert_gave(
    scales: tuple[float, float], zeros: tuple[int, int], x: list[int], expected: int
) -> None:
    q, e = tflite.mean_multiplier(f32(scales[0]) / f32(scales[1]), len(x))
    acc = np.array([sum(x) - len(x) * zeros[0]])
    assert tflite.requantize(acc, np.array([q]), np.array([e]), zeros[1], -128, 127).tolist() == [expected]


@pytest.mark.parametrize(
    ("scale", "x", "expected"),
    [
        (0.1, [20, 36, -58, 36, -4, 1, 15, -26, 57, -54], [-123, -104, -128, -104, -128, -127, -125, -128, 70, -128]),
        (
            0.0146,
            [-27, -14, 8, -11, -45, -55, -60, -55, -43, 59, -38, 18],
            [-111, -107, -99, -106, -115, -117, -117, -117, -114, -68, -113, -95],
        ),
        (1.5, [30, -32, -27, -8, -29], [127, -128, -128, -128, -128]),
        (0.02, [56, -39, 47, 35, 41, -47], [-55, -117, -67, -80, -74, -119]),
    ],
)
def test_softmax_gives_what_litert_gave(scale: float, x: list[int], expected: list[int]) -> None:
    assert softmax(np.array(x, dtype=np.int8), *softmax_parameters(f32(scale))).tolist() == expected


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 511), st.floats(1e-3, 3.0), st.integers(0, 2**32 - 1))
def test_softmax_is_close_to_float(length: int, scale: float, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-128, 128, (3, length)).astype(np.int8)
    exponentials = np.exp(scale * (x.astype(np.float64) - x.max(axis=-1, keepdims=True)))
    exact = np.minimum(exponentials / exponentials.sum(axis=-1, keepdims=True) * 256, 255) - 128
    assert np.abs(softmax(x, *softmax_parameters(scale)) - exact).max() <= 1.0


def test_softmax_refuses_a_scale_that_is_too_small() -> None:
    with pytest.raises(ValueError, match="too small"):
        softmax_parameters(2.0**-26)


def test_wide_sums_have_a_multiplier_of_15_bits() -> None:
    value = np.array([2**40, -(2**40), 3, -3, 0])
    q, e = tflite.quantize_multipliers([2.0**-26])
    assert tflite.multiply_wide(value, q, e).tolist() == [2**14, -(2**14), 0, 0, 0]
    # The reduced multiplier does not reach 2^15.
    assert tflite.multiply_wide(np.array([1 << 15]), np.array([2**31 - 1]), np.array([0])).tolist() == [32767]
    for bad in ((1 << 47, 0), (1, 8)):
        with pytest.raises(OverflowError):
            tflite.multiply_wide(np.array([bad[0]]), np.array([1 << 30]), np.array([bad[1]]))
