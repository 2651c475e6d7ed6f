"""The step form of a window's model: equal floats, equal bits, and what has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from quant_models import normal, parse
from window_models import MODELS, conv_gru, ds_cnn, lstm, tcn

import edgeq
from edgeq import frontend
from edgeq.cli.main import run as run_command
from edgeq.errors import EdgeqError
from edgeq.frontend.facts import shape_of
from edgeq.frontend.stream import StepModel, make_steps, step_form
from edgeq.integers import to_integer_graph
from edgeq.interp import run
from edgeq.ir import Graph, Tensor
from edgeq.numerics.array import Array
from edgeq.onnxio import Session, model_bytes, read_model
from edgeq.onnxio.qdq_form import QdqPlan
from edgeq.onnxio.rolling import Rolling
from edgeq.onnxio.states import states_of

HOPS = [("tcn-attribute", 5), ("tcn-node", 3), ("conv-gru", 4), ("valid-conv-gru", 3), ("lstm", 3), ("valid", 4),
        ("flat-head", 4), ("skips", 3), ("last-frame", 5), ("ds-cnn", 8)]  # fmt: skip
CASES = [*((name, None) for name in MODELS), *HOPS]


def ids(case: Any) -> str:
    return str(case)


BESIDE_TIME: dict[str, tuple[str, str, dict[str, Array]]] = {
    "concat of a constant": (
        "float[1,5,12] y", "d = Concat <axis = 1> (c, k)\n y = Relu (d)", {"k": np.full((1, 2, 12), 0.5, np.float32)}
    ),
    "a constant of the window": (
        "float[1,3,12] y", "d = Sigmoid (c)\n y = Mul (d, k)", {"k": np.repeat(normal(1, 3, 1), 12, 2)}
    ),
    "top k of a frame": (
        "float[1,2,12] y, int64[1,2,12] i", "y, i = TopK <axis = 1> (c, two)", {"two": np.array([2])}
    ),
    "arg max": ("int64[1,12] y", "y = ArgMax <axis = 1, keepdims = 0> (c)", {}),
    "softmax": ("float[1,3,12] y", "y = Softmax <axis = 1> (c)", {}),
    "mean of a frame": ("float[1,12] y", "y = ReduceMean <keepdims = 0> (c, one)", {"one": np.array([1])}),
    "maximum of the window": ("float[1,3,1] y", "y = ReduceMax (c, two)", {"two": np.array([2])}),
    "where": (
        "float[1,3,12] y", "b = Greater (c, zero)\n y = Where (b, c, x)", {"zero": np.zeros(1, np.float32)}
    ),
    "stream and summary": (
        "float[1,3,12] y, float[1,3] m", "y = Neg (c)\n m = ReduceMean <keepdims = 0> (c, two)", {"two": np.array([2])}
    ),
    "sequence and last step": (
        "float[12,1,1,4] y, float[1,1,4] last",
        "t = Transpose <perm = [2, 0, 1]> (c)\n y, last = GRU <hidden_size = 4> (t, g, h)",
        {"g": normal(1, 12, 3, scale=0.5), "h": normal(1, 12, 4, scale=0.5)},
    ),
}  # fmt: skip


def frames_of(made: StepModel, x: Array, longer: int = 0) -> list[Array]:
    """What the steps are fed with: the window, and frames behind it that no result may depend on.

    ``longer`` is by how many positions outputs are longer than the window: padding in front delays them.
    """
    (axis,) = made.axes.values()
    assert axis is not None
    block = x.shape[axis] // made.frames
    count = max(output.warm_up_steps for output in made.outputs) + -(-(made.frames + longer) // made.hop)
    pad = [(0, 0)] * x.ndim
    pad[axis] = (0, (count * made.hop - made.frames) * block)
    return np.split(np.pad(x, pad, constant_values=7), count, axis)


def of_window(made: StepModel, results: list[list[Array]], number: int, length: int) -> Array:
    """The results of the steps that are those of the window."""
    told = made.outputs[number]
    if told.axis is None:
        return results[told.warm_up][number]
    joined = np.concatenate([each[number] for each in results], told.axis)
    return joined.take(range(told.warm_up, told.warm_up + length), told.axis)


@pytest.mark.parametrize(("name", "hop"), CASES, ids=ids)
def test_steps_give_the_floats_of_the_window(name: str, hop: int | None) -> None:
    kind = MODELS[name]()
    whole = frontend.normalize(kind.model())
    made = step_form(kind.model(), hop=hop)
    assert made.hop == (hop or kind.hop)
    if hop is None:
        assert tuple(output.warm_up for output in made.outputs) == kind.warm_up
    x = normal(*shape_of(whole.graph.inputs[0]), seed=3)
    wanted = list(Session(whole).run({"x": x}).values())
    rolling = Rolling(made.model, states_of(made.model))
    names = [output.name for output in made.outputs]
    results = [[found[each] for each in names] for found in (rolling.run({"x": f}) for f in frames_of(made, x, 2))]
    for number, whole_result in enumerate(wanted):
        axis = made.outputs[number].axis
        found = of_window(made, results, number, 0 if axis is None else whole_result.shape[axis])
        np.testing.assert_allclose(found, whole_result, atol=2e-6)


@pytest.mark.parametrize("name", BESIDE_TIME)
def test_what_works_on_each_frame_alone_goes_on(name: str) -> None:
    """Behind a causal convolution of [1, 3, 12]; two steps of the window at once give the same too."""
    outputs, body, constants = BESIDE_TIME[name]
    source = f"g (float[1,3,12] x) => ({outputs}) {{ c = Conv <pads = [2, 0]> (x, w)\n {body} }}"
    model = parse(source, {"w": normal(3, 3, 3), **constants})
    made, whole, x = step_form(model, hop=2), frontend.normalize(model), normal(1, 3, 12, seed=3)
    rolling = Rolling(made.model, states_of(made.model))
    runs = [rolling.run({"x": frame}) for frame in frames_of(made, x)]
    results = [[found[output.name] for output in made.outputs] for found in runs]
    for number, wanted in enumerate(Session(whole).run({"x": x}).values()):
        axis = made.outputs[number].axis
        found = of_window(made, results, number, 0 if axis is None else wanted.shape[axis])
        np.testing.assert_allclose(found, wanted, atol=2e-6)
    assert different_bits(quantized(model)) == 0


def quantized(kind: ir.Model, scheme: str = "w8a8") -> ir.Model:
    whole = frontend.normalize(kind)
    shape = shape_of(whole.graph.inputs[0])
    data = normal(24, *shape[1:], seed=9)
    made = edgeq.quantize(model_bytes(whole), data, observer="minmax", scheme=scheme)
    return read_model(made.content)


def integer_graph(model: ir.Model) -> Graph:
    structured = frontend.normalize_structure(read_model(model_bytes(model)))
    frontend.take_states(structured)
    return to_integer_graph(frontend.normalize_qdq(structured), "highmul", "g")


def fed(array: Array, tensor: Tensor) -> Array:
    assert tensor.source is not None
    order = tensor.source.permutation
    return array.reshape([tensor.shape[axis] for axis in order]).transpose(np.argsort(order))


def read(array: Array, tensor: Tensor) -> Array:
    if tensor.source is None:  # rescaled for the output alone
        return array
    return array.transpose(tensor.source.permutation).reshape(tensor.source.shape)


def different_bits(model: ir.Model, hop: int | None = None) -> int:
    """Elements of the window's outputs that the steps give otherwise, over a few windows of random integers."""
    made = step_form(model, hop=hop)
    whole, step = integer_graph(model), integer_graph(made.model)
    tensor, (given,) = whole.tensors[whole.inputs[0]], step.inputs
    assert tensor.source is not None
    limits = np.iinfo(tensor.dtype.numpy)
    different = 0
    for seed in range(3):
        x = np.random.default_rng(seed).integers(limits.min, limits.max + 1, tensor.source.shape)
        x = x.astype(tensor.dtype.numpy)
        wanted = run(whole, [fed(x, tensor)]).outputs
        states, results = None, []
        for frame in frames_of(made, x, 2):
            found = run(step, [fed(frame, step.tensors[given])], states)
            states = found.states
            outputs = zip(found.outputs, step.outputs, strict=True)
            results.append([read(array, step.tensors[name]) for array, name in outputs])
        for number, name in enumerate(whole.outputs):
            all_of_it, axis = read(wanted[number], whole.tensors[name]), made.outputs[number].axis
            got = of_window(made, results, number, 0 if axis is None else all_of_it.shape[axis])
            different += int((got != all_of_it).sum())
    return different


