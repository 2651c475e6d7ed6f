"""A float model becomes a canonical QDQ model that onnxruntime runs and lowering takes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from quant_models import floats, normal, outputs, residual_net, samples_for, sqnr_db

from edgeq.errors import EdgeqError
from edgeq.ir import DType, Quantization, QuantizedConstant
from edgeq.lowering import lower
from edgeq.onnxio import model_bytes
from edgeq.onnxio.qdq_form import QdqPlan, fused_activation
from edgeq.onnxio.samples import Samples
from edgeq.quant import OBSERVERS, QuantizeOptions, quantize

PLAIN = QuantizeOptions(observer="minmax", bias_correction="off")


def nodes_of(model: ir.Model, op_type: str) -> list[ir.Node]:
    return [node for node in model.graph if node.op_type == op_type]


def scale_and_zero(node: ir.Node) -> tuple[float, int]:
    scale, zero = node.inputs[1], node.inputs[2]
    assert scale is not None
    assert zero is not None
    assert scale.const_value is not None
    assert zero.const_value is not None
    return float(scale.const_value.numpy()), int(zero.const_value.numpy())


@pytest.mark.parametrize("mode", ["highmul", "tflite"])
@pytest.mark.parametrize("observer", [*OBSERVERS, "auto"])
def test_result_runs_close_to_the_float_model_and_lowers(observer: str, mode: str) -> None:
    model = residual_net()
    samples = samples_for(model)
    found = quantize(model, samples, QuantizeOptions(observer=observer, mode=mode))
    onnx.checker.check_model(ir.to_proto(found.model), full_check=True)
    wanted, got = outputs(model, samples), outputs(found.model, samples)
    assert sqnr_db(wanted, got) > 25
    assert (wanted.argmax(axis=1) == got.argmax(axis=1)).mean() >= 0.95
    graph = lower(found.model, mode="highmul" if mode == "highmul" else "tflite", name="net")
    assert graph.inputs == ("x",)


def test_form_is_canonical() -> None:
    model = residual_net()
    found = quantize(model, samples_for(model), PLAIN).model
    assert found.graph.opset_imports[""] == 21
    assert [value.name for value in found.graph.inputs] == ["x"]
    assert [value.name for value in found.graph.outputs] == ["y"]
    (output,) = found.graph.outputs
    dequantize = output.producer()
    assert dequantize is not None
    assert dequantize.op_type == "DequantizeLinear"
    for node in found.graph:
        if node.op_type == "QuantizeLinear":
            value, result = node.inputs[0], node.outputs[0]
            assert value is not None
            base = str(value.name).removesuffix("_float")
            # A requantize, here in front of the Concat, reads what others read dequantized.
            base = base.replace("_dequantized", "_requantized")
            assert result.name == f"{base}_quantized"
            assert [use.node.op_type for use in result.uses()] == ["DequantizeLinear"]
            continue
        if node.op_type == "DequantizeLinear":
            continue
        # Floats are read behind DequantizeLinear only, but for the activation that its producer absorbs.
        for value in node.inputs:
            maker = value.producer() if value is not None else None
            if maker is not None and maker.op_type != "DequantizeLinear":
                assert fused_activation(maker) is node
    names = [node.name for node in found.graph]
    assert len(names) == len(set(names))
    assert fused_activation(nodes_of(found, "Conv")[0]) is not None


def test_layers_have_symmetric_weights_and_exact_bias_scales() -> None:
    model = residual_net()
    found = quantize(model, samples_for(model), PLAIN).model
    for node in [*nodes_of(found, "Conv"), *nodes_of(found, "Gemm")]:
        x, weight, bias = (value.producer() for value in node.inputs if value is not None)
        assert x is not None
        assert weight is not None
        assert bias is not None
        integers, scales, zeros = (value.const_value for value in weight.inputs if value is not None)
        steps, bias_scales = (value.const_value for value in bias.inputs if value is not None)
        assert integers is not None
        assert scales is not None
        assert zeros is not None
        assert steps is not None
        assert bias_scales is not None
        assert weight.attributes["axis"].as_int() == 0
        assert integers.numpy().dtype == np.int8
        assert integers.numpy().min() >= -127
        assert not zeros.numpy().any()
        assert steps.numpy().dtype == np.int32
        assert np.array_equal(bias_scales.numpy(), np.float32(scale_and_zero(x)[0]) * scales.numpy())


def test_shared_and_fixed_scales() -> None:
    model = residual_net()
    report = quantize(model, samples_for(model), PLAIN).report
    tensors = {name: (entry.scale, entry.zero_point) for name, entry in report.tensors.items()}
    assert tensors["s"] == tensors["p"]
    # The first operand of the Concat has another reader, and keeps its scale; the second has none.
    assert tensors["p_requantized"] == tensors["q"] == tensors["t"] != tensors["p"]
    assert tensors["y"] == (1 / 256, -128)
    assert tensors["r"][1] == tensors["six"][1] == -128
    assert report.tensors["six"].high <= 6.0


def test_same_input_same_bytes_and_the_float_model_is_untouched() -> None:
    model = residual_net()
    before = model_bytes(model)
    first, second = (model_bytes(quantize(model, samples_for(model), QuantizeOptions()).model) for _ in range(2))
    assert first == second
    assert model_bytes(model) == before


def test_integer_images_enter_without_rounding() -> None:
    model = floats(
        "g (float[1,6,6,3] x) => (float[1,4,6,6] y) { t = Transpose <perm = [0,3,1,2]> (x)\n y = Conv(t, w) }",
        {"w": normal(4, 3, 1, 1)},
    )
    x = np.random.default_rng(0).integers(0, 250, size=(40, 6, 6, 3)).astype(np.uint8)
    samples = Samples.of({"x": x, "x_scale": np.array(1 / 255, np.float32)}, model)
    report = quantize(model, samples, PLAIN).report
    assert report.tensors["x"].scale == float(np.float32(1 / 255))
    assert report.tensors["x"].zero_point == -128


def test_bias_correction_takes_back_what_rounding_shifts() -> None:
    # One layer whose weights all round up by nearly half a step: its outputs are off by a constant on average.
    weight = np.full((2, 40), 0.0149, np.float32)
    weight[:, 0] = 1.27
    model = floats(
        "g (float[1,40] x) => (float[1,2] y) { y = Gemm <transB = 1> (x, w, b) }", {"w": weight, "b": normal(2)}
    )
    samples = Samples.of({"x": np.abs(normal(64, 40))}, model)
    off, on = (
        quantize(model, samples, QuantizeOptions("minmax", bias_correction=choice)).model for choice in ("off", "on")
    )
    wanted = outputs(model, samples)
    shift_off, shift_on = ((outputs(found, samples) - wanted).mean() for found in (off, on))
    assert abs(shift_on) < 0.2 * abs(shift_off)


def test_all_zero_and_vanishing_channels_are_valid() -> None:
    weight = normal(6, 3, 3, 3)
    weight[0], weight[1], weight[2] = 0.0, 1e-30, 1e-7
    bias = normal(6)
    bias[1] = 0.0
    model = floats("g (float[1,3,8,8] x) => (float[1,6,6,6] y) { y = Conv(x, w, b) }", {"w": weight, "b": bias})
    samples = samples_for(model)
    found = quantize(model, samples, PLAIN)
    assert sqnr_db(outputs(model, samples), outputs(found.model, samples)) > 35
    (layer,) = found.report.layers.values()
    assert layer.zero_channels >= 1
    assert layer.bias_max <= 2**23
    lower(found.model, mode="highmul", name="net")


def test_a_large_bias_on_small_weights_stays_within_its_limit() -> None:
    weight, bias = normal(4, 3, 1, 1, scale=1e-6), np.array([1e3, -1e3, 1.0, 0.0], np.float32)
    model = floats("g (float[1,3,8,8] x) => (float[1,4,8,8] y) { y = Conv(x, w, b) }", {"w": weight, "b": bias})
    samples = samples_for(model)
    found = quantize(model, samples, PLAIN)
    (layer,) = found.report.layers.values()
    assert layer.bias_max <= 2**23
    assert sqnr_db(outputs(model, samples), outputs(found.model, samples)) > 35


def test_an_output_that_hardly_leaves_zero_widens_its_scale_instead_of_overflowing() -> None:
    # Behind a strongly negative bias almost nothing passes ReLU, while the accumulator is large.
    model = floats(
        "g (float[1,3,8,8] x) => (float[1,4,8,8] y) { c = Conv(x, w, b)\n y = Relu(c) }",
        {"w": normal(4, 3, 1, 1, scale=1e4), "b": np.full(4, -3e4, np.float32)},
    )
    samples = Samples.of({"x": np.clip(normal(40, 3, 8, 8), -1, 1) * 0.5 + 1e-4}, model)
    found = quantize(model, samples, PLAIN)
    (layer,) = found.report.layers.values()
    assert layer.headroom.bits >= 0
    lower(found.model, mode="highmul", name="net")


def test_an_output_scale_is_widened_until_the_shifted_accumulator_fits_int32() -> None:
    """Pairs that cancel: the output is 1e-4, while the accumulator may reach 2^23 and the factor is 2^8."""
    weight = np.repeat(np.array([[1.0], [-1.0]], np.float32), 256, axis=0)
    model = floats("g (float[1,512] x) => (float[1,1] y) { y = MatMul(x, w) }", {"w": weight})
    half = np.clip(normal(40, 256), -1, 1)
    samples = Samples.of({"x": np.concatenate([half, half + normal(40, 256, seed=1, scale=1e-6)], axis=1)}, model)
    report = quantize(model, samples, PLAIN).report
    (layer,) = report.layers.values()
    seen = (report.tensors["y"].high - report.tensors["y"].low) / 255
    # As wide as needed and not wider: a factor of just below 2^7 needs 8 bits, which is what is left of 31.
    assert report.tensors["y"].scale > 1.5 * seen
    assert 0 <= layer.headroom.bits < 1
    assert layer.headroom.factor_max == pytest.approx(2.0 ** (layer.headroom.shift - 1), rel=2e-3)
    lower(quantize(model, samples, PLAIN).model, mode="highmul", name="net")


def test_a_dead_layer_lowers() -> None:
    model = floats(
        "g (float[1,3,8,8] x) => (float[1,4,8,8] y) { c = Conv(x, w, b)\n y = Relu(c) }",
        {"w": normal(4, 3, 1, 1, scale=1e-3), "b": np.full(4, -1e9, np.float32)},
    )
    found = quantize(model, samples_for(model), PLAIN)
    assert not outputs(found.model, samples_for(model)).any()
    lower(found.model, mode="highmul", name="net")


def test_constant_operands_and_moves_only() -> None:
    model = floats(
        "g (float[1,3,4,4] x) => (float[1,6,4,4] y) { m = Mul(x, k)\n s = Sub(m, c)\n y = Concat <axis = 1> (s, d) }",
        {"k": np.float32(3), "c": normal(1, 3, 1, 1), "d": normal(1, 3, 4, 4)},
    )
    samples = samples_for(model)
    found = quantize(model, samples, PLAIN).model
    assert sqnr_db(outputs(model, samples), outputs(found, samples)) > 35
    lower(found, mode="tflite", name="net")
    moved = floats(
        "g (float[1,3,4] x) => (float[4,3] y) { t = Transpose <perm = [0,2,1]> (x)\n y = Squeeze(t, a) }",
        {"a": np.array([0])},
    )
    found = quantize(moved, samples_for(moved), PLAIN).model
    lower(found, mode="highmul", name="net")


def test_several_inputs_and_outputs() -> None:
    model = floats("g (float[1,4] a, float[1,4] b) => (float[1,4] s, float[1,4] r) { s = Add(a, b)\n r = Relu(a) }")
    samples = Samples.of({"a": normal(40, 4), "b": normal(40, 4, seed=1)}, model)
    found = quantize(model, samples, QuantizeOptions()).model
    assert [value.name for value in found.graph.outputs] == ["s", "r"]
    assert lower(found, mode="highmul", name="net").inputs == ("a", "b")


def test_given_integers_are_kept() -> None:
    model = residual_net()
    samples = samples_for(model)
    (conv, *_) = nodes_of(model, "Conv")
    weight = conv.inputs[1]
    assert weight is not None
    assert weight.const_value is not None
    integers = np.sign(weight.const_value.numpy()).astype(np.int8)
    given = QdqPlan(
        {"x": Quantization.per_tensor(DType.INT8, 0.25, 3)},
        {(str(conv.name), 1): QuantizedConstant(integers, Quantization.of(DType.INT8, np.full(4, 0.5), 0, 0))},
    )
    found = quantize(model, samples, QuantizeOptions(), given=given)
    assert (found.report.tensors["x"].scale, found.report.tensors["x"].zero_point) == (0.25, 3)
    (kept, *_) = nodes_of(found.model, "Conv")
    dequantize = kept.inputs[1].producer() if kept.inputs[1] is not None else None
    assert dequantize is not None
    stored = dequantize.inputs[0]
    assert stored is not None
    assert stored.const_value is not None
    assert np.array_equal(stored.const_value.numpy(), integers)


def test_progress_runs_from_nothing_to_all() -> None:
    model = residual_net()
    seen: dict[str, list[float]] = {}
    quantize(model, samples_for(model), QuantizeOptions(), lambda what, done: seen.setdefault(what, []).append(done))
    assert list(seen) == ["calibrate", "search"]
    for shares in seen.values():
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


def test_little_data_is_warned_about() -> None:
    model = residual_net()
    few = quantize(model, samples_for(model, 5), PLAIN).report.warnings
    assert any("only 5 calibration samples" in str(warning) for warning in few)
    assert not quantize(model, samples_for(model, 40), PLAIN).report.warnings


def test_a_model_that_computes_nan_is_refused_with_the_value() -> None:
    model = floats("g (float[1,4] x) => (float[1,4] y) { l = Log(x)\n y = Relu(l) }")
    with pytest.raises(EdgeqError, match="EQ0332") as caught:
        quantize(model, samples_for(model), PLAIN)
    assert "value l, sample 0" in str(caught.value)


@pytest.mark.parametrize(
    "options", [QuantizeOptions("median"), QuantizeOptions(mode="fast"), QuantizeOptions(bias_correction="maybe")]
)
def test_options_that_do_not_exist_are_refused(options: QuantizeOptions) -> None:
    model = residual_net()
    with pytest.raises(EdgeqError, match="EQ0107"):
        quantize(model, samples_for(model), options)


def test_report_is_plain_data() -> None:
    model = residual_net()
    entry = quantize(model, samples_for(model), QuantizeOptions()).report.to_json()
    assert set(entry) == {
        "bias_correction",
        "held_out",
        "layers",
        "observer",
        "output_sqnr_db",
        "samples",
        "sqnr_db",
        "tensors",
        "warnings",
        "worst_layers",
    }
    headroom = next(iter(entry["layers"].values()))["headroom"]
    assert set(headroom) == {"accumulator", "bits", "error_lsb", "factor_max", "shift"}


def test_what_lies_outside_the_range_is_reported_as_clipped() -> None:
    model = residual_net()
    report = quantize(model, samples_for(model), PLAIN).report
    assert report.tensors["x"].low < 0 < report.tensors["x"].high
    assert all(tensor.clipped == 0 for tensor in report.tensors.values())
    # The least absolute error leaves the extremes out.
    cut = quantize(model, samples_for(model), QuantizeOptions(observer="mae", bias_correction="off")).report
    assert any(0 < tensor.clipped < 0.2 for tensor in cut.tensors.values())
