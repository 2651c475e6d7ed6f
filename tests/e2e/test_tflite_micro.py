"""TFLite Micro judges ``--requantize tflm``: every operator, random scales, edgeq's own files and the publishers'.

The judge is the interpreter of its package with the reference kernels, run by a Python of its own
(tests/environments/tflite-micro.txt), and gets the .tflite file alone. All elements of all outputs must be equal.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edgeq.backends.tflite import emit_tflite
from edgeq.extras import missing
from edgeq.frontend import normalize
from edgeq.integers import to_integer_graph
from edgeq.interp import run
from edgeq.ir import DType, Graph, Quantization
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import SCALINGS, Mode
from edgeq.onnxio import read_model
from edgeq.onnxio.samples import Samples
from edgeq.quant import QuantizeOptions, quantize
from tests.conformance.test_fuzz import draw_cases
from tests.conformance.test_tflite import has_writer
from tests.conformance.zoo import FAMILIES, Case, all_cases, build, cases_of, input_sets
from tests.conftest import Example
from tests.e2e.test_tflite_judge import MODELS
from tests.quantized.litert import quantized
from tests.quantized.publishers import FOUR, open_published

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing("tflite")), reason="pip install 'edgeq[tflite]'"),
]

MODE = "tflm"
PYTHON = "EDGEQ_TFLITE_MICRO_PYTHON"
SAMPLES = 50
Judge = Callable[[Path, Graph, Sequence[Sequence[Array]]], dict[str, int]]


@pytest.fixture
def differing(root: Path, tmp_path: Path) -> Judge:
    """Call it with a file, its graph and inputs: the outputs that differ, each with the number of its elements."""
    python = os.environ.get(PYTHON)
    if not python:
        pytest.skip(f"set {PYTHON} to a Python that has what tests/environments/tflite-micro.txt names")
    script = root / "tests" / "conformance" / "run_tflite_micro_file.py"
    given, results = tmp_path / "inputs.npz", tmp_path / "results.npz"

    def judge(path: Path, graph: Graph, inputs: Sequence[Sequence[Array]]) -> dict[str, int]:
        stacked = {str(number): np.stack([sample[number] for sample in inputs]) for number in range(len(inputs[0]))}
        np.savez(given, **stacked)  # type: ignore[arg-type]  # names as keywords
        command = list(map(str, (python, script, path, given, results)))
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        expected = [run(graph, sample).tensors for sample in inputs]
        found = {}
        with np.load(results, allow_pickle=False) as answer:
            assert len(answer.files) == len(graph.outputs)
            for number, output in enumerate(graph.outputs):
                wanted = np.stack([tensors[output] for tensors in expected])
                different = int((answer[str(number)].reshape(wanted.shape) != wanted).sum())
                if different:
                    found[output] = different
        return found

    return judge


def written(graph: Graph, folder: Path) -> Path:
    path = folder / "model.tflite"
    path.write_bytes(emit_tflite(graph, graph.outputs, SCALINGS[MODE]))
    return path


def of_cases(name: str, cases: Sequence[Case]) -> Graph:
    return build(name, cases, MODE).graph


@pytest.mark.parametrize("family", [name for name in FAMILIES if any(map(has_writer, all_cases(name)))])
def test_operators_have_the_bits_of_tflite_micro(family: str, differing: Judge, tmp_path: Path) -> None:
    graph = of_cases(family, [case for case in cases_of(family, MODE) if has_writer(case)])
    assert differing(written(graph, tmp_path), graph, input_sets(graph)) == {}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("family", ["conv", "dense", "elementwise", "lookup", "requantize", "softmax"])
def test_operators_at_random_scales_have_the_bits_of_tflite_micro(
    family: str, seed: int, differing: Judge, tmp_path: Path
) -> None:
    graph = of_cases(family, draw_cases(family, 40, 100 + seed))
    assert differing(written(graph, tmp_path), graph, input_sets(graph)) == {}


# Scales at which the factors that LiteRT computes in float32 give another result for some inputs: operator, scales of
# operands and result, attributes.
FLOAT64: tuple[tuple[str, tuple[float, ...], dict[str, float]], ...] = (
    ("HardSwish", (0.0529065765440464, 0.03681160882115364), {}),
    ("HardSwish", (0.030870666727423668, 0.021702388301491737), {}),
    ("LeakyRelu", (0.12121081352233887, 0.17777585983276367), {"alpha": 0.2480468451976776}),
    ("LeakyRelu", (0.0126919811591506, 0.011348124593496323), {"alpha": 0.8080518245697021}),
    ("Mul", (0.18487931787967682, 0.0926058292388916, 2.9756078720092773), {}),
    ("Mul", (0.0785815492272377, 0.11631103605031967, 1.19954514503479), {}),
    ("Relu", (0.15449894964694977, 0.6543484926223755), {}),
    ("Relu", (0.10065750777721405, 0.08367414027452469), {}),
)


def of_factors(mode: Mode) -> Graph:
    """A graph of the operators of :data:`FLOAT64`, each on all inputs: [1, 256], or [1, 256, 256] of two."""

    def case(number: int) -> Case:
        kind, scales, attributes = FLOAT64[number]
        *given, result = (Quantization.per_tensor(DType.INT8, scale, 0) for scale in scales)
        shape = (1, *[256] * len(given))
        return Case(
            f"factor{number}",
            (kind,),
            (shape,) * len(given),
            {},
            attributes,
            parameters=tuple(given),
            output_parameters=result,
        )

    return build("factors", [case(number) for number in range(len(FLOAT64))], mode).graph


def test_factors_are_computed_in_float64(differing: Judge, tmp_path: Path) -> None:
    every = np.arange(-128, 128, dtype=np.int8)
    inputs: list[Array] = []
    for _, scales, _ in FLOAT64:
        inputs += [each[np.newaxis] for each in np.meshgrid(*[every] * (len(scales) - 1), indexing="ij")]
    graph, other = of_factors(MODE), of_factors("tflite")
    mine, litert = (run(each, inputs).tensors for each in (graph, other))
    assert all((mine[name] != litert[name]).any() for name in graph.outputs), "the scales tell nothing"
    assert differing(written(graph, tmp_path), graph, [inputs]) == {}


def check_model(model: Path, calibration: Path, evaluation: Path, differing: Judge, folder: Path) -> None:
    """Quantize a float model, write the file of its integer graph, compare real inputs."""
    normal = normalize(read_model(model))
    qdq = quantize(normal, Samples.open(calibration, normal), QuantizeOptions(mode=MODE)).model
    graph = to_integer_graph(qdq, MODE, "net")
    samples = islice(iter(Samples.open(evaluation, normal)), SAMPLES)
    tensors = [graph.tensors[name] for name in graph.inputs]
    inputs = [[quantized(tensor, feeds[tensor.name]).reshape(tensor.shape) for tensor in tensors] for feeds in samples]
    assert differing(written(graph, folder), graph, inputs) == {}


def test_example_has_the_bits_of_tflite_micro(example: Example, differing: Judge, tmp_path: Path) -> None:
    check_model(example.model, example.calibration, example.evaluation, differing, tmp_path)


@pytest.mark.data
@pytest.mark.parametrize("name", MODELS)
def test_model_has_the_bits_of_tflite_micro(name: str, data_dir: Path, differing: Judge, tmp_path: Path) -> None:
    known = MODELS[name]
    data = partial("{0}/{1}_{2}.npz".format, data_dir / "data", known.data)
    model = data_dir / "models" / f"{known.file}.onnx"
    check_model(model, Path(data("calib")), Path(data("eval")), differing, tmp_path)


@pytest.mark.data
@pytest.mark.parametrize("name", FOUR)
def test_published_file_has_the_bits_of_tflite_micro(name: str, data_dir: Path, differing: Judge) -> None:
    """The publisher's own file, beside what edgeq imports from it through ONNX QDQ."""
    model = open_published(name, data_dir)
    graph = model.graph(MODE)
    names = [model.converted.source.tensors[index].name for index in model.converted.source.inputs]
    inputs = [
        [quantized(graph.tensors[name], feeds[given]) for name, given in zip(graph.inputs, names, strict=True)]
        for feeds in islice(iter(model.samples), SAMPLES)
    ]
    assert differing(model.path, graph, inputs) == {}
