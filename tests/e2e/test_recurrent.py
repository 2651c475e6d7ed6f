"""Recurrent layers from ONNX to firmware: exports of both kinds, states over many steps, close to the float model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import normal, parse, sqnr_db

import edgeq
from edgeq.folder import Compiled
from edgeq.frontend import normalize
from edgeq.ir import DType
from edgeq.numerics.array import Array
from edgeq.onnxio import Session, model_bytes

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
INPUTS, UNITS, STEPS = 6, 10, 20


def weights(kind: str, directions: int = 1, seed: int = 1) -> dict[str, Array]:
    rows = GATES[kind] * UNITS
    return {
        "w": normal(directions, rows, INPUTS, seed=seed, scale=0.4),
        "r": normal(directions, rows, UNITS, seed=seed + 1, scale=0.3),
        "b": normal(directions, 2 * rows, seed=seed + 2, scale=0.2),
    }


def exported(kind: str, attributes: str = "") -> ir.Model:
    """What torch writes for a batch-first layer whose last step is classified."""
    text = f"""g (float[1,{STEPS},{INPUTS}] x) => (float[1,4] y) {{
        t = Transpose <perm = [1, 0, 2]> (x)
        s, h = {kind} <hidden_size = {UNITS}{attributes}> (t, w, r, b, , zero)
        q = Squeeze (s, one)
        d = Transpose <perm = [1, 0, 2]> (q)
        l = Gather <axis = 1> (d, minus)
        y = Gemm <transB = 1> (l, v, c)
    }}"""
    constants: dict[str, Any] = weights(kind)
    constants |= {"one": np.array([1]), "minus": np.array(-1), "zero": np.zeros((1, 1, UNITS), np.float32)}
    return parse(text, constants | {"v": normal(4, UNITS, seed=7), "c": normal(4, seed=8)})


def samples(count: int, seed: int = 3) -> Array:
    return normal(count, STEPS, INPUTS, seed=seed)


@pytest.mark.qemu
@pytest.mark.parametrize(("kind", "attributes"), [("LSTM", ""), ("GRU", ", linear_before_reset = 1"), ("RNN", "")])
def test_a_layer_is_close_to_the_float_model_on_every_runner(kind: str, attributes: str, tmp_path: Path) -> None:
    model = exported(kind, attributes)
    given = model_bytes(model)
    compiled = edgeq.compile(given, samples(64), board="mps2-an386", out=tmp_path / "net")
    (layer,) = [step for step in compiled.manifest.program.steps if step.op == kind.lower()]
    assert layer.kernel == f"eq_{kind.lower()}"
    assert compiled.verify(["native", "qemu"], samples=4).ok
    inputs = samples(40, seed=9)
    session = Session(model)
    wanted = np.stack([session.run({"x": x[np.newaxis]})["y"] for x in inputs])
    got = np.stack([found["y"] for found in compiled.emulate(inputs, "native").outputs])
    assert sqnr_db(wanted, got.reshape(wanted.shape)) > 25


def test_only_the_last_step_of_a_sequence_is_kept() -> None:
    found = normalize(exported("LSTM"))
    (layer,) = [node for node in found.graph if node.op_type == "LSTM"]
    assert not layer.outputs[0].name  # the sequence
    assert layer.outputs[1].uses()
    assert len(layer.inputs) == 4  # no states of zeros


@pytest.mark.parametrize("kind", GATES)
def test_both_directions_are_two_layers_with_the_same_values(kind: str) -> None:
    text = f"""g (float[{STEPS},1,{INPUTS}] x) => (float[{STEPS},2,1,{UNITS}] y, float[2,1,{UNITS}] h) {{
        y, h = {kind} <hidden_size = {UNITS}, direction = "bidirectional"> (x, w, r, b)
    }}"""
    model = parse(text, weights(kind, directions=2))
    found = normalize(model)
    layers = [node for node in found.graph if node.op_type == kind]
    assert len(layers) == 2
    x = normal(STEPS, 1, INPUTS)
    got, wanted = Session(found).run({"x": x}), Session(model).run({"x": x})
    for name in ("y", "h"):
        assert np.allclose(got[name], wanted[name], atol=1e-6)


def test_batch_first_layers_are_turned() -> None:
    """onnxruntime has no layout 1: the truth is the layer of layout 0 between transposes."""
    constants = weights("GRU")
    first = parse(
        f"""g (float[1,{STEPS},{INPUTS}] x) => (float[1,{STEPS},1,{UNITS}] y, float[1,1,{UNITS}] h) {{
            y, h = GRU <hidden_size = {UNITS}, layout = 1> (x, w, r, b)
        }}""",
        constants,
    )
    second = parse(
        f"""g (float[1,{STEPS},{INPUTS}] x) => (float[1,{STEPS},1,{UNITS}] y, float[1,1,{UNITS}] h) {{
            t = Transpose <perm = [1, 0, 2]> (x)
            s, k = GRU <hidden_size = {UNITS}> (t, w, r, b)
            y = Transpose <perm = [2, 0, 1, 3]> (s)
            h = Transpose <perm = [1, 0, 2]> (k)
        }}""",
        constants,
    )
    x = normal(1, STEPS, INPUTS)
    got, wanted = Session(normalize(first)).run({"x": x}), Session(second).run({"x": x})
    assert all(np.allclose(got[name], wanted[name], atol=1e-6) for name in ("y", "h"))


def step_model() -> ir.Model:
    """One step of an LSTM, whose hidden values and cell come from the step before."""
    text = f"""g (float[1,1,{INPUTS}] x, float[1,1,{UNITS}] h, float[1,1,{UNITS}] c)
        => (float[1,1,1] y, float[1,1,{UNITS}] h_out, float[1,1,{UNITS}] c_out) {{
        s, h_out, c_out = LSTM <hidden_size = {UNITS}> (x, w, r, b, , h, c)
        f = Reshape (h_out, flat)
        z = Gemm <transB = 1> (f, v)
        p = Sigmoid (z)
        y = Reshape (p, whole)
    }}"""
    constants: dict[str, Any] = weights("LSTM")
    constants |= {"flat": np.array([1, UNITS]), "whole": np.array([1, 1, 1]), "v": normal(1, UNITS, seed=7)}
    return parse(text, constants)


def sequences(count: int, steps: int, seed: int = 4) -> Array:
    return normal(count, steps, 1, 1, INPUTS, seed=seed)


@pytest.mark.qemu
def test_states_are_int16_and_the_same_everywhere(tmp_path: Path) -> None:
    model = step_model()
    compiled = edgeq.compile(model_bytes(model), sequences(24, 12), board="mps2-an386", out=tmp_path / "net")
    assert sorted(state.input for state in compiled.manifest.states) == ["c", "h"]
    folder = Compiled.open(Path(compiled.folder))
    assert {folder.graph.tensors[state.input].dtype for state in folder.graph.states} == {DType.INT16}
    assert compiled.verify(["native", "qemu"], sequences(2, 40), samples=2).ok
    data = sequences(1, 200, seed=6)
    session = Session(model)
    state = {"h": np.zeros((1, 1, UNITS), np.float32), "c": np.zeros((1, 1, UNITS), np.float32)}
    wanted = []
    for x in data[0]:
        found = session.run({"x": x, **state})
        state = {"h": found["h_out"], "c": found["c_out"]}
        wanted.append(float(found["y"].reshape(())))
    got = [float(each["y"].reshape(())) for each in compiled.emulate(data, "native").outputs]
    assert np.abs(np.array(got) - wanted).max() < 0.05
    # No drift: late steps are as close as early ones.
    apart = np.abs(np.array(got) - wanted)
    assert apart[-50:].mean() < 2 * apart[:50].mean() + 1 / 256


@pytest.mark.slow
def test_ten_thousand_steps_are_the_same_on_the_host(tmp_path: Path) -> None:
    given = model_bytes(step_model())
    compiled = edgeq.compile(given, sequences(24, 12), board="native", out=tmp_path / "net")
    assert compiled.verify("native", sequences(1, 10_000), samples=1).ok
