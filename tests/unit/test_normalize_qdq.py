"""Models of foreign quantizers: taken bit for bit, and computed within one step of onnxruntime in every layer."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quant_models import floats, normal, outputs, parse, residual_net, samples_for, sqnr_db

from edgeq.frontend import normalize, normalize_structure
from edgeq.frontend.normalize_qdq import normalize_qdq, recover_plan
from edgeq.frontend.qdq_constants import Integers, layer_constants, operand_of, weight_of
from edgeq.ir import Graph
from edgeq.lowering import lower
from edgeq.numerics.array import Array
from edgeq.onnxio import Session, read_model, write_model
from edgeq.onnxio.samples import Samples
from edgeq.ops import BY_NAME
from edgeq.quant import QuantizeOptions, quantize

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


class Reader:
    """Calibration data for onnxruntime's quantizer."""

    def __init__(self, samples: Samples) -> None:
        self.rest: Iterator[dict[str, Array]] = iter(samples)

    def get_next(self) -> dict[str, Array] | None:
        return next(self.rest, None)


@dataclass(frozen=True)
class Choice:
    """How onnxruntime's quantizer is asked to do it."""

    activation: str
    weight: str
    per_channel: bool
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [self.activation, self.weight, "channel" if self.per_channel else "tensor", *self.options]
        return "-".join(parts)


CHOICES = (
    Choice("QInt8", "QInt8", per_channel=True),
    Choice("QInt8", "QInt8", per_channel=False, options=("ActivationSymmetric",)),
    Choice("QUInt8", "QInt8", per_channel=True, options=("AddQDQPairToWeight",)),
    Choice("QUInt8", "QInt8", per_channel=False, options=("DedicatedQDQPair",)),
    Choice("QUInt8", "QUInt8", per_channel=True, options=("WeightSymmetric",)),
)


def quantized_by_onnxruntime(model: ir.Model, samples: Samples, choice: Choice, folder: Path) -> ir.Model:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    write_model(model, folder / "float.onnx")
    logging.getLogger().setLevel(logging.ERROR)
    quantize_static(
        str(folder / "float.onnx"),
        str(folder / "qdq.onnx"),
        type("R", (Reader, CalibrationDataReader), {})(samples),
        quant_format=QuantFormat.QDQ,
        per_channel=choice.per_channel,
        activation_type=getattr(QuantType, choice.activation),
        weight_type=getattr(QuantType, choice.weight),
        extra_options=dict.fromkeys(choice.options, True),
    )
    return normalize_structure(read_model(folder / "qdq.onnx"))


