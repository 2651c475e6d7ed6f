"""Constants of foreign models: bit for bit where edgeq's operators hold them, else the nearest that they do hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.frontend.qdq_constants import layer_constants, operand_of, weight_of
from edgeq.ir import DType, Quantization, QuantizedConstant
from edgeq.numerics.array import Array


def foreign(values: Array, scale: Array, zero: Array | int, axis: int | None) -> QuantizedConstant:
    """A constant of a foreign model: int8 where its integers fit, else int32."""
    fits = values.min() >= -128 and values.max() <= 127
    dtype = DType.INT8 if fits else DType.INT32
    return QuantizedConstant(values.astype(dtype.numpy), Quantization.of(dtype, scale, zero, axis))


def int8(scale: float, zero_point: int) -> Quantization:
    """Parameters of an activation."""
    return Quantization.per_tensor(DType.INT8, scale, zero_point)


@given(seed=st.integers(0, 10_000), zero=st.integers(-128, 127), per_channel=st.booleans())
@settings(deadline=None)
def test_weights_are_exact_where_int8_holds_them_and_near_elsewhere(seed: int, zero: int, per_channel: bool) -> None:
    random = np.random.default_rng(seed)
    width = int(random.integers(1, 129))
    values = random.integers(-width, width, size=(5, 3, 2)).clip(-128, 127)
    scale = random.uniform(1e-3, 1, size=5).astype(np.float32) if per_channel else np.float32(0.02)
    zeros = np.full(np.shape(scale), zero, np.int64)
    stated_constant = foreign(values, np.asarray(scale), zeros, 0 if per_channel else None)
    found = weight_of(stated_constant, 0, "node test")
    assert found.values.dtype == np.int8
    centred = values - zero
    for channel in range(5):
        step = float(np.broadcast_to(scale, (5,))[channel])
        row = centred[channel]
        if row.any() and row.min() >= -128 and row.max() <= 127:
            assert np.array_equal(found.values[channel], row)
            assert np.broadcast_to(found.scales, (5,))[channel] == np.float32(step)
        # A wider step of max/127 is at most 255/127 of the foreign one; cutting off is taken only where it is nearer.
        error = found.real()[channel] - stated_constant.real()[channel]
        assert np.sqrt((error**2).mean()) <= 1.01 * step * 255 / 127 / 2


@pytest.mark.parametrize("bias", [0, 77])
def test_channels_without_weights_do_not_set_the_shift(bias: int) -> None:
    values = np.zeros((3, 4), np.int64)
    values[1] = 5
    scale = np.array([1.0, 0.01, 1e-6], np.float32)
    weight = weight_of(foreign(values, scale, np.zeros(3, np.int64), 0), 0, "node")
    x, y = int8(0.1, 0), int8(0.5, 0)
    offsets = foreign(np.full(3, bias), np.float32(0.1) * scale, np.zeros(3, np.int64), 0)
    kernel, found = layer_constants(weight, offsets, x, y)
    assert found.values.tolist() == [bias] * 3
    # A bias of zero is zero at any scale; another keeps its scale, for the accumulator fits all the same.
    assert kernel.scales.tolist() == pytest.approx([1.0 if bias else 0.01, 0.01, 1e-6])
    values[1] = 127
    wide = weight_of(foreign(np.tile(values, 2000), np.array([3e5, 1.0, 1.0], np.float32), np.zeros(3, int), 0), 0, "n")
    offsets = foreign(np.full(3, bias), np.float32(0.1) * wide.scales, np.zeros(3, np.int64), 0)
    assert layer_constants(wide, offsets, x, y)[0].scales.tolist() == [1.0] * 3


def test_one_scale_for_all_stays_one_scale() -> None:
    values = np.arange(-6, 6).reshape(3, 4)
    one = weight_of(foreign(values, np.array(0.02, np.float32), np.array(0), None), 0, "node")
    bias = foreign(np.array([1 << 30, -5, 0]), np.float32(0.1) * np.array(0.02, np.float32), np.array(0), None)
    kernel, found = layer_constants(one, bias, int8(0.1, 3), int8(0.5, 0))
    assert kernel.scales.shape == found.scales.shape == ()
    assert found.values.tolist() == [1 << 30, -5, 0]
    assert np.array_equal(kernel.values, values)


def test_biases_that_do_not_fit_their_shift_are_rounded_again() -> None:
    weight = weight_of(
        foreign(np.array([[100], [100]]), np.array([1e-3, 0.1], np.float32), np.zeros(2, int), 0), 0, "n"
    )
    stated = np.array([(1 << 31) - 20_000, 1 << 26])
    bias = foreign(stated, np.float32(0.5) * weight.scales, np.zeros(2, np.int64), 0)
    x = int8(0.5, 0)
    # Factors below one half need no shift: then both fit; with a shift of 4 only the second does.
    assert layer_constants(weight, bias, x, int8(1.0, 0))[1].values.tolist() == stated.tolist()
    kernel, found = layer_constants(weight, bias, x, int8(0.01, 0))
    assert found.values.tolist()[1] == 1 << 26
    assert abs(int(found.values[0])) <= 1 << 24
    assert found.real()[0] == pytest.approx(float(stated[0]) * 0.5 * 1e-3, rel=1e-6)
    assert kernel.scales[1] == weight.scales[1]


@given(seed=st.integers(0, 10_000), power=st.integers(-30, 3))
@settings(deadline=None)
def test_biases_stay_within_range_and_mean_the_same(seed: int, power: int) -> None:
    random = np.random.default_rng(seed)
    weight = weight_of(random.normal(size=(4, 6)) * 10.0**power, 0, "node")
    bias = random.normal(size=4).astype(np.float32)
    kernel, found = layer_constants(weight, bias, int8(0.03, 0), None)
    assert np.abs(found.values.astype(np.int64)).max() <= 1 << 28
    assert np.array_equal(found.scales, np.float32(0.03) * kernel.scales)
    # At most half a step of the bias; at least 2^22 steps where the scale was raised for it.
    assert np.all(np.abs(found.real() - bias) <= found.scales * 0.5001 + np.abs(bias) * 2.0**-22)


def test_biases_of_a_slightly_different_scale_keep_their_integers() -> None:
    weight = weight_of(np.array([[127.0, 1.0]]), 0, "node")
    steps = np.array([123_456_789])
    scale = np.nextafter(np.float32(0.1), np.float32(1))
    bias = foreign(steps, np.array([scale]), np.zeros(1, np.int64), 0)
    found = layer_constants(weight, bias, int8(0.1, 0), None)[1]
    assert found.values.tolist() == steps.tolist()


def test_operands_per_channel_are_rounded_to_one_scale() -> None:
    values = np.array([[100, -50], [7, 8]])
    one = operand_of(foreign(values, np.array([0.5, 0.5], np.float32), np.array([3, 3]), 0))
    assert np.array_equal(one.values, values)
    assert (float(one.scales), one.quantization.zero_point[0]) == (0.5, 3)
    two = operand_of(foreign(values, np.array([0.5, 0.1], np.float32), np.array([0, 0]), 0))
    wanted = values * np.array([[0.5], [0.1]])
    assert np.abs(two.real() - wanted).max() <= float(two.scales) / 2 * 1.001
