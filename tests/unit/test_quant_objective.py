"""What methods are judged by: which values are compared, and the ratio worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import parse

from edgeq.numerics.array import Array
from edgeq.quant.objective import Objective, decibel

ROWS = Sequence[Sequence[float]]


class _Answers:
    """In the place of a piece of a model: it answers with what it was given, whatever is fed."""

    def __init__(self, arrays: dict[str, list[Array]]) -> None:
        self.arrays, self.asked = arrays, 0

    def run(self, inputs: Any, fed: Any) -> dict[str, Array]:
        """The answers to the next sample."""
        del inputs, fed
        self.asked += 1
        return {name: rows[(self.asked - 1) % len(rows)] for name, rows in self.arrays.items()}


def objective_of(model: ir.Model, real: dict[str, ROWS], integer: dict[str, ROWS], folds: int = 1) -> Objective:
    """An objective whose float and quantized models answer each sample with a row."""
    answers = [
        _Answers({name: [np.array([row], np.float32) for row in rows] for name, rows in arrays.items()})
        for arrays in (real, integer)
    ]
    names: list[list[str]] = []

    def piece(number: int, wanted: list[str]) -> _Answers:
        names.append(wanted)
        return answers[number]

    count = len(next(iter(real.values())))
    nodes = {str(node.name): node for node in model.graph}
    fed_model = SimpleNamespace(nodes=nodes, piece=lambda wanted, inputs: piece(1, wanted), fed=lambda plan: None)
    execution = SimpleNamespace(
        model=model,
        batching=SimpleNamespace(pieces=SimpleNamespace(piece=lambda wanted, inputs: piece(0, wanted))),
        feeds=[[{} for _ in range(count // folds)] for _ in range(folds)],
        fed_model=lambda plan: fed_model,
    )
    found = Objective(execution)  # type: ignore[arg-type]
    assert names == [list(dict.fromkeys(real))]
    return found


TWO = "g (float[1,2] x) => (float[1,2] y, float[1,2] z) { y = Relu(x)\n z = Neg(x) }"


@pytest.mark.parametrize("folds", [1, 2])
def test_the_ratio_is_of_all_samples_and_outputs_weigh_alike(folds: int) -> None:
    real: dict[str, ROWS] = {"y": [[3, 4], [0, 5]], "z": [[100, 0], [0, 200]]}
    integer: dict[str, ROWS] = {"y": [[3, 5], [-2, 5]], "z": [[100, 10], [0, 190]]}
    found = objective_of(parse(TWO), real, integer, folds)
    shares = (1 + 4) / (25 + 25), (100 + 100) / (100**2 + 200**2)
    assert found.ratio_db([None] * folds) == round(-10 * np.log10(sum(shares) / 2), 2)  # type: ignore[list-item]


def test_a_mean_over_the_classes_counts_for_nothing_in_front_of_softmax() -> None:
    model = parse("g (float[1,3] x) => (float[1,3] y) { l = Neg(x)\n y = Softmax(l) }")
    found = objective_of(model, {"l": [[1, 2, 6]]}, {"l": [[11, 13, 15]]})
    signal, noise = np.array([-2, -1, 3]), np.array([-2, -1, 3]) - np.array([-2, 0, 2])
    wanted = -10 * np.log10((noise**2).sum() / (signal**2).sum())
    assert found.ratio_db([None]) == round(wanted, 2)  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("text", "compared"),
    [
        (TWO, ["y", "z"]),
        ("g (float[1,3] x) => (float[1,3] y) { l = Neg(x)\n y = Softmax <axis = 1> (l) }", ["l"]),
        # Over another axis the mean over the last one does count.
        ("g (float[1,3,2] x) => (float[1,3,2] y) { l = Neg(x)\n y = Softmax <axis = 1> (l) }", ["y"]),
        ("g (float[1,3] x) => (int64[1,1] i) { l = Neg(x)\n i = ArgMax <axis = 1> (l) }", ["l"]),
        ("g (float[1,3] x) => (int64[1,1] i) { l = Neg(x)\n y = Softmax(l)\n i = ArgMax <axis = 1> (y) }", ["l"]),
        (
            """g (float[1,3] x) => (bool[1,3] b) {
                a = Neg(x)
                l = Less(a, half)
                g = Greater(x, half)
                b = And(l, g)
            }""",
            ["a", "x"],
        ),
    ],
)
def test_what_is_compared_in_place_of_an_output(text: str, compared: list[str]) -> None:
    model = parse(text, {"half": np.array(0.5, np.float32)} if "half" in text else None)
    rows: ROWS = [[1.0, 2.0]]
    objective_of(model, dict.fromkeys(compared, rows), dict.fromkeys(compared, rows))


def test_shares_of_noise_in_decibel() -> None:
    assert decibel([1e-3]) == 30.0
    assert decibel([1e-1, 1e-3]) == 12.97  # of the mean, 0.0505
    assert decibel([10.0]) == -10.0
    assert decibel([0.0]) == 120.0
    assert decibel([1e-13]) == 120.0
    assert decibel([2e-12]) == 116.99
    assert decibel([]) == 120.0
