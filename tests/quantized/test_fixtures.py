"""Models as onnxruntime's quantizer and PyTorch write them: scales kept, every layer within one step of onnxruntime."""

from __future__ import annotations

import os
import subprocess
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgeq.frontend import normalize, normalize_qdq, normalize_structure, recover_plan, restore_integer_values
from edgeq.integers import to_integer_graph
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.numerics.scaling import Mode
from edgeq.onnxio import Session, read_model
from edgeq.onnxio.samples import Samples
from edgeq.quant import QuantizeOptions, quantize
from tests.quantized.agreement import Layer, compare_layers, missing_parameters, table
from tests.quantized.litert import quantized
from tests.quantized.onnxruntime_quantizer import CHOICES, COMMITTED, EXAMPLE, quantize_static

FOLDER: Final = Path(__file__).resolve().parent / "fixtures"
TORCH: Final = ("torch_fx_qat", "torch_pt2e", "torch_pt2e_qat")
FIXTURES: Final = (*(f"onnxruntime_{name}" for name in COMMITTED), *TORCH)
# Name → model, calibration data, evaluation data.
REAL: Final = {
    "ad": ("ad_autoencoder", "ad_calib", "ad_eval"),
    "ic": ("ic_resnet8", "ic_calib", "ic_eval"),
    "kws": ("kws_dscnn", "kws_calib", "kws_eval"),
    "sww": ("sww_ref", "sww_unlabelled", "sww_words_eval"),
    "vww": ("vww_mobilenetv1_025", "vww_calib", "vww_eval"),
}
ROUNDED_ONCE_MORE: Final = ("torch_fx_qat",)
TORCH_PYTHON: Final = "EDGEQ_TORCH_PYTHON"
# PyTorch's biases are float: rounding one to int32 moves a sum by half of s_x·s_w at most, which is visible where the
# sum lies that close to the middle between two steps.
_SHARE: Final = {"onnxruntime": 1e-3, "torch": 2e-3}
# An average of n values ends in a half for one sum in n, and a Softmax on 1/256 is rounded again to the stated scale.
_SHARE_OF_TIES: Final = {"average_pool": 0.05, "requantize": 0.5}


def example_samples(model: ir.Model, name: str) -> Samples:
    return Samples.open(EXAMPLE / f"{name}.npz", model)


def imported(foreign: ir.Model, mode: Mode, calibration: Path = EXAMPLE / "calib.npz") -> Graph:
    """The integer graph; a model that is quantized in part is completed with calibration data."""
    structured = normalize_structure(foreign)
    found = recover_plan(structured)
    if not found.problems:
        return to_integer_graph(normalize_qdq(structured), mode, "net")
    assert {problem.code for problem in found.problems} <= {"EQ0250", "EQ0251"}
    samples = Samples.open(calibration, structured)
    done = quantize(found.model, samples, QuantizeOptions(mode=mode), given=found.plan).model
    restore_integer_values(done.graph, found)
    return to_integer_graph(done, mode, "net")


def check_layers(name: str, foreign: ir.Model, samples: Samples, count: int, share: float) -> None:
    graph = imported(foreign, "highmul")
    layers = compare_layers(foreign, graph, islice(iter(samples), count))
    print(table(name, layers))  # noqa: T201 - the shares are a result
    assert not missing_parameters(foreign, graph)
    assert not missing_parameters(foreign, imported(foreign, "tflite"))
    assert max(layer.largest for layer in layers) <= 1
    computing = [layer for layer in layers if layer.op not in {"requantize", "reshape", "softmax", "transpose"}]
    assert all(layer.elements for layer in computing)
    for layer in layers:
        # Of a few hundred results one or two may always be near a tie.
        assert layer.different <= max(2, layer.elements * max(share, _SHARE_OF_TIES.get(layer.op, 0.0))), vars(layer)


@pytest.mark.parametrize("name", FIXTURES)
def test_layers_are_within_one_step_and_scales_are_kept(name: str) -> None:
    path = FOLDER / f"{name}.onnx"
    assert path.stat().st_size < 300_000
    foreign = read_model(path)
    check_layers(name, foreign, example_samples(foreign, "eval"), 20, _SHARE[name.partition("_")[0]])


