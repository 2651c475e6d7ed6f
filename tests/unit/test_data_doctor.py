"""Absurd data is stopped or named, with a code; the data that a model was trained on gives no doubt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.parser import parse_model
from quant_models import floats

from edgeq.archive import IN_MEMORY_BYTES
from edgeq.data import DataReport, Expectation, Range, dead_layers, examine_calibration, examine_inputs, expectation_of
from edgeq.errors import EdgeqError, Problem
from edgeq.frontend import normalize
from edgeq.job import CompileOptions
from edgeq.numerics.array import Array
from edgeq.onnxio import read_model, read_model_bytes
from edgeq.onnxio.samples import InputSpec, Samples
from edgeq.pipeline import quantize_file

if TYPE_CHECKING:
    import onnx_ir
Arrays = dict[str, Array]


class Bundled:
    """The example's model with its own data as float32, 0 to 1."""

    def __init__(self, example: Any) -> None:
        model = read_model(example.model)
        self.expected = expectation_of(model)
        self.model = normalize(model)
        with np.load(example.calibration) as data:
            self.bytes = data["x"]
            self.scale = data["x_scale"]
        self.x = (self.bytes * self.scale).astype(np.float32)

    def examine(self, arrays: Arrays, *, accept: bool = False) -> DataReport:
        samples = Samples.of(arrays, self.model)
        return examine_calibration(samples, self.model, self.expected, accept=accept)

    def problems(self, arrays: Arrays) -> list[Problem]:
        try:
            return list(self.examine(arrays).problems)
        except EdgeqError as error:
            return list(error.problems)


@pytest.fixture(scope="module")
def bundled(example: Any) -> Bundled:
    return Bundled(example)


def test_its_own_data_gives_no_doubt_in_any_form(bundled: Bundled) -> None:
    wide = bundled.x.astype(np.float64)
    for arrays in ({"x": bundled.bytes, "x_scale": bundled.scale}, {"x": bundled.x}, {"image": wide[:, None]}):
        assert bundled.problems(arrays) == []


def _with(x: Array, change: Callable[[Array], None]) -> Arrays:
    copy = x.copy()
    change(copy)
    return {"x": copy}


def _put(index: Any, value: float) -> Callable[[Array], None]:
    def change(x: Array) -> None:
        x[index] = value

    return change


SEVERE: dict[str, tuple[str, Callable[[Bundled], Arrays]]] = {
    "uint8 without a scale": ("EQ0131", lambda b: {"x": b.bytes}),
    "float 0 to 255": ("EQ0131", lambda b: {"x": b.bytes.astype(np.float32)}),
    "float 0 to 247, resized": ("EQ0131", lambda b: {"x": b.bytes * np.float32(0.97)}),
    "float 0 to 255 and a scale": ("EQ0131", lambda b: {"x": b.bytes.astype(np.float32), "x_scale": b.scale}),
    "int8 without a scale": ("EQ0131", lambda b: {"x": (b.bytes.astype(np.int16) - 128).astype(np.int8)}),
    "all zeros": ("EQ0130", lambda b: {"x": b.x * 0}),
    "all zeros, integers": ("EQ0130", lambda b: {"x": b.bytes * 0, "x_scale": b.scale}),
    "constant": ("EQ0130", lambda b: {"x": b.x * 0 + 0.5}),
    "labels from 1": ("EQ0132", lambda b: {"x": b.x, "y": np.arange(len(b.x)) % 10 + 1}),
    "labels that are negative": ("EQ0132", lambda b: {"x": b.x, "y": np.arange(len(b.x)) % 10 - 1.0}),
    "x and the input's name": ("EQ0133", lambda b: {"x": b.x, "image": b.x}),
    "channels last": ("EQ0134", lambda b: {"x": b.x[..., None]}),
}

