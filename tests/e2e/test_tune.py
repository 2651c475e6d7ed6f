"""`edgeq tune`: every candidate is run and compared; the best is kept within bounds, and compile repeats it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import parse

import edgeq
from edgeq.analysis import tune as module
from edgeq.backends.c.bind import Step, bind_kernels, plan_steps
from edgeq.backends.c.choose import Bounds
from edgeq.backends.c.runtime import Isa
from edgeq.backends.planning import Plan
from edgeq.errors import EdgeqError
from edgeq.ir import Graph

pytestmark = pytest.mark.qemu
BOARD = "mps2-an386"


def net() -> ir.Model:
    """Two 3x3 convolutions that Winograd's method takes, a 1x1 one with a stride, a dense layer."""
    draw = np.random.default_rng(4)
    constants = {
        "w": draw.normal(size=(16, 4, 3, 3)).astype(np.float32) / 6,
        "v": draw.normal(size=(16, 16, 3, 3)).astype(np.float32) / 12,
        "s": draw.normal(size=(8, 16, 1, 1)).astype(np.float32) / 4,
        "u": draw.normal(size=(512, 6)).astype(np.float32) / 23,
    }
    return parse(
        """g (float[1,4,16,16] x) => (float[1,6] y) {
            a = Conv<pads = [1,1,1,1]>(x, w)
            b = Relu(a)
            c = Conv<pads = [1,1,1,1]>(b, v)
            e = Relu(c)
            f = Conv<strides = [2,2]>(e, s)
            d = Flatten(f)
            y = MatMul(d, u)
        }""",
        constants,
    )


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tune") / "net.qdq.onnx"
    edgeq.quantize(ir.to_proto(net()), np.random.default_rng(5).normal(size=(32, 4, 16, 16)), out=path)
    return path


@pytest.fixture(scope="module")
def folder(quantized: Path) -> Path:
    """Compiled without any kernel that wants memory."""
    out = quantized.parent / "direct"
    edgeq.compile(quantized, board=BOARD, out=out, kernel={"Conv_*": "eq_conv2d_triple_s8"})
    return out


def by_name(layer: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {trial["kernel"]: trial for trial in layer["trials"]}


def test_best_kernels_are_found_written_and_repeated(
    quantized: Path, tmp_path: Path, run_edgeq: Callable[..., Any]
) -> None:
    file = tmp_path / "kernels.json"
    done = run_edgeq("tune", quantized, "--board", BOARD, "--optimize", "speed", "-o", file, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    layers = {layer["name"]: layer for layer in found["layers"]}
    first = layers["Conv_0, Relu_1"]
    trials = by_name(first)
    assert first["chosen"].startswith("eq_conv2d_winograd")
    assert trials[first["chosen"]]["instructions"] < trials["eq_conv2d_triple_s8"]["instructions"]
    assert trials[first["chosen"]]["scratch_bytes"] > trials["eq_conv2d_triple_s8"]["scratch_bytes"]
    assert "1x1" in trials["eq_pointwise_s8"]["refused"]
    assert trials["eq_pointwise_s8"]["instructions"] is None
    assert found["after"]["instructions"] <= found["before"]["instructions"]
    assert json.loads(file.read_text("utf-8"))["kernels"] == found["kernels"]

    text = file.read_bytes()
    again = run_edgeq("tune", quantized, "--board", BOARD, "--optimize", "speed", "-o", file)
    assert again.returncode == 0, again.stderr
    assert file.read_bytes() == text
    assert "chosen" in again.stdout

    made = edgeq.compile(quantized, board=BOARD, out=tmp_path / "out", kernels=file)
    assert made.profile(samples=1).instructions == found["after"]["instructions"]
    assert made.manifest.program.arena_bytes == found["after"]["ram_bytes"]
    assert made.manifest.program.sizes is not None
    assert made.manifest.program.sizes.flash_weight_bytes == found["after"]["weight_bytes"]
    assert made.verify(samples=3).ok


def test_folder_is_tuned_as_it_was_compiled(folder: Path) -> None:
    before = edgeq.load(folder).profile(samples=1).instructions
    assert before is not None
    found = edgeq.tune(folder)
    assert (found.board, found.optimize) == (BOARD, "balanced")
    assert found.after.instructions < before
    assert all(layer.trial(layer.chosen).refused is None for layer in found.layers)


def direct(graph: Graph, isa: Isa, *_: object) -> tuple[list[Step], Plan]:
    """A compiler's choice without any kernel that wants memory."""
    steps = bind_kernels(graph, isa)
    return steps, plan_steps(graph, steps)


def test_what_memory_does_not_allow_is_not_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "choose_kernels", direct)
    monkeypatch.setattr(module, "bounds_of", lambda *_: Bounds(arena_bytes=0))  # what `direct` takes stays allowed
    found = edgeq.tune(folder)
    assert found.after.ram_bytes <= found.before.ram_bytes
    refused = {trial.refused for layer in found.layers for trial in layer.trials if "winograd" in trial.kernel}
    assert any("the arena would need" in str(reason) for reason in refused)
    monkeypatch.setattr(module, "bounds_of", lambda *_: Bounds(weight_bytes=0))
    found = edgeq.tune(folder)
    assert found.after.weight_bytes <= found.before.weight_bytes
    assert "eq_conv2d_winograd_4x4_s8" not in found.kernels.values()


def test_kernel_that_wins_instructions_and_loses_cycles_is_not_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "choose_kernels", direct)
    monkeypatch.setattr(module, "cycles_of", lambda counts, target: -float(counts.total))
    found = edgeq.tune(folder, optimize="speed")
    assert found.kernels == {layer.node: layer.before for layer in found.layers if layer.has_choice}
    assert any(
        (trial.instructions or 0) < (layer.trial(layer.before).instructions or 0)
        for layer in found.layers
        for trial in layer.trials
        if trial.refused is None
    )


def test_layers_that_the_user_decides_are_left_alone(folder: Path) -> None:
    found = edgeq.tune(folder, optimize="speed", kernel={"Conv_0": "eq_conv2d_s16"})
    layers = {layer.name: layer for layer in found.layers}
    assert layers["Conv_0, Relu_1"].chosen == "eq_conv2d_s16"
    assert layers["Conv_2, Relu_3"].chosen.startswith("eq_conv2d_winograd")


def test_kernel_with_other_bits_is_no_candidate_but_a_defect(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgeq.backends.c.bindings import conv_winograd

    packed = conv_winograd._packed
    monkeypatch.setattr(conv_winograd, "_packed", lambda weights: packed(weights) ^ 1)
    with pytest.raises(EdgeqError, match="EQ0907") as raised:
        edgeq.tune(folder, optimize="speed")
    assert "eq_conv2d_winograd_s8" in str(raised.value.problems[0].where)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"board": "native"}, "EQ0158"),
        ({"observer": "minmax"}, "EQ0193"),
        ({"kernel": {"Conv_0": "eq_pointwise_s8"}}, "EQ0383"),
    ],
)
def test_what_cannot_be_tuned_is_refused(folder: Path, given: dict[str, Any], code: str) -> None:
    with pytest.raises(EdgeqError, match=code):
        edgeq.tune(folder, **given)


def test_model_needs_a_board_and_foreign_files_are_kept(quantized: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeqError, match="EQ0193"):
        edgeq.tune(quantized)
    mine = tmp_path / "mine.json"
    mine.write_text("{}")
    with pytest.raises(EdgeqError, match="EQ0124"):
        edgeq.tune(folder, out=mine)
    edgeq.tune(folder, out=mine, force=True)
    assert (tmp_path / "mine.json.kept-1").read_text() == "{}"
