"""Operators on integers become QDQ form with the values that onnxruntime gives the original."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest
from quant_models import calibration_reader, outputs, residual_net, samples_for

from edgeq.errors import EdgeqError
from edgeq.frontend import normalize_qdq, normalize_structure, recover_plan
from edgeq.frontend.qoperator import INTEGER_OPERATORS
from edgeq.numerics.array import Array
from edgeq.onnxio import Session, read_model, write_model

EXAMPLE = Path(__file__).parents[2] / "examples" / "fashion_mnist"
GENERATOR = np.random.default_rng(5)
CONSTANTS: dict[str, Any] = {
    "s": np.float32(0.03),
    "z": np.int8(4),
    "t": np.float32(0.05),
    "u": np.int8(-9),
    "p": np.float32(1 / 256),
    "low": np.int8(-128),
    "nil": np.int8(0),
    "one": np.array([0.03], np.float32),
    "ones": np.array([4], np.int8),
    "w": GENERATOR.integers(-127, 128, (4, 3, 2, 2)).astype(np.int8),
    # Within 7 bits: onnxruntime's products of uint8 and int8 saturate at 16 bits on some processors.
    "m": GENERATOR.integers(-63, 64, (6, 5)).astype(np.int8),
    "n": GENERATOR.integers(-127, 128, (5, 6)).astype(np.int8),
    "sw": np.array([0.01, 0.02, 0.005, 0.03], np.float32),
    "zw": np.zeros(4, np.int8),
    "sm": np.array([0.01, 0.02, 0.005, 0.03, 0.015], np.float32),
    "zm": np.zeros(5, np.int8),
    "b": GENERATOR.integers(-500, 500, 4).astype(np.int32),
    "c": GENERATOR.integers(-500, 500, 5).astype(np.int32),
    "keep": np.array([[True, False, True, True, False, False]]),
}
IMAGE = "float[1,3,6,6]"
CASES = {
    "QLinearConv": (IMAGE, "float[1,4,5,5]", "QLinearConv(xq, s, z, w, sw, zw, t, u, b)", "t, u"),
    "QLinearConv-one": (
        IMAGE,
        "float[1,4,3,3]",
        "QLinearConv<pads=[1,1,0,0], strides=[2,2]>(xq, one, ones, w, s, nil, t, u)",
        "t, u",
    ),
    "QLinearMatMul": ("float[1,6]", "float[1,5]", "QLinearMatMul(xq, s, z, m, sm, zm, t, u)", "t, u"),
    "QGemm": ("float[1,6]", "float[1,5]", "com.microsoft.QGemm(xq, s, z, m, sm, zm, c, t, u)", "t, u"),
    "QGemm-transposed": (
        "float[1,6]",
        "float[1,5]",
        "com.microsoft.QGemm<transB=1, alpha=0.5>(xq, s, z, n, s, nil, c, t, u)",
        "t, u",
    ),
    "QLinearAdd": (IMAGE, IMAGE, "com.microsoft.QLinearAdd(xq, s, z, xq, s, z, t, u)", "t, u"),
    "QLinearMul": (IMAGE, IMAGE, "com.microsoft.QLinearMul(xq, s, z, xq, s, z, t, u)", "t, u"),
    "QLinearLeakyRelu": (IMAGE, IMAGE, "com.microsoft.QLinearLeakyRelu<alpha=0.1>(xq, s, z, t, u)", "t, u"),
    "QLinearSigmoid": (IMAGE, IMAGE, "com.microsoft.QLinearSigmoid(xq, s, z, p, low)", "p, low"),
    "QLinearSoftmax": (
        "float[1,6]",
        "float[1,6]",
        "com.microsoft.QLinearSoftmax<opset=13, axis=-1>(xq, s, z, p, low)",
        "p, low",
    ),
    "QLinearAveragePool": (
        IMAGE,
        "float[1,3,3,3]",
        "com.microsoft.QLinearAveragePool<kernel_shape=[2,2], strides=[2,2]>(xq, s, z, t, u)",
        "t, u",
    ),
    "QLinearGlobalAveragePool": (
        IMAGE,
        "float[1,3,1,1]",
        "com.microsoft.QLinearGlobalAveragePool(xq, s, z, t, u)",
        "t, u",
    ),
    "QLinearConcat": (
        IMAGE,
        "float[1,6,6,6]",
        "com.microsoft.QLinearConcat<axis=1>(t, u, xq, s, z, xq, s, z)",
        "t, u",
    ),
}


def model_of(name: str, opset: int = 17) -> ir.Model:
    given, result, body, parameters = CASES[name]
    proto = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : {opset}, "com.microsoft" : 1]>\n'
        f"g ({given} x) => ({result} y) {{\n xq = QuantizeLinear(x, s, z)\n r = {body}\n"
        f" y = DequantizeLinear(r, {parameters})\n}}"
    )
    for constant in sorted({word for node in proto.graph.node for word in node.input} & set(CONSTANTS)):
        proto.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(CONSTANTS[constant]), constant))
    for node in proto.graph.node:
        node.name = f"{node.op_type}_{node.output[0]}"
    return ir.from_proto(proto)


@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_the_original(name: str) -> None:
    model = model_of(name)
    before = model.clone()
    samples = samples_for(model, 20)
    found = normalize_qdq(normalize_structure(model))
    step = CONSTANTS["p" if "p, low" in CASES[name][3] else "t"]
    apart = np.abs(outputs(found, samples) - outputs(before, samples)) / step
    assert apart.max() <= 1.001  # onnxruntime rounds in float32
    assert (apart > 0.5).mean() < 0.05
    assert not {node.op_type for node in found.graph} & INTEGER_OPERATORS


@pytest.mark.parametrize("opset", [10, 11, 12, 13, 21])
def test_scales_per_channel_are_taken_in_every_opset(opset: int) -> None:
    model = model_of("QLinearConv", opset)
    samples = samples_for(model, 20)
    found = normalize_qdq(normalize_structure(model))
    assert np.abs(outputs(found, samples) - outputs(model, samples)).max() <= 1.001 * CONSTANTS["t"]


def test_every_form_has_a_case() -> None:
    tried = {name.partition("-")[0] for name in CASES}
    dynamic = {"ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"}  # by onnxruntime's own quantizer, below
    fused = {"DynamicQuantizeMatMul", "MatMulIntegerToFloat", "QLinearReduceMean", "QLinearWhere"}  # tried by name
    assert tried | dynamic | fused == INTEGER_OPERATORS


def test_a_layout_of_channels_last_is_refused() -> None:
    model = model_of("QLinearGlobalAveragePool")
    node = next(node for node in model.graph if node.op_type == "QLinearGlobalAveragePool")
    node.attributes["channels_last"] = ir.AttrInt64("channels_last", 1)
    with pytest.raises(EdgeqError) as caught:
        normalize_structure(model)
    assert {problem.code for problem in caught.value.problems} == {"EQ0301"}


def _numpy(value: ir.Value) -> Array:
    assert value.const_value is not None
    return np.asarray(value.const_value.numpy())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("activation", ["QInt8", "QUInt8"])
@pytest.mark.parametrize("per_channel", [True, False])
def test_models_in_qoperator_format_are_taken(tmp_path: Path, activation: str, per_channel: bool) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = residual_net()
    samples = samples_for(model)
    write_model(model, tmp_path / "float.onnx")
    logging.getLogger().setLevel(logging.ERROR)
    quantize_static(
        str(tmp_path / "float.onnx"),
        str(tmp_path / "integer.onnx"),
        calibration_reader(samples),
        quant_format=QuantFormat.QOperator,
        per_channel=per_channel,
        activation_type=getattr(QuantType, activation),
        weight_type=QuantType.QInt8,
        reduce_range=True,  # see "m" above
    )
    given = read_model(tmp_path / "integer.onnx")
    assert {node.op_type for node in given.graph} & INTEGER_OPERATORS
    wanted = outputs(given, samples)
    found = normalize_qdq(normalize_structure(given))
    assert np.abs(outputs(found, samples) - wanted).max() <= 2.001 / 256


@pytest.mark.filterwarnings("ignore")
def test_dynamically_quantized_models_keep_their_weights_and_are_calibrated(tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().setLevel(logging.ERROR)
    quantize_dynamic(str(EXAMPLE / "model.onnx"), str(tmp_path / "dynamic.onnx"), weight_type=QuantType.QInt8)
    given = read_model(tmp_path / "dynamic.onnx")
    weights = [
        item for item in given.graph.initializers.values() if item.dtype == ir.DataType.INT8 and item.shape != ()
    ]
    structured = normalize_structure(given)
    assert not {node.op_type for node in structured.graph} & INTEGER_OPERATORS
    found = recover_plan(structured)
    assert {problem.code for problem in found.problems} <= {"EQ0250", "EQ0251"}
    layers = [constant.values for (_, index), constant in found.plan.constants.items() if index == 1]
    # A normalization behind a layer may negate a channel.
    wanted = Counter(tuple(sorted(np.abs(np.ravel(_numpy(item)).astype(int)).tolist())) for item in weights)
    assert Counter(tuple(sorted(np.abs(values.reshape(-1).astype(int)).tolist())) for values in layers) == wanted


def test_onnxruntimes_fused_dynamic_products_are_products() -> None:
    for body in (
        "q, a, d = DynamicQuantizeLinear(x)\n y = com.microsoft.MatMulIntegerToFloat(q, m, a, sm, d, zm, h)",
        "y = com.microsoft.DynamicQuantizeMatMul(x, m, sm, zm, h)",
    ):
        proto = onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>\n'
            f"g (float[1,6] x) => (float[1,5] y) {{ {body} }}"
        )
        for name, array in {**CONSTANTS, "h": np.arange(5, dtype=np.float32)}.items():
            if any(name in node.input for node in proto.graph.node):
                proto.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
        model = ir.from_proto(proto)
        samples = samples_for(model, 20)
        structured = normalize_structure(model)
        assert {"MatMul", "Add"} <= {node.op_type for node in structured.graph}
        assert np.abs(outputs(structured, samples) - outputs(model, samples)).max() < 0.15


def test_a_mean_over_axes_is_written_in_the_opset_of_the_model() -> None:
    """onnxruntime's quantizer writes it, its CPU provider has no kernel for it."""
    for opset in (17, 18):
        proto = onnx.parser.parse_model(
            f'<ir_version: 8, opset_import: ["" : {opset}, "com.microsoft" : 1]>\n'
            f"g ({IMAGE} x) => (float[1,3,1,1] y) {{\n xq = QuantizeLinear(x, s, z)\n"
            " r = com.microsoft.QLinearReduceMean<axes=[2,3], keepdims=1>(xq, s, z, t, u)\n"
            " y = DequantizeLinear(r, t, u)\n}"
        )
        for name in ("s", "z", "t", "u"):
            proto.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(CONSTANTS[name]), name))
        x = np.random.default_rng(3).normal(size=(1, 3, 6, 6)).astype(np.float32)
        got = Session(normalize_qdq(normalize_structure(ir.from_proto(proto)))).run({"x": x})["y"]
        assert np.abs(got - x.mean(axis=(2, 3), keepdims=True)).max() <= (CONSTANTS["s"] + CONSTANTS["t"]) / 2


def test_a_choice_between_quantized_values_is_written_in_float() -> None:
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>\n'
        "g (float[1,6] x) => (float[1,6] y) {\n xq = QuantizeLinear(x, s, z)\n"
        " r = com.microsoft.QLinearWhere(keep, xq, s, z, xq, s, z, t, u)\n y = DequantizeLinear(r, t, u)\n}"
    )
    for name in ("s", "z", "t", "u", "keep"):
        proto.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(CONSTANTS[name]), name))
    model = ir.from_proto(proto)
    session, structured = Session(model), normalize_structure(model)
    assert "Where" in {node.op_type for node in structured.graph}
    x = {"x": GENERATOR.normal(size=(1, 6)).astype(np.float32)}
    assert np.abs(Session(structured).run(x)["y"] - session.run(x)["y"]).max() <= 1.001 * CONSTANTS["t"]
