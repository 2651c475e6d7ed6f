"""A saved calibration stands in for the pass over the data, gives the same bytes, and is never taken for another."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quant_models import floats, normal, residual_net, samples_for

from edgeq.archive import Archive, npz_bytes
from edgeq.cli.main import run
from edgeq.errors import EdgeqError
from edgeq.numerics.array import Array
from edgeq.onnxio import model_bytes, pieces, write_model
from edgeq.quant import QuantizeOptions, SavedCalibration, quantize
from edgeq.quant.quantize import STEPS
from edgeq.quant.saved import pack
from edgeq.quant.state import State
from edgeq.quant.statistics import gram_of
from edgeq.quant.step import Step, run_steps


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, data and the calibration that compiling for a first board saved."""
    place = tmp_path_factory.mktemp("saved")
    write_model(residual_net(), place / "net.onnx")
    np.savez(place / "calib.npz", x=normal(40, 3, 8, 8, seed=9))
    assert compiled(place, "first", "microbit-v2", "--save-calibration", "saved.npz") == 0
    return place


def compiled(place: Path, out: str, board: str, *more: str) -> int:
    """Compile sources; words that end in .npz are files of the folder."""
    given = [str(place / word) if word.endswith(".npz") and "/" not in word else word for word in more]
    return run(
        [
            *("compile", str(place / "net.onnx"), "--data", str(place / "calib.npz"), "--board", board),
            *("-o", str(place / out), "--sources-only", "-q", *given),
        ]
    )