@pytest.mark.parametrize(("name", "hop"), CASES, ids=ids)
def test_steps_give_the_bits_of_the_window(name: str, hop: int | None) -> None:
    assert different_bits(quantized(MODELS[name]().model()), hop) == 0


@pytest.mark.parametrize("name", ["tcn-node", "valid-conv-gru", "ds-cnn"])
def test_steps_give_the_bits_of_the_window_in_int16(name: str) -> None:
    assert different_bits(quantized(MODELS[name]().model(), "w8a16")) == 0


def test_what_is_told_is_what_the_step_form_has(tmp_path: Path) -> None:
    kind = tcn("attribute")
    (tmp_path / "tcn.onnx").write_bytes(model_bytes(frontend.normalize(kind.model())))
    made = edgeq.stream(tmp_path / "tcn.onnx", out=tmp_path / "step.onnx")
    result = made.result
    assert (result.hop, result.frames, result.receptive_field, dict(result.axes)) == (1, 12, kind.field, {"x": 2})
    assert result.state_bytes == kind.states
    assert [state.dtype for state in result.states] == ["int8", "int8"]
    assert (result.macs, result.window_macs) == (5 * 9 + 4 * 15 + 12 + 8, 12 * (5 * 9 + 4 * 15 + 12 + 8))
    assert result.saved == pytest.approx(11 / 12)
    assert made.content == model_bytes(read_model(tmp_path / "step.onnx"))
    assert isinstance(made.model, onnx.ModelProto)
    assert not made.notes