WARNED: dict[str, tuple[str, Callable[[Bundled], Arrays]]] = {
    "255 times too small": ("EQ0135", lambda b: {"x": b.x / 255}),
    "10 times too large": ("EQ0135", lambda b: {"x": b.x * 10}),
    "standardized": ("EQ0135", lambda b: {"x": (b.x - 0.286) / 0.353}),
    "inverted": ("EQ0135", lambda b: {"x": 1 - b.x}),
    "random": ("EQ0135", lambda b: {"x": np.random.default_rng(0).random(b.x.shape)}),
    "one image 40 times": ("EQ0136", lambda b: {"x": np.repeat(b.x[:1], 40, axis=0)}),
    "ten images 20 times": ("EQ0136", lambda b: {"x": np.tile(b.x[:10], (20, 1, 1))}),
    "one outlier": ("EQ0137", lambda b: _with(b.x, _put((40, 3, 3), 1e6))),
    "a negative outlier": ("EQ0137", lambda b: _with(b.x, _put((40, 3, 3), -50))),
    "a number for missing rows": ("EQ0137", lambda b: _with(b.x, _put((slice(None, None, 15), slice(5, 7)), -9))),
    "half of them blank": ("EQ0142", lambda b: _with(b.x, _put(slice(None, None, 2), 0))),
    "a scale beside floats": ("EQ0141", lambda b: {"x": b.x, "x_scale": b.scale}),
    "the same answer to all": ("EQ0139", lambda b: {"x": b.x / 255}),
}


@pytest.mark.parametrize("case", SEVERE)
def test_severe_doubts_stop(bundled: Bundled, case: str) -> None:
    code, make = SEVERE[case]
    found = bundled.problems(make(bundled))
    assert found[0].code == code
    assert found[0].severity == "error"
    assert EdgeqError.of(found).exit_code == 2
    assert found[0].hint


@pytest.mark.parametrize("case", WARNED)
def test_other_doubts_warn(bundled: Bundled, case: str) -> None:
    code, make = WARNED[case]
    found = bundled.problems(make(bundled))
    assert code in {problem.code for problem in found}
    assert {problem.severity for problem in found} == {"warning"}


@pytest.mark.parametrize("case", [case for case in SEVERE if case != "channels last"])
def test_accepted_data_is_used_and_warned_about(bundled: Bundled, case: str) -> None:
    code, make = SEVERE[case]
    report = bundled.examine(make(bundled), accept=True)
    assert code in {problem.code for problem in report.problems}
    assert {problem.severity for problem in report.problems} == {"warning"}
    assert not any("--accept-data" in str(problem) for problem in report.problems)


def test_a_stated_scale_of_one_is_believed(bundled: Bundled) -> None:
    found = bundled.problems({"x": bundled.bytes, "x_scale": np.array(1.0)})
    assert "EQ0131" not in {problem.code for problem in found}
    assert "EQ0135" in {problem.code for problem in found}


def test_the_outlier_is_described(bundled: Bundled) -> None:
    x = bundled.x.copy()
    x[3, 1, 1] = x[7, 2, 2] = -99
    (problem,) = bundled.problems({"x": x})
    assert problem.got == "-99 2 times, in 2 of 200 samples (1.0%)"
    assert problem.where == "data key x, first in sample 3"


def test_features_of_different_scales_are_no_outliers() -> None:
    model = floats("g (float[1,12] x) => (float[1,12] y) { y = Relu(x) }")
    x = np.random.default_rng(1).normal(size=(64, 12)).astype(np.float32)
    x[:, 5] += 300
    assert examine_calibration(Samples.of({"x": x}, model), model, Expectation()).problems == ()
    x[9, 2] = 300
    (problem,) = examine_calibration(Samples.of({"x": x}, model), model, Expectation()).problems
    assert problem.code == "EQ0137"
    assert "first in sample 9" in str(problem)


def test_one_hot_features_are_no_outliers() -> None:
    model = floats("g (float[1,40] x) => (float[1,40] y) { y = Relu(x) }")
    x = np.eye(40, dtype=np.float32)
    assert examine_calibration(Samples.of({"x": x}, model), model, Expectation()).problems == ()


