"""From samples to a class in one firmware: the features are a part of the integer graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import normal, parse, sqnr_db

import edgeq
from edgeq.frontend import join_features
from edgeq.ir import DType
from edgeq.numerics.array import Array
from edgeq.onnxio import Session, model_bytes, write_model
from edgeq.onnxio.reader import read_model_bytes

SMALL: Final[dict[str, Any]] = {"samples": 1200, "frame": 200, "step": 100, "mels": 16}
FRAMES, BANDS = 11, 16


def tones(count: int, seed: int = 1) -> Array:
    """Tones of any height and loudness over noise, int16 over its range, float32 [count, samples]."""
    draw = np.random.default_rng(seed)
    time = np.arange(1200) / 16000
    tone = np.sin(2 * np.pi * draw.uniform(100, 3900, (count, 1)) * time) * 10 ** draw.uniform(-3, -0.1, (count, 1))
    found = tone + draw.normal(size=tone.shape) * 10 ** draw.uniform(-4, -2, (count, 1))
    return (np.round(found.clip(-1, 1) * 32767) / 32768).astype(np.float32)


def classifier() -> ir.Model:
    text = f"""g (float[1,{FRAMES},{BANDS}] rows) => (float[1,4] y) {{
        f = Reshape (rows, flat)
        h = Gemm <transB = 1> (f, w, b)
        r = Relu (h)
        y = Gemm <transB = 1> (r, v, c)
    }}"""
    constants = {"flat": np.array([1, FRAMES * BANDS]), "w": normal(12, FRAMES * BANDS, seed=2, scale=0.05)}
    constants |= {"b": normal(12, seed=3), "v": normal(4, 12, seed=4), "c": normal(4, seed=5)}
    return parse(text, constants)


@pytest.mark.qemu
@pytest.mark.parametrize("choices", [{}, {"power": 2, "normalize": "peak"}], ids=["magnitudes", "powers_of_peak"])
def test_samples_become_classes_on_every_runner(choices: dict[str, Any], tmp_path: Path) -> None:
    model = classifier()
    front = edgeq.features("logmel", **SMALL, **choices)
    compiled = edgeq.compile(
        model_bytes(model), tones(64), features=front, board="mps2-an386", out=tmp_path / "net", name="tones"
    )
    steps = {step.op: step for step in compiled.manifest.program.steps}
    assert steps["log_mel"].kernel == "eq_log_mel"
    (given,) = compiled.manifest.inputs
    assert given.name == "signal"
    assert given.quantization is not None
    assert given.quantization.dtype is DType.INT16
    assert compiled.manifest.sources.features_sha256 is not None
    assert compiled.verify(["native", "qemu"], samples=4).ok
    whole = join_features(read_model_bytes(front), model)
    session = Session(whole)
    wanted = np.stack([session.run({"signal": x[np.newaxis]})["y"] for x in tones(40, seed=8)])
    got = np.stack([found["y"] for found in compiled.emulate(tones(40, seed=8), "native").outputs])
    assert sqnr_db(wanted, got.reshape(wanted.shape)) > 25


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_normalized_energies_are_integers(stream: bool, tmp_path: Path) -> None:
    front = edgeq.features("pcen", stream=stream, **SMALL)
    signals = tones(64).reshape(64, 12, 100) if stream else tones(64)
    compiled = edgeq.compile(front, signals, board="native", scheme="w8a16", out=tmp_path / "net", name="pcen")
    assert compiled.verify(samples=3).ok
    if not stream:
        session = Session(read_model_bytes(front))
        wanted = np.stack([session.run({"signal": x[np.newaxis]})["features"] for x in tones(40, seed=8)])
        got = np.stack([found["features"] for found in compiled.emulate(tones(40, seed=8), "native").outputs])
        assert sqnr_db(wanted, got.reshape(wanted.shape)) > 35


def test_streamed_samples_become_classes(tmp_path: Path) -> None:
    front = edgeq.features("logmel", stream=True, **SMALL)
    steps = tones(48).reshape(48, 12, 100)
    compiled = edgeq.compile(
        model_bytes(classifier()), steps, features=front, board="native", out=tmp_path / "net", name="tones"
    )
    assert [state.input for state in compiled.manifest.states] == ["samples_state", "rows_state"]
    assert compiled.verify(samples=3).ok


def test_coefficients_in_front_of_a_quantized_model(tmp_path: Path) -> None:
    quantized = edgeq.quantize(model_bytes(classifier()), normal(40, FRAMES, BANDS, scale=3.0) - 5)
    front = edgeq.features("logmel", **SMALL)
    compiled = edgeq.compile(
        quantized.content, tones(64), features=front, board="native", out=tmp_path / "net", name="tones"
    )
    assert compiled.manifest.program.steps[0].op == "log_mel"
    assert compiled.verify(samples=3).ok


def test_saved_features_are_read_and_kept(tmp_path: Path) -> None:
    """The command's way: files; the QDQ model brings the function along and is compiled without the features."""
    model, front, out = tmp_path / "net.onnx", tmp_path / "f.onnx", tmp_path / "q.onnx"
    write_model(classifier(), model)
    edgeq.features("logmel", out=front, **SMALL)
    edgeq.quantize(model, tones(64), features=front, out=out)
    found = [edgeq.compile(out, board="native", out=tmp_path / "a", name="tones")]
    found.append(edgeq.compile(model, tones(64), features=front, board="native", out=tmp_path / "b", name="tones"))
    assert len({each.manifest.graph_sha256 for each in found}) == 1
    assert not edgeq.check(model, features=front).problems
    assert [problem.code for problem in edgeq.check(model, features=model).problems] == ["EQ0239"]


def test_motion_in_front_of_a_model(tmp_path: Path) -> None:
    front = edgeq.features("imu", samples=FRAMES, axes=BANDS, range=4000.0, center=True)
    motion = np.round(normal(40, FRAMES, BANDS, scale=1500.0)).astype(np.int16)
    compiled = edgeq.compile(
        model_bytes(classifier()), {"x": motion, "y": np.zeros(40, np.int64)}, features=front, board="native", name="a",
        out=tmp_path / "net",
    )  # fmt: skip
    assert compiled.verify(samples=3).ok


@pytest.mark.slow
def test_keywords_from_audio_are_as_accurate_as_in_float(data_dir: Path, tmp_path: Path) -> None:
    """The published features of the model, from 16-bit samples to the class, over all clips of the set."""
    front = edgeq.features("mfcc", normalize="peak", shape=(1, 49, 10, 1))
    compiled = edgeq.compile(
        data_dir / "models" / "kws_dscnn.onnx",
        data_dir / "data" / "kws_audio_calib.npz",
        features=front,
        board="mps2-an386",
        out=tmp_path / "kws",
    )
    result = compiled.eval(data_dir / "data" / "kws_audio_eval.npz", on=["float", "reference"])
    accuracy = {each.on: each.value for each in result.results}
    assert accuracy["float"] > 0.9
    assert abs(accuracy["reference"] - accuracy["float"]) <= 0.01
    assert compiled.verify(["native", "qemu"], data_dir / "data" / "kws_audio_eval.npz", samples=20).ok