def test_a_quantized_step_form_compiles_and_verifies(tmp_path: Path) -> None:
    """Every step of it, of its time steps, and its outputs those of the window's firmware."""
    model = quantized(conv_gru("[0, 0]").model())
    step = edgeq.stream(model_bytes(model))
    whole = edgeq.compile(model_bytes(model), board="native", name="whole", out=tmp_path / "whole")
    compiled = edgeq.compile(step.content, board="native", name="step", out=tmp_path / "step")
    x = normal(2, 12, 3, seed=4)  # sequences of frames
    verified = compiled.verify("native", {"x": x}, samples=2)
    assert verified.ok
    assert verified.onnxruntime is not None
    assert [reason for reason in verified.onnxruntime.not_compared.values() if "gates of this gru" in reason]
    wanted = whole.emulate({"x": x.transpose(0, 2, 1)}, "native").outputs
    found = compiled.emulate({"x": x}, "native").outputs
    assert len(found) == 24
    for number in range(2):
        rows = np.concatenate([each["y"] for each in found[12 * number + 2 : 12 * number + 12]])
        np.testing.assert_array_equal(rows, wanted[number]["y"])


def test_a_float_step_form_is_calibrated_over_sequences() -> None:
    step = edgeq.stream(model_bytes(frontend.normalize(ds_cnn().model())))
    compiled = edgeq.compile(step.content, {"x": normal(6, 8, 4, 6)}, board="native", name="net", observer="minmax")
    assert compiled.manifest.program.state_bytes
    assert compiled.verify("native", samples=2).ok


def test_cells_of_an_lstm_are_told() -> None:
    made = edgeq.stream(model_bytes(quantized(lstm().model())))
    assert [note.code for note in made.notes] == ["EQ0345"]
    assert not edgeq.stream(model_bytes(frontend.normalize(lstm().model()))).notes


