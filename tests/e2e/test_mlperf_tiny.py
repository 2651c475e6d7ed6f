"""The four MLPerf Tiny models, from float ONNX to firmware: the same bits everywhere, and the accuracy kept.

Floors: onnxruntime's own int8 (per channel, min-max) on the same samples minus 0.6 points, agreement with the float
model of 97.5 %, and for the autoencoder the publisher's int8 TFLite file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

pytestmark = [pytest.mark.data, pytest.mark.qemu]

Folder = Callable[..., Path]


@dataclass(frozen=True)
class Model:
    """A model, its data, and the floors of its integer form."""

    file: str
    data: str
    value: float
    agreement: float | None


MODELS = {
    "ad": Model("ad_autoencoder", "ad", 0.8325, None),
    "ic": Model("ic_resnet8", "ic", 0.880 - 0.006, 0.975),
    "kws": Model("kws_dscnn", "kws", 0.918 - 0.006, 0.975),
    "vww": Model("vww_mobilenetv1_025", "vww", 0.848 - 0.006, 0.975),
}
# What edgeq needs on a Cortex-M4 with gcc 12.2 -O2; a change may cost no more than 2 % of any of them unnoticed.
FIGURES = ("ram_bytes", "instructions", "stack_bytes", "flash_code_bytes", "flash_weight_bytes")
BUDGETS_M4 = {
    "ad": (768, 281_189, 240, 1_608, 277_568),
    "ic": (40_464, 8_039_900, 352, 10_872, 98_512),
    "kws": (8_512, 2_654_513, 440, 6_028, 31_072),
    "vww": (28_528, 4_285_936, 400, 7_164, 44_352),
}
# Likewise by what `--optimize` says, where that is not the default.
BUDGETS_OF_AIMS = {
    ("ad", "size"): (768, 281_444, 248, 1_560, 277_568),
    ("ic", "ram"): (18_656, 11_382_891, 440, 9_984, 81_616),
    ("ic", "size"): (42_144, 9_737_175, 352, 5_022, 81_296),
    ("ic", "speed"): (41_472, 5_991_562, 320, 11_884, 525_520),
    ("kws", "ram"): (8_512, 2_685_205, 440, 4_808, 28_512),
    ("kws", "size"): (8_512, 2_975_052, 432, 2_738, 28_512),
    ("kws", "speed"): (16_960, 2_489_338, 440, 3_956, 31_072),
    ("vww", "ram"): (28_528, 4_343_764, 400, 8_704, 41_280),
    ("vww", "size"): (36_864, 5_512_109, 368, 4_492, 41_120),
    ("vww", "speed"): (36_864, 4_106_470, 312, 16_004, 44_352),
}
SLACK = 1.02
# By the removal of dead channels: of 7,489,664 multiply-accumulates 3,762,696 are left, of 208,112 weights 30,112.
NOTHING = {"macs": 0, "weight_bytes": 0}
LOST = dict.fromkeys(("ad", "ic", "kws"), NOTHING) | {"vww": {"macs": 3_726_968, "weight_bytes": 178_000}}
# Arena and instructions of TFLM with CMSIS-NN on the same core, counted the same way: edgeq stays below.
TFLM_M4 = {
    "ad": (2_580, 582_875),
    "ic": (54_996, 29_865_120),
    "kws": (22_820, 7_696_778),
    "vww": (100_708, 24_101_547),
}
CORES = ("mps2-an386", "mps3-an547")
OTHER_CORES = ("mps2-an385", "mps2-an500", "mps2-an505", "mps2-m0")


@pytest.fixture(scope="session")
def compiled_model(tmp_path_factory: pytest.TempPathFactory, data_dir: Path, run_edgeq: Callable[..., Any]) -> Folder:
    """Call it with a model's name, a board and options: its compiled folder, made once for all workers."""
    base = tmp_path_factory.getbasetemp().parent / "compiled-mlperf-tiny"
    base.mkdir(exist_ok=True)

    def compiled(name: str, board: str, *options: str) -> Path:
        model = MODELS[name]
        folder = base / "_".join([name, board, *(option.strip("-") for option in options)])
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                source = data_dir / "models" / f"{model.file}.onnx"
                calibration = data_dir / "data" / f"{model.data}_calib.npz"
                done = run_edgeq("compile", source, "--data", calibration, "--board", board, *options, "-o", folder)
                assert done.returncode == 0, done.stderr
        return folder

    return compiled


