"""Features as ONNX models: what they compute, at once and step by step, and how they come in front of a model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

import edgeq
from edgeq.api import FeatureChoices
from edgeq.cli.main import run
from edgeq.errors import EdgeqError
from edgeq.frontend import join_features
from edgeq.numerics.array import Array
from edgeq.onnxio.features import FeatureOptions, mel_weights, window_of
from edgeq.onnxio.reader import read_model_bytes
from edgeq.onnxio.states import states_of
from tests.conformance.node_tests import run_float

SMALL: Mapping[str, Any] = {"samples": 1000, "frame": 200, "step": 100, "mels": 12, "coefficients": 5}
SIGNAL = np.random.default_rng(4).normal(scale=0.1, size=(1, 1000)).astype(np.float32)


def proto_of(content: bytes) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.ParseFromString(content)
    return model


def by_hand(signal: Array, *, power: int = 1) -> Array:
    """Logarithms of bands, float64 [frames, bands]."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 200)
    frames = np.lib.stride_tricks.sliding_window_view(signal.reshape(-1).astype(np.float64), 200)[::100] * window
    energy = np.abs(np.fft.rfft(frames, 256)) ** power
    found: Array = np.log(energy @ mel_weights(256, 16000, 12, 20.0, 4000.0) + 1e-6)
    return found


def cosines() -> Array:
    angle = np.pi / 12 * (np.arange(12)[:, np.newaxis] + 0.5) * np.arange(5)
    found: Array = np.sqrt(2 / 12) * np.cos(angle)
    return found


@pytest.mark.parametrize("power", [1, 2])
def test_bands_are_those_of_the_definition(power: int) -> None:
    (found,) = run_float(proto_of(edgeq.features("logmel", power=power, **SMALL)), {"signal": SIGNAL})
    assert found.shape == (1, 9, 12)
    assert np.abs(found[0] - by_hand(SIGNAL, power=power)).max() < 1e-3


def test_coefficients_are_cosines_of_bands() -> None:
    (found,) = run_float(proto_of(edgeq.features("mfcc", shape=(1, 1, 9, 5), **SMALL)), {"signal": SIGNAL})
    assert found.shape == (1, 1, 9, 5)
    assert np.abs(found[0, 0] - by_hand(SIGNAL) @ cosines()).max() < 1e-3


def test_signal_over_its_peak_and_bands_first() -> None:
    model = edgeq.features("logmel", normalize="peak", bands_first=True, **SMALL)
    (found,) = run_float(proto_of(model), {"signal": SIGNAL})
    assert np.abs(found[0].T - by_hand(SIGNAL / SIGNAL.max())).max() < 1e-3
    (silent,) = run_float(proto_of(model), {"signal": np.zeros_like(SIGNAL)})
    assert np.allclose(silent, np.log(1e-6))


def test_last_frame_may_end_with_the_signal() -> None:
    """A transform is longer than its frame: zeros follow the signal."""
    (found,) = run_float(proto_of(edgeq.features("logmel", **SMALL)), {"signal": SIGNAL})
    (long,) = run_float(
        proto_of(edgeq.features("logmel", **(dict(SMALL) | {"samples": 1100}))),
        {"signal": np.pad(SIGNAL, [(0, 0), (0, 100)])},
    )
    assert np.allclose(found, long[:, :9], atol=1e-5)


@pytest.mark.parametrize(("name", "ends"), [("hann", 0.0), ("hamming", 0.08), ("blackman", 0.0), ("none", 1.0)])
def test_windows_are_periodic(name: str, ends: float) -> None:
    found = window_of(name, 64)
    assert found[0] == pytest.approx(ends, abs=1e-12)
    assert found[32] == pytest.approx(1.0)
    assert np.allclose(found[1:], found[1:][::-1])


def test_motion_is_scaled_and_centred() -> None:
    motion = np.random.default_rng(1).normal(size=(1, 50, 3)).astype(np.float32) * 4000
    model = edgeq.features("imu", samples=50, range=4000.0, center=True, bands_first=True, shape=(1, 3, 50, 1))
    (found,) = run_float(proto_of(model), {"signal": motion})
    assert np.abs(found[0, :, :, 0].T - (motion - motion.mean(1, keepdims=True))[0] / 4000).max() < 1e-6


def test_streamed_features_are_those_of_the_last_samples() -> None:
    padded = np.pad(SIGNAL, [(0, 0), (100, 0)])
    found = streamed(proto_of(edgeq.features("mfcc", stream=True, **SMALL)), padded)
    # The first frame of the stream begins before the signal, and has left the window by now.
    assert np.abs(found[0] - (by_hand(padded)[-9:] @ cosines())).max() < 1e-3