def test_one_constant_input_of_two_is_a_warning() -> None:
    model = floats("g (float[1,4] x, float[1,4] state) => (float[1,4] y) { y = Add(x, state) }")
    x = np.random.default_rng(1).normal(size=(64, 4))
    samples = Samples.of({"x": x, "state": np.zeros((64, 4))}, model)
    (problem,) = examine_calibration(samples, model, Expectation()).problems
    assert (problem.code, problem.severity, problem.where) == ("EQ0130", "warning", "data key state")


def test_the_description_has_the_values_that_the_model_sees(bundled: Bundled) -> None:
    report = bundled.examine({"x": bundled.bytes, "x_scale": bundled.scale, "note": np.array("n"), "y": np.zeros(3)})
    facts = report.inputs["image"]
    assert (facts.key, facts.dtype, facts.shape) == ("x", "uint8", (200, 28, 28))
    assert (facts.low, facts.distinct) == (0.0, 200)
    assert facts.high == pytest.approx(1.0)
    assert facts.mean == pytest.approx(bundled.x.mean(), rel=1e-6)
    assert facts.integers == pytest.approx(np.isin(bundled.bytes, (0, 255)).mean())
    assert report.ignored_keys == ("note", "y")
    assert "keys not used: note, y" in report.lines()
    assert report.to_json()["inputs"]["image"]["shape"] == [200, 28, 28]


def biased(weight: Array, bias: Array) -> onnx_ir.Model:
    """A Gemm with a Softmax: what is left of a model whose BatchNormalization an exporter has folded."""
    rows = ", ".join(f"{value:.6f}" for value in weight.reshape(-1))
    offsets = ", ".join(f"{value:.6f}" for value in bias)
    inner, outer = weight.shape
    return floats(
        f"g (float[1,{inner}] x) => (float[1,{outer}] y) "
        f"<float[{inner},{outer}] w = {{{rows}}}, float[{outer}] b = {{{offsets}}}> "
        "{ h = Gemm(x, w, b)\n y = Softmax<axis = -1>(h) }"
    )


@pytest.mark.parametrize(("unit", "severe"), [(1.0, True), (1 / 255, False)])
def test_bytes_are_judged_by_the_biases_of_the_first_layer(unit: float, severe: bool) -> None:
    generator = np.random.default_rng(2)
    weight = generator.normal(size=(16, 4)) * unit
    model = biased(weight, generator.normal(size=4))
    samples = Samples.of({"x": generator.integers(0, 256, (64, 16), np.uint8)}, model)
    if severe:
        with pytest.raises(EdgeqError, match="EQ0131"):
            examine_calibration(samples, model, Expectation())
    else:
        assert examine_calibration(samples, model, Expectation()).problems == ()


def with_batchnorm(mean: str, variance: str) -> onnx_ir.Model:
    """A model as read, with a BatchNormalization of its input."""
    text = (
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1,2,6,6] x) => (float[1,2,6,6] y) <float[2] s = {1, 1}, '
        f"float[2] b = {{0, 0}}, float[2] m = {mean}, float[2] v = {variance}> "
        "{ y = BatchNormalization(x, s, b, m, v) }"
    )
    return read_model_bytes(parse_model(text).SerializeToString())


def test_integers_of_an_integer_input_are_no_pixels() -> None:
    specs = [InputSpec("tokens", (1, 16), np.dtype(np.int64))]
    tokens = np.random.default_rng(5).integers(0, 256, (64, 16))
    tokens[3, 3] = 1 << 40
    assert examine_inputs(Samples({"tokens": tokens}, specs), {}, strict=True).problems == ()


def test_a_large_array_y_is_not_read_for_its_labels(bundled: Bundled) -> None:
    masks = np.zeros((len(bundled.x), 1 << 15), np.float32)
    assert masks.nbytes > IN_MEMORY_BYTES
    assert bundled.problems({"x": bundled.x, "y": masks}) == []
    assert bundled.problems({"x": bundled.x, "y": np.linspace(0, 1, len(bundled.x))}) == []


def test_a_batchnormalization_that_never_saw_data_says_nothing() -> None:
    assert expectation_of(with_batchnorm("{0, 0}", "{1, 1}")) == Expectation()
    assert expectation_of(with_batchnorm("{0, 1}", "{1, 1}")) != Expectation()


