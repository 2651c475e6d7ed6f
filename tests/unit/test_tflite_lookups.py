"""Unary functions on many grids: the tables of mode tflite, and what the writer claims of TFLite's own operators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeq.backends.tflite import emit_tflite
from edgeq.backends.tflite.emit import draft_of
from edgeq.backends.tflite.write.lookup import Function
from edgeq.extras import missing
from edgeq.ir import DType, Graph, Node, Quantization, Tensor
from edgeq.numerics.tables import unary_table
from edgeq.numerics.tflite_unary import tflite_table
from edgeq.runners.base import ImageSpec, RunRequest, TensorSpec
from edgeq.runners.table import load_runner

needs_litert = pytest.mark.skipif(bool(missing("tflite")), reason="pip install 'edgeq[tflite]'")
GRIDS = 60
FIXED = {"Sigmoid": (1 / 256, -128), "Tanh": (1 / 128, 0)}
# The function with its attributes → the operator that most of its grids must get.
CODES = {
    "Clip(max=6.0, min=0.0)": "RELU6",
    "Exp": "EXP",
    "Gelu": "GELU",
    "Gelu(approximate=tanh)": "GELU",
    "HardSwish": "HARD_SWISH",
    "LeakyRelu(alpha=0.3)": "LEAKY_RELU",
    "LeakyRelu": "LEAKY_RELU",
    "Relu": "RELU",
    "Sigmoid": "LOGISTIC",
    "Tanh": "TANH",
}


def many_grids(text: str) -> Graph:
    """The function on grids drawn at random: one lookup each, over all values of int8."""
    generator = np.random.default_rng(11)
    function = Function.read(text)
    graph = Graph("lookups")
    for number in range(GRIDS):
        x_scale = float(np.float32(2.0 ** generator.uniform(-8, -3)))
        y_scale = float(np.float32(x_scale * 2.0 ** generator.uniform(-1, 1)))
        x_zero, y_zero = (int(zero) for zero in generator.integers(-128, 128, 2))
        y_scale, y_zero = FIXED.get(function.name, (y_scale, y_zero))
        grids = (x_scale, x_zero, y_scale, y_zero)
        table = tflite_table(function.name, function.attributes, *grids)
        if table is None:
            table = unary_table(function.name, function.attributes, *grids)
        x, y, entries = f"x{number}", f"y{number}", f"table{number}"
        graph.add_tensor(Tensor(x, (256,), DType.INT8, quant=Quantization.per_tensor(DType.INT8, x_scale, x_zero)))
        graph.add_tensor(Tensor.constant(entries, table))
        graph.add_tensor(Tensor(y, (256,), DType.INT8, quant=Quantization.per_tensor(DType.INT8, y_scale, y_zero)))
        graph.nodes.append(Node("lookup", y, (x, entries), (y,), {"function": text}))
        graph.inputs, graph.outputs = (*graph.inputs, x), (*graph.outputs, y)
    return graph


@needs_litert
@pytest.mark.parametrize("text", CODES)
def test_litert_computes_the_table(text: str, tmp_path: Path) -> None:
    graph = many_grids(text)
    path = tmp_path / "model.tflite"
    path.write_bytes(emit_tflite(graph, graph.outputs))
    inputs, outputs = (
        tuple(TensorSpec(name, "int8", (256,)) for name in names) for names in (graph.inputs, graph.outputs)
    )
    every = [np.arange(-128, 128).astype(np.int8)] * GRIDS
    answer = load_runner("tflite").run(RunRequest(ImageSpec("m", inputs, outputs, image=path), [every]))
    for number, got in enumerate(answer.outputs[0]):
        np.testing.assert_array_equal(got, graph.tensors[f"table{number}"].value(), err_msg=f"grid {number}")


@pytest.mark.parametrize(("text", "code"), CODES.items())
def test_tflites_own_operator_is_used_on_most_grids(text: str, code: str) -> None:
    graph = many_grids(text)
    own = sum(operator.code == code for operator in draft_of(graph).operators)
    assert own >= 0.75 * GRIDS


def test_table_that_is_not_the_functions_is_gathered() -> None:
    graph = many_grids("HardSwish")
    table = graph.tensors["table0"].value().copy()
    table[200] ^= 1
    graph.tensors["table0"] = Tensor.constant("table0", table)
    written = {operator.outputs[0]: operator.code for operator in draft_of(graph).operators}
    assert written["y0"] == "GATHER"


@pytest.mark.parametrize(
    ("text", "name", "attributes"),
    [
        ("Tanh", "Tanh", {}),
        ("LeakyRelu(alpha=0.25)", "LeakyRelu", {"alpha": 0.25}),
        ("Gelu(approximate=tanh)", "Gelu", {"approximate": "tanh"}),
        ("Clip(max=6.0, min=0.0)", "Clip", {"max": 6.0, "min": 0.0}),
        ("Tanh, Sigmoid", "Tanh, Sigmoid", {}),
    ],
)
def test_function_is_read_as_lowering_spells_it(text: str, name: str, attributes: dict[str, float | str]) -> None:
    assert Function.read(text) == Function(name, attributes)


def test_no_integer_kernel_is_none() -> None:
    assert tflite_table("Sigmoid", {}, 0.1, 0, 1 / 256, -128) is None
    assert tflite_table("Clip", {"min": -1.0, "max": 1.0}, 0.1, 0, 0.1, 0) is None
    # x·128 would have to be raised: LiteRT refuses such scales.
    assert tflite_table("HardSwish", {}, 1.0, 0, 0.001, 0) is None