def streamed(model: onnx.ModelProto, signal: Array) -> Array:
    """The features behind the last of the steps, of 100 samples."""
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in model.graph.input}
    state = {name: np.zeros(size, np.float32) for name, size in shapes.items() if name != "signal"}
    named: dict[str, Array] = {}
    for start in range(0, signal.size, 100):
        results = run_float(model, {"signal": signal[:, start : start + 100], **state})
        named = dict(zip((value.name for value in model.graph.output), results, strict=True))
        state = {name: named[f"{name}_out"] for name in state}
    return named["features"]


def normalized(bands: Array, before: Array) -> Array:
    """Per-channel energy normalization of logarithms of energies [frames, bands], with what was smoothed before."""
    found, energies = [], np.exp(bands)
    for energy in energies:
        before = 0.8 * before + 0.2 * energy
        found.append((energy / before**0.9 + 1.5) ** 0.4 - 1.5**0.4)
    return np.stack(found)


PCEN: Mapping[str, Any] = dict(SMALL) | {"smooth": 0.2, "gain": 0.9, "bias": 1.5, "root": 0.4}


@pytest.mark.parametrize("frames", [1, 2, 3, 8, 9])
def test_energies_are_normalized_by_what_was_smoothed(frames: int) -> None:
    samples = 200 + 100 * (frames - 1)
    model = proto_of(edgeq.features("pcen", **(dict(PCEN) | {"samples": samples})))
    (found,) = run_float(model, {"signal": SIGNAL[:, :samples]})
    bands = by_hand(SIGNAL[:, :samples])
    assert np.abs(found[0] - normalized(bands, np.exp(bands[0]))).max() < 1e-5


def test_nothing_is_smoothed_where_the_newest_frame_is_all() -> None:
    (found,) = run_float(proto_of(edgeq.features("pcen", **(dict(PCEN) | {"smooth": 1.0}))), {"signal": SIGNAL})
    assert np.allclose(found[0], (np.exp(0.1 * by_hand(SIGNAL)) + 1.5) ** 0.4 - 1.5**0.4, atol=1e-5)


def test_streamed_energies_begin_with_silence() -> None:
    found = streamed(proto_of(edgeq.features("pcen", stream=True, **PCEN)), np.pad(SIGNAL, [(0, 0), (100, 0)]))
    wanted = normalized(by_hand(np.pad(SIGNAL, [(0, 0), (100, 0)])), np.full(12, 1e-6))
    assert np.abs(found[0] - wanted[-9:]).max() < 1e-4


WRONG: Mapping[str, tuple[str, dict[str, Any]]] = {
    "a frame longer than the signal": ("logmel", {"frame": 2000}),
    "a transform shorter than the frame": ("logmel", {"fft": 128}),
    "a transform of no power of two": ("logmel", {"fft": 300}),
    "bands beyond half the rate": ("logmel", {"high": 9000.0}),
    "no such window": ("logmel", {"window": "kaiser"}),
    "a power of three": ("logmel", {"power": 3}),
    "epsilon below zero": ("logmel", {"epsilon": -1.0}),
    "more coefficients than bands": ("mfcc", {"coefficients": 13}),
    "another number of elements": ("mfcc", {"shape": (1, 9, 6)}),
    "a step of nothing": ("logmel", {"step": 0}),
    "a range of nothing": ("imu", {"range": 0.0}),
    "a peak of a stream": ("logmel", {"stream": True, "normalize": "peak"}),
    "streamed motion": ("imu", {"stream": True}),
    "nothing of the newest frame": ("pcen", {"smooth": 0.0}),
    "more than the newest frame": ("pcen", {"smooth": 1.5}),
    "a negative exponent": ("pcen", {"gain": -1.0}),
    "no root": ("pcen", {"root": 0.0}),
    "a negative bias": ("pcen", {"bias": -0.1}),
    "a logarithm of silence": ("pcen", {"epsilon": 0.0}),
}


@pytest.mark.parametrize("case", WRONG)
def test_choices_that_contradict_each_other_are_refused(case: str) -> None:
    kind, choices = WRONG[case]
    with pytest.raises(EdgeqError, match="EQ0150"):
        edgeq.features(kind, **(dict(SMALL) | choices))  # type: ignore[arg-type]


def test_other_kinds_are_refused() -> None:
    with pytest.raises(EdgeqError, match="EQ0193"):
        edgeq.features("spectrum")  # type: ignore[arg-type]


