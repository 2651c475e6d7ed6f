"""What stands between a quantized layer and its QuantizeLinear goes into the layer; its weight's integers stay."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import normal, outputs, parse, samples_for

from edgeq.frontend import normalize_qdq, normalize_structure
from edgeq.frontend.normalize_qdq import recover_plan
from edgeq.lowering import lower
from edgeq.numerics.array import Array

_X: Final = "xq = QuantizeLinear(x, sx, zx)\n xd = DequantizeLinear(xq, sx, zx)\n"
_W: Final = "wd = DequantizeLinear <axis = 0> (w, sw, zw)\n"
_Y: Final = "\n yq = QuantizeLinear({0}, sy, zy)\n y = DequantizeLinear(yq, sy, zy)"
_CONSTANTS: Final[dict[str, Any]] = {
    "sx": np.float32(0.05),
    "zx": np.int8(-3),
    "sy": np.float32(0.11),
    "zy": np.int8(-10),
    "sw": np.array([0.01, 0.02, 0.03, 0.04], np.float32),
    "zw": np.zeros(4, np.int8),
    "w": np.random.default_rng(0).integers(-127, 128, size=(4, 3, 2, 2)).astype(np.int8),
    "factor": np.array([0.5, 2.0, -1.5, 1.25], np.float32).reshape(1, 4, 1, 1),
    "offset": np.array([0.3, -0.2, 1.0, 0.0], np.float32).reshape(4, 1, 1),
    "half": np.float32(0.5),
    "gamma": np.array([1.5, -0.5, 0.25, 1.0], np.float32),
    "beta": np.array([0.1, 0.2, -0.3, 0.4], np.float32),
    "mean": np.array([0.5, -0.5, 0.0, 1.0], np.float32),
    "variance": np.array([1.0, 0.25, 4.0, 2.0], np.float32),
}
_CONV: Final = "c = Conv(xd, wd)\n"


def model(body: str, extra: dict[str, Any] | None = None, signature: str = "") -> ir.Model:
    known = _CONSTANTS | (extra or {})
    words = set(body.replace("(", " ").replace(")", " ").replace(",", " ").split())
    text = f"g {signature or '(float[1,3,5,5] x) => (float[1,4,4,4] y)'} {{ {body} }}"
    return normalize_structure(parse(text, {name: value for name, value in known.items() if name in words}))


def weight_integers(canonical: ir.Model) -> Array:
    layer = next(node for node in canonical.graph if node.op_type in {"Conv", "Gemm"})
    operand = layer.inputs[1]
    dequantize = None if operand is None else operand.producer()
    assert dequantize is not None
    value = dequantize.inputs[0]
    assert value is not None
    assert value.const_value is not None
    return np.asarray(value.const_value.numpy())


def check(foreign: ir.Model, *, layers: int = 1) -> ir.Model:
    """One layer is left, it lowers, and its result is within a step (float32 rounds in another order)."""
    canonical = normalize_qdq(foreign)
    types = [node.op_type for node in canonical.graph if "quantize" not in node.op_type.lower()]
    assert types == ["Conv"] * layers or types == ["Gemm"] * layers
    samples = samples_for(foreign, 30)
    distance = np.abs(outputs(canonical, samples) - outputs(foreign, samples)) / 0.11
    assert distance.max() <= 1.001
    assert (distance > 0.5).mean() < 0.01
    for mode in ("highmul", "tflite"):
        lower(canonical, mode="highmul" if mode == "highmul" else "tflite", name="net")
    return canonical


@pytest.mark.parametrize(
    ("behind", "signs"),
    [
        ("v = Mul(c, factor)", [1, 1, -1, 1]),
        ("v = Div(c, factor)", [1, 1, -1, 1]),
        ("v = Add(offset, c)", [1, 1, 1, 1]),
        ("v = Sub(c, half)", [1, 1, 1, 1]),
        ("v = Sub(offset, c)", [-1, -1, -1, -1]),
        ("v = BatchNormalization(c, gamma, beta, mean, variance)", [1, -1, 1, 1]),
        ("d = Div(c, factor)\n v = BatchNormalization(d, gamma, beta, mean, variance)", [1, -1, -1, 1]),
    ],
)
def test_factors_and_offsets_behind_a_convolution_are_folded(behind: str, signs: list[int]) -> None:
    canonical = check(model(_X + _W + _CONV + behind + _Y.format("v")))
    assert np.array_equal(weight_integers(canonical), _CONSTANTS["w"] * np.array(signs).reshape(4, 1, 1, 1))


def test_a_fused_activation_follows_what_is_folded() -> None:
    body = _X + _W + _CONV + "v = BatchNormalization(c, gamma, beta, mean, variance)\n r = Relu(v)" + _Y.format("r")
    graph = lower(normalize_qdq(model(body)), mode="highmul", name="net")
    (layer,) = [node for node in graph.nodes if node.op == "conv2d"]
    assert layer.integer("clamp_min") == -10


def test_a_dense_layer_takes_factors_per_output() -> None:
    body = _X + _W + "c = Gemm <transB = 1> (xd, wd)\n m = Mul(c, k)\n v = Add(m, b)" + _Y.format("v")
    extra = {
        "w": np.random.default_rng(1).integers(-127, 128, size=(4, 6)).astype(np.int8),
        "k": np.array([0.5, 1, 2, 0.25], np.float32),
        "b": normal(4),
    }
    check(model(body, extra, "(float[1,6] x) => (float[1,4] y)"))


def test_one_scale_for_all_becomes_one_per_channel() -> None:
    body = _X + "wd = DequantizeLinear(w, half)\n" + _CONV + "v = Mul(c, factor)" + _Y.format("v")
    canonical = check(model(body, {"half": np.float32(0.02)}))
    assert np.array_equal(np.abs(weight_integers(canonical)), np.abs(_CONSTANTS["w"]))


def test_a_factor_of_zero_and_a_weight_of_minus_128_are_handled() -> None:
    weight = np.full((4, 3, 2, 2), -128, np.int8)
    factor = np.array([0.0, -1.0, 1.0, 1.0], np.float32).reshape(1, 4, 1, 1)
    canonical = normalize_qdq(
        model(_X + _W + _CONV + "v = Mul(c, factor)" + _Y.format("v"), {"w": weight, "factor": factor})
    )
    found = weight_integers(canonical)
    assert not found[0].any()
    assert found[1].min() == 127  # 128 does not fit: the channel is rounded again
    assert found[2].max() == -128


@pytest.mark.parametrize(
    "behind",
    [
        "v = Mul(c, wide)",  # differs along the image
        "v = Div(half, c)",
        "m = Mul(c, half)\n v = Add(m, c)",  # read twice
    ],
)
def test_what_is_no_factor_per_channel_stays(behind: str) -> None:
    extra = {"wide": normal(1, 1, 4, 4)}
    found = recover_plan(model(_X + _W + _CONV + behind + _Y.format("v"), extra))
    assert found.problems


def test_a_normalization_with_its_own_quantization_stays_a_layer() -> None:
    between = "cq = QuantizeLinear(c, sy, zy)\n cd = DequantizeLinear(cq, sy, zy)\n"
    body = _X + _W + _CONV + between + "v = BatchNormalization(cd, gamma, beta, mean, variance)" + _Y.format("v")
    check(model(body), layers=2)