def contents(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail when the quantizer runs anything; the doubts about the data run the float model on a few samples."""

    def refuse(model: bytes) -> object:
        raise AssertionError("a session was made")

    monkeypatch.setattr(pieces, "start", refuse)


def test_a_second_board_runs_nothing_and_gets_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiled(folder, "without", "mps2-an385") == 0
    no_session(monkeypatch)
    assert compiled(folder, "with", "mps2-an385", "--calibration", "saved.npz") == 0
    assert contents(folder / "with") == contents(folder / "without")
    # It saves what it was given.
    assert compiled(folder, "again", "mps2-an385", "--calibration", "saved.npz", "--save-calibration", "again.npz") == 0
    assert (folder / "again.npz").read_bytes() == (folder / "saved.npz").read_bytes()


@pytest.mark.parametrize("more", [("--observer", "mae"), ("--requantize", "tflite")], ids=" ".join)
def test_other_options_go_on_from_the_statistics(folder: Path, more: tuple[str, ...], tmp_path: Path) -> None:
    heard: dict[bool, list[str]] = {}
    model = residual_net()
    samples = samples_for(model)
    options = QuantizeOptions(observer=more[1]) if more[0] == "--observer" else QuantizeOptions(mode=more[1])
    made = {}
    for reused in (False, True):
        said = heard.setdefault(reused, [])
        saved = SavedCalibration.open(folder / "saved.npz") if reused else None
        found = quantize(model, samples, options, lambda what, done: said.append(what), saved=saved)  # noqa: B023
        made[reused] = model_bytes(found.model), found.report
    assert made[True] == made[False]
    assert set(heard[False]) == {"calibrate", "search"}
    assert set(heard[True]) == {"search"}


def test_the_data_is_known_by_its_contents(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(folder / "packed.npz", y=np.arange(40) % 5, x=normal(40, 3, 8, 8, seed=9))
    no_session(monkeypatch)
    arguments = ["quantize", str(folder / "net.onnx"), "--data", str(folder / "packed.npz"), "-q"]
    assert run([*arguments, "-o", str(folder / "q.onnx"), "--calibration", str(folder / "saved.npz")]) == 0


def codes(broken: Callable[[], object]) -> list[str]:
    with pytest.raises(EdgeqError) as caught:
        broken()
    return [problem.code for problem in caught.value.problems]


def test_another_model_or_other_data_is_refused(folder: Path) -> None:
    saved = SavedCalibration.open(folder / "saved.npz")
    model, samples = residual_net(), samples_for(residual_net())
    assert codes(lambda: quantize(model, samples_for(model, seed=1), QuantizeOptions(), saved=saved)) == ["EQ0270"]
    assert codes(lambda: quantize(model, samples_for(model, 39), QuantizeOptions(), saved=saved)) == ["EQ0270"]
    weight = model.graph.initializers["b1"]
    assert weight.const_value is not None
    other = floats("g (float[1,3,8,8] x) => (float[1,3,8,8] y) { y = Relu(x) }")
    assert codes(lambda: quantize(other, samples, QuantizeOptions(), saved=saved)) == ["EQ0270"]


def test_what_a_further_step_wants_must_be_there(folder: Path) -> None:
    model = residual_net()
    layer = next(node for node in model.graph if node.op_type == "Gemm")
    wanted = gram_of(layer, str(layer.inputs[0].name if layer.inputs[0] else ""))
    asking = Step("ask", lambda state: None, wants=lambda state: [wanted])
    saved = SavedCalibration.open(folder / "saved.npz")
    state = State(model, QuantizeOptions(), (*STEPS, asking), samples_for(model), saved=saved)
    assert codes(lambda: run_steps(state, state.steps)) == ["EQ0271"]


def test_every_kind_of_statistic_is_saved(folder: Path) -> None:
    model = residual_net()
    layers = [node for node in model.graph if node.op_type in {"Conv", "Gemm"}]
    wanted = [gram_of(node, str(node.inputs[0].name if node.inputs[0] else "")) for node in layers]
    steps = (*STEPS, Step("ask", lambda state: None, wants=lambda state: wanted))
    files: list[bytes] = []
    first = State(model, QuantizeOptions(), steps, samples_for(model), save=files.append)
    run_steps(first, steps)
    (folder / "more.npz").write_bytes(files[0])
    second = State(
        model, QuantizeOptions(), steps, samples_for(model), saved=SavedCalibration.open(folder / "more.npz")
    )
    run_steps(second, steps)
    for one in wanted:
        arrays = [state.calibration.without(None, one).arrays() for state in (first, second)]
        assert all(np.array_equal(arrays[0][name], arrays[1][name]) for name in arrays[0])


# Damage.


def parts_of(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    archive = Archive(path)
    arrays = {name: archive.whole(name) for name in archive}
    return json.loads(arrays.pop("header").tobytes()), arrays


def restored(path: Path) -> None:
    model = residual_net()
    quantize(model, samples_for(model), QuantizeOptions(), saved=SavedCalibration.open(path))


def test_a_file_of_which_a_bit_is_another_is_refused_or_the_same(folder: Path) -> None:
    """But for dates and the like, which hold nothing."""
    data = (folder / "saved.npz").read_bytes()
    wanted = parts_of(folder / "saved.npz")
    path = folder / "damaged.npz"
    draw = np.random.default_rng(0)
    refused = same = 0
    for place in draw.integers(0, len(data), 60):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << int(draw.integers(8))]) + data[place + 1 :])
        try:
            found = SavedCalibration.open(path)
        except EdgeqError as error:
            refused += [problem.code for problem in error.problems] == ["EQ0269"]
            continue
        same += 1
        assert found.header == wanted[0]
        assert all(np.array_equal(found.arrays[name], array) for name, array in wanted[1].items())
    assert refused > 50
    assert refused + same == 60
    for length in (0, 3, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        assert codes(lambda: SavedCalibration.open(path)) == ["EQ0269"]


def _set(*path: Any, to: Any) -> Callable[[dict[str, Any], dict[str, Array]], None]:
    def change(header: dict[str, Any], arrays: dict[str, Array]) -> None:
        del arrays
        holder: Any = header
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = to

    return change


def _array(name: str, change: Callable[[Array], Array | None]) -> Callable[[dict[str, Any], dict[str, Array]], None]:
    def changed(header: dict[str, Any], arrays: dict[str, Array]) -> None:
        del header
        array = change(arrays.pop(name).copy())
        if array is not None:
            arrays[name] = array

    return changed


def _first(value: float) -> Callable[[Array], Array]:
    def change(array: Array) -> Array:
        array.reshape(-1)[0] = value
        return array

    return change


# Contents that somebody made up, under a digest of their own.
MADE_UP: Mapping[str, Callable[[dict[str, Any], dict[str, Array]], None]] = {
    "schema": _set("schema", to="edgeq/calibration/0"),
    "no options": lambda header, arrays: header.pop("options"),
    "no such method": _set("choice", "method", to="best"),
    "a ratio of text": _set("choice", "ratios_db", to={"mse": "30"}),
    "a scale of 0": _set("activations", "x", "scale", to=[0.0]),
    "a scale beyond float32": _set("activations", "x", "scale", to=[1e300]),
    "a zero point of 128": _set("activations", "x", "zero_point", to=[128]),
    "an unknown value": lambda header, arrays: header["activations"].__setitem__(
        "nothing", header["activations"].pop("x")
    ),
    "an unknown node": _set("constants", 0, "node", to="nothing"),
    "an axis of 7": _set("constants", 0, "quantization", "axis", to=7),
    "another axis": _set("constants", 0, "quantization", "axis", to=1),
    "another type": _set("constants", 0, "quantization", "dtype", to="int32"),
    "a type of objects": _set("constants", 0, "quantization", "dtype", to="object"),
    "a huge shape": _set("constants", 0, "shape", to=[1 << 40, 1 << 40]),
    "another number of samples": _set("samples", to=39),
    "a statistic of no kind": _set("statistics", 0, to='["mode", "x", []]'),
    "a statistic without sense": _set("statistics", 0, to="["),
    "options of another statistic": _set("statistics", 0, to='["histogram", "x", [1]]'),
    "a statistic twice": lambda header, arrays: header["statistics"].__setitem__(1, header["statistics"][0]),
    "a layer not measured": _set("layer_ratios_db", to={}),
    "no histograms": _array("histogram/counts", lambda array: None),
    "counts of floats": _array("histogram/counts", lambda array: array.astype(np.float64)),
    "counts of one fold": _array("histogram/counts", lambda array: array[:1]),
    "a negative count": _array("histogram/counts", _first(-1)),
    "NaN as an extreme": _array("histogram/extent", _first(np.nan)),
    "an extreme beyond the histogram": _array("histogram/extent", _first(-1e9)),
    "a scale below float32": _set("activations", "x", "scale", to=[1e-60]),
    "activations of 16 bits": _set("activations", "x", "dtype", to="int16"),
    "a codebook": _set("activations", "x", "codebook", to=[1]),
    "integers of another type": _array("constants/int8", lambda array: array.astype(np.int16)),
    "too few integers": _array("constants/int32", lambda array: array[:, :-1]),
}


@pytest.mark.parametrize("case", MADE_UP)
def test_contents_that_do_not_fit_together_are_refused(case: str, folder: Path) -> None:
    header, arrays = parts_of(folder / "saved.npz")
    MADE_UP[case](header, arrays)
    path = folder / "made_up.npz"
    path.write_bytes(pack(header, arrays))
    assert codes(lambda: restored(path)) == ["EQ0269"]


def test_a_file_of_something_else_is_refused(folder: Path) -> None:
    assert codes(lambda: SavedCalibration.open(folder / "calib.npz")) == ["EQ0269"]
    assert codes(lambda: SavedCalibration.open(folder / "net.onnx")) == ["EQ0269"]
    (folder / "large.npz").write_bytes(npz_bytes({"header": np.zeros(33 << 20, np.uint8)}))
    assert codes(lambda: SavedCalibration.open(folder / "large.npz")) == ["EQ0269"]
    (folder / "large.npz").unlink()
    assert compiled(folder, "out", "microbit-v2", "--calibration", "missing.npz") == 3


# Where it is saved.


@pytest.mark.parametrize(
    ("target", "code", "exit_code"),
    [
        ("net.onnx", "EQ0123", 2),
        ("calib.npz", "EQ0123", 2),
        ("reused.npz", "EQ0123", 2),
        ("out", "EQ0101", 2),
        ("out/saved.npz", "EQ0101", 2),
        ("mine.txt", "EQ0124", 2),
    ],
)
def test_no_file_is_lost_to_a_calibration(
    target: str, code: str, exit_code: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mine.txt").write_text("notes")
    (folder / "reused.npz").write_bytes((folder / "saved.npz").read_bytes())
    before = contents(folder)
    given = ("--save-calibration", str(folder / target), "--calibration", "reused.npz")
    assert compiled(folder, "out", "microbit-v2", *given) == exit_code
    assert code in capsys.readouterr().err
    assert contents(folder) == before


def test_force_moves_a_foreign_file_aside(folder: Path) -> None:
    (folder / "kept.txt").write_text("notes")
    given = ("--save-calibration", str(folder / "kept.txt"), "--calibration", "saved.npz")
    assert compiled(folder, "forced", "microbit-v2", *given, "--force") == 0
    assert (folder / "kept.txt.kept-1").read_text() == "notes"
    assert (folder / "kept.txt").read_bytes() == (folder / "saved.npz").read_bytes()


def test_a_calibration_that_cannot_be_written_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path, data: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("edgeq.integers.write_whole", refuse)
    assert compiled(folder, "none", "native", "--calibration", "saved.npz", "--save-calibration", "new.npz") == 3
    assert "EQ0272" in capsys.readouterr().err
    assert not (folder / "new.npz").exists()
    assert not (folder / "none").exists()


def test_a_quantized_model_has_no_use_for_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quantized = folder / "first" / "model.qdq.onnx"
    arguments = ["compile", str(quantized), "--board", "native", "-o", str(folder / "q"), "--sources-only", "-q"]
    assert run([*arguments, "--calibration", str(folder / "saved.npz")]) == 3
    assert "EQ0230" in capsys.readouterr().err
