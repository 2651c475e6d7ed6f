"""Scales, zero points and integers: zero is exact, errors are bounded, and every guard holds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq.ir import DType, Quantization
from edgeq.onnxio.qdq_parameters import BIAS_MAX, SCALE_MIN, activation_parameters, quantize_bias, quantize_constant
from edgeq.onnxio.samples import IntegerScale
from edgeq.quant.parameters import FACTOR_MIN, integer_parameters, least_output_scale, measure_headroom, quantize_layer

ends = st.floats(-1e30, 1e30)
scales = st.floats(2.0**-20, 2.0**10).map(lambda value: float(np.float32(value)))
seeds = st.integers(0, 2**31)
TENTH = Quantization.per_tensor(DType.INT8, 0.1)


@given(ends, ends)
def test_range_is_covered_and_contains_zero_exactly(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    found = activation_parameters(low, high)
    scale, zero = found.single()
    assert scale >= SCALE_MIN
    assert -128 <= zero <= 127
    assert found.low <= 0.0 <= found.high
    # The zero point is rounded, so the range may shift by half a step (and by float32 rounding of the scale).
    slack = scale * (0.5 + 255 * 2**-24)
    assert found.low <= min(low, 0.0) + slack
    assert found.high >= max(high, 0.0) - slack
    if max(high, 0.0) - min(low, 0.0) > 255 * SCALE_MIN:
        assert found.high - found.low == pytest.approx(max(high, 0.0) - min(low, 0.0), rel=1e-6)


@given(st.floats(1e-12, 1e30))
def test_range_behind_relu_starts_at_the_smallest_integer(high: float) -> None:
    assert activation_parameters(0.0, high).zero_point == (-128,)
    assert activation_parameters(high / 2, high).zero_point == (-128,)
    assert activation_parameters(-high, 0.0).zero_point == (127,)


def test_a_tensor_that_is_always_zero_gets_a_valid_scale() -> None:
    assert activation_parameters(0.0, 0.0) == Quantization.per_tensor(DType.INT8, 1.0, -128)


@pytest.mark.parametrize("end", [float("nan"), float("inf")])
def test_a_range_that_is_not_finite_is_refused(end: float) -> None:
    with pytest.raises(ValueError, match="no scale"):
        activation_parameters(0.0, end)


@given(seeds, st.floats(1e-6, 1e6))
def test_constant_operands_are_within_half_a_step(seed: int, size: float) -> None:
    values = np.random.default_rng(seed).normal(size=20) * size
    found = quantize_constant(values)
    assert np.abs(found.real() - values).max() <= float(found.scales) * 1.001


def test_a_constant_takes_the_scale_that_is_given() -> None:
    found = quantize_constant(np.array([0.0, 1.0, 300.0]), Quantization.per_tensor(DType.INT8, 2.0, -28))
    assert found.values.tolist() == [-28, -28, 122]
    assert quantize_constant(
        np.array([0.0, 1.0, 900.0]), Quantization.per_tensor(DType.INT8, 2.0, -28)
    ).values.tolist() == [-28, -28, 127]


@given(seeds, scales, scales, st.floats(-12, 6))
def test_weight_and_bias_integers_keep_their_bounds(seed: int, x_scale: float, y_scale: float, power: float) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(6, 3, 2, 2)) * 10.0 ** rng.uniform(-12, 2, size=(6, 1, 1, 1))
    weight[2] = 0.0
    bias = rng.normal(size=6) * 10.0**power
    bias[3] = 0.0
    x = Quantization.per_tensor(DType.INT8, x_scale, 3)
    integers, steps = quantize_layer(weight, bias, 0, x, y_scale)
    assert np.abs(integers.values.astype(int)).max() <= 127
    assert np.abs(steps.values.astype(int)).max() <= BIAS_MAX
    assert np.isfinite(integers.scales).all()
    factors = x_scale * integers.scales.astype(np.float64) / y_scale
    assert factors.min() >= FACTOR_MIN * (1 - 1e-9)
    assert (np.abs(integers.real() - weight) <= integers.scales.reshape(-1, 1, 1, 1) * 0.50001).all()
    # The bias: exactly half-even of the real quotient, and its scale the float32 product.
    assert np.array_equal(steps.scales, np.float32(x_scale) * integers.scales)
    for value, step, scale in zip(bias, steps.values, steps.scales, strict=True):
        assert abs(Fraction(float(value)) / Fraction(float(scale)) - int(step)) <= Fraction(1, 2) + Fraction(1, 10**6)


def test_ordinary_weights_use_all_127_steps_per_channel() -> None:
    weight = np.array([[0.5, -1.0], [3.0, 2.0]])
    integers, _ = quantize_layer(weight, np.zeros(2), 0, TENTH, 0.1)
    assert integers.values.tolist() == [[64, -127], [127, 85]]
    assert integers.scales == pytest.approx([1 / 127, 3 / 127])


def test_bias_is_rounded_half_to_even_and_limited() -> None:
    found = quantize_bias(np.array([0.5, 1.5, 2.5, -0.5, 1e9]), 1.0, np.ones(5, np.float32), 1000)
    assert found.values.tolist() == [0, 2, 2, 0, 1000]


def test_the_channel_axis_may_be_any() -> None:
    weight = np.random.default_rng(0).normal(size=(3, 5))
    last, _ = quantize_layer(weight, np.zeros(5), 1, TENTH, 0.1)
    first, _ = quantize_layer(weight.T, np.zeros(5), 0, TENTH, 0.1)
    assert np.array_equal(last.values.T, first.values)
    assert np.array_equal(last.scales, first.scales)


@given(seeds, st.integers(-128, 127))
def test_accumulator_bound_is_what_the_worst_input_gives(seed: int, zero: int) -> None:
    rng = np.random.default_rng(seed)
    x = Quantization.per_tensor(DType.INT8, 0.02, zero)
    weight, bias = quantize_layer(rng.normal(size=(4, 9)), rng.normal(size=4), 0, x, 0.05)
    found = measure_headroom(weight, bias, x, 0.05)
    rows = weight.values.astype(np.int64)
    start = bias.values - zero * rows.sum(axis=1)
    worst = [
        abs(int(row @ np.where((row > 0) == up, 127, -128) + offset))
        for row, offset in zip(rows, start, strict=True)
        for up in (True, False)
    ]
    assert found.accumulator == max(*worst, *np.abs(start).tolist())
    assert found.factor_max * 2 ** (32 - found.shift) < 2**31
    assert found.shift == 0 or found.factor_max * 2 ** (33 - found.shift) >= 2**31 - 1


def test_output_scale_is_raised_until_the_shifted_accumulator_fits() -> None:
    rng = np.random.default_rng(1)
    x = Quantization.per_tensor(DType.INT8, 1.0, 0)
    for y_scale in (1e-9, 1e-6, 1e-3, 1e3):
        weight, bias = quantize_layer(rng.normal(size=(4, 64)), rng.normal(size=4), 0, x, y_scale)
        headroom = measure_headroom(weight, bias, x, y_scale)
        least = least_output_scale(headroom, y_scale)
        assert least == y_scale or least > y_scale
        assert measure_headroom(weight, bias, x, least).bits >= 0
        if headroom.bits >= 0:
            assert least == y_scale


@pytest.mark.parametrize(
    ("integers", "low", "high", "expected"),
    [
        (IntegerScale(1.0, 0.0, 0, 255), 0.0, 250.0, Quantization.per_tensor(DType.INT8, 1.0, -128)),
        (IntegerScale(0.5, -64.0, 0, 255), -64.0, 63.0, Quantization.per_tensor(DType.INT8, 0.5, 0)),
        (IntegerScale(1.0, 0.0, -128, 127), -100.0, 127.0, Quantization.per_tensor(DType.INT8, 1.0, 0)),
        (IntegerScale(1.0, 0.0, -32768, 32767), -90.0, 120.0, Quantization.per_tensor(DType.INT8, 1.0, -38)),
        (IntegerScale(1.0, 0.0, -32768, 32767), -900.0, 120.0, None),
        (IntegerScale(1.0, 0.0, 0, 255), 0.0, 40.0, None),
        (IntegerScale(1.0, 0.3, 0, 255), 0.0, 250.0, None),
        (IntegerScale(1.0, 100.0, 0, 255), 100.0, 355.0, None),
    ],
)
def test_integer_data_keep_their_own_grid_where_int8_can_hold_it(
    integers: IntegerScale, low: float, high: float, expected: Quantization | None
) -> None:
    assert integer_parameters(integers, low, high) == expected