def test_a_batchnormalization_of_the_input_knows_its_range() -> None:
    model = with_batchnorm("{5, 7}", "{4, 9}")
    expected, normal = expectation_of(model), normalize(model)
    x = np.random.default_rng(3).normal(size=(40, 2, 6, 6)) * [[[2]], [[3]]] + [[[5]], [[7]]]
    assert examine_calibration(Samples.of({"x": x}, normal), normal, expected).problems == ()
    (problem,) = examine_calibration(Samples.of({"x": x - 6}, normal), normal, expected).problems
    assert problem.code == "EQ0135"


def test_the_first_dead_layer_is_named() -> None:
    model = floats("g (float[1,4] x) => (float[1,4] y) { a = Relu(x)\n b = Neg(a)\n y = Relu(b) }")
    alive = {"x": (-1.0, 1.0), "a": (0.0, 1.0), "b": (-1.0, 0.0)}
    assert dead_layers(model, alive) == []
    (problem,) = dead_layers(model, alive | {"a": (0.0, 0.0), "b": (0.0, 0.0), "y": (0.0, 0.0)})
    assert problem.code == "EQ0138"
    assert "tensor a" in str(problem)
    assert "2 more" in str(problem)


SPEC = InputSpec("x", (1, 4), np.dtype(np.float32))
UNIT = {"x": Range(0.0, 1.0)}


def test_inputs_are_held_against_the_range_of_calibration() -> None:
    x = np.random.default_rng(4).random((64, 4)).astype(np.float32)
    assert examine_inputs(Samples({"x": x}, [SPEC]), UNIT, strict=True).problems == ()
    for wrong in (x * 5, x / 255):
        (problem,) = examine_inputs(Samples({"x": wrong}, [SPEC]), UNIT, strict=True).problems
        assert problem.code == "EQ0140"
    pixels = Samples({"x": (x * 255).astype(np.uint8)}, [SPEC])
    with pytest.raises(EdgeqError, match="EQ0131"):
        examine_inputs(pixels, UNIT, strict=True)
    assert [problem.severity for problem in examine_inputs(pixels, UNIT).problems] == ["warning"]


@pytest.mark.parametrize(
    ("shape", "wanted", "hint"),
    [
        ((5, 8, 9, 3), (1, 3, 8, 9), "x.transpose(0, 3, 1, 2)"),
        ((5, 3, 8, 9), (1, 8, 9, 3), "x.transpose(0, 2, 3, 1)"),
        ((5, 9, 8), (1, 8, 9), "x.transpose(0, 2, 1)"),
        ((5, 1, 9, 8), (1, 1, 8, 9), "x.transpose(0, 1, 3, 2)"),
        ((5, 72), (1, 1, 8, 9), "x.reshape(len(x), 8, 9)"),
        ((5, 8, 9), (1, 72), "x.reshape(len(x), -1)"),
        ((8, 9), (1, 1, 8, 9), "x[None]"),
        ((5, 8, 8), (1, 8, 9), "without the batch dimension"),
    ],
)
def test_wrong_shapes_come_with_the_mending(shape: tuple[int, ...], wanted: tuple[int, ...], hint: str) -> None:
    spec = InputSpec("x", wanted, np.dtype(np.float32))
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    with pytest.raises(EdgeqError) as caught:
        Samples({"x": x}, [spec])
    (problem,) = caught.value.problems
    assert hint in str(problem.hint)
    assert problem.code == ("EQ0134" if "transpose" in hint else "EQ0113")
    if hint.startswith("x"):
        mended = eval(hint, {"x": x, "len": len})  # noqa: S307 - the hints of the table above
        assert len(Samples({"x": mended}, [spec])) == (1 if hint == "x[None]" else shape[0])


