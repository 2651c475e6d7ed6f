"""Foreign QDQ models become canonical, exactly where that is possible, and say what is missing where it is not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from quant_models import calibration_reader, normal, outputs, parse, residual_net, samples_for

from edgeq.errors import EXIT_MODEL, EdgeqError
from edgeq.frontend import normalize_structure
from edgeq.frontend.normalize_qdq import normalize_qdq
from edgeq.ir import DType
from edgeq.lowering import lower
from edgeq.numerics.array import Array
from edgeq.onnxio import Session, model_bytes, read_model, write_model
from edgeq.onnxio.qdq_form import fused_activation
from edgeq.onnxio.samples import Samples

# Parameters that the models below share: x and y of layers, weights per channel of four outputs.
CONSTANTS: dict[str, Any] = {
    "sx": np.float32(0.05),
    "zx": np.int8(-3),
    "sy": np.float32(0.11),
    "zy": np.int8(-100),
    "ux": np.uint8(125),
    "uy": np.uint8(28),
    "sw": np.array([0.01, 0.02, 0.03, 0.04], np.float32),
    "zw": np.zeros(4, np.int8),
    "w": np.random.default_rng(0).integers(-128, 128, size=(4, 3, 2, 2)).astype(np.int8),
    "sb": np.float32(0.05) * np.array([0.01, 0.02, 0.03, 0.04], np.float32),
    "b": np.array([900, -800, 70, 6], np.int32),
}
CONV = """
    xq = QuantizeLinear(x, sx, zx)
    xd = DequantizeLinear(xq, sx, zx)
    wd = DequantizeLinear <axis = 0> (w, sw, zw)
    bd = DequantizeLinear <axis = 0> (b, sb)
    c = Conv(xd, wd, bd)