@pytest.fixture(scope="session")
def document(run_edgeq: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Call it with a command: its JSON document; any exit code but 0 fails the test."""

    def run(*arguments: str | Path) -> dict[str, Any]:
        done = run_edgeq(*arguments, "--json", timeout=600)
        assert done.returncode == 0, done.stderr + done.stdout
        parsed: dict[str, Any] = json.loads(done.stdout)
        return parsed

    return run


@pytest.mark.parametrize("board", CORES)
@pytest.mark.parametrize("name", MODELS)
def test_every_step_has_the_same_bits(
    name: str, board: str, compiled_model: Folder, document: Callable[..., dict[str, Any]], data_dir: Path
) -> None:
    folder = compiled_model(name, board)
    data = data_dir / "data" / f"{MODELS[name].data}_eval.npz"
    found = document("verify", folder, "--on", "native,qemu", "--data", data, "--samples", "4")
    assert found["mismatches"] == 0
    assert found["first_mismatch"] is None
    assert set(found["runners"]) >= {"native", "qemu"}
    assert found["elements"] > 0


@pytest.mark.parametrize("board", CORES)
def test_class_of_kws_is_found_without_softmax(
    board: str, compiled_model: Folder, document: Callable[..., dict[str, Any]], data_dir: Path
) -> None:
    folder, plain = compiled_model("kws", board, "--argmax"), compiled_model("kws", board)
    data = data_dir / "data" / "kws_eval.npz"
    found = document("verify", folder, "--on", "native,qemu", "--data", data, "--samples", "4")
    assert (found["mismatches"], set(found["runners"])) == (0, {"native", "qemu"})
    score, before = (
        document("eval", each, "--data", data, "--on", "reference,qemu", "--samples", "20") for each in (folder, plain)
    )
    assert (score["metric"], score["sqnr_db"]) == ("top1", None)
    assert (score["value"], score["float_value"]) == (before["value"], before["float_value"])
    assert score["agreement"] == before["agreement"]
    steps = [
        json.loads((each / "manifest.json").read_text("utf-8"))["programs"]["c"]["steps"] for each in (folder, plain)
    ]
    assert [made[-1]["op"] for made in steps] == ["arg_max", "softmax"]


@pytest.mark.slow
@pytest.mark.parametrize("board", OTHER_CORES)
@pytest.mark.parametrize("name", MODELS)
def test_every_step_has_the_same_bits_on_the_other_cores(
    name: str, board: str, compiled_model: Folder, document: Callable[..., dict[str, Any]], data_dir: Path
) -> None:
    test_every_step_has_the_same_bits(name, board, compiled_model, document, data_dir)


@pytest.mark.slow
@pytest.mark.parametrize("board", CORES)
@pytest.mark.parametrize("name", MODELS)
def test_twenty_inputs_have_the_same_bits(
    name: str, board: str, compiled_model: Folder, document: Callable[..., dict[str, Any]], data_dir: Path
) -> None:
    data = data_dir / "data" / f"{MODELS[name].data}_eval.npz"
    folder = compiled_model(name, board)
    assert document("verify", folder, "--on", "native,qemu", "--data", data, "--samples", "20")["mismatches"] == 0
    tflite = compiled_model(name, "native", "--requantize", "tflite")
    assert document("verify", tflite, "--on", "native", "--data", data, "--samples", "20")["mismatches"] == 0


@pytest.mark.parametrize("name", MODELS)
def test_tflite_mode_has_the_same_bits_on_the_host(
    name: str, compiled_model: Folder, document: Callable[..., dict[str, Any]]
) -> None:
    folder = compiled_model(name, "native", "--requantize", "tflite")
    assert document("verify", folder, "--on", "native", "--samples", "3")["mismatches"] == 0


@pytest.mark.parametrize("name", MODELS)
def test_integer_accuracy_is_above_the_floor(
    name: str, compiled_model: Folder, document: Callable[..., dict[str, Any]], data_dir: Path
) -> None:
    model = MODELS[name]
    folder = compiled_model(name, "mps2-an386")
    data = data_dir / "data" / f"{model.data}_eval.npz"
    found = document("eval", folder, "--data", data, "--on", "reference,native")
    assert found["value"] is not None, "reference and native disagree"
    assert found["value"] >= model.value
    if model.agreement is not None:
        assert found["agreement"] >= model.agreement


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_accuracy_in_the_emulator_is_the_same_number(
    name: str, compiled_model: Folder, document: Callable[..., dict[str, Any]], data_dir: Path
) -> None:
    data = data_dir / "data" / f"{MODELS[name].data}_eval.npz"
    folder = compiled_model(name, "mps2-an386")
    samples = () if name == "ad" else ("--samples", "200")
    found = document("eval", folder, "--data", data, "--on", "reference,native,qemu", *samples)
    assert len({result["value"] for result in found["results"]}) == 1


@pytest.mark.parametrize("name", MODELS)
def test_figures_stay_within_their_budgets(
    name: str, compiled_model: Folder, document: Callable[..., dict[str, Any]]
) -> None:
    found = document("profile", compiled_model(name, "mps2-an386"), "--samples", "2")
    for figure, budget in zip(FIGURES, BUDGETS_M4[name], strict=True):
        assert found[figure] <= SLACK * budget, figure
    for figure, budget in zip(FIGURES, TFLM_M4[name], strict=False):
        assert found[figure] < budget, figure
    assert sum(layer["instructions"] for layer in found["layers"]) <= found["instructions"]
    assert sum(layer["macs"] for layer in found["layers"]) == found["macs"]


@pytest.mark.parametrize(("name", "aim"), BUDGETS_OF_AIMS)
def test_what_counts_decides_memory_and_speed(
    name: str, aim: str, compiled_model: Folder, document: Callable[..., dict[str, Any]]
) -> None:
    folder = compiled_model(name, "mps2-an386", "--optimize", aim)
    found = document("profile", folder, "--samples", "2")
    for figure, budget in zip(FIGURES, BUDGETS_OF_AIMS[name, aim], strict=True):
        assert found[figure] <= SLACK * budget, figure
    assert document("verify", folder, "--samples", "2")["mismatches"] == 0


@pytest.mark.parametrize("name", MODELS)
def test_dead_channels_are_removed(name: str, compiled_model: Folder) -> None:
    """Half of the work of VWW and seven eighths of its weights are channels that a trained clamp holds at zero."""
    manifest = json.loads((compiled_model(name, "mps2-an386") / "manifest.json").read_text())
    removed = manifest["programs"]["c"]["removed"]
    saved = {what: sum(layer[what]["before"] - layer[what]["after"] for layer in removed) for what in LOST[name]}
    assert saved == LOST[name]


@pytest.mark.parametrize("name", MODELS)
def test_no_transpose_is_left(name: str, compiled_model: Folder) -> None:
    manifest = json.loads((compiled_model(name, "mps2-an386") / "manifest.json").read_text())
    assert "transpose" not in [step["op"] for step in manifest["programs"]["c"]["steps"]]
