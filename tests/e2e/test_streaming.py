"""Streaming models from ONNX to firmware: sequences give the same bits on every runner, and states can be saved."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streaming_models import CHANNELS, FRAMES, TIME_STEPS, sequences, streaming_net

import edgeq
from edgeq import frontend
from edgeq.analysis import verify
from edgeq.analysis.executors import execute, require_image
from edgeq.analysis.metrics import rank_auc
from edgeq.analysis.model_values import open_samples, quantized_inputs, random_inputs
from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.interp import run
from edgeq.onnxio import model_bytes
from edgeq.runners.base import RunResult

STATES = {"loudness": "level"}
# AUC over the 500 clips of the publisher's model in float; its own int8 file has .9688.
MWW_FLOAT, MWW_LOSS = 0.9699, 0.003


@pytest.fixture(scope="module")
def model() -> bytes:
    return model_bytes(frontend.normalize(streaming_net()))


@pytest.fixture(scope="module")
def compiled(model: bytes, tmp_path_factory: pytest.TempPathFactory) -> edgeq.CompiledModel:
    out = tmp_path_factory.mktemp("streaming") / "net"
    data = sequences(24)
    return edgeq.compile(model, data, board="mps2-an386", states=STATES, name="net", observer="minmax", out=out)


@pytest.fixture(scope="module")
def folder(compiled: edgeq.CompiledModel) -> Compiled:
    return Compiled.open(Path(compiled.folder))


@pytest.mark.qemu
def test_sequences_give_the_same_bits_everywhere(compiled: edgeq.CompiledModel) -> None:
    assert (compiled.manifest.program.state_bytes, len(compiled.manifest.states)) == (48, 3)
    for data in (None, sequences(3, seed=5)):
        found = compiled.verify(["native", "qemu"], data, samples=3)
        assert found.ok
        assert found.samples == 3


@pytest.mark.qemu
def test_accuracy_is_the_same_on_every_runner(compiled: edgeq.CompiledModel) -> None:
    data = sequences(12, seed=6)
    found = compiled.eval(data, ["reference", "native", "qemu"])
    assert (found.metric, found.samples, found.time_steps, found.reduce) == ("auc", 12, TIME_STEPS, "max")
    assert found.value is not None  # the runners agree
    scores = np.array([float(each["y"].reshape(())) for each in compiled.emulate(data, "native").outputs])
    by_sequence = scores.reshape(12, TIME_STEPS)
    assert found.value == rank_auc(by_sequence.max(axis=1), data["y"])
    for reduce, reduced in (("last", by_sequence[:, -1]), ("mean", by_sequence.mean(axis=1))):
        assert compiled.eval(data, "native", reduce=reduce).value == rank_auc(reduced, data["y"])
    assert compiled.eval(data, metric="mse").reduce is None
    with pytest.raises(EdgeqError, match="EQ0109"):
        compiled.eval(data, reduce="median")


def test_a_reduction_needs_time_steps(example: Any, compiled_example: Callable[..., Path]) -> None:
    with pytest.raises(EdgeqError, match="no time steps to reduce"):
        edgeq.load(compiled_example()).eval(example.evaluation, samples=10, reduce="max")


@pytest.mark.qemu
def test_emulate_resets_before_every_sequence(compiled: edgeq.CompiledModel, folder: Compiled) -> None:
    data = sequences(1, seed=7)
    twice = {"x": np.concatenate([data["x"], data["x"]])}
    for runner in ("native", "qemu"):
        found = compiled.emulate(twice, runner)
        assert (len(found.raw), found.time_steps, found.to_json()["samples"]) == (2 * TIME_STEPS, TIME_STEPS, 2)
        first, second = found.raw[:TIME_STEPS], found.raw[TIME_STEPS:]
        for one, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(one[0], other[0])
        states = None
        for given, raw in zip(quantized_inputs(folder, open_samples(folder, data), 1).runs, first, strict=True):
            execution = run(folder.graph, given, states)
            states = execution.states
            np.testing.assert_array_equal(raw[0].reshape(-1), execution.outputs[0].reshape(-1))
        assert len({raw[0].tobytes() for raw in first}) > 1  # the states matter


def test_a_lost_state_is_seen_and_named(folder: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    real = execute

    def wrong(where: Compiled, name: str, inputs: Any, **options: Any) -> RunResult:
        found = real(where, name, inputs, **options)
        assert found.steps is not None
        if options["first_sample"] == 8:  # the second random sequence
            spoilt = found.steps[3][2][0].copy()
            spoilt.reshape(-1)[0] ^= 1
            found.steps[3][2][0] = spoilt
        return found

    monkeypatch.setattr(verify, "execute", wrong)
    found = verify.verify_folder(folder, ["native"], 4).to_json()
    assert (found["ok"], found["samples"]) == (False, 4)
    first = found["first_mismatch"]
    assert (first["sample"], first["time_step"], first["step"]) == (1, 3, 2)


def test_runners_that_reset_no_states_are_refused(folder: Compiled) -> None:
    for name in ("tvm", "tvm-qemu", "tflite"):
        with pytest.raises(EdgeqError, match="EQ0391"):
            require_image(folder, name)
    assert len(random_inputs(folder, 3).runs) == 3 * (random_inputs(folder, 3).length or 0)


@pytest.mark.qemu
def test_commands_of_the_readme(
    root: Path, model: bytes, tmp_path: Path, run_edgeq: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "vad.onnx").write_bytes(model)
    np.savez(tmp_path / "calib.npz", x=sequences(8)["x"])
    np.savez(tmp_path / "eval.npz", **sequences(4, seed=5))  # type: ignore[arg-type]
    section = (root / "README.md").read_text("utf-8").partition("## Streaming models")[2].partition("\n## ")[0]
    (block,) = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    told = []
    for line in block.strip().splitlines():
        done = run_edgeq(*shlex.split(line)[1:], cwd=tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        told.append(done.stdout)
    compiled, verified, evaluated, emulated = told
    assert "h_next=h_prev" in compiled  # told
    assert "states 48" in compiled
    assert "native and qemu agree with the reference" in verified
    assert f"auc of 4 sequences of {TIME_STEPS} time steps, max of each" in evaluated
    assert f"0.{TIME_STEPS - 1}  y" in emulated


PROGRAM = """
#include <stdio.h>
#include "net.h"
static NET_ALIGNED uint8_t arena[NET_ARENA_BYTES];
static uint8_t kept[NET_STATE_BYTES];
static int step(int seed) {
  NET_INPUT_0_TYPE *x = (NET_INPUT_0_TYPE *)(arena + NET_INPUT_0_OFFSET);
  for (int i = 0; i < NET_INPUT_0_ELEMENTS; i++) x[i] = (NET_INPUT_0_TYPE)((seed * 37 + i * 11) % 200 - 100);
  net_run(arena);
  return ((NET_OUTPUT_0_TYPE *)(arena + NET_OUTPUT_0_OFFSET))[0];
}
int main(void) {
  for (int i = 0; i < NET_ARENA_BYTES; i++) arena[i] = 0x5a;
  net_state_reset(arena);
  for (int i = 0; i < 4; i++) printf("%d ", step(i));
  net_state_save(arena, kept);
  printf("%d ", step(4));
  for (int i = NET_STATE_BYTES; i < NET_ARENA_BYTES; i++) arena[i] = 0xa5; /* the application's between two runs */
  net_state_restore(arena, kept);
  printf("%d ", step(4));
  net_state_reset(arena);
  printf("%d\\n", step(0));
  return 0;
}
"""


@pytest.mark.parametrize("language", ["c11", "c++11"])
def test_an_application_resets_saves_and_restores(
    language: str, model: bytes, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    gcc = needs_program("gcc" if language == "c11" else "g++")
    out = tmp_path / "net"
    made = edgeq.compile(
        model, sequences(8), board="native", states=STATES, name="net", observer="minmax", sources_only=True, out=out
    )
    example = (out / "example" / "main.c").read_text()
    assert example.index("net_state_reset(arena)") < example.index("net_run(arena)")
    flags = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", f"-I{out}", f"-I{out / 'runtime'}"]
    (tmp_path / "app.c").write_text(PROGRAM)
    kind = ["-x", "c" if language == "c11" else "c++", f"-std={language}"]
    for source in (tmp_path / "app.c", out / "example" / "main.c"):
        program = tmp_path / source.stem
        sources = [source, out / "net.c", out / "net_weights.c"]
        relaxed = [*flags[:2], *flags[-2:]] if source.stem == "app" else flags
        subprocess.run([gcc, *kind, *relaxed, *map(str, sources), "-o", str(program)], check=True)
    told = subprocess.run([tmp_path / "app"], check=True, capture_output=True, text=True).stdout
    first = [int(word) for word in told.split()]
    assert first[4] == first[5]  # the same step from the same states
    assert first[6] == first[0]
    graph, states, wanted = Compiled.open(out).graph, None, []
    for seed in range(5):
        elements = np.arange(CHANNELS * FRAMES)
        x = ((seed * 37 + elements * 11) % 200 - 100).astype(np.int8).reshape(1, CHANNELS, FRAMES)
        execution = run(graph, [x], states)
        states = execution.states
        wanted.append(int(execution.outputs[0].reshape(())))
    assert first[:5] == wanted
    assert made.manifest.program.state_bytes == 48


@pytest.mark.slow
def test_ten_thousand_time_steps_do_not_drift(compiled: edgeq.CompiledModel) -> None:
    found = compiled.verify("native", sequences(1, seed=8, steps=10_000), samples=1)
    assert found.ok
    assert found.results[0].elements > 10_000 * len(compiled.manifest.program.steps)


# --- a model that people use ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mww(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], edgeq.CompiledModel]:
    """A board's folder of the voice detector, without any option."""
    source, calibration = data_dir / "models" / "mww_vad_stream.onnx", data_dir / "data" / "mww_features_calib.npz"
    quantized = tmp_path_factory.mktemp("mww") / "vad.qdq.onnx"
    edgeq.quantize(source, calibration, out=quantized)

    def made(board: str) -> edgeq.CompiledModel:
        return edgeq.compile(quantized, board=board, name="vad", out=quantized.parent / board, force=True)

    return made