@pytest.mark.data
@pytest.mark.parametrize(
    ("model", "data", "allowed"),
    [
        ("kws_dscnn", "kws_eval", ()),
        ("vww_mobilenetv1_025", "vww_calib", ()),
        ("ic_resnet8", "ic_calib", ()),
        ("ad_autoencoder", "ad_calib", ()),
        ("sww_ref", "sww_unlabelled", ()),
        ("har3_cnn", "har3_calib", ()),
        ("arm_kws_ds_cnn_s", "arm_mfcc490_calib", ("EQ0137",)),
        ("arm_kws_dnn_s", "arm_mfcc250_calib", ("EQ0137",)),
    ],
)
def test_real_models_accept_their_own_data(data_dir: Path, model: str, data: str, allowed: tuple[str, ...]) -> None:
    read = read_model(data_dir / "models" / f"{model}.onnx")
    normal = normalize(read)
    samples = Samples.open(data_dir / "data" / f"{data}.npz", normal)
    report = examine_calibration(samples, normal, expectation_of(read))
    assert tuple(problem.code for problem in report.problems) == allowed


@pytest.mark.data
@pytest.mark.parametrize(
    ("model", "data", "severe"), [("vww_mobilenetv1_025", "vww", True), ("ic_resnet8", "ic", False)]
)
def test_real_pixels_without_a_scale(data_dir: Path, model: str, data: str, severe: bool) -> None:
    read = read_model(data_dir / "models" / f"{model}.onnx")
    normal = normalize(read)
    with np.load(data_dir / "data" / f"{data}_calib.npz") as arrays:
        samples = Samples.of({"x": arrays["x"]}, normal)
    if severe:
        with pytest.raises(EdgeqError, match="EQ0131"):
            examine_calibration(samples, normal, expectation_of(read))
    else:
        assert examine_calibration(samples, normal, expectation_of(read)).problems == ()


@pytest.mark.parametrize("command", ["eval", "verify", "emulate"])
def test_data_for_a_folder_is_described_and_held_against_its_calibration(
    tmp_path: Path, bundled: Bundled, compiled_example: Any, run_edgeq: Any, command: str
) -> None:
    np.savez(tmp_path / "pixels.npz", x=bundled.bytes[:12], y=np.arange(12) % 10, spare=np.zeros(3))
    option, more = ("--input" if command == "emulate" else "--data"), ("--on", "native")
    arguments = (
        command,
        compiled_example("native"),
        option,
        tmp_path / "pixels.npz",
        *more,
        "--samples",
        "2",
        "--json",
    )
    done = run_edgeq(*arguments)
    if command == "eval":
        assert done.returncode == 2
        assert "EQ0131" in done.stderr
        done = run_edgeq(*arguments, "--accept-data")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [note["code"] for note in document["notes"]] == ["EQ0131"]
    assert {note["severity"] for note in document["notes"]} == {"warning"}
    assert document["data"]["inputs"]["image"]["high"] == 255
    assert document["data"]["ignored_keys"] == ["y", "spare"]


def test_the_manifest_and_the_document_hold_the_description(compiled_example: Any, bundled: Bundled) -> None:
    manifest = json.loads((compiled_example("native") / "manifest.json").read_text(encoding="utf-8"))
    data = manifest["quantization"]["data"]
    assert data["inputs"]["image"]["distinct"] == len(bundled.x)
    assert data["problems"] == []
    assert str(Path.cwd()) not in json.dumps(data)


def test_a_dead_layer_of_the_example_is_named(tmp_path: Path, example: Any) -> None:
    proto = onnx.load(example.model)
    norm = next(found for found in proto.graph.node if found.op_type == "BatchNormalization")
    beta = next(tensor for tensor in proto.graph.initializer if tensor.name == norm.input[2])
    beta.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(beta) - 1e4, beta.name))
    onnx.save(proto, tmp_path / "dead.onnx")
    report = quantize_file(
        tmp_path / "dead.onnx",
        example.calibration,
        tmp_path / "q.onnx",
        CompileOptions("native", "model", observer="minmax"),
    )
    found = {note.code: note for note in report.notes}
    assert {"EQ0138", "EQ0139"} <= set(found)
    assert "0 everywhere" in str(found["EQ0138"].got)
