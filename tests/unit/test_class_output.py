"""A class in place of scores: what is dropped, what is appended, and what cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import parse

from edgeq.errors import EdgeqError
from edgeq.frontend import give_class
from edgeq.ir import State
from edgeq.notes import gathered
from edgeq.numerics.array import Array
from edgeq.onnxio import Session

X = np.random.default_rng(5).normal(size=(20, 3, 4)).astype(np.float32)


def model(body: str, inputs: str = "float[1,3,4] x", outputs: str = "float[1,3,4] y") -> ir.Model:
    """A model of the nodes of a text."""
    text = f"g ({inputs}) => ({outputs}) {{ {body} }}"
    return parse(text, {"flat": np.array([1, -1], np.int64), "s": np.float32(1 / 256), "z": np.int8(-128)})


def run(of: ir.Model, x: Array) -> Array:
    """The first output."""
    return Session(of).run({"x": x[None]})[str(of.graph.outputs[0].name)]


def operators(of: ir.Model) -> list[str]:
    return [node.op_type for node in of.graph]


TAILS: Mapping[str, tuple[str, str, list[str], int | None]] = {
    "softmax": ("y = Softmax<axis = -1>(x)", "float[1,3,4] y", ["ArgMax"], -1),
    "softmax over another axis": ("y = Softmax<axis = 1>(x)", "float[1,3,4] y", ["ArgMax"], 1),
    "log softmax": ("y = LogSoftmax<axis = 2>(x)", "float[1,3,4] y", ["ArgMax"], 2),
    "sigmoid in front of softmax": ("h = Sigmoid(x) y = Softmax(h)", "float[1,3,4] y", ["ArgMax"], 2),
    "softmax in front of sigmoid": ("h = Softmax<axis = 1>(x) y = Sigmoid(h)", "float[1,3,4] y", ["ArgMax"], 1),
    "two softmax over two axes": (
        "h = Softmax<axis = 1>(x) y = Softmax<axis = 2>(h)",
        "float[1,3,4] y",
        ["Softmax", "ArgMax"],
        None,
    ),
    "quantized": (
        "h = Softmax(x) q = QuantizeLinear(h, s, z) y = DequantizeLinear(q, s, z)",
        "float[1,3,4] y",
        ["ArgMax"],
        -1,
    ),
    "scores in a row": (
        "h = Reshape(x, flat) p = Softmax(h) i = Identity(p) y = Flatten(i)",
        "float[1,12] y",
        ["Reshape", "Identity", "Flatten", "ArgMax"],
        None,
    ),
    "sigmoid of several scores": (
        "h = Sigmoid(x) y = Reshape(h, flat)",
        "float[1,12] y",
        ["Reshape", "ArgMax"],
        None,
    ),
    "rows that become one": (
        "p = Softmax(x) y = Reshape(p, flat)",
        "float[1,12] y",
        ["Softmax", "Reshape", "ArgMax"],
        None,
    ),
    "no tail": ("h = Relu(x) y = Reshape(h, flat)", "float[1,12] y", ["Relu", "Reshape", "ArgMax"], None),
}


@pytest.mark.parametrize("case", TAILS)
def test_class_is_the_arg_max_of_the_output(case: str) -> None:
    body, outputs, wanted, axis = TAILS[case]
    given = model(body, outputs=outputs)
    found = give_class(given)
    assert operators(found) == wanted
    (output,) = found.graph.outputs
    assert (output.name, output.dtype) == ("y_class", ir.DataType.INT64)
    for x in X:
        scores = run(given, x)
        assert np.array_equal(run(found, x), scores.argmax(axis=axis if axis is not None else _axis(found)))
    assert operators(given) != operators(found)  # the argument is not changed


def _axis(of: ir.Model) -> int:
    return int(of.graph[-1].attributes["axis"].as_int())


def test_scores_that_others_read_stay() -> None:
    body = "p = Softmax(x) y = Reshape(p, flat) m = Relu(p)"
    found = give_class(model(body, outputs="float[1,12] y, float[1,3,4] m"), "y")
    assert operators(found) == ["Softmax", "Reshape", "Relu", "ArgMax"]
    assert [value.name for value in found.graph.outputs] == ["y_class", "m"]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("h = Softmax<axis = 1>(x) y = ArgMax<axis = 1, keepdims = 1>(h)", ["ArgMax"]),
        ("h = Softmax<axis = 2>(x) y = ArgMax<axis = 1, keepdims = 1>(h)", ["Softmax", "ArgMax"]),
        ("h = Relu(x) y = ArgMax<axis = 1, keepdims = 1>(h)", ["Relu", "ArgMax"]),
    ],
)
def test_model_that_gives_a_class_loses_its_softmax_and_is_told_of(body: str, wanted: Sequence[str]) -> None:
    with gathered() as notes:
        found = give_class(model(body, outputs="int64[1,1,4] y"))
    assert [(problem.code, problem.where) for problem in notes] == [("EQ0266", "output y")]
    assert operators(found) == wanted
    assert [value.name for value in found.graph.outputs] == ["y"]


def test_states_are_no_scores() -> None:
    body = "y = Softmax(x) h_out = Add(h, x)"
    given = model(body, "float[1,3,4] x, float[1,3,4] h", "float[1,3,4] y, float[1,3,4] h_out")
    for found in (give_class(given), give_class(given, None, [State("h", "h_out")], recognize=False)):
        assert [value.name for value in found.graph.outputs] == ["y_class", "h_out"]
    with pytest.raises(EdgeqError, match="EQ0154"):
        give_class(given, recognize=False)


def test_sizes_of_samples_may_be_open() -> None:
    found = give_class(model("y = Relu(x)", 'float["N",12] x', 'float["N",12] y'))
    assert _axis(found) == 1


REFUSED: Mapping[str, tuple[str, ir.Model, str | None, str]] = {
    "which output": (
        "EQ0154",
        model("y = Softmax(x) v = Relu(x)", outputs="float[1,3,4] y, float[1,3,4] v"),
        None,
        "y, v",
    ),
    "no such output": ("EQ0154", model("y = Softmax(x)"), "z", "z"),
    "one score": ("EQ0268", model("y = Sigmoid(x)", "float[1,1] x", "float[1,1] y"), None, "shape [1, 1]"),
    "several axes": ("EQ0268", model("y = Relu(x)"), None, "shape [1, 3, 4]"),
    "sigmoid of several axes": ("EQ0268", model("y = Sigmoid(x)"), None, "shape [1, 3, 4]"),
    "open size": (
        "EQ0268",
        model("y = Relu(x)", 'float[1,3,"T"] x', 'float[1,3,"T"] y'),
        None,
        "shape [1, 3, 'T']",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_class_is_refused(case: str) -> None:
    code, given, output, got = REFUSED[case]
    with pytest.raises(EdgeqError) as raised:
        give_class(given, output)
    assert [(problem.code, problem.got) for problem in raised.value.problems] == [(code, got)]