@pytest.mark.data
@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2-an386", "mps3-an547", "mps2-m0"])
def test_voice_detector_has_the_same_scores_on_every_core(
    board: str, mww: Callable[[str], edgeq.CompiledModel], data_dir: Path
) -> None:
    compiled, data = mww(board), data_dir / "data" / "mww_vad_eval.npz"
    assert (compiled.manifest.program.state_bytes, len(compiled.manifest.states)) == (1120, 4)
    assert compiled.eval(data, ["native", "qemu"], samples=50).value is not None
    assert compiled.verify(["native", "qemu"], data, samples=1).ok


@pytest.mark.data
@pytest.mark.slow
def test_voice_detector_keeps_its_accuracy(
    data_dir: Path, tmp_path: Path, run_edgeq: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    source, data = data_dir / "models" / "mww_vad_stream.onnx", data_dir / "data"
    calibration = data / "mww_features_calib.npz"
    done = run_edgeq("compile", source, "--data", calibration, "--board", "native", "-o", tmp_path / "vad")
    assert done.returncode == 0, done.stderr
    assert "EQ0149" in done.stdout
    done = run_edgeq(
        "eval", tmp_path / "vad", "--data", data / "mww_vad_eval.npz", "--on", "native", "--json", timeout=600
    )
    found = json.loads(done.stdout)
    assert (found["samples"], found["time_steps"], found["reduce"]) == (500, 32, "max")
    assert found["float_value"] == pytest.approx(MWW_FLOAT, abs=1e-4)
    assert found["value"] >= MWW_FLOAT - MWW_LOSS


@pytest.mark.data
def test_float_model_gives_the_publishers_probabilities(
    mww: Callable[[str], edgeq.CompiledModel], data_dir: Path
) -> None:
    from edgeq.analysis.float_model import float_model_of

    folder = Compiled.open(Path(mww("native").folder))
    data = data_dir / "data" / "mww_vad_eval.npz"
    samples = open_samples(folder, data)
    model = float_model_of(folder, data_dir / "models" / "mww_vad_stream.onnx")
    assert model is not None
    found = model.outputs(samples, 5, lambda what, done: None)
    with np.load(data) as file:
        np.testing.assert_allclose(found.reshape(5, 32), file["prob_float"][:5], atol=2e-4)
