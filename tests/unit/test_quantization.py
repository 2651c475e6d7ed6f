"""Quantization parameters against ONNX's operators: per tensor, per axis, in blocks; and what follows moved axes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from edgeq.ir import DType, Quantization, QuantizedConstant, Tensor
from edgeq.numerics.array import Array

SHAPE = (4, 6)
SCALES = (0.5, 0.03, 1.5, 0.007)
ZEROS = (3, -7, 127, -128)
PER_TENSOR = Quantization.per_tensor(DType.INT8, 0.043, -5)
PER_AXIS = Quantization(DType.INT8, SCALES, ZEROS, 0)
BLOCKED = Quantization(DType.INT8, SCALES * 2, ZEROS * 2, 1, block=4)


def onnx_of(op_type: str, array: Array, quantization: Quantization) -> Array:
    """What ONNX's reference says of QuantizeLinear or DequantizeLinear."""
    axis, block = quantization.axis, quantization.block
    kept = () if axis is None else (len(quantization.scale),)
    if block is not None:
        kept = tuple(-(-size // block) if index == axis else size for index, size in enumerate(array.shape))
    operands = {
        "x": array,
        "s": np.array(quantization.scale, np.float32).reshape(kept),
        "z": np.array(quantization.zero_point, np.int8).reshape(kept),
    }
    attributes: dict[str, Any] = (
        {} if axis is None else {"axis": axis} | ({} if block is None else {"block_size": block})
    )
    node = helper.make_node(op_type, list(operands), ["y"], **attributes)
    inputs = [
        helper.make_tensor_value_info(name, int(helper.np_dtype_to_tensor_dtype(value.dtype)), value.shape)
        for name, value in operands.items()
    ]
    result = helper.make_tensor_value_info("y", TensorProto.UNDEFINED, None)
    model = helper.make_model(
        helper.make_graph([node], "g", inputs, [result]), opset_imports=[helper.make_opsetid("", 21)]
    )
    results: list[Array] = ReferenceEvaluator(model).run(None, operands)  # type: ignore[assignment]
    return results[0]


@pytest.mark.parametrize("quantization", [PER_TENSOR, PER_AXIS, BLOCKED], ids=["tensor", "axis", "block"])
@given(seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=20)
def test_both_directions_are_those_of_onnx(quantization: Quantization, seed: int) -> None:
    real = np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32) * np.float32(20)
    integers = quantization.quantize(real)
    assert integers.dtype == np.int8
    np.testing.assert_array_equal(integers, onnx_of("QuantizeLinear", real, quantization))
    np.testing.assert_array_equal(
        quantization.dequantize(integers), onnx_of("DequantizeLinear", integers, quantization)
    )


def test_ties_go_to_even_and_the_ends_saturate() -> None:
    steps = Quantization.per_tensor(DType.INT8, 0.5, 1)
    real = np.array([0.25, 0.75, -0.25, 1e30, -np.inf], np.float32)
    assert steps.quantize(real).tolist() == [1, 3, 1, 127, -128]
    assert (steps.low, steps.high) == (-64.5, 63.0)


def test_float64_is_divided_in_float64() -> None:
    scale = float(np.float32(0.1))
    steps = Quantization.per_tensor(DType.INT32, scale)
    real = np.array([scale * 12345.5 * (1 - 1e-12)])
    assert steps.quantize(real).tolist() == [12345]
    assert steps.quantize(real.astype(np.float32)).tolist() == [12346]


def test_fewer_bits_saturate_earlier() -> None:
    nibbles = Quantization(DType.INT8, (1.0,), (0,), bits=4)
    assert nibbles.quantize(np.array([9.0, -9.0], np.float32)).tolist() == [7, -8]
    assert (Quantization(DType.UINT8, (1.0,), (0,), bits=2).q_min, nibbles.q_min, nibbles.q_max) == (0, -8, 7)


def test_a_codebook_is_looked_up_before_the_scale() -> None:
    found = Quantization(DType.UINT8, (0.5,), (1,), bits=2, codebook=(-100, -3, 4, 90))
    assert found.dequantize(np.array([0, 3, 2], np.uint8)).tolist() == [-50.5, 44.5, 1.5]


@pytest.mark.parametrize("quantization", [PER_TENSOR, PER_AXIS, BLOCKED], ids=["tensor", "axis", "block"])
def test_constants_keep_their_values_when_axes_move(quantization: Quantization) -> None:
    constant = QuantizedConstant(np.arange(-12, 12, dtype=np.int8).reshape(SHAPE), quantization)
    turned = constant.transposed((1, 0))
    np.testing.assert_array_equal(turned.real(), constant.real().T)
    wide = constant.reshaped((1, *SHAPE))
    assert wide is not None
    np.testing.assert_array_equal(wide.real(), constant.real()[np.newaxis])
    for factor in (0.25, -3.0):
        scaled = constant.scaled(np.array(factor))
        assert scaled is not None
        np.testing.assert_allclose(scaled.real(), constant.real() * factor, rtol=1e-6)
    np.testing.assert_array_equal(
        constant.centred(), constant.values - quantization.spread(quantization.zero_points, SHAPE)
    )


def test_factors_of_channels_go_into_scales() -> None:
    factors = np.array([2.0, -0.5, 0.0, 1.0])
    for params in (PER_TENSOR, PER_AXIS):
        constant = QuantizedConstant(np.arange(-12, 12, dtype=np.int8).reshape(SHAPE), params)
        kept, turned = constant.scaled(np.abs(factors) + 1), constant.scaled(factors)
        assert kept is not None
        assert turned is not None
        assert kept.values is constant.values
        np.testing.assert_allclose(turned.real(), constant.real() * factors.reshape(-1, 1), rtol=1e-6)
    assert QuantizedConstant(np.zeros(SHAPE, np.int8), BLOCKED).scaled(factors) is None
    assert (
        QuantizedConstant(
            np.zeros(SHAPE, np.int8), replace(PER_AXIS, scale=(1.0,) * 6, zero_point=(0,) * 6, axis=1)
        ).scaled(factors)
        is None
    )


def test_an_axis_that_a_reshape_breaks_up_is_lost() -> None:
    constant = QuantizedConstant(np.zeros(SHAPE, np.int8), PER_AXIS)
    assert constant.reshaped((2, 12)) is None
    assert constant.reshaped((2, 2, 6)) is None


def test_scales_are_float32_and_parameters_compare_by_value() -> None:
    found = Quantization.per_tensor(DType.INT8, 0.1)
    assert found.scale == (float(np.float32(0.1)),)
    assert found == Quantization.of(DType.INT8, np.array([0.1]).reshape(()))
    assert {found: 1}[Quantization.of(DType.INT8, np.array(0.1), 0)] == 1
    assert found != replace(found, dtype=DType.INT16)
    assert found.single() == (found.scale[0], 0)
    with pytest.raises(ValueError, match="4 scales"):
        PER_AXIS.single()


@pytest.mark.parametrize(
    "found",
    [PER_TENSOR, PER_AXIS, BLOCKED, Quantization(DType.UINT8, (0.5,), (1,), bits=2, codebook=(-1, 0, 1, 5))],
)
def test_json_holds_everything(found: Quantization) -> None:
    assert Quantization.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"scale": ()}, "0 scales"),
        ({"zero_point": (0, 0)}, "1 scales and 2 zero points"),
        ({"scale": (1.0, 2.0), "zero_point": (0, 0)}, "no axis"),
        ({"block": 2}, "no axis"),
        ({"axis": -1}, "counts from the end"),
        ({"bits": 9}, "9 bits of int8"),
        ({"axis": 0, "block": 0}, "blocks of 0"),
        ({"bits": 1, "codebook": (1, 2, 3)}, "codebook of 3"),
    ],
)
def test_contradictions_are_refused(fields: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Quantization(**({"dtype": DType.INT8, "scale": (1.0,), "zero_point": (0,)} | fields))  # type: ignore[arg-type]


def test_tensors_and_constants_have_the_type_and_channels_of_their_quantization() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        QuantizedConstant(np.zeros(SHAPE, np.int32), PER_AXIS)
    with pytest.raises(ValueError, match="does not fit"):
        QuantizedConstant(np.zeros((3, 6), np.int8), PER_AXIS)
    with pytest.raises(ValueError, match="does not fit"):
        Tensor("t", SHAPE, DType.INT16, quant=PER_TENSOR)
    assert Tensor.constant("t", np.zeros(SHAPE, np.int8), replace(PER_AXIS, bits=4)).bits == 4