"""
SIGNATURE = "(float[1,3,5,5] x) => (float[1,4,4,4] y)"
LAST = "yq = QuantizeLinear({0}, sy, zy)\n y = DequantizeLinear(yq, sy, zy)"


def foreign(body: str, signature: str = SIGNATURE, extra: Mapping[str, Any] | None = None) -> ir.Model:
    known = {**CONSTANTS, **(extra or {})}
    words = set(body.replace("(", " ").replace(")", " ").replace(",", " ").split())
    return normalize_structure(parse(f"g {signature} {{ {body} }}", {k: v for k, v in known.items() if k in words}))


def check_same(model: ir.Model, samples: Samples | None = None, *, steps: int = 0, scale: float = 0.11) -> ir.Model:
    """The canonical form gives the same outputs (within some steps of the output scale), and lowers."""
    found = normalize_qdq(model)
    onnx.checker.check_model(ir.to_proto(found), full_check=True)
    inputs = samples or samples_for(model, 20)
    assert np.abs(outputs(found, inputs) - outputs(model, inputs)).max() <= steps * scale * 1.001
    for mode in ("highmul", "tflite"):
        lower(found, mode="highmul" if mode == "highmul" else "tflite", name="net")
    return found


def types(model: ir.Model) -> list[str]:
    return [
        node.op_type
        for node in model.graph
        if not node.op_type.endswith("quantizeLinear") and "Quantize" not in node.op_type
    ]


def codes(model: ir.Model) -> list[str]:
    with pytest.raises(EdgeqError) as caught:
        normalize_qdq(model)
    assert caught.value.exit_code == 3
    return [problem.code for problem in caught.value.problems]


def producer(node: ir.Node, index: int) -> ir.Node:
    value = node.inputs[index]
    made_by = value.producer() if value is not None else None
    assert made_by is not None
    return made_by


def integers(node: ir.Node, index: int = 0) -> Array:
    value = node.inputs[index]
    assert value is not None
    assert value.const_value is not None
    return np.asarray(value.const_value.numpy())


def only(model: ir.Model, op_type: str) -> ir.Node:
    (node,) = [node for node in model.graph if node.op_type == op_type]
    return node


def test_integers_of_weights_and_biases_are_kept() -> None:
    found = check_same(foreign(CONV + LAST.format("c")))
    conv = only(found, "Conv")
    assert np.array_equal(integers(producer(conv, 1)), CONSTANTS["w"])
    assert np.array_equal(integers(producer(conv, 2)), CONSTANTS["b"])
    assert integers(producer(conv, 1)).min() == -128


def test_canonical_form_is_a_fixed_point() -> None:
    once = normalize_qdq(foreign(CONV + LAST.format("c")))
    twice = normalize_qdq(normalize_structure(once))
    assert model_bytes(normalize_qdq(normalize_structure(twice))) == model_bytes(twice)
    samples = samples_for(once, 10)
    assert np.array_equal(outputs(once, samples), outputs(twice, samples))


def test_uint8_activations_are_shifted() -> None:
    body = (CONV + LAST.format("c")).replace("zx", "ux").replace("zy", "uy")
    found = check_same(foreign(body))
    zeros = {int(integers(node, 2)) for node in found.graph if node.op_type == "QuantizeLinear"}
    assert zeros == {-3, -100}


def test_uint8_weights_around_128_are_kept_and_others_rounded_again() -> None:
    unsigned = (CONSTANTS["w"].astype(np.int16) + 128).astype(np.uint8)
    body = CONV + LAST.format("c")
    found = check_same(foreign(body, extra={"w": unsigned, "zw": np.full(4, 128, np.uint8)}))
    assert np.array_equal(integers(producer(only(found, "Conv"), 1)), CONSTANTS["w"])
    off = foreign(body, extra={"w": unsigned, "zw": np.full(4, 90, np.uint8)})
    found = check_same(off, steps=2)
    assert np.abs(integers(producer(only(found, "Conv"), 1)).astype(int)).max() == 127


def test_activation_with_the_same_scale_is_fused_and_another_stays() -> None:
    body = (
        CONV + "cq = QuantizeLinear(c, s1, zy)\n cd = DequantizeLinear(cq, s1, zy)\n r = Relu(cd)\n" + LAST.format("r")
    )
    same = check_same(foreign(body.replace("s1", "sy")))
    assert fused_activation(only(same, "Conv")) is only(same, "Relu")
    other = check_same(foreign(body, extra={"s1": np.float32(0.07)}))
    assert producer(only(other, "Relu"), 0).op_type == "DequantizeLinear"
    lowered = lower(other, mode="highmul", name="net")
    assert [node.op for node in lowered.nodes].count("lookup") == 1


def test_activation_without_a_scale_takes_that_of_its_input() -> None:
    body = CONV + "cq = QuantizeLinear(c, sy, zy)\n cd = DequantizeLinear(cq, sy, zy)\n y = Relu(cd)"
    check_same(foreign(body))


def test_moves_without_a_scale_take_their_neighbours() -> None:
    behind = (
        CONV
        + "cq = QuantizeLinear(c, sy, zy)\n cd = DequantizeLinear(cq, sy, zy)\n y = MaxPool <kernel_shape = [1,1]> (cd)"
    )
    check_same(foreign(behind))
    before = CONV + "t = Transpose <perm = [0,2,3,1]> (c)\n m = MaxPool <kernel_shape = [1,1]> (t)\n" + LAST.format("m")
    check_same(foreign(before, "(float[1,3,5,5] x) => (float[1,4,4,4] y)"))
    first = "t = Transpose <perm = [0,3,1,2]> (i)\n" + CONV.replace("(x, sx", "(t, sx") + LAST.format("c")
    check_same(foreign(first, "(float[1,5,5,3] i) => (float[1,4,4,4] y)"))


def test_moves_of_integers_are_moves_of_floats() -> None:
    body = (
        "xq = QuantizeLinear(x, sx, ux)\n t = Transpose <perm = [0,3,1,2]> (xq)\n xd = DequantizeLinear(t, sx, ux)\n"
        + CONV.split("\n", 3)[3]
        + LAST.format("c")
    )
    check_same(foreign(body, "(float[1,5,5,3] x) => (float[1,4,4,4] y)"))


def test_weights_quantized_by_a_node_are_folded() -> None:
    weight = normal(4, 3, 2, 2)
    body = CONV.replace("DequantizeLinear <axis = 0> (w,", "DequantizeLinear <axis = 0> (wq,") + LAST.format("c")
    model = foreign("wq = QuantizeLinear <axis = 0> (w, sw, zw)\n" + body, extra={"w": weight})
    found = check_same(model)
    wanted = np.clip(np.rint(weight / CONSTANTS["sw"].reshape(-1, 1, 1, 1)), -128, 127)
    assert np.array_equal(integers(producer(only(found, "Conv"), 1)), wanted)


@pytest.mark.parametrize("kind", ["float", "absent", "int8"])
def test_biases_of_every_kind_become_int32(kind: str) -> None:
    body, extra = CONV + LAST.format("c"), {}
    if kind == "float":
        body = body.replace("bd = DequantizeLinear <axis = 0> (b, sb)\n", "").replace("wd, bd", "wd, b")
        extra = {"b": (CONSTANTS["b"] * CONSTANTS["sb"]).astype(np.float32)}
    elif kind == "absent":
        body = body.replace("bd = DequantizeLinear <axis = 0> (b, sb)\n", "").replace("wd, bd", "wd")
    else:
        body = body.replace("<axis = 0> (b, sb)", "(b, sy)")
        extra = {"b": np.array([9, -8, 0, 1], np.int8)}
    found = check_same(foreign(body, extra=extra))
    steps = integers(producer(only(found, "Conv"), 2))
    assert steps.dtype == np.int32
    if kind == "float":
        assert np.array_equal(steps, CONSTANTS["b"])
    if kind == "absent":
        assert not steps.any()


def test_dequantized_constants_with_several_readers_are_copied() -> None:
    body = (
        CONV
        + "cq = QuantizeLinear(c, sy, zy)\n cd = DequantizeLinear(cq, sy, zy)\n d = Conv(xd, wd, bd)\n"
        + "dq = QuantizeLinear(d, s2, zy)\n dd = DequantizeLinear(dq, s2, zy)\n a = Add(cd, dd)\n"
        + LAST.format("a")
    )
    found = check_same(foreign(body, extra={"s2": np.float32(0.2)}))
    convs = [node for node in found.graph if node.op_type == "Conv"]
    assert producer(convs[0], 1) is not producer(convs[1], 1)
    assert producer(convs[0], 0) is producer(convs[1], 0)


def test_a_value_with_two_scales_is_requantized() -> None:
    body = CONV + "cq = QuantizeLinear(c, s2, zy)\n cd = DequantizeLinear(cq, s2, zy)\n" + LAST.format("cd")
    found = check_same(foreign(body, extra={"s2": np.float32(0.2)}))
    assert "Identity" not in types(found)
    assert [node.op for node in lower(found, mode="highmul", name="net").nodes].count("requantize") == 1


def test_products_become_gemm_with_the_added_bias() -> None:
    body = (
        "xq = QuantizeLinear(x, sx, zx)\n xd = DequantizeLinear(xq, sx, zx)\n"
        "wd = DequantizeLinear <axis = 1> (w, sw, zw)\n"
        "m = MatMul(xd, wd)\n a = Add(m, k)\n" + LAST.format("a")
    )
    weight = np.random.default_rng(1).integers(-128, 128, size=(6, 4)).astype(np.int8)
    for shape in ("1,6", "1,3,6"):
        result = shape.replace("6", "4")
        model = foreign(body, f"(float[{shape}] x) => (float[{result}] y)", {"w": weight, "k": normal(4)})
        # The bias is rounded to int32: a value close to the middle between two steps may fall on the other side.
        found = check_same(model, steps=1)
        gemm = only(found, "Gemm")
        assert "Add" not in types(found)
        assert np.array_equal(integers(producer(gemm, 1)), weight.T)
        assert integers(producer(gemm, 2)).any()


def test_a_quantized_product_before_an_addition_stays_two_roundings() -> None:
    body = (
        "xq = QuantizeLinear(x, sx, zx)\n xd = DequantizeLinear(xq, sx, zx)\n"
        "wd = DequantizeLinear <axis = 1> (w, sw, zw)\n"
        "m = MatMul(xd, wd)\n mq = QuantizeLinear(m, s2, zy)\n md = DequantizeLinear(mq, s2, zy)\n"
        "kd = DequantizeLinear(k, sx, zx)\n a = Add(md, kd)\n" + LAST.format("a")
    )
    extra: dict[str, Any] = {
        "w": np.random.default_rng(1).integers(-128, 128, size=(6, 4)).astype(np.int8),
        "k": np.array([5, -6, 7, 8], np.int8),
        "s2": np.float32(0.13),
    }
    found = check_same(foreign(body, "(float[1,6] x) => (float[1,4] y)", extra))
    add = only(found, "Add")
    assert np.array_equal(integers(producer(add, 1)), extra["k"])


def test_convolutions_over_time_are_widened() -> None:
    body = CONV + LAST.format("c")
    extra = {"w": CONSTANTS["w"][:, :, 0, :]}
    found = check_same(foreign(body, "(float[1,3,9] x) => (float[1,4,8] y)", extra))
    assert integers(producer(only(found, "Conv"), 1)).shape == (4, 3, 1, 2)


def test_int8_inputs_and_outputs_stay_int8() -> None:
    body = (
        CONV.replace("xq = QuantizeLinear(x, sx, zx)", "").replace("(xq, sx", "(x, sx")
        + "y = QuantizeLinear(c, sy, zy)"
    )
    model = foreign(body, "(int8[1,3,5,5] x) => (int8[1,4,4,4] y)")
    found = normalize_qdq(model)
    onnx.checker.check_model(ir.to_proto(found), full_check=True)
    assert [value.dtype for value in (*found.graph.inputs, *found.graph.outputs)] == [ir.DataType.INT8] * 2
    x = {"x": np.random.default_rng(0).integers(-128, 128, size=(1, 3, 5, 5)).astype(np.int8)}
    assert np.array_equal(Session(found).run(x)["y"], Session(model).run(x)["y"])
    graph = lower(found, mode="highmul", name="net")
    assert graph.inputs == ("x",)


def test_everything_that_lacks_a_scale_is_listed() -> None:
    body = CONV + "s = HardSwish(c)\n a = Add(s, c)\n y = Relu(a)"
    with pytest.raises(EdgeqError) as caught:
        normalize_qdq(foreign(body))
    found = [(problem.code, str(problem.where)) for problem in caught.value.problems]
    # The addition is absorbed by nothing: Relu behind it is its clamp, so only Relu's result needs a scale.
    assert [code for code, _ in found] == ["EQ0250"] * 3
    for (_, where), name in zip(found, ("c", "s", "y"), strict=True):
        assert where.endswith(f"value {name}")


def test_float_inputs_without_a_scale_are_listed() -> None:
    body = "wd = DequantizeLinear <axis = 0> (w, sw, zw)\n c = Conv(x, wd)\n" + LAST.format("c")
    assert codes(foreign(body)) == ["EQ0251"]


def test_a_float_weight_is_rounded_per_channel() -> None:
    body = "xq = QuantizeLinear(x, sx, zx)\n xd = DequantizeLinear(xq, sx, zx)\n c = Conv(xd, w)\n" + LAST.format("c")
    weight = normal(4, 3, 2, 2)
    found = normalize_qdq(foreign(body, extra={"w": weight}))
    scales = np.abs(weight).reshape(4, -1).max(axis=1) / 127
    assert np.array_equal(integers(producer(only(found, "Conv"), 1)), np.rint(weight / scales.reshape(-1, 1, 1, 1)))


def test_the_last_softmax_gets_its_usual_scale() -> None:
    body = "xq = QuantizeLinear(x, sx, zx)\n xd = DequantizeLinear(xq, sx, zx)\n y = Softmax(xd)"
    model = foreign(body, "(float[1,5] x) => (float[1,5] y)")
    found, samples = normalize_qdq(model), samples_for(model, 20)
    assert np.abs(outputs(found, samples) - outputs(model, samples)).max() <= 1 / 256


@pytest.mark.parametrize(
    ("body", "extra", "code"),
    [
        ("xq, s, z = DynamicQuantizeLinear(x)\n y = DequantizeLinear(xq, s, zx)", {"zx": np.uint8(3)}, "EQ0252"),
        ("xq, s, z = DynamicQuantizeLinear(x)\n y = DequantizeLinear(xq, s, z)", {}, "EQ0250"),
        ("xq = QuantizeLinear(x, sx, zx)\n n = Abs(xq)\n y = DequantizeLinear(n, sx, zx)", {}, "EQ0257"),
        ("xq = QuantizeLinear(x, sx, zx)\n y = DequantizeLinear(xq, sy, zx)", {}, "EQ0256"),
        ("xq = QuantizeLinear(x, sx, zx)\n y = DequantizeLinear(xq, sx, zx)", {"sx": np.float32(0)}, "EQ0253"),
        (
            "xq = QuantizeLinear <axis = 1> (x, sx, zx)\n y = DequantizeLinear <axis = 1> (xq, sx, zx)",
            {"sx": np.ones(3, np.float32), "zx": np.zeros(3, np.int8)},
            "EQ0254",
        ),
        ("r = Abs(sx)\n xq = QuantizeLinear(x, r, zx)\n y = DequantizeLinear(xq, r, zx)", {}, "EQ0253"),
    ],
)
def test_what_cannot_be_read_is_refused(body: str, extra: dict[str, Any], code: str) -> None:
    outcome = "float[1,3,5,5]" if "Conv" not in body else "float[1,4,4,4]"
    assert code in codes(foreign(body, f"(float[1,3,5,5] x) => ({outcome} y)", extra))


def test_int16_is_taken_over_where_it_is_symmetric() -> None:
    body = "xq = QuantizeLinear(x, sx, zx)\n y = DequantizeLinear(xq, sx, zx)"
    signature = "(float[3] x) => (float[3] y)"
    imported = normalize_qdq(foreign(body, signature, {"zx": np.int16(0)}))
    graph = lower(imported, mode="highmul", name="m")
    assert {graph.tensors[name].dtype for name in (*graph.inputs, *graph.outputs)} == {DType.INT16}
    with pytest.raises(EdgeqError, match="not symmetric"):
        normalize_qdq(foreign(body, signature, {"zx": np.int16(3)}))
    with pytest.raises(EdgeqError, match="no int16 activations") as caught:
        lower(imported, mode="tflm", name="m")
    assert caught.value.problems[0].code == "EQ0364"


def test_uint16_is_refused_with_the_value_and_what_is_allowed() -> None:
    with pytest.raises(EdgeqError) as caught:
        foreign(
            "xq = QuantizeLinear(x, sx, zx)\n y = DequantizeLinear(xq, sx, zx)",
            "(float[3] x) => (float[3] y)",
            {"zx": np.uint16(0)},
        )
    problem = caught.value.problems[0]
    assert (problem.code, problem.got) == ("EQ0255", "UINT16")
    assert problem.where is not None
    assert "value x" in problem.where
    assert problem.allowed is not None
    assert problem.allowed.startswith("INT8, UINT8")


def test_weights_per_input_channel_are_rounded_again() -> None:
    body = CONV.replace("wd = DequantizeLinear <axis = 0>", "wd = DequantizeLinear <axis = 1>") + LAST.format("c")
    extra = {"sw": np.array([0.01, 0.02, 0.03], np.float32), "zw": np.zeros(3, np.int8)}
    check_same(foreign(body, extra=extra), steps=3)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("activation", ["QInt8", "QUInt8"])
@pytest.mark.parametrize("per_channel", [True, False])
def test_models_of_onnxruntimes_quantizer_are_taken(tmp_path: Path, activation: str, per_channel: bool) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = residual_net()
    samples = samples_for(model)
    write_model(model, tmp_path / "float.onnx")
    reader = calibration_reader(samples)
    logging.getLogger().setLevel(logging.ERROR)
    quantize_static(
        str(tmp_path / "float.onnx"),
        str(tmp_path / "qdq.onnx"),
        reader,
        quant_format=QuantFormat.QDQ,
        per_channel=per_channel,
        activation_type=getattr(QuantType, activation),
        weight_type=QuantType.QInt8,
    )
    given = normalize_structure(read_model(tmp_path / "qdq.onnx"))
    check_same(given, samples)


def test_models_of_onnxruntimes_quantizer_with_int16_activations_are_taken(tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = residual_net()
    samples = samples_for(model)
    write_model(model, tmp_path / "float.onnx")
    logging.getLogger().setLevel(logging.ERROR)
    quantize_static(
        str(tmp_path / "float.onnx"),
        str(tmp_path / "qdq.onnx"),
        calibration_reader(samples),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt16,
        weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": True},
    )
    given = normalize_structure(read_model(tmp_path / "qdq.onnx"))
    found = normalize_qdq(given)
    assert np.abs(outputs(found, samples) - outputs(given, samples)).max() <= 2.001 / 32768
    graph = lower(found, mode="highmul", name="net")
    assert {graph.results(node)[0].dtype for node in graph.nodes} == {DType.INT16}


def test_a_quantized_model_is_not_quantized_again(
    root: Path, example: Any, tmp_path: Path, run_edgeq: Callable[..., Any]
) -> None:
    model, output = root / "tests" / "golden" / "fashion_mnist.qdq.onnx", tmp_path / "q.onnx"
    done = run_edgeq("quantize", model, "--data", example.calibration, "-o", output)
    assert done.returncode == EXIT_MODEL
    assert "EQ0230" in done.stderr
    assert not output.exists()


def test_weights_of_both_directions_keep_their_integers() -> None:
    """None of them reaches 127: rounded again, they would be others."""
    draw = np.random.default_rng(2)
    w, r = (draw.integers(-90, 91, (2, 6, size)).astype(np.int8) for size in (4, 6))
    extra = {"w": w, "r": r, "sr": np.full(6, 0.004, np.float32), "zr": np.zeros(6, np.int8)}
    body = """
        xq = QuantizeLinear(x, sx, zx)
        xd = DequantizeLinear(xq, sx, zx)
        wd = DequantizeLinear <axis = 1> (w, sr, zr)
        rd = DequantizeLinear <axis = 1> (r, sr, zr)
        s = RNN <hidden_size = 6, direction = "bidirectional"> (xd, wd, rd)
        yq = QuantizeLinear(s, sr1, zx)
        y = DequantizeLinear(yq, sr1, zx)
    """
    extra["sr1"] = np.float32(1 / 120)
    model = foreign(body, "(float[3,1,4] x) => (float[3,2,1,6] y)", extra)
    layers = [node for node in normalize_qdq(model).graph if node.op_type == "RNN"]
    for number, layer in enumerate(layers):
        assert np.array_equal(integers(producer(layer, 1)), w[number : number + 1])
        assert np.array_equal(integers(producer(layer, 2)), r[number : number + 1])
    assert len(layers) == 2