@pytest.mark.parametrize("name", FIXTURES)
def test_answers_agree_with_onnxruntime(name: str) -> None:
    foreign = read_model(FOLDER / f"{name}.onnx")
    graph, session = imported(foreign, "highmul"), Session(foreign)
    same, count = 0, 0
    for feeds in islice(iter(example_samples(foreign, "eval")), 200):
        ((input_name, real),) = feeds.items()
        (result,) = run(graph, {graph.inputs[0]: quantized(graph.tensors[graph.inputs[0]], real)}).outputs
        same += int(session.run({input_name: real})[session.outputs[0]].argmax() == result.argmax())
        count += 1
    assert same >= 0.99 * count


@pytest.mark.parametrize("name", FIXTURES)
def test_canonical_model_computes_what_the_foreign_one_does(name: str) -> None:
    """The same bits.

    But a normalization behind a layer is folded into its constants, which rounds once more, and an output that nobody
    quantized is rounded by the step that calibration gives it.
    """
    foreign = read_model(FOLDER / f"{name}.onnx")
    structured = normalize_structure(foreign)
    found = recover_plan(structured)
    if found.problems:
        done = quantize(found.model, example_samples(foreign, "calib"), QuantizeOptions("minmax"), given=found.plan)
        canonical = done.model
        restore_integer_values(canonical.graph, found)
    else:
        canonical = normalize_qdq(structured)
    assert declared(canonical) == declared(foreign)
    theirs, mine = Session(foreign), Session(canonical)
    pairs = [
        (theirs.run(feeds)[output], mine.run(feeds)[output])
        for feeds in islice(iter(example_samples(foreign, "eval")), 30)
        for output in theirs.outputs
    ]
    wanted, got = (np.stack([pair[side] for pair in pairs]) for side in (0, 1))
    if not found.problems and name not in ROUNDED_ONCE_MORE:
        assert np.array_equal(wanted, got)
        return
    step = np.diff(np.unique(got)).min()
    assert np.abs(wanted - got).max() <= 1.01 * step
    assert found.problems or np.mean(np.abs(wanted - got) > 0.01 * step) <= 0.05


def declared(model: ir.Model) -> list[tuple[str | None, ir.DataType | None]]:
    """Names and types of the inputs, then of the outputs, in order."""
    return [(value.name, value.dtype) for value in (*model.graph.inputs, *model.graph.outputs)]


def test_a_value_read_with_and_without_its_quantization_has_both_grids() -> None:
    """torchao's X86 quantizer rounds what a layer reads; the sum beside it reads the same value as it was before."""
    foreign = read_model(FOLDER / "torch_pt2e_qat.onnx")
    graph = imported(foreign, "highmul")
    (add,) = [node for node in graph.nodes if node.op == "add"]
    (rescaled,) = [node for node in graph.nodes if node.op == "requantize"]
    assert rescaled.inputs[0] in add.inputs
    assert rescaled.outputs[0] not in add.inputs
    assert graph.tensors[rescaled.inputs[0]].quant != graph.tensors[rescaled.outputs[0]].quant


def test_normalizations_behind_layers_leave_the_weights_as_they_are() -> None:
    foreign = read_model(FOLDER / "torch_fx_qat.onnx")
    types = [node.op_type for node in foreign.graph]
    assert {"BatchNormalization", "Div"} <= set(types)
    graph = imported(foreign, "highmul")
    assert [node.op for node in graph.nodes].count("conv2d") == types.count("Conv")
    stem = next(node for node in foreign.graph if node.op_type == "Conv")
    wanted = Session(foreign, [_integers(stem)]).run({"x": np.zeros((1, 1, 28, 28), np.float32)})[_integers(stem)]
    weight = graph.tensors[next(node for node in graph.nodes if node.op == "conv2d").inputs[1]].value()
    assert np.array_equal(weight, wanted.transpose(0, 2, 3, 1))


