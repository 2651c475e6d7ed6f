"""States: which values they are, what they hold, where they lie, and that a sequence is rolled as it is defined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from integer_graphs import ADD, Build
from quant_models import normal, parse
from streaming_models import CHANNELS, FRAMES, TIME_STEPS, sequences, streaming_net

import edgeq
from edgeq import frontend
from edgeq.analysis.comparison import BeforePasses, Comparison
from edgeq.arguments import state_pairs
from edgeq.backends.c import bind_kernels, plan_steps
from edgeq.errors import EdgeqError
from edgeq.interp import run, zero_states
from edgeq.ir import DType, Graph, Quantization, Source, State, Tensor
from edgeq.lowering import lower
from edgeq.notes import gathered
from edgeq.numerics.array import Array
from edgeq.onnxio import Session, model_bytes
from edgeq.onnxio.rolling import with_rolled_states
from edgeq.onnxio.samples import InputSpec, Samples
from edgeq.onnxio.sequences import Sequences
from edgeq.onnxio.states import KEY, kept_outputs, set_states, states_of
from edgeq.passes import PASSES, lay_out_states, place_states, run_passes
from edgeq.quant import QuantizeOptions
from edgeq.quant import quantize as quantize_model
from edgeq.quant.specification import specify
from edgeq.target import load_board

ISA = load_board("native").target.isa
LEVEL = (State("level", "loudness"),)


def stateful() -> ir.Model:
    """The normalized network with its three states."""
    model = frontend.normalize(streaming_net())
    frontend.take_states(model, LEVEL)
    return model


def two_sided(inputs: str, outputs: str) -> ir.Model:
    """A model of one vector input more than named, and a copy for each output."""
    names = ["data", *inputs.split()]
    given = ", ".join(f"float[1,4] {name}" for name in names)
    made = ", ".join(f"float[1,4] {name}" for name in outputs.split())
    total = "\n".join(f"t{index} = Add (data, {name})" for index, name in enumerate(inputs.split()))
    lines = "\n".join(f"{name} = Add (data, t{index})" for index, name in enumerate(outputs.split()))
    return frontend.normalize(parse(f"g ({given}) => ({made}) {{ {total}\n{lines} }}"))


# --- which ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ("h", "h_out"),
        ("state_0 state_1", "state_1_out state_0_out"),
        ("h_in", "h_out"),
        ("prev_h", "next_h"),
        ("h_prev", "h"),
        ("past_k", "present_k"),
        ("state", "stateN"),
    ],
)
def test_usual_names_are_recognized_and_told(inputs: str, outputs: str) -> None:
    model = two_sided(inputs, outputs)
    with gathered() as notes:
        frontend.take_states(model)
    assert {state.input for state in states_of(model)} == set(inputs.split())
    assert {state.output for state in states_of(model)} == set(outputs.split())
    assert [(note.code, note.severity) for note in notes] == [("EQ0149", "note")]


def test_names_alone_are_no_states() -> None:
    other_shape = parse(
        "g (float[1,4] x, float[1,4] h) => (float[1,2] h_out) { s = Add(x, h) h_out = MatMul(s, w) }",
        {"w": normal(4, 2)},
    )
    for model, options in (
        (frontend.normalize(other_shape), {}),
        (two_sided("h", "h_out"), {"given": ("data", "h")}),
        (two_sided("h", "h_out"), {"recognize": False}),
        (frontend.normalize(parse("g (float[1,4] x) => (float[1,4] x_out) { x_out = Relu(x) }")), {}),
    ):
        with gathered() as notes:
            frontend.take_states(model, **options)
        assert (states_of(model), notes) == ((), [])


def test_what_a_model_carries_counts_and_is_not_told() -> None:
    model = stateful()
    with gathered() as notes:
        frontend.take_states(model)
    assert not notes
    assert {state.input for state in states_of(model)} == {"ring", "h_prev", "level"}
    frontend.take_states(model, recognize=False)
    assert states_of(model) == ()


@pytest.mark.parametrize(
    ("states", "code", "message"),
    [
        ([("loud", "level")], "EQ0145", "no output of that name"),
        ([("loudness", "levle")], "EQ0145", "did you mean level"),
        ([("y", "level")], "EQ0146", r"FLOAT \[1, 1\]"),
        ([("loudness", "level"), ("h_next", "level")], "EQ0147", "loudness and h_next"),
    ],
)
def test_states_that_cannot_be_are_refused(states: list[tuple[str, str]], code: str, message: str) -> None:
    model = frontend.normalize(streaming_net())
    with pytest.raises(EdgeqError, match=message) as error:
        frontend.take_states(model, state_pairs(states))
    assert error.value.problems[0].code == code


def test_a_model_without_an_input_is_refused() -> None:
    model = frontend.normalize(parse("g (float[1,4] h) => (float[1,4] y) { y = Relu(h) }"))
    with pytest.raises(EdgeqError, match="EQ0341"):
        frontend.take_states(model, [State("h", "y")])


def test_damaged_entry_is_refused() -> None:
    model = stateful()
    model.metadata_props[KEY] = '[["h"'
    with pytest.raises(EdgeqError, match="EQ0340"):
        states_of(model)


def test_states_of_the_api_are_pairs() -> None:
    assert state_pairs({"loudness": "level"}) == state_pairs([("loudness", "level")]) == LEVEL
    for wrong in ("loudness=level", [("a",)], 3):
        with pytest.raises(EdgeqError, match="EQ0193"):
            state_pairs(wrong)


# --- data -----------------------------------------------------------------------------------------------------------


def test_frames_and_time_steps_hold_the_same_sequences() -> None:
    frames = sequences(5)["x"]
    steps = frames.reshape(5, TIME_STEPS, FRAMES, CHANNELS).transpose(0, 1, 3, 2)
    spec = InputSpec("x", (1, CHANNELS, FRAMES), np.dtype(np.float32))
    found = [Samples({"x": array}, [spec], sequences=True) for array in (frames, np.ascontiguousarray(steps))]
    for samples in found:
        assert (len(samples), samples.length, samples.runs) == (5, TIME_STEPS, 5 * TIME_STEPS)
        assert [samples.sample_of(run) for run in (0, TIME_STEPS - 1, TIME_STEPS)] == [0, 0, 1]
    for number in range(found[0].runs):
        sample, step = divmod(number, TIME_STEPS)
        wanted = frames[sample, step * FRAMES : (step + 1) * FRAMES].T
        for samples in found:
            np.testing.assert_array_equal(samples.inputs(number)["x"], wanted[None])


@pytest.mark.parametrize(
    ("stored", "shape", "found"),
    [
        ((7, 9, 4, 2), (1, 4, 2), Sequences(9, 0)),
        ((7, 18, 4), (1, 4, 2), Sequences(9, 2)),
        ((7, 17, 4), (1, 4, 2), None),
        ((7, 4, 2), (1, 4, 2), None),
        ((7, 9, 5), (1, 5), Sequences(9, 0)),
        ((7, 0, 5), (1, 5), None),
        ((7, 9), (1,), Sequences(9, 0)),
    ],
)
def test_layouts_of_sequences(stored: tuple[int, ...], shape: tuple[int, ...], found: Sequences | None) -> None:
    assert Sequences.of(stored, shape) == found


def test_data_without_time_steps_is_refused() -> None:
    spec = InputSpec("x", (1, CHANNELS, FRAMES), np.dtype(np.float32))
    with pytest.raises(EdgeqError, match=r"EQ0113.*sequences[^$]*\[N, steps, 4, 2\] or \[N, steps\*2, 4\]"):
        Samples({"x": np.zeros((7, CHANNELS, FRAMES))}, [spec], sequences=True)
    other = InputSpec("pitch", (1, 3), np.dtype(np.float32))
    with pytest.raises(EdgeqError, match="EQ0148"):
        Samples({"x": np.zeros((7, 12, 4, 2)), "pitch": np.zeros((7, 11, 3))}, [spec, other], sequences=True)


def rolled(model: ir.Model, x: Array) -> list[dict[str, Array]]:
    """Inputs of every run of one sequence, by hand: states start at zero and are what the run before gave."""
    session = Session(model)
    states = {"ring": np.zeros((1, CHANNELS, 3)), "h_prev": np.zeros((1, 6)), "level": np.zeros((1, 6))}
    found = []
    for step in range(TIME_STEPS):
        feeds = {"x": x[step * FRAMES : (step + 1) * FRAMES].T[None], **states}
        found.append({name: np.asarray(array, np.float32) for name, array in feeds.items()})
        given = session.run(found[-1])
        states = {"ring": given["ring_out"], "h_prev": given["h_next"], "level": given["loudness"]}
    return found


def test_calibration_rolls_every_sequence_from_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = stateful(), sequences(3)
    samples = with_rolled_states(model, Samples.of(data, model))
    assert samples.runs == 3 * TIME_STEPS
    wanted = [inputs for x in data["x"] for inputs in rolled(model, x)]
    for number, inputs in enumerate(wanted):
        found = samples.inputs(number)
        assert found.keys() == inputs.keys()
        for name, array in inputs.items():
            np.testing.assert_array_equal(found[name], array)
    # Where the states take too much, every sequence gives some of its time steps, each another share.
    monkeypatch.setattr("edgeq.onnxio.rolling._KEPT_BYTES", 4 * 24 * 3 * TIME_STEPS // 3)
    fewer = with_rolled_states(model, Samples.of(data, model))
    assert fewer.chosen is not None
    chosen = list(fewer.chosen)
    assert chosen == [number for number in range(36) if (number // TIME_STEPS + number % TIME_STEPS) % 3 == 0]
    for number, place in enumerate(chosen):
        np.testing.assert_array_equal(fewer.inputs(number)["level"], wanted[place]["level"])


# --- quantization and lowering ---------------------------------------------------------------------------------------


def test_both_sides_of_a_state_share_one_scale() -> None:
    model = stateful()
    groups = specify(model, "highmul").group_of
    for state in states_of(model):
        assert groups[state.input] == groups[state.output], state
    # Tanh prescribes the scale of h, so that of the input is no other.
    assert specify(model, "highmul").fixed["h_prev"] == specify(model, "highmul").fixed["h_next"]


def test_a_state_of_prescribed_scale_is_not_joined_with_what_it_meets() -> None:
    text = """g (float[1,4] x, float[1,4] h) => (float[1,3] y, float[1,4] h_out) {
        both = Concat <axis = 1> (h, x)
        y = MatMul (both, w)
        z = MatMul (both, v)
        h_out = Sigmoid (z)
    }"""
    model = frontend.normalize(parse(text, {"w": normal(8, 3), "v": normal(8, 4, seed=1)}))
    frontend.take_states(model)
    groups = specify(model, "highmul").group_of
    assert groups["h"] == groups["h_out"] != groups["x"]
    data = {"x": 40 * normal(16, 6, 4, seed=2)}
    made = quantize_model(model, with_rolled_states(model, Samples.of(data, model)), QuantizeOptions()).model
    graph = lower(made, mode="highmul", name="g")
    (x,), (state,) = graph.inputs, graph.states
    x_quant, h_quant = graph.tensors[x].quant, graph.tensors[state.input].quant
    assert x_quant is not None
    assert x_quant.high > 100  # not saturated to the range of Sigmoid
    assert h_quant is not None
    assert h_quant.scale == (1 / 256,)
    assert graph.tensors[state.output].quant == h_quant


def test_a_cache_is_not_rewritten_for_its_readers() -> None:
    text = """g (float[1,1,4] x, float[1,6,4] past) => (float[1,1,4] y, float[1,6,4] past_out) {
        rest = Slice (past, one, six, one)
        past_out = Concat <axis = 1> (rest, x)
        keys = Transpose <perm = [0, 2, 1]> (past_out)
        scores = MatMul (x, keys)
        shares = Softmax (scores)
        y = MatMul (shares, past_out)
    }"""
    model = frontend.normalize(parse(text, {"one": np.array([1]), "six": np.array([6])}))
    frontend.take_states(model)
    data = {"x": normal(16, 8, 4, seed=2)}
    made = quantize_model(model, with_rolled_states(model, Samples.of(data, model)), QuantizeOptions()).model
    graph = lower(made, mode="highmul", name="g")
    (state,) = graph.states
    assert graph.tensors[state.input].quant == graph.tensors[state.output].quant
    rewritten = [node for node in graph.nodes if node.op == "requantize"]
    assert all(tensor.elements == 4 for node in rewritten for tensor in graph.results(node))


def test_states_are_neither_inputs_nor_outputs_but_for_the_first_output() -> None:
    model = stateful()
    assert [value.name for value in kept_outputs(model)] == ["y"]
    first = frontend.normalize(parse("g (float[1,4] x, float[1,4] h) => (float[1,4] h_out) { h_out = Add(x, h) }"))
    frontend.take_states(first)
    assert [value.name for value in kept_outputs(first)] == ["h_out"]


def foreign(h_scale: float, h_zero: int) -> ir.Model:
    """A quantized model whose state is read at another scale than it is written."""
    text = """g (float[1,4] x, float[1,4] h) => (float[1,4] y, float[1,4] h_out) {
        xq = QuantizeLinear (x, s, z)
        xd = DequantizeLinear (xq, s, z)
        hq = QuantizeLinear (h, hs, hz)
        hd = DequantizeLinear (hq, hs, hz)
        t = Add (xd, hd)
        tq = QuantizeLinear (t, s, z)
        h_out = DequantizeLinear (tq, s, z)
        r = Relu (h_out)
        rq = QuantizeLinear (r, s, z)
        y = DequantizeLinear (rq, s, z)
    }"""
    constants = {"s": np.float32(0.05), "z": np.int8(3), "hs": np.float32(h_scale), "hz": np.int8(h_zero)}
    return parse(text, constants)


def test_foreign_scales_are_joined_by_a_requantize() -> None:
    for scale, zero, joints in ((0.05, 3, 0), (0.025, -7, 1)):
        structured = frontend.normalize_structure(foreign(scale, zero))
        frontend.take_states(structured)
        graph = lower(frontend.normalize_qdq(structured), mode="highmul", name="g")
        assert sum(node.op == "requantize" for node in graph.nodes) == joints
        (state,) = graph.states
        assert graph.tensors[state.input].quant == graph.tensors[state.output].quant


def integer_state(kind: str, body: str) -> ir.Model:
    """A model whose state is an input and an output of integers."""
    text = f"""g (float[1,4] x, {kind}[1,4] h) => (float[1,4] y, {kind}[1,4] h_out) {{
        xq = QuantizeLinear (x, s, z)
        xd = DequantizeLinear (xq, s, z)
        {body}
        td = DequantizeLinear (t, s, z)
        r = Relu (td)
        rq = QuantizeLinear (r, s, z)
        y = DequantizeLinear (rq, s, z)
    }}"""
    zero = np.uint8(131) if kind == "uint8" else np.int8(3)
    return parse(text, {"s": np.float32(0.05), "z": zero, "one": np.ones((1, 4), np.int32)})


ACCUMULATES = """hd = DequantizeLinear (h, s, z)
        sum = Add (xd, hd)
        t = QuantizeLinear (sum, s, z)
        h_out = Identity (t)"""


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_a_state_of_quantized_integers_is_kept_and_begins_at_the_real_zero(kind: str) -> None:
    """The reference, the compiled C and onnxruntime, rolled by hand, give the same; integer zero is another number."""
    model = integer_state(kind, ACCUMULATES)
    compiled = edgeq.compile(model_bytes(model), board="native", name="net")
    (state,) = compiled.manifest.states
    assert (state.input, state.output, state.dtype, state.zero_point) == ("h", "h_out", "int8", 3)
    assert compiled.verify("native", samples=2).ok
    x = normal(1, 7, 4, seed=5)
    session, level = Session(model), np.full((1, 4), 131 if kind == "uint8" else 3, np.dtype(kind))
    emulated = compiled.emulate({"x": x}, "native")
    assert len(emulated.outputs) == 7
    for step, found in enumerate(emulated.outputs):
        given = session.run({"x": x[0, step : step + 1], "h": level})
        level = given["h_out"]
        np.testing.assert_allclose(found["y"], given["y"], atol=1e-6)
    assert (level != level.flat[0]).any()


@pytest.mark.parametrize("kind", ["int16", "int32", "int64"])
def test_a_counter_is_kept_and_begins_at_zero(kind: str) -> None:
    text = f"""g (float[1,4] x, {kind}[1,2] h) => (float[1,4] y, {kind}[1,2] h_out, {kind}[1,2] twice) {{
        y = Relu (x)
        h_out = Add (h, steps)
        twice = Add (h_out, h_out)
    }}"""
    model = parse(text, {"steps": np.array([[1, -3]], kind)})
    data = {"x": normal(6, 5, 4, seed=2)}
    compiled = edgeq.compile(model_bytes(model), data=data, board="native", name="net")
    (state,) = compiled.manifest.states
    assert (state.input, state.dtype, state.scale, state.zero_point) == ("h", kind, None, None)
    assert compiled.verify("native", data=data, samples=3).ok
    emulated = compiled.emulate(data, "native", samples=2)
    twice = [found["twice"] for found in emulated.outputs]
    assert {array.dtype for array in twice} == {np.dtype(kind)}
    assert [array.tolist() for array in twice] == [[[2 * n, -6 * n]] for _ in range(2) for n in range(1, 6)]


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("int32", "t = QuantizeLinear (xd, s, z)\n h_out = Identity (h)", "EQ0308"),
        ("int8", "t = QuantizeLinear (xd, s, z)\n h_out = Identity (h)", "EQ0308"),
    ],
)
def test_a_state_that_is_only_handed_on_is_refused(kind: str, body: str, code: str) -> None:
    model = model_bytes(integer_state(kind, body))
    assert {problem.code for problem in edgeq.check(model).problems} == {code}
    with pytest.raises(EdgeqError, match=code):
        edgeq.compile(model, board="native", sources_only=True)


def test_states_survive_quantize_and_compile(tmp_path: Path) -> None:
    data, model = sequences(8), model_bytes(frontend.normalize(streaming_net()))
    made = edgeq.quantize(model, data, out=tmp_path / "q.onnx", observer="minmax", states={"loudness": "level"})
    entry = {item.key: item.value for item in made.model.metadata_props}[KEY]
    assert all(name in entry for name in ("ring_out", "h_next", "loudness"))
    options = {"board": "native", "sources_only": True, "name": "net"}
    direct = edgeq.compile(model, data, observer="minmax", states={"loudness": "level"}, **options)  # type: ignore[arg-type]
    twice = edgeq.compile(tmp_path / "q.onnx", **options)  # type: ignore[arg-type]
    assert direct.manifest.states == twice.manifest.states
    assert [step.op for step in direct.manifest.program.steps] == [step.op for step in twice.manifest.program.steps]
    assert {state.input for state in twice.manifest.states} == {"ring", "h_prev", "level"}
    assert [note.code for note in twice.notes if note.code == "EQ0149"] == []
    without = edgeq.compile(tmp_path / "q.onnx", recognize_states=False, **options)  # type: ignore[arg-type]
    assert (without.manifest.states, len(without.manifest.inputs)) == ((), 4)


def test_check_says_what_states_take() -> None:
    model = model_bytes(frontend.normalize(streaming_net()))
    found = edgeq.check(model, states={"loudness": "level"})
    assert (found.ok, found.state_bytes) == (True, 16 + 16 + 16)
    assert edgeq.check(model, recognize_states=False).state_bytes == 0
    assert edgeq.check(model, states={"loudness": "nothing"}).problems[0].code == "EQ0145"


@pytest.mark.parametrize("backend", ["tvm", "tflite"])
def test_other_backends_refuse_states(backend: str) -> None:
    pytest.importorskip({"tvm": "tvm", "tflite": "flatbuffers"}[backend])
    model = model_bytes(frontend.normalize(streaming_net()))
    with pytest.raises(EdgeqError, match="EQ0391"):
        edgeq.compile(model, sequences(8), board="native", backends=("c", backend), sources_only=True)


# --- the integer graph -----------------------------------------------------------------------------------------------


def test_zero_states_are_zero_points() -> None:
    graph = Build(2, 3).graph
    graph.add_tensor(Tensor("h", (2, 3), DType.INT8, quant=Quantization.per_tensor(DType.INT8, 0.1, -37)))
    graph.states = (State("h", "x"),)
    np.testing.assert_array_equal(zero_states(graph)["h"], np.full((2, 3), -37, np.int8))


def with_states(graph: Graph, **pairs: str) -> Graph:
    """The graph with states by input, each as the input x."""
    for name in pairs:
        graph.add_tensor(graph.tensors["x"].with_(name=name))
    graph.states = tuple(State(name, output) for name, output in pairs.items())
    return graph


def build(*names: str) -> Build:
    """A graph of vectors with the inputs of some states."""
    b = Build(1, 6)
    with_states(b.graph, **dict.fromkeys(names, "x"))
    return b


def carried(b: Build, output: str, **pairs: str) -> Graph:
    b.graph.states = tuple(State(name, kept) for name, kept in pairs.items())
    return b.done(output)


def accumulator() -> Graph:
    b = build("h")
    total = b.node("add", "sum", "x", "h", **ADD)
    return carried(b, b.lookup("y", total, 1), h=total)


def read_again() -> Graph:
    b = build("h")
    total = b.node("add", "sum", "x", "h", **ADD)
    return carried(b, b.node("add", "y", total, "h", **ADD), h=total)


def swapped() -> Graph:
    b = build("p", "q")
    return carried(b, b.node("add", "y", "p", b.lookup("l", "q", 2), **ADD), p="q", q="p")


def delay_line() -> Graph:
    b = build("one", "two", "three")
    total = b.node("add", "t", b.node("add", "s", "one", "two", **ADD), "three", **ADD)
    return carried(b, b.lookup("y", total, 3), one="x", two="one", three="two")


def one_value_twice() -> Graph:
    b = build("p", "q")
    total = b.node("add", "sum", "p", b.lookup("l", "q", 4), **ADD)
    return carried(b, total, p=total, q=total)


def never_changed() -> Graph:
    b = build("p")
    return carried(b, b.node("add", "y", "x", "p", **ADD), p="p")


def views() -> Graph:
    b = build("p", "q")
    row = b.node("reshape", "row", "p", shape=(6,))
    back = b.node("reshape", "back", row, shape=(1, 6))
    flat = b.node("reshape", "flat", b.lookup("l", "q", 5), shape=(6,))
    again = b.node("reshape", "again", flat, shape=(1, 6))
    b.lookup("y", b.node("add", "sum", "x", again, **ADD), 6)
    b.graph.outputs = ("y", back)
    graph = carried(b, "y", p=again, q=back)
    graph.outputs = ("y", back)
    return graph


GRAPHS: dict[str, tuple[Callable[[], Graph], int]] = {
    "accumulator": (accumulator, 0),
    "read_again": (read_again, 1),
    "swapped": (swapped, 3),
    "delay_line": (delay_line, 3),
    "one_value_twice": (one_value_twice, 1),
    "never_changed": (never_changed, 0),
    "views": (views, 3),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_placed_states_keep_every_bit(name: str) -> None:
    made, copies = GRAPHS[name]
    before, after = made(), made()
    assert place_states.run(after) == copies
    assert place_states.run(after) == 0
    run_passes(after, (place_states.PASS,))
    plan_steps(after, bind_kernels(after, ISA))  # the checker plays the plan twice
    generator = np.random.default_rng(3)
    states = [zero_states(before), zero_states(after)]
    for _ in range(5):
        x = generator.integers(-128, 128, before.tensors["x"].shape).astype(np.int8)
        one, other = run(before, [x], states[0]), run(after, [x], states[1])
        for wanted, got in zip(one.outputs, other.outputs, strict=True):
            np.testing.assert_array_equal(wanted, got)
        states = [one.states, other.states]
        for key, value in one.states.items():
            np.testing.assert_array_equal(value, other.states[key])


def ring() -> Graph:
    """A ring of frames in front of a convolution, as lowered, with a constant frame behind them."""
    b = Build(1, 4, 2)
    source = Source("ring", (0, 1, 2), (1, 4, 3))
    b.graph.add_tensor(b.graph.tensors["x"].with_(name="ring", shape=(1, 4, 3), source=source))
    b.graph.states = (State("ring", "x"),)
    last = b.constant("last", np.arange(4, dtype=np.int8).reshape(1, 4, 1))
    joined = b.node("concat", "joined", "ring", "x", last, axis=2)
    kept = b.node("slice", "kept", joined, starts=(0, 0, 2), ends=(1, 4, 5), steps=(1, 1, 1))
    image = b.node("transpose", "nhwc", b.node("reshape", "image", joined, shape=(1, 4, 1, 6)), perm=(0, 2, 3, 1))
    return carried(b, b.node("transpose", "y", b.conv("c", image, 3, 1, 1), perm=(0, 3, 1, 2)), ring=kept)


def test_a_ring_of_frames_is_kept_channels_last() -> None:
    before, after = ring(), ring()
    run_passes(after, PASSES)
    assert after.tensors["ring"].shape == (1, 3, 4)
    (moved, _) = [node.inputs[0] for node in after.nodes if node.op == "transpose"]  # and the output
    assert moved == "x"
    plan_steps(after, bind_kernels(after, ISA))
    compared, found = BeforePasses(before, after), Comparison("passes")
    generator = np.random.default_rng(4)
    states = [zero_states(before), zero_states(after)]
    for number in range(6):
        x = generator.integers(-128, 128, (1, 4, 2)).astype(np.int8)
        one, other = run(before, [x], states[0]), run(after, [x], states[1])
        np.testing.assert_array_equal(one.outputs[0], other.outputs[0])
        np.testing.assert_array_equal(one.states["ring"], other.states["ring"].transpose(0, 2, 1))
        compared.compare(found, number, compared.run([x], other.tensors), other.tensors)
        states = [one.states, other.states]
    assert found.mismatches == 0
    assert after.states[0].output in found.names
    x = np.zeros((1, 4, 2), np.int8)
    tensors = run(after, [x]).tensors
    spoilt = {**tensors, after.states[0].output: tensors[after.states[0].output] ^ 1}
    compared.compare(found, 6, compared.run([x], tensors), spoilt)
    assert found.mismatches > 0


def test_a_state_is_kept_as_it_is_where_nothing_is_gained() -> None:
    b = Build(1, 4, 2)
    b.graph.add_tensor(b.graph.tensors["x"].with_(name="h"))
    total = b.node("add", "sum", "x", "h", **ADD)
    graph = carried(b, b.lookup("y", total, 1), h=total)
    assert lay_out_states.run(graph) == 0
    assert graph.tensors["h"].shape == (1, 4, 2)


def test_states_are_overwritten_by_kernels_that_may() -> None:
    graph = accumulator()
    steps = bind_kernels(graph, ISA)
    assert {step.node.op: bool(step.call.in_place) for step in steps} == {"add": True, "lookup": True}


def test_states_lie_together_at_the_start_of_the_arena() -> None:
    model = frontend.normalize(streaming_net())
    frontend.take_states(model, LEVEL)
    made = quantize_model(model, with_rolled_states(model, Samples.of(sequences(8), model)), QuantizeOptions()).model
    graph = lower(made, mode="highmul", name="g")
    run_passes(graph, PASSES)
    plan = plan_steps(graph, bind_kernels(graph, ISA))
    assert plan.state_bytes == 48
    for state in graph.states:
        assert plan.offsets[state.input] == plan.offsets[state.output] < plan.state_bytes
    kept = {name for state in graph.states for name in (state.input, state.output)}
    aliases = {node.outputs[0] for node in graph.nodes if node.op == "reshape"}
    assert all(plan.offsets[name] >= 48 for name in plan.offsets.keys() - kept - aliases)


def test_set_states_leaves_no_entry_behind() -> None:
    model = stateful()
    set_states(model, ())
    assert KEY not in model.metadata_props


def test_integers_that_are_inputs_or_constants_are_outputs_as_they_are() -> None:
    text = """g (float[1,4] x, int64[3] n) => (float[1,4] y, int64[2] s, int32[2] number, bool[2] flag, int64[3] same) {
        y = Relu (x)
        s = Shape (x)
        number = Constant <value = int32[2] {5, -7}> ()
        flag = Constant <value = bool[2] {1, 0}> ()
        same = Identity (n)
    }"""
    data = {"x": normal(40, 1, 4, seed=2), "n": np.arange(120).reshape(40, 3)}
    compiled = edgeq.compile(model_bytes(parse(text)), data=data, board="native", name="net")
    assert compiled.verify("native", data=data, samples=3).ok
    (found,) = compiled.emulate(data, "native", samples=1).outputs
    assert [found[name].tolist() for name in ("s", "number", "flag")] == [[1, 4], [5, -7], [True, False]]
    assert found["same"].tolist() == [0, 1, 2]
