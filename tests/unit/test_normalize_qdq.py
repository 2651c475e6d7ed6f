"""Models of foreign quantizers: taken bit for bit, and computed within one step of onnxruntime in every layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import floats, normal, outputs, parse, residual_net, samples_for, sqnr_db

from edgeq.frontend import normalize_structure
from edgeq.frontend.normalize_qdq import normalize_qdq, recover_plan
from edgeq.lowering import lower
from edgeq.onnxio.samples import Samples
from edgeq.quant import QuantizeOptions, quantize
from tests.quantized.agreement import compare_layers
from tests.quantized.onnxruntime_quantizer import CHOICES, Choice, quantize_static

# --- models ------------------------------------------------------------------------------------------------------


def plain_net() -> ir.Model:
    text = """g (float[1,3,10,10] x) => (float[1,5] y) {
        a = Conv <pads = [1,1,1,1], strides = [2,2]> (x, w1, b1)
        r = Relu(a)
        p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (r)
        f = Flatten(p)
        l = Gemm <transB = 1> (f, w2, b2)
        y = Softmax(l)
    }"""
    constants = {
        "w1": normal(6, 3, 3, 3, seed=1, scale=0.3),
        "b1": normal(6, seed=2),
        "w2": normal(5, 24, seed=3, scale=0.3),
        "b2": normal(5, seed=4),
    }
    return floats(text, constants)


def depthwise_net() -> ir.Model:
    text = """g (float[1,8,8,4] x) => (float[1,6] y) {
        t = Transpose <perm = [0,3,1,2]> (x)
        d = Conv <pads = [1,1,1,1], group = 4> (t, w1, b1)
        r = Clip(d, zero, six)
        p = Conv (r, w2)
        s = Sigmoid(p)
        m = GlobalAveragePool(s)
        f = Flatten(m)
        l = MatMul (f, w3)
        y = Add (l, b3)
    }"""
    spread = np.logspace(-1.5, 0.5, 4).astype(np.float32).reshape(4, 1, 1, 1)
    constants = {
        "w1": normal(4, 1, 3, 3, seed=1) * spread,
        "b1": normal(4, seed=2),
        "w2": normal(6, 4, 1, 1, seed=3),
        "w3": normal(6, 6, seed=4),
        "b3": normal(6, seed=5),
        "zero": np.float32(0),
        "six": np.float32(6),
    }
    return parse(text, constants)


NETS = {"depthwise": depthwise_net, "plain": plain_net, "residual": residual_net}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("net", sorted(NETS))
def test_models_of_onnxruntime_keep_every_bit(net: str, choice: str) -> None:
    model = NETS[net]()
    samples = samples_for(model)
    foreign = ir.from_proto(quantize_static(model, samples, CHOICES[choice]))
    canonical = normalize_qdq(normalize_structure(foreign))
    assert np.array_equal(outputs(canonical, samples), outputs(foreign, samples))
    layers = compare_layers(foreign, lower(canonical, mode="highmul", name="net"), samples.first(10))
    assert max(layer.largest for layer in layers) <= 1
    assert sum(layer.different for layer in layers) < 0.02 * sum(layer.elements for layer in layers)
    lower(canonical, mode="tflite", name="net")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("net", sorted(NETS))
def test_unsymmetric_weights_are_rounded_again_and_as_good(net: str) -> None:
    model = NETS[net]()
    samples = samples_for(model)
    foreign = ir.from_proto(quantize_static(model, samples, Choice("QUInt8", "QUInt8", per_channel=False)))
    canonical = normalize_qdq(normalize_structure(foreign))
    wanted, theirs, ours = outputs(model, samples), outputs(foreign, samples), outputs(canonical, samples)
    assert sqnr_db(wanted, ours) > sqnr_db(wanted, theirs) - 3


# --- forms that onnxruntime's quantizer does not write -----------------------------------------------------------

SCALES: dict[str, Any] = {
    "sx": np.float32(0.05),
    "zx": np.int8(-3),
    "ux": np.uint8(125),
    "sy": np.float32(0.11),
    "zy": np.int8(-10),
}
FIRST = "xq = QuantizeLinear(x, sx, zx)\n xd = DequantizeLinear(xq, sx, zx)\n"
LAST = "\n yq = QuantizeLinear({0}, sy, zy)\n y = DequantizeLinear(yq, sy, zy)"


def structured(body: str, signature: str, extra: dict[str, Any] | None = None) -> ir.Model:
    known = SCALES | (extra or {})
    words = set(body.replace("(", " ").replace(")", " ").replace(",", " ").split())
    return normalize_structure(parse(f"g {signature} {{ {body} }}", {k: v for k, v in known.items() if k in words}))


def difference(model: ir.Model, scale: float = 0.11) -> float:
    """The largest difference of the canonical outputs, in steps; the model must lower."""
    value = model.graph.inputs[0]
    assert value.shape is not None
    samples = Samples.of({"x": normal(30, *value.shape.numpy(), seed=9)}, model)
    canonical = normalize_qdq(model)
    lower(canonical, mode="highmul", name="net")
    return round(float(np.abs(outputs(canonical, samples) - outputs(model, samples)).max()) / scale, 3)


def test_a_normalization_of_its_own_becomes_a_depthwise_layer_with_exact_factors() -> None:
    body = FIRST + "n = BatchNormalization(xd, gamma, beta, mean, variance)\n r = Relu(n)" + LAST.format("r")
    extra = {
        "gamma": normal(3, seed=1),
        "beta": normal(3, seed=2),
        "mean": normal(3, seed=3),
        "variance": np.array([0.5, 1, 2], np.float32),
    }
    for shape in ("1,3,4,5", "1,3,7", "1,3"):
        model = structured(body, f"(float[{shape}] x) => (float[{shape}] y)", extra)
        assert difference(model) <= 1
        (factor,) = [c.values for (_, i), c in recover_plan(model).plan.constants.items() if i == 1]
        assert set(np.abs(factor).ravel()) == {127}


@pytest.mark.parametrize(
    ("attributes", "shape", "bias"),
    [
        ("transB = 0", (6, 4), (4,)),
        ("transB = 1", (4, 6), (1, 4)),
        ("transB = 1, alpha = 0.5", (4, 6), (4,)),
        ("transB = 0, alpha = -0.5, beta = 2.0", (6, 4), (1,)),
        ("transA = 1, transB = 1", (4, 6), (4,)),
    ],
)
def test_every_form_of_gemm(attributes: str, shape: tuple[int, int], bias: tuple[int, ...]) -> None:
    axis = 1 if "transB = 0" in attributes else 0
    body = (
        FIRST
        + f"wd = DequantizeLinear <axis = {axis}> (w, sw, zw)\n c = Gemm <{attributes}> (xd, wd, b)"
        + LAST.format("c")
    )
    extra = {
        "w": np.random.default_rng(0).integers(-128, 128, size=shape).astype(np.int8),
        "sw": np.array([0.01, 0.02, 0.03, 0.04], np.float32),
        "zw": np.zeros(4, np.int8),
        "b": normal(*bias),
    }
    x = "6,1" if "transA = 1" in attributes else "1,6"
    model = structured(body, f"(float[{x}] x) => (float[1,4] y)", extra)
    # A negative alpha rounds the weights again; elsewhere only the bias is rounded.
    assert difference(model) <= (3 if "-" in attributes else 1)


@pytest.mark.parametrize("between", ["", "Reshape"])
def test_a_bias_and_what_is_added_later_are_added_up(between: str) -> None:
    body = FIRST + "wd = DequantizeLinear(w, sx)\n g = Gemm <transB = 1> (xd, wd, b)\n "
    body += "f = Reshape(g, r)\n c = Add(f, more)" if between else "c = Add(g, more)"
    extra = {
        "w": np.random.default_rng(0).integers(-40, 40, (4, 6)).astype(np.int8),
        "b": normal(4, seed=1),
        "more": normal(4, seed=2),
        "r": np.array([1, 1, 4]),
    }
    shape = "1,1,4" if between else "1,4"
    model = structured(body + LAST.format("c"), f"(float[1,6] x) => (float[{shape}] y)", extra)
    assert [node.op_type for node in recover_plan(model).model.graph] == ["Gemm", *([between] if between else [])]
    # The bias is rounded to int32, far below a step.
    assert difference(model) <= 1


def test_integers_of_a_bias_stay_where_a_product_takes_it_in() -> None:
    stated = np.array([(1 << 24) + 1, -5, (1 << 25) + 3, 0], np.int32)  # float32 holds neither of the large ones
    for shape in ("1,6", "1,1,6"):
        body = FIRST + (
            "wd = DequantizeLinear(w, sw)\n bd = DequantizeLinear(b, sb)\n m = MatMul(xd, wd)\n c = Add(bd, m)"
        )
        extra: dict[str, Any] = {
            "w": np.random.default_rng(0).integers(-40, 40, (6, 4)).astype(np.int8),
            "b": stated,
            "sw": np.float32(0.002),
            "sb": np.float32(0.05) * np.float32(0.002),
        }
        signature = f"(float[{shape}] x) => (float[{shape.replace('6', '4')}] y)"
        constants = recover_plan(structured(body + LAST.format("c"), signature, extra)).plan.constants
        (weight,), (bias,) = ([each.values for (_, i), each in constants.items() if i == index] for index in (1, 2))
        assert bias.tolist() == stated.tolist()
        assert np.array_equal(weight, extra["w"].T)


def test_a_normalization_behind_a_convolution_over_time_goes_into_its_scales() -> None:
    body = FIRST + (
        "wd = DequantizeLinear(w, sw)\n c = Conv(xd, wd)\n d = Div(c, gain)\n"
        "n = BatchNormalization(d, gamma, beta, mean, variance)"
    )
    gamma = np.array([0.5, -1.25, 2.0, 0.25], np.float32)
    extra: dict[str, Any] = {
        "w": np.random.default_rng(0).integers(-127, 128, (4, 3, 5)).astype(np.int8),
        "sw": np.float32(0.002),
        "gain": np.array([0.5, 3.0, 7.0, 0.3], np.float32).reshape(1, 4, 1),
        "gamma": gamma,
        "beta": normal(4, seed=2),
        "mean": normal(4, seed=3),
        "variance": np.array([0.5, 1, 2, 3], np.float32),
    }
    model = structured(body + LAST.format("n"), "(float[1,3,9] x) => (float[1,4,5] y)", extra)
    found = recover_plan(model)
    assert [node.op_type for node in found.model.graph] == ["Reshape", "Conv", "Reshape"]
    (weight,) = (each for (_, index), each in found.plan.constants.items() if index == 1)
    assert np.array_equal(weight.values[:, :, 0], extra["w"] * np.sign(gamma).astype(np.int8).reshape(-1, 1, 1))
    factors = np.abs(gamma) / np.sqrt(extra["variance"] + 1e-5) / extra["gain"].reshape(-1)
    np.testing.assert_allclose(weight.scales, 0.002 * factors, rtol=1e-6)
    assert difference(model) <= 1


def test_what_is_added_per_row_stays_an_addition() -> None:
    body = FIRST + "wd = DequantizeLinear(w, sx)\n c = Gemm <transB = 1> (xd, wd, b)" + LAST.format("c")
    extra = {"w": np.ones((4, 6), np.int8), "b": normal(3, 1)}
    model = structured(body, "(float[3,6] x) => (float[3,4] y)", extra)
    assert [node.op_type for node in recover_plan(model).model.graph] == ["Gemm", "Add"]
    assert difference(model) <= 1


def test_pytorch_limits_activations_to_seven_bits_by_a_clip_of_integers() -> None:
    body = (
        "c = Abs(x)\n xq = QuantizeLinear(x, sx, ux)\n xc = Clip(xq, low, high)\n xd = DequantizeLinear(xc, sx, ux)\n"
        "t = Tanh(xd)" + LAST.format("t")
    ).replace("c = Abs(x)\n ", "")
    model = structured(body, "(float[1,40] x) => (float[1,40] y)", {"low": np.uint8(0), "high": np.uint8(127)})
    assert difference(model) == 0


def test_pools_over_time_are_widened() -> None:
    body = FIRST + "p = MaxPool <kernel_shape = [2], strides = [2]> (xd)\n a = AveragePool <kernel_shape = [2]> (p)"
    assert difference(structured(body + LAST.format("a"), "(float[1,3,8] x) => (float[1,3,3] y)")) == 0


def test_weights_in_blocks_and_computed_weights_are_refused() -> None:
    body = FIRST + "wd = DequantizeLinear <axis = 1, block_size = 2> (w, sw)\n c = MatMul(xd, wd)" + LAST.format("c")
    extra = {"w": np.ones((2, 4), np.int8), "sw": np.ones((2, 2), np.float32)}
    found = recover_plan(structured(body, "(float[1,2] x) => (float[1,4] y)", extra))
    assert "EQ0259" in [problem.code for problem in found.problems]
    body = FIRST + "c = Conv(xd, w)" + LAST.format("c")
    found = recover_plan(structured(body, "(float[1,2,4,4] x, float[3,2,1,1] w) => (float[1,3,4,4] y)"))
    assert [problem.code for problem in found.problems] == ["EQ0306"]


def test_a_partly_quantized_model_is_completed_with_data() -> None:
    body = (
        FIRST
        + "wd = DequantizeLinear(w, sx)\n c = Conv(xd, wd, b)\n h = HardSwish(c)\n"
        + "hq = QuantizeLinear(h, sy, zy)\n hd = DequantizeLinear(hq, sy, zy)\n e = Conv(hd, v)\n y = Relu(e)"
    )
    extra = {
        "w": np.random.default_rng(0).integers(-20, 20, size=(4, 3, 1, 1)).astype(np.int8),
        "b": normal(4),
        "v": normal(5, 4, 1, 1),
    }
    model = structured(body, "(float[1,3,6,6] x) => (float[1,5,6,6] y)", extra)
    found = recover_plan(model)
    assert [problem.code for problem in found.problems] == ["EQ0250", "EQ0250"]
    samples = samples_for(model)
    done = quantize(found.model, samples, QuantizeOptions(), given=found.plan)
    lower(done.model, mode="highmul", name="net")
    assert sqnr_db(outputs(model, samples), outputs(done.model, samples)) > 25
    given_scales = {params.scale[0] for params in found.plan.activations.values()}
    kept = [n for n in done.model.graph if n.op_type == "QuantizeLinear" and n.name]
    assert {float(n.inputs[1].const_value.numpy()) for n in kept} >= given_scales  # type: ignore[union-attr]


def test_canonical_models_lower_to_the_same_graph() -> None:
    model = residual_net()
    samples = samples_for(model)
    canonical = quantize(model, samples, QuantizeOptions()).model
    again = normalize_qdq(normalize_structure(canonical))
    one, other = (lower(item, mode="highmul", name="net") for item in (canonical, again))
    assert [(node.op, node.inputs, dict(node.attrs)) for node in one.nodes] == [
        (node.op, node.inputs, dict(node.attrs)) for node in other.nodes
    ]
    for name, tensor in one.tensors.items():
        if tensor.is_constant:
            assert np.array_equal(tensor.value(), other.tensors[name].value()), name