def test_every_option_is_a_choice() -> None:
    assert [field.name for field in dataclasses.fields(FeatureOptions)] == [*FeatureChoices.__annotations__]


def test_command_writes_what_the_call_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "f.onnx"
    given = ["--samples", "1000", "--frame", "200", "--step", "100", "--mels", "12", "--coefficients", "5"]
    assert run(["features", "mfcc", *given, "--shape", "1,9,5,1", "-o", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["input_shape"], document["shape"]) == ([1, 1000], [1, 9, 5, 1])
    assert out.read_bytes().startswith(edgeq.features("mfcc", shape=(1, 9, 5, 1), **SMALL))
    assert run(["features", "logmel", "-o", str(out)]) == 0  # edgeq's own file is replaced
    out.write_bytes(b"mine")
    assert run(["features", "logmel", "-o", str(out)]) == 2
    assert "EQ0124" in capsys.readouterr().err
    assert run(["features", "logmel", "--shape", "1,x", "-o", str(tmp_path / "g.onnx")]) == 2


def net(*inputs: tuple[str, int, tuple[int | str, ...]]) -> onnx.ModelProto:
    """A model that adds the sums of its inputs."""
    sums = [
        helper.make_node("ReduceSum", [name], [f"sum_{name}"], name=f"of_{name}", keepdims=0) for name, _, _ in inputs
    ]
    added = helper.make_node("Sum", [f"sum_{name}" for name, _, _ in inputs], ["y"], name="log_7")
    return helper.make_model(
        helper.make_graph(
            [*sums, added],
            "net",
            [helper.make_tensor_value_info(*each) for each in inputs],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ())],
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )


def joined(features: bytes, model: onnx.ModelProto) -> ir.Model:
    return join_features(read_model_bytes(features), read_model_bytes(model.SerializeToString()))


@pytest.mark.parametrize("shape", [(1, 9, 12), ("N", 9, 12), ("N", "T", 12)])
def test_one_result_feeds_the_one_input(shape: tuple[int | str, ...]) -> None:
    model = joined(edgeq.features("logmel", **SMALL), net(("log_6", TensorProto.FLOAT, shape)))
    assert [value.name for value in model.graph.inputs] == ["signal"]
    (found,) = run_float(ir.to_proto(model), {"signal": SIGNAL})
    assert found == pytest.approx(by_hand(SIGNAL).sum(), rel=1e-4)


def test_names_that_both_have_are_kept_apart() -> None:
    model = joined(edgeq.features("logmel", **SMALL), net(("signal", TensorProto.FLOAT, (1, 9, 12))))
    assert [value.name for value in model.graph.inputs] == ["signal"]
    other = net(("x", TensorProto.FLOAT, (1, 9, 12)), ("signal", TensorProto.FLOAT, (2,)))
    model = joined(edgeq.features("logmel", result="x", **SMALL), other)
    assert [value.name for value in model.graph.inputs] == ["features_signal", "signal"]
    given = {"features_signal": SIGNAL, "signal": np.ones(2, np.float32)}
    assert run_float(ir.to_proto(model), given)[0] == pytest.approx(by_hand(SIGNAL).sum() + 2, rel=1e-4)


def test_states_of_features_are_states_of_the_model() -> None:
    model = joined(edgeq.features("logmel", stream=True, **SMALL), net(("x", TensorProto.FLOAT, (1, 9, 12))))
    assert [(state.input, state.output) for state in states_of(model)] == [
        ("samples_state", "samples_state_out"),
        ("rows_state", "rows_state_out"),
    ]
    assert [value.name for value in model.graph.outputs] == ["y", "samples_state_out", "rows_state_out"]


MISFITS: Mapping[str, tuple[str, onnx.ModelProto]] = {
    "another shape": ("EQ0239", net(("x", TensorProto.FLOAT, (1, 9, 12, 1)))),
    "other sizes": ("EQ0239", net(("x", TensorProto.FLOAT, ("N", 12, 9)))),
    "another type": ("EQ0239", net(("x", TensorProto.DOUBLE, (1, 9, 12)))),
    "two inputs and no name": (
        "EQ0238",
        net(("x", TensorProto.FLOAT, (1, 9, 12)), ("z", TensorProto.FLOAT, (1, 9, 12))),
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_features_that_do_not_fit_are_refused(case: str) -> None:
    code, model = MISFITS[case]
    with pytest.raises(EdgeqError, match=code):
        joined(edgeq.features("logmel", **SMALL), model)
