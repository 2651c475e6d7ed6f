"""int16 activations: what is chosen by name, symmetric parameters, finer biases, sums that leave int32."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quant_models import normal, outputs, parse, residual_net, samples_for, sqnr_db

from edgeq.errors import EdgeqError
from edgeq.ir import DType, Quantization
from edgeq.numerics.highmul import choose_multipliers
from edgeq.onnxio import model_bytes
from edgeq.onnxio.qdq_parameters import activation_parameters, bias_limit, quantize_constant
from edgeq.onnxio.samples import IntegerScale
from edgeq.quant import QuantizeOptions, SavedCalibration, quantize
from edgeq.quant.parameters import integer_parameters, least_output_scale, measure_headroom, quantize_layer
from edgeq.quant.specification import specify

ends = st.floats(-1e30, 1e30)


def written(model: ir.Model) -> dict[str, str]:
    """By quantized value, the type of its integers."""
    found = {}
    for node in model.graph:
        if node.op_type == "QuantizeLinear":
            value, _, zero = node.inputs
            assert value is not None
            assert zero is not None
            assert zero.const_value is not None
            assert zero.dtype is not None
            assert zero.dtype is not ir.DataType.INT16 or zero.const_value.numpy() == 0
            found[str(value.name)] = zero.dtype.name
    return found


def quantized(int16: tuple[str, ...] = (), scheme: str = "w8a8") -> ir.Model:
    model = residual_net()
    options = QuantizeOptions(observer="minmax", bias_correction="off", scheme=scheme, int16=int16)
    return quantize(model, samples_for(model), options).model


@given(ends, ends)
def test_parameters_are_symmetric_and_cover_the_range(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    found = activation_parameters(low, high, DType.INT16)
    assert found.zero_point == (0,)
    assert found.dtype is DType.INT16
    half = found.scale[0] / 2
    assert found.scale[0] * -32767 - half <= low <= high <= found.scale[0] * 32767 + half
    assert activation_parameters(0.0, 0.0, DType.INT16).scale == (1.0,)


def test_every_activation_is_int16_and_noise_is_that_of_the_weights() -> None:
    model = residual_net()
    samples = samples_for(model)
    wide = quantized(scheme="w8a16")
    assert set(written(wide).values()) == {"INT16"}
    wanted = outputs(model, samples)
    ratio = sqnr_db(wanted, outputs(wide, samples))
    assert ratio > sqnr_db(wanted, outputs(quantized(), samples)) + 6
    assert ratio > 40


def test_the_input_alone_by_its_own_name_and_by_the_word() -> None:
    for name in ("x", "input"):
        kinds = written(quantized((name,)))
        assert kinds.pop("x") == "INT16"
        assert set(kinds.values()) == {"INT8"}


def test_results_of_fixed_scale_have_that_of_their_type() -> None:
    found = specify(residual_net(), "highmul", (), ("y",))
    assert found.fixed["y"] == Quantization.per_tensor(DType.INT16, 2.0**-15)
    assert specify(residual_net(), "highmul").fixed["y"].dtype is DType.INT8


def test_a_constant_has_the_type_of_its_operator() -> None:
    model = parse(
        "g (float[1,4,6,6] x) => (y) { r = Relu(x)\n s = Add(r, k)\n t = Concat <axis = 1> (s, m)\n y = Add(t, n) }",
        {"k": normal(1, 4, 6, 6), "m": normal(1, 4, 6, 6), "n": normal(1, 8, 6, 6)},
    )
    found = specify(model, "highmul", (), ("[rs]",))
    types = {str(value.name): found.operand_dtypes[key] for key, (value, _) in found.operands.items()}
    assert types == {"k": DType.INT16, "m": DType.INT16, "n": DType.INT16}  # t shares the scale of s
    assert {name: found.dtypes[found.group_of[name]] for name in "xy"} == {"x": DType.INT8, "y": DType.INT8}
    constant = quantize_constant(np.array([-1.0, 0.5]), dtype=DType.INT16)
    assert constant.values.dtype == np.int16
    assert constant.values.tolist() == [-32767, 16384]  # 16383.5, half to even


def test_a_name_that_nothing_has_is_refused_with_a_suggestion() -> None:
    with pytest.raises(EdgeqError) as caught:
        specify(residual_net(), "highmul", (), ("sx", "conv?"))
    first, second = caught.value.problems
    assert (first.code, first.got, second.got) == ("EQ0179", "sx", "conv?")
    assert first.hint is not None
    assert "did you mean" in first.hint


@pytest.mark.parametrize(
    "options", [QuantizeOptions(scheme="w8a16", mode="tflm"), QuantizeOptions(int16=("x",), mode="tflm")]
)
def test_arithmetics_without_int16_are_refused(options: QuantizeOptions) -> None:
    with pytest.raises(EdgeqError, match="no int16 activations") as caught:
        options.check()
    assert caught.value.problems[0].code == "EQ0364"
    with pytest.raises(EdgeqError, match="no such scheme"):
        QuantizeOptions(scheme="w16a8").check()


def test_biases_are_finer_and_sums_of_64_bits_keep_their_multiplier() -> None:
    rng = np.random.default_rng(1)
    x = Quantization.per_tensor(DType.INT16, 1e-4)
    assert bias_limit(x) == 1 << 30
    for depth, y_scale in ((100, 1e-3), (3000, 1e-3), (3000, 1e-9), (100, 1e-9)):
        weight, bias = quantize_layer(rng.normal(size=(4, depth)), rng.normal(size=4) * 100, 0, x, y_scale)
        assert np.abs(bias.values.astype(np.int64)).max() <= 1 << 30
        headroom = measure_headroom(weight, bias, x, y_scale)
        assert (headroom.shift < 0) == (headroom.accumulator >= 2**31)
        least = least_output_scale(headroom, y_scale)
        wider = measure_headroom(weight, bias, x, least)
        assert wider.bits >= 0
        factors = 1e-4 * weight.scales.astype(np.float64) / least
        assert choose_multipliers(factors, wider.accumulator)[1] == wider.shift


def test_integer_data_stay_multiples_of_their_step() -> None:
    pixels = IntegerScale(1 / 255, 0.0, 0, 255)
    found = integer_parameters(pixels, 0.0, 1.0, DType.INT16)
    assert found == Quantization.per_tensor(DType.INT16, 1 / 255 / 128)
    assert found is not None
    assert found.quantize((np.arange(256) / 255).astype(np.float32)).tolist() == [128 * value for value in range(256)]
    assert integer_parameters(IntegerScale(1.0, 0.0, -(2**20), 2**20), -70000.0, 5.0, DType.INT16) is None


def test_a_saved_calibration_remembers_the_types(tmp_path: Path) -> None:
    model = residual_net()
    samples = samples_for(model)
    options = QuantizeOptions(observer="minmax", bias_correction="off", int16=("x", "s"))
    path = tmp_path / "saved.npz"
    files: list[bytes] = []
    first = quantize(model, samples, options, save=files.append)
    path.write_bytes(*files)
    assert first.report.tensors["x"].dtype == "int16"
    again = quantize(model, samples, options, saved=SavedCalibration.open(path))
    assert (model_bytes(again.model), again.report) == (model_bytes(first.model), first.report)
    other = quantize(model, samples, replace(options, int16=()), saved=SavedCalibration.open(path))
    assert set(written(other.model).values()) == {"INT8"}
