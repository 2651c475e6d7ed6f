"""Normalized rows against real numbers, at their stated bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeq.numerics.array import Array
from edgeq.numerics.normalization import choose_elements, choose_row, normalize_rows, scale_elements
from edgeq.numerics.scale_range import ScaleRangeError

BOUND = {255: 2.0**-8, 65535: 1 / 8}


def f32(value: float) -> float:
    return float(np.float32(value))


def rows_of(dtype: np.dtype[Any], length: int) -> Array:
    """Random rows, constant ones, those of one outlier, those of two neighbouring values, and extremes."""
    info, generator = np.iinfo(dtype), np.random.default_rng(length)
    drawn = generator.integers(info.min, info.max + 1, (6, length))
    outlier = np.full((1, length), 3)
    outlier[0, 0] = info.max
    near = np.full((1, length), -7)
    near[0, -1] = -6
    ends = generator.choice([info.min, info.max], (2, length))
    return np.concatenate([drawn, np.full((1, length), info.max), outlier, near, ends]).astype(dtype)


@pytest.mark.parametrize("span", [255, 65535])
@pytest.mark.parametrize("length", [1, 2, 3, 16, 100, 1000, 9000])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("epsilon", [1e-5, 0.25])
def test_a_row_is_within_its_bound(span: int, length: int, centred: bool, epsilon: float) -> None:
    dtype: np.dtype[Any] = np.dtype(np.int8 if span == 255 else np.int16)
    epsilon = f32(epsilon) if centred else 0.0
    x_scale, y_scale = f32(4 / span), f32(8 / span)
    zero, out_zero = (-11, 5) if span == 255 else (0, 0)
    row = choose_row(length, x_scale, epsilon, span, centred=centred)
    generator = np.random.default_rng(1)
    scale, bias = generator.normal(size=(2, length)).astype(np.float32)
    gamma, beta, shift = choose_elements(scale, bias, y_scale, out_zero, row.bits)
    x, info = rows_of(dtype, length), np.iinfo(dtype)
    h = normalize_rows(x, zero, row)
    assert np.abs(h).max() < 1 << 31
    got = scale_elements(h, gamma, beta, shift, info.min, info.max, dtype)
    real = x_scale * (x.astype(np.float64) - zero)
    if centred:
        away = real - real.mean(axis=1, keepdims=True)
        normal = away / np.sqrt((away**2).mean(axis=1, keepdims=True) + epsilon)
    else:
        norm = np.sqrt((real**2).sum(axis=1, keepdims=True))
        normal = np.divide(real, norm, out=np.zeros_like(real), where=norm > 0)
    wanted = np.clip((normal * scale + bias) / y_scale + out_zero, info.min, info.max)
    assert np.abs(wanted - got).max() <= 0.5 + BOUND[span]


def test_a_constant_row_is_the_bias() -> None:
    row = choose_row(5, 0.5, 0.0, 255, centred=True)
    gamma, beta, shift = choose_elements(np.ones(5), np.arange(5.0), 1.0, 0, row.bits)
    h = normalize_rows(np.full((1, 5), 77, np.int8), 0, row)
    assert scale_elements(h, gamma, beta, shift, -128, 127, np.int8).tolist() == [[0, 1, 2, 3, 4]]


def test_rows_that_leave_64_bits_are_refused() -> None:
    with pytest.raises(ScaleRangeError, match="leave 64 bits"):
        choose_row(1 << 16, 1.0, 1e-5, 65535, centred=True)
    with pytest.raises(ScaleRangeError, match="leave 64 bits"):
        choose_row(16, 1e-12, 1.0, 255, centred=True)


def test_scales_beyond_the_result_are_refused() -> None:
    with pytest.raises(ScaleRangeError, match="too large"):
        choose_elements(np.array([1e20]), np.zeros(1), 1e-3, 0, 20)