def _integers(layer: ir.Node) -> str:
    """What a weight's QuantizeLinear writes."""
    weight = layer.inputs[1]
    dequantize = None if weight is None else weight.producer()
    assert dequantize is not None
    value = dequantize.inputs[0]
    assert value is not None
    return str(value.name)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_committed_fixtures_come_from_the_script() -> None:
    model = normalize(read_model(EXAMPLE / "model.onnx"))
    made = quantize_static(model, example_samples(model, "calib"), CHOICES["channel_int8"])
    kept = onnx.load(FOLDER / "onnxruntime_channel_int8.onnx")
    assert [(node.op_type, list(node.input)) for node in made.graph.node] == [
        (node.op_type, list(node.input)) for node in kept.graph.node
    ]
    for one, other in zip(made.graph.initializer, kept.graph.initializer, strict=True):
        # Ranges come from float sums, whose last bit depends on the processor.
        assert np.allclose(onnx.numpy_helper.to_array(one), onnx.numpy_helper.to_array(other), rtol=1e-5, atol=1)


@pytest.mark.data
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "choice"),
    [
        pytest.param(
            name, choice, marks=[] if name in {"ad", "kws"} and choice.startswith("channel") else [pytest.mark.slow]
        )
        for name in REAL
        for choice in CHOICES
    ],
)
def test_real_models_quantized_by_onnxruntime(name: str, choice: str, data_dir: Path) -> None:
    file, calib, evaluation = REAL[name]
    exported = read_model(data_dir / "models" / f"{file}.onnx")
    # Both ways in: quantized after edgeq's normalization, and as it was exported, normalizations and all.
    model = normalize(exported) if CHOICES[choice].per_channel else normalize_structure(exported)
    calibration = Samples.open(data_dir / "data" / f"{calib}.npz", model)
    foreign = ir.from_proto(quantize_static(model, calibration, CHOICES[choice], count=40))
    samples = Samples.open(data_dir / "data" / f"{evaluation}.npz", model)
    # A normalization that is a layer of its own has weights of ±127, so the step of its bias is 1/127 of its input's.
    check_layers(f"{name} {choice}", foreign, samples, 5, 1e-3 if CHOICES[choice].per_channel else 5e-3)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_operators_of_onnxruntimes_own_domain_are_the_same(kind: str) -> None:
    foreign = read_model(FOLDER / f"onnxruntime_channel_{kind}.onnx")
    moved = read_model(FOLDER / f"onnxruntime_channel_{kind}.onnx")
    for node in moved.graph:
        if node.op_type in {"QuantizeLinear", "DequantizeLinear"}:
            node.domain = "com.microsoft"
    moved.opset_imports["com.microsoft"] = 1
    expected, got = (normalize_qdq(normalize_structure(model, {})) for model in (foreign, moved))
    assert [(node.domain, node.op_type) for node in got.graph] == [("", node.op_type) for node in expected.graph]


@pytest.mark.slow
def test_torch_writes_what_the_fixtures_hold(tmp_path: Path) -> None:
    python = os.environ.get(TORCH_PYTHON)
    if not python:
        pytest.skip(f"set {TORCH_PYTHON} to a Python that has what tests/environments/torch.txt names")
    root = FOLDER.parents[2]
    command = [python, "-m", "tests.quantized.make_torch_fixtures", str(tmp_path)]
    subprocess.run(command, cwd=root, check=True, timeout=600, capture_output=True)
    for name in TORCH:
        foreign, kept = read_model(tmp_path / f"{name}.onnx"), read_model(FOLDER / f"{name}.onnx")
        assert [node.op_type for node in foreign.graph] == [node.op_type for node in kept.graph]
        check_layers(name, foreign, example_samples(foreign, "eval"), 20, _SHARE["torch"])


def test_the_table_shows_shares() -> None:
    text = table("net", [Layer("y", "conv2d", elements=200, different=1, largest=1), Layer("z", "reshape")])
    assert "0.5000 %" in text
    assert text.splitlines()[2].split()[3] == "-"