def test_time_that_is_merged_with_the_bands_of_a_frame_is_found() -> None:
    text = """g (float[1,60] x) => (float[1,2] y) {
        image = Reshape (x, shape)
        c = Conv <kernel_shape = [3, 3], pads = [2, 1, 0, 1]> (image, w, b)
        r = Relu (c)
        f = Flatten (r)
        y = Gemm <transB = 1> (f, w2, b2)
    }"""
    constants = {
        "shape": np.array([1, 1, 10, 6]),
        "w": normal(2, 1, 3, 3), "b": normal(2), "w2": normal(2, 120, scale=0.2), "b2": normal(2),
    }  # fmt: skip
    model = parse(text, constants)
    made = step_form(model)
    assert (made.axes, made.frames, made.hop) == ({"x": 1}, 10, 1)
    assert different_bits(quantized(model)) == 0


def test_a_step_form_of_two_inputs() -> None:
    text = """g (float[1,2,8] x, float[1,3,8] z) => (float[1,4,8] y) {
        a = Conv <pads = [2, 0]> (x, w1)
        b = Conv <pads = [1, 0]> (z, w2)
        y = Add (a, b)
    }"""
    model = parse(text, {"w1": normal(4, 2, 3), "w2": normal(4, 3, 2)})
    made = step_form(model)
    assert made.axes == {"x": 2, "z": 2}
    assert [shape for _, _, shape in made.states] == [(1, 2, 1, 2), (1, 3, 1, 1)]


@pytest.mark.parametrize(
    ("what", "text", "code", "message"),
    [
        ("padding behind", "y = Conv <pads = [1, 1]> (x, w)", "EQ0342", r"pads \[1, 1\] along time"),
        ("attention", """t = Transpose <perm = [0, 2, 1]> (c)
            s = MatMul (t, c)
            p = Softmax (s)
            y = MatMul (c, p)""", "EQ0343", "attention"),
        ("squeeze and excitation", """m = ReduceMean (c, last)
            g = Sigmoid (m)
            y = Mul (c, g)""", "EQ0343", "each of its times"),
        ("positions", "y = Add (c, position)", "EQ0343", "another one at each time"),
        ("running sum", "y = CumSum (c, two)", "EQ0343", "no step form"),
        ("normalized over time", "y = InstanceNormalization (c, ones, ones)", "EQ0343", "mixes all times"),
        ("maximum over padding", "y = MaxPool <kernel_shape = [2], pads = [1, 0]> (c)", "EQ0343", "begin as zeros"),
        ("mean over padding", "y = AveragePool <kernel_shape = [2], pads = [1, 0]> (c)", "EQ0343", "fewer frames"),
    ],
)  # fmt: skip
def test_what_has_no_step_form_is_refused(what: str, text: str, code: str, message: str) -> None:
    del what
    constants = {
        "w": normal(3, 3, 3), "last": np.array([2]), "position": normal(1, 3, 8), "two": np.array(2),
        "ones": np.ones(3, np.float32),
    }  # fmt: skip
    source = f"g (float[1,3,8] x) => (float[1,3,8] y) {{ c = Conv <pads = [2, 0]> (x, w)\n {text} }}"
    with pytest.raises(EdgeqError, match=message) as error:
        step_form(parse(source, constants))
    assert error.value.problems[0].code == code


def test_layers_that_run_backwards_are_refused() -> None:
    for direction, count in (("reverse", 1), ("bidirectional", 2)):
        text = f"""g (float[10,1,3] x) => (float[10,{count},1,4] y) {{
            y, last = GRU <hidden_size = 4, direction = "{direction}"> (x, w, v)
        }}"""
        with pytest.raises(EdgeqError, match="newest frame back") as error:
            step_form(parse(text, {"w": normal(count, 12, 3), "v": normal(count, 12, 4)}))
        assert error.value.problems[0].code == "EQ0342"


