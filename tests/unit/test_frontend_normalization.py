"""Normalizations that exporters write in parts are recognized, and compute what the parts compute."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx_ir as ir
import pytest
from onnx import NodeProto
from test_frontend_rules import build, node, run_both

ROW = (1, 6, 8)


def axes(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def layer_norm(*, twice: bool = False, square: str = "Pow", last: str = "q") -> list[NodeProto]:
    """The parts, as torch writes them below opset 17: u and d are the same where the difference is computed twice."""
    power = node("Pow", ["u", "two"], ["p"]) if square == "Pow" else node("Mul", ["u", "u"], ["p"])
    return [
        node("ReduceMean", ["x"], ["m"], axes=[-1]),
        node("Sub", ["x", "m"], ["d"]),
        node("Sub", ["x", "m"], ["u"]) if twice else node("Identity", ["d"], ["u"]),
        power,
        node("ReduceMean", ["p"], ["v"], axes=[-1]),
        node("Add", ["v", "e"], ["w"]),
        node("Sqrt", ["w"], ["s"]),
        node("Div", ["d", "s"], [last]),
    ]


CONSTANTS = {
    "two": np.array(2, np.float32),
    "e": np.array(1e-5, np.float32),
    "g": np.linspace(0.5, 2, 8, dtype=np.float32),
    "b": np.linspace(-1, 1, 8, dtype=np.float32),
}


def kinds(model: ir.Model) -> Counter[str]:
    return Counter(each.op_type for each in model.graph)


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("square", ["Pow", "Mul"])
def test_a_layer_normalization_in_parts_is_one_node(twice: bool, square: str) -> None:
    parts = layer_norm(twice=twice, square=square)
    parts += [node("Mul", ["q", "g"], ["z"]), node("Add", ["z", "b"], ["y"])]
    found = run_both(build(parts, ROW, constants=CONSTANTS))
    assert kinds(found) == {"LayerNormalization": 1}
    assert len(next(iter(found.graph)).inputs) == 3


def test_a_layer_normalization_without_scale_is_one_node() -> None:
    assert kinds(run_both(build(layer_norm(last="y"), ROW, constants=CONSTANTS))) == {"LayerNormalization": 1}


def test_a_scale_along_another_axis_stays_apart() -> None:
    parts = [*layer_norm(), node("Mul", ["q", "c"], ["y"])]
    constants = CONSTANTS | {"c": np.linspace(1, 2, 6, dtype=np.float32).reshape(6, 1)}
    assert kinds(run_both(build(parts, ROW, constants=constants))) == {"LayerNormalization": 1, "Mul": 1}


def test_a_normalized_value_that_others_read_keeps_its_scale_apart() -> None:
    parts = [*layer_norm(), node("Mul", ["q", "g"], ["z"]), node("Add", ["z", "q"], ["y"])]
    assert kinds(run_both(build(parts, ROW, constants=CONSTANTS)))["Mul"] == 1


@pytest.mark.parametrize("change", ["axes", "operand", "epsilon"])
def test_what_only_looks_alike_is_left(change: str) -> None:
    parts, constants = layer_norm(last="y"), dict(CONSTANTS)
    if change == "axes":
        parts[0] = node("ReduceMean", ["x"], ["m"], axes=[1])
    elif change == "operand":
        parts[3] = node("Mul", ["u", "x"], ["p"])
        constants["e"] = np.array(1000, np.float32)
    else:
        parts[5] = node("Add", ["v", "x"], ["w"])
        parts[6] = node("Exp", ["w"], ["s"])
    assert "LayerNormalization" not in kinds(run_both(build(parts, ROW, constants=constants)))


@pytest.mark.parametrize("stated", [[0, 2, 3], [0, 1, 2, 3], [2, 3], [1], [3]])
def test_mean_and_variance_over_any_axes(stated: list[int]) -> None:
    model = build([node("MeanVarianceNormalization", ["x"], ["y"], axes=stated)], (1, 3, 4, 5))
    assert set(kinds(run_both(model))) <= {"LayerNormalization", "Transpose", "Reshape"}


def test_a_division_by_the_norm_is_one_node() -> None:
    """What torch writes for functional.normalize."""
    parts = [
        node("ReduceL2", ["x"], ["n"], axes=[-1], keepdims=1),
        node("Clip", ["n", "low"], ["c"]),
        node("Expand", ["c", "shape"], ["w"]),
        node("Div", ["x", "w"], ["y"]),
    ]
    model = build(parts, ROW, constants={"low": np.array(1e-12, np.float32), "shape": axes(*ROW)})
    assert kinds(run_both(model)) == {"LpNormalization": 1}


def test_a_norm_with_a_bound_that_counts_stays_a_division() -> None:
    parts = [
        node("ReduceL2", ["x"], ["n"], axes=[-1], keepdims=1),
        node("Clip", ["n", "low"], ["c"]),
        node("Div", ["x", "c"], ["y"]),
    ]
    assert "Div" in kinds(run_both(build(parts, ROW, constants={"low": np.array(5.0, np.float32)})))


def test_a_norm_of_magnitudes_is_a_division() -> None:
    found = kinds(run_both(build([node("LpNormalization", ["x"], ["y"], axis=1, p=1)], ROW)))
    assert found == {"Div": 1, "ReduceL1": 1}


def test_an_expand_whose_readers_broadcast_goes() -> None:
    model = build(
        [node("Expand", ["a", "shape"], ["w"]), node("Mul", ["x", "w"], ["y"])],
        None,
        inputs={"x": ROW, "a": (1, 6, 1)},
        constants={"shape": axes(*ROW)},
    )
    assert kinds(run_both(model)) == {"Mul": 1}


def test_an_expand_that_makes_the_result_larger_stays() -> None:
    model = build(
        [node("Expand", ["x", "shape"], ["w"]), node("Mul", ["w", "w"], ["y"])],
        (1, 6, 1),
        constants={"shape": axes(*ROW)},
    )
    assert "Concat" in kinds(run_both(model))


def root_mean_square(form: str, last: str = "q") -> list[NodeProto]:
    """x over the root of its mean square, as exporters write it."""
    parts = [
        node("Pow", ["x", "two"], ["p"]),
        node("ReduceMean", ["p"], ["v"], axes=[-1]),
        node("Add", ["v", "e"], ["w"]),
        node("Sqrt", ["w"], ["s"]),
    ]
    if form == "quotient":
        return [*parts, node("Div", ["x", "s"], [last])]
    inverse = node("Div", ["one", "s"], ["i"]) if form == "inverse" else node("Reciprocal", ["s"], ["i"])
    operands = ["i", "x"] if form == "first" else ["x", "i"]
    return [*parts, inverse, node("Mul", operands, [last])]


@pytest.mark.parametrize("form", ["quotient", "inverse", "reciprocal", "first"])
def test_a_root_mean_square_in_parts_is_one_node(form: str) -> None:
    parts = [*root_mean_square(form), node("Mul", ["q", "g"], ["y"])]
    constants = CONSTANTS | {"one": np.array(1, np.float32)}
    found = run_both(build(parts, ROW, constants=constants))
    assert kinds(found) == {"RMSNormalization": 1}
    assert found.graph.opset_imports[""] == 23


@pytest.mark.parametrize("change", ["axes", "operand", "number"])
def test_what_is_no_root_mean_square_is_left(change: str) -> None:
    parts = root_mean_square("inverse", last="y")
    constants = CONSTANTS | {"one": np.array(2 if change == "number" else 1, np.float32)}
    if change == "axes":
        parts[1] = node("ReduceMean", ["p"], ["v"], axes=[1])
    elif change == "operand":
        parts[0] = node("Abs", ["x"], ["p"])
    assert "RMSNormalization" not in kinds(run_both(build(parts, ROW, constants=constants)))


def spectrum(*, whole: bool) -> list[NodeProto]:
    """Magnitudes of a spectrum whose real parts lie in front of its imaginary ones, or come from elsewhere."""
    if whole:
        parts = [node("Split", ["x"], ["re", "im"], axis=1)]
    else:
        parts = [node("Neg", ["x"], ["re"]), node("Exp", ["x"], ["im"])]
    return [
        *parts,
        node("Pow", ["re", "two"], ["p"]),
        node("Mul", ["im", "im"], ["q"]),
        node("Add", ["p", "q"], ["s"]),
        node("Sqrt", ["s"], ["y"]),
    ]


def test_a_magnitude_is_a_norm_of_the_halves_where_they_are() -> None:
    found = kinds(run_both(build(spectrum(whole=True), ROW, constants=CONSTANTS)))
    assert found == {"Reshape": 1, "ReduceL2": 1}


def test_a_magnitude_of_two_tensors_is_a_norm_of_the_pair() -> None:
    found = kinds(run_both(build(spectrum(whole=False), ROW, constants=CONSTANTS)))
    assert found == {"Mul": 1, "Exp": 1, "Reshape": 2, "Concat": 1, "ReduceL2": 1}


@pytest.mark.parametrize("starts", [(3, 0), (0, 0), (0, 2)])
def test_other_slices_are_no_halves(starts: tuple[int, int]) -> None:
    parts = [
        node("Slice", ["x", f"from_{label}", f"to_{label}", "rows"], [label])
        for label, _ in zip(("re", "im"), starts, strict=True)
    ]
    bounds = {f"from_{label}": axes(start) for label, start in zip(("re", "im"), starts, strict=True)}
    bounds |= {f"to_{label}": axes(start + 3) for label, start in zip(("re", "im"), starts, strict=True)}
    model = build([*parts, *spectrum(whole=True)[1:]], ROW, constants={**CONSTANTS, **bounds, "rows": axes(1)})
    assert kinds(run_both(model))["Concat"] == 1


@pytest.mark.parametrize("keepdims", [0, 1])
def test_a_root_of_summed_squares_is_a_norm(keepdims: int) -> None:
    for parts in (
        [node("Mul", ["x", "x"], ["q"]), node("ReduceSum", ["q", "last"], ["s"], keepdims=keepdims)],
        [node("ReduceSumSquare", ["x"], ["s"], axes=[-1], keepdims=keepdims)],
    ):
        model = build([*parts, node("Sqrt", ["s"], ["y"])], ROW, constants={"last": axes(-1)})
        assert kinds(run_both(model)) == {"ReduceL2": 1}


def test_a_root_of_another_sum_stays_one() -> None:
    parts = [*spectrum(whole=True)[:-1], node("Add", ["s", "e"], ["w"]), node("Sqrt", ["w"], ["y"])]
    assert kinds(run_both(build(parts, ROW, constants=CONSTANTS)))["Sqrt"] == 1