def teacher_forced(canonical: ir.Model, graph: Graph, samples: Samples) -> tuple[int, float]:
    """Every integer node on onnxruntime's own int8 inputs: the largest difference to its int8 result, and their share.

    Tensors that onnxruntime does not have (inside one rounding of its own) are computed by the graph itself.
    """
    quantizers = {str(node.inputs[0].name): node for node in canonical.graph if node.op_type == "QuantizeLinear"}  # type: ignore[union-attr]
    session = Session(canonical, [str(node.outputs[0].name) for node in quantizers.values()])
    worst, different, compared = 0, 0, 0
    for feeds in samples:
        found = session.run(feeds)
        values: dict[str, Array] = {}

        def forced(name: str, found: dict[str, Array] = found) -> Array | None:
            """onnxruntime's integers of a tensor, in its layout; None where it has none at this scale."""
            tensor = graph.tensors[name]
            node = quantizers.get(tensor.source.name) if tensor.source is not None else None
            if node is None or tensor.source is None or tensor.quant is None:
                return None
            scale = node.inputs[1]
            assert scale is not None
            assert scale.const_value is not None
            if float(scale.const_value.numpy()) != tensor.quant.scale[0]:
                return None
            array = found[str(node.outputs[0].name)]
            return np.ascontiguousarray(array.transpose(np.argsort(tensor.source.permutation)))

        for name in graph.inputs:
            array = forced(name)
            assert array is not None
            values[name] = array
        for node in graph.nodes:
            operands = [values[name] if name in values else graph.tensors[name].value() for name in node.inputs]
            (result,) = BY_NAME[node.op].evaluate(node, operands)
            wanted = forced(node.outputs[0])
            values[node.outputs[0]] = result if wanted is None else wanted
            if wanted is not None:
                distance = np.abs(result.astype(int) - wanted)
                worst = max(worst, int(distance.max()))
                different, compared = different + int((distance > 0).sum()), compared + distance.size
    return worst, different / max(compared, 1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("choice", CHOICES, ids=str)
@pytest.mark.parametrize("net", sorted(NETS))
def test_models_of_onnxruntime_keep_every_bit(net: str, choice: Choice, tmp_path: Path) -> None:
    model = NETS[net]()
    samples = samples_for(model)
    foreign = quantized_by_onnxruntime(model, samples, choice, tmp_path)
    canonical = normalize_qdq(foreign)
    assert np.array_equal(outputs(canonical, samples), outputs(foreign, samples))
    worst, share = teacher_forced(canonical, lower(canonical, mode="highmul", name="net"), samples.first(10))
    assert worst <= 1
    assert share < 0.02
    lower(canonical, mode="tflite", name="net")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("net", sorted(NETS))
def test_unsymmetric_weights_are_rounded_again_and_as_good(net: str, tmp_path: Path) -> None:
    model = NETS[net]()
    samples = samples_for(model)
    foreign = quantized_by_onnxruntime(model, samples, Choice("QUInt8", "QUInt8", per_channel=False), tmp_path)
    wanted, theirs, ours = outputs(model, samples), outputs(foreign, samples), outputs(normalize_qdq(foreign), samples)
    assert sqnr_db(wanted, ours) > sqnr_db(wanted, theirs) - 3


@pytest.mark.data
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("choice", [CHOICES[0], CHOICES[3]], ids=str)
@pytest.mark.parametrize("name", ["ad_autoencoder", "ic_resnet8", "kws_dscnn", "sww_ref", "vww_mobilenetv1_025"])
def test_real_models_are_within_a_step_per_layer(name: str, choice: Choice, data_dir: Path, tmp_path: Path) -> None:
    entry = next(item for item in json.loads((data_dir / "index.json").read_text()) if item["name"] == name)
    given_model = read_model(data_dir / entry["model"])
    # Both ways in: quantized as exported, and quantized after normalization.
    whole = choice.per_channel or any(node.op_type == "BatchNormalization" for node in given_model.graph)
    model = normalize(given_model) if whole else normalize_structure(given_model)
    samples = Samples.open(data_dir / entry["calib"], model).first(20)
    foreign = quantized_by_onnxruntime(model, samples, choice, tmp_path)
    canonical = normalize_qdq(foreign)
    assert np.array_equal(outputs(canonical, samples), outputs(foreign, samples))
    worst, share = teacher_forced(canonical, lower(canonical, mode="highmul", name=name), samples.first(5))
    assert worst <= 1
    assert share < 0.01


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


def test_what_is_added_per_row_is_refused() -> None:
    body = FIRST + "wd = DequantizeLinear(w, sx)\n c = Gemm <transB = 1> (xd, wd, b)" + LAST.format("c")
    extra = {"w": np.ones((4, 6), np.int8), "b": normal(3, 1)}
    found = recover_plan(structured(body, "(float[3,6] x) => (float[3,4] y)", extra))
    assert [problem.code for problem in found.problems] == ["EQ0260"]


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
    assert "EQ0260" in [problem.code for problem in found.problems]


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
    given_scales = {params.scale for params in found.plan.activations.values()}
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


# --- constants ---------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10_000), zero=st.integers(-128, 127), per_channel=st.booleans())
@settings(deadline=None)
def test_weights_are_exact_where_int8_holds_them_and_near_elsewhere(seed: int, zero: int, per_channel: bool) -> None:
    random = np.random.default_rng(seed)
    width = int(random.integers(1, 129))
    values = random.integers(-width, width, size=(5, 3, 2)).clip(-128, 127)
    scale = random.uniform(1e-3, 1, size=5).astype(np.float32) if per_channel else np.float32(0.02)
    zeros = np.full(np.shape(scale), zero, np.int64)
    foreign = Integers(values, np.asarray(scale), zeros, 0 if per_channel else None)
    found = weight_of(foreign, 0, "node test")
    assert found.values.dtype == np.int8
    centred = values - zero
    for channel in range(5):
        step = float(np.broadcast_to(scale, (5,))[channel])
        row = centred[channel]
        if row.any() and row.min() >= -128 and row.max() <= 127:
            assert np.array_equal(found.values[channel], row)
            assert found.scale[channel] == np.float32(step)
        # A wider step of max/127 is at most 255/127 of the foreign one; cutting off is taken only where it is nearer.
        error = found.real()[channel] - foreign.real()[channel]
        assert np.sqrt((error**2).mean()) <= 1.01 * step * 255 / 127 / 2


def test_channels_without_weights_do_not_set_the_shift() -> None:
    values = np.zeros((3, 4), np.int64)
    values[1] = 5
    found = weight_of(Integers(values, np.array([1.0, 0.01, 1e-6], np.float32), np.zeros(3, np.int64), 0), 0, "node")
    assert found.scale.tolist() == pytest.approx([0.01, 0.01, 1e-6])


@given(seed=st.integers(0, 10_000), power=st.integers(-30, 3))
@settings(deadline=None)
def test_biases_stay_within_range_and_mean_the_same(seed: int, power: int) -> None:
    random = np.random.default_rng(seed)
    weight = weight_of(random.normal(size=(4, 6)) * 10.0**power, 0, "node")
    bias = random.normal(size=4).astype(np.float32)
    kernel, found = layer_constants(weight, bias, 0.03)
    assert np.abs(found.values.astype(np.int64)).max() <= 1 << 28
    assert np.array_equal(found.scale, np.float32(0.03) * kernel.scale)
    # At most half a step of the bias; at least 2^22 steps where the scale was raised for it.
    assert np.all(np.abs(found.real() - bias) <= found.scale * 0.5001 + np.abs(bias) * 2.0**-22)


def test_biases_of_a_slightly_different_scale_keep_their_integers() -> None:
    weight = weight_of(np.array([[127.0, 1.0]]), 0, "node")
    steps = np.array([123_456_789])
    scale = np.nextafter(np.float32(0.1), np.float32(1))
    found = layer_constants(weight, Integers(steps, np.array([scale]), np.zeros(1, np.int64), 0), 0.1)[1]
    assert found.values.tolist() == steps.tolist()


def test_operands_per_channel_are_rounded_to_one_scale() -> None:
    values = np.array([[100, -50], [7, 8]])
    one = operand_of(Integers(values, np.array([0.5, 0.5], np.float32), np.array([3, 3]), 0))
    assert np.array_equal(one.values, values)
    assert (float(one.scale), one.zero_point) == (0.5, 3)
    two = operand_of(Integers(values, np.array([0.5, 0.1], np.float32), np.array([0, 0]), 0))
    wanted = values * np.array([[0.5], [0.1]])
    assert np.abs(two.real() - wanted).max() <= float(two.scale) / 2 * 1.001