def test_the_axis_of_time_must_be_known() -> None:
    image = parse("g (float[1,1,9,8] x) => (float[1,2,7,6] y) { y = Conv (x, w) }", {"w": normal(2, 1, 3, 3)})
    with pytest.raises(EdgeqError, match="x:2 or x:3") as error:
        step_form(image)
    assert error.value.problems[0].code == "EQ0344"
    assert step_form(image, axes={"x": -1}).axes == {"x": 3}
    dense = parse("g (float[1,4] x) => (float[1,2] y) { y = MatMul (x, w) }", {"w": normal(4, 2)})
    with pytest.raises(EdgeqError, match="nothing in the model goes along"):
        step_form(dense)
    for axes in ({"z": 0}, {"x": 4}):
        with pytest.raises(EdgeqError, match="EQ0151"):
            step_form(image, axes=axes)


def test_a_hop_must_fit_the_strides() -> None:
    with pytest.raises(EdgeqError, match="EQ0152"):
        step_form(ds_cnn().model(), hop=6)
    with pytest.raises(EdgeqError, match="EQ0193"):
        edgeq.stream(b"", hop=0)


def test_a_step_form_has_no_step_form() -> None:
    step = edgeq.stream(model_bytes(frontend.normalize(tcn("node").model())))
    with pytest.raises(EdgeqError, match="EQ0346"):
        edgeq.stream(step.content)


def test_steps_of_a_plan_alone_carry_no_states() -> None:
    made = make_steps(frontend.normalize(tcn("node").model()), QdqPlan())
    assert states_of(made.model) == ()


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gru.onnx").write_bytes(model_bytes(frontend.normalize(conv_gru("[0, 0]").model())))
    command = ["stream", str(tmp_path / "gru.onnx"), "-o", str(tmp_path / "step.onnx")]
    assert run_command(command) == 0
    told = capsys.readouterr().out
    assert "time is x:2; a step takes 1 frame, the window has 12" in told
    assert "behind 2 that come from before it" in told
    assert run_command([*command, "--axis", "x:2", "--hop", "3", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["hop"], document["receptive_field"], document["quantized"]) == (3, None, False)
    assert document["state_bytes"] == sum(state["bytes"] for state in document["states"])
    for wrong, code in (("x", 2), ("x:two", 2), ("z:1", 2)):
        assert run_command([*command, "--axis", wrong]) == code
        assert "EQ0151" in capsys.readouterr().err


REAL: dict[str, tuple[str, int | None, int | None]] = {
    "arm_kws_basic_lstm_s": ("", 1, 472),
    "arm_kws_cnn_s": ("", 2, 3654),
    "har3_cnn": ("", 1, 2078),
    "kws_dscnn": ("EQ0342", None, None),
    "mnist_lstm": ("", 1, 620),
    "mww_vad_stream": ("EQ0346", None, None),
    "sww_ref": ("", 1, 3536),
}


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_models_that_people_use(name: str, data_dir: Path) -> None:
    code, hop, state_bytes = REAL[name]
    path = data_dir / "models" / f"{name}.onnx"
    if code:
        with pytest.raises(EdgeqError, match=code):
            edgeq.stream(path)
        return
    result = edgeq.stream(path).result
    assert (result.hop, result.state_bytes) == (hop, state_bytes)


def test_progress_and_dims(tmp_path: Path) -> None:
    text = "g (float[1,3,T] x) => (float[1,2,T] y) { y = Conv <pads = [2, 0]> (x, w) }"
    proto = onnx.parser.parse_model('<ir_version: 10, opset_import: ["" : 21]>\n' + text)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(normal(2, 3, 3), "w"))
    told: list[str] = []
    tell: Callable[[str, float | None], None] = lambda stage, done: told.append(stage)  # noqa: E731
    made = edgeq.stream(proto, dims={"T": 20}, progress=tell, out=tmp_path / "deeper" / "step.onnx")
    assert (made.result.frames, told) == (20, ["import", "lower"])
    with pytest.raises(EdgeqError, match="EQ0123"):
        edgeq.stream(tmp_path / "deeper" / "step.onnx", out=tmp_path / "deeper" / "step.onnx")
