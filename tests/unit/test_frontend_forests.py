"""Forests of ``ai.onnx.ml``: one form, the scores and classes of onnxruntime, exact thresholds in integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir
import onnxruntime
import pytest
from classical_models import Draw, classifier, drawn_trees, ml, model_of, one, weights_of
from onnx import ModelProto, TensorProto, helper, numpy_helper

from edgeq import frontend
from edgeq.errors import EdgeqError
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.lowering import lower
from edgeq.notes import gathered
from edgeq.onnxio import Session
from edgeq.onnxio.reader import read_model_bytes
from edgeq.onnxio.samples import Samples
from edgeq.passes import PASSES, run_passes
from edgeq.quant import QuantizeOptions, quantize

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
SCORES = {"label": INT64, "scores": FLOAT}
FEATURES = 5
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")


def forest_classifier(
    seed: int, ids: Sequence[int], labels: Sequence[int], low: float = -1.0, **attributes: Any
) -> ModelProto:
    draw = np.random.default_rng(seed)
    nodes, leaves = drawn_trees(draw, 6, 4, FEATURES)
    values = draw.uniform(low, 1, len(leaves) * len(ids)).astype(np.float32) / np.float32(6)
    weights = weights_of(leaves, ids, values.tolist(), "class")
    made = classifier("TreeEnsembleClassifier", classlabels_int64s=list(labels), **nodes, **weights, **attributes)
    return model_of(made, SCORES, features=FEATURES)


def forest_regressor(
    seed: int, targets: int, mode: str | Sequence[str] = "BRANCH_LEQ", **attributes: Any
) -> ModelProto:
    draw = np.random.default_rng(seed)
    nodes, leaves = drawn_trees(draw, 6, 4, FEATURES, mode)
    weights = weights_of(leaves, range(targets), Draw(seed).floats(len(leaves) * targets), "target")
    made = one("TreeEnsembleRegressor", n_targets=targets, **nodes, **weights, **attributes)
    return model_of(made, {"y": FLOAT}, features=FEATURES)


def ensemble(modes: Sequence[int] = (0, 1, 2, 3, 4, 5), **attributes: Any) -> ModelProto:
    """Version 5: two trees of three questions, and one that is a leaf."""
    splits = np.array([0.5, -0.25, 1.0, 0.0, 0.25, -1.0, 0.0], np.float32)
    codes = np.array([*np.resize(np.array(modes, np.uint8), 6), 0], np.uint8)
    made = one(
        "TreeEnsemble",
        n_targets=2,
        tree_roots=[0, 3, 6],
        nodes_featureids=[0, 1, 2, 3, 4, 0, 0],
        nodes_modes=numpy_helper.from_array(codes, "modes"),
        nodes_splits=numpy_helper.from_array(splits, "splits"),
        nodes_truenodeids=[1, 0, 2, 4, 4, 6, 8],
        nodes_trueleafs=[0, 1, 1, 0, 1, 1, 1],
        nodes_falsenodeids=[2, 1, 3, 5, 5, 7, 8],
        nodes_falseleafs=[0, 1, 1, 0, 1, 1, 1],
        leaf_targetids=[0, 1, 0, 1, 1, 0, 0, 1, 1],
        leaf_weights=numpy_helper.from_array(np.array(Draw(5).floats(9), np.float32), "weights"),
        **attributes,
    )
    return model_of(made, {"y": FLOAT}, features=FEATURES, version=5, opset=21)


MODELS: dict[str, ModelProto] = {
    "one sum, positive": forest_classifier(1, [0], [5, 7], low=0.0),
    "one sum, positive, LOGISTIC": forest_classifier(1, [0], [5, 7], low=0.0, post_transform="LOGISTIC"),
    "one sum, base": forest_classifier(2, [0], [0, 1], low=0.0, base_values=[0.1]),
    "one sum, LOGISTIC": forest_classifier(3, [0], [0, 1], post_transform="LOGISTIC"),
    "one sum, base, LOGISTIC": forest_classifier(3, [0], [0, 1], post_transform="LOGISTIC", base_values=[-0.2]),
    "second sum, positive": forest_classifier(4, [1], [0, 1], low=0.0),
    "second sum": forest_classifier(5, [1], [3, 4], post_transform="SOFTMAX"),
    **{
        f"three sums {transform}": forest_classifier(6, [0, 1, 2], [2, 0, 9], post_transform=transform)
        for transform in ("NONE", "LOGISTIC", "SOFTMAX")
    },
    "three sums, base": forest_classifier(7, [0, 1, 2], [0, 1, 2], base_values=[0.25, -0.5, 0.125]),
    **{f"regressor {mode}": forest_regressor(8, 1, mode) for mode in MODES},
    "regressor of all modes": forest_regressor(9, 3, MODES, base_values=[1.0, 2.0, 3.0]),
    "regressor AVERAGE": forest_regressor(10, 2, aggregate_function="AVERAGE", base_values=[1.0, -1.0]),
    "regressor MIN": forest_regressor(11, 2, aggregate_function="MIN", base_values=[1.0, -1.0]),
    "regressor MAX": forest_regressor(12, 1, aggregate_function="MAX", base_values=[0.5]),
    "regressor SOFTMAX": forest_regressor(13, 3, post_transform="SOFTMAX"),
    "ensemble": ensemble(),
    "ensemble, mean": ensemble(aggregate_function=0),
}


def normalized(model: ModelProto) -> onnx_ir.Model:
    made = frontend.normalize(read_model_bytes(model.SerializeToString()))
    assert not frontend.check_support(made)
    return made


def drawn(count: int = 80, whole: bool = False) -> np.ndarray:
    found = np.random.default_rng(3).normal(size=(count, FEATURES)).astype(np.float32)
    return np.rint(2 * found) if whole else found


@pytest.mark.parametrize("name", MODELS)
def test_scores_and_classes_are_those_of_onnxruntime(name: str) -> None:
    model = MODELS[name]
    session, again = onnxruntime.InferenceSession(model.SerializeToString()), Session(normalized(model))
    for x in drawn():
        wanted, found = session.run(None, {"x": x[None]}), again.run({"x": x[None]})
        for value, array in zip(model.graph.output, wanted, strict=True):
            np.testing.assert_allclose(found[value.name], array, atol=2e-6)


def test_both_sums_of_two_classes_are_compared() -> None:
    """onnxruntime looks at the second one alone, and answers 0 and 1 whatever the labels are."""
    model = forest_classifier(14, [0, 1], [5, 7])
    session, again = onnxruntime.InferenceSession(model.SerializeToString()), Session(normalized(model))
    for x in drawn():
        scores, found = session.run(["scores"], {"x": x[None]})[0], again.run({"x": x[None]})
        np.testing.assert_allclose(found["scores"], scores, atol=1e-6)
        assert found["label"].tolist() == [[5, 7][int(scores[0].argmax())]]


def test_canonical_form_stays_as_it_is() -> None:
    made = normalized(forest_regressor(15, 2, MODES))
    (node,) = made.graph
    assert made.graph.opset_imports["ai.onnx.ml"] == 3
    assert {*node.attributes["nodes_modes"].as_strings()} == {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_EQ", "LEAF"}
    again = frontend.normalize(made)
    (same,) = again.graph
    assert {key: value.value for key, value in same.attributes.items()} == {
        key: value.value for key, value in node.attributes.items()
    }


def integer_graph(model: ModelProto, data: np.ndarray, **options: Any) -> tuple[Graph, onnx_ir.Model]:
    made = normalized(model)
    result = quantize(made, Samples.of({"x": data[:, None]}, made), QuantizeOptions(**options)).model
    graph = lower(result, mode="highmul", name="m")
    run_passes(graph, PASSES)
    return graph, result


@pytest.mark.parametrize("kind", [np.float32, np.int16])
@pytest.mark.parametrize("name", ["regressor of all modes", "regressor MIN", "regressor AVERAGE"])
def test_thresholds_between_integers_that_are_data_are_exact(name: str, kind: type) -> None:
    """Every branch is the float model's: a wrong one would show in the scores. Thresholds are data themselves, too."""
    model = onnx.ModelProto()
    model.CopyFrom(MODELS[name])
    for attribute in model.graph.node[0].attribute:
        if attribute.name == "nodes_values":
            attribute.floats[:] = np.rint(4 * np.array(attribute.floats)).tolist()
    data = np.rint(4 * drawn(200)).astype(kind)
    graph, _ = integer_graph(model, data)
    source, result = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    assert source.quant is not None
    assert result.quant is not None
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for x in data:
        real = x[None].astype(np.float32)
        (found,) = run(graph, [source.quant.quantize(real)]).outputs
        (wanted,) = session.run(None, {"x": real})
        assert np.abs(result.quant.dequantize(found) - wanted).max() <= 12 * result.quant.scale[0]


def test_quantized_model_in_onnxruntime_takes_the_same_branches() -> None:
    model = MODELS["regressor of all modes"]
    graph, qdq = integer_graph(model, drawn(200))
    source, result = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    assert source.quant is not None
    assert result.quant is not None
    session = Session(qdq)
    for x in drawn(300):
        (found,) = run(graph, [source.quant.quantize(x[None])]).outputs
        wanted = session.run({"x": x[None]})["y"]
        assert np.abs(result.quant.dequantize(found) - wanted).max() <= 12 * result.quant.scale[0]


def test_quantized_forest_is_read_again_with_the_same_integers() -> None:
    graph, qdq = integer_graph(MODELS["three sums SOFTMAX"], drawn(200))
    again = lower(frontend.normalize_qdq(frontend.normalize_structure(qdq)), mode="highmul", name="m")
    run_passes(again, PASSES)
    for x in drawn(20):
        source = graph.tensors[graph.inputs[0]].quant
        assert source is not None
        inputs = [source.quantize(x[None])]
        for mine, other in zip(run(graph, inputs).outputs, run(again, inputs).outputs, strict=True):
            np.testing.assert_array_equal(mine, other)


def test_operand_and_result_of_a_forest_are_int16() -> None:
    graph, _ = integer_graph(MODELS["regressor SOFTMAX"], drawn(100))
    (node,) = [node for node in graph.nodes if node.op == "trees"]
    assert [tensor.dtype.value for tensor in (graph.operands(node)[0], graph.results(node)[0])] == ["int16", "int16"]
    tflite, _ = integer_graph(MODELS["regressor SOFTMAX"], drawn(100), mode="tflite")
    assert tflite.tensors[tflite.inputs[0]].dtype.value == "int8"


def test_features_of_unequal_ranges_are_told() -> None:
    data = drawn(200)
    model = forest_regressor(16, 1)
    integer_graph(model, data)
    data[:, 0] *= 1e5
    with gathered() as notes:
        integer_graph(model, data)
    (note,) = [each for each in notes if each.code == "EQ0370"]
    assert note.severity == "warning"
    assert "thresholds of feature" in str(note.got)


def _broken(change: str) -> ModelProto:
    draw = np.random.default_rng(17)
    nodes, leaves = drawn_trees(draw, 2, 3, FEATURES)
    weights = weights_of(leaves, [0], Draw(17).floats(len(leaves)), "target")
    inner = nodes["nodes_modes"].index("BRANCH_LEQ")
    if change == "child":
        nodes["nodes_truenodeids"][inner] = 999
    elif change == "loop":
        nodes["nodes_truenodeids"][inner] = nodes["nodes_nodeids"][inner]
    elif change == "shared":
        nodes["nodes_truenodeids"][inner] = nodes["nodes_falsenodeids"][inner]
    elif change == "feature":
        nodes["nodes_featureids"][inner] = FEATURES
    elif change == "lengths":
        nodes["nodes_values"].pop()
    elif change == "mode":
        nodes["nodes_modes"][inner] = "BRANCH_MEMBER"
    elif change == "target":
        weights["target_ids"][0] = 3
    elif change == "weights":
        weights = weights_of([(0, nodes["nodes_nodeids"][inner])], [0], [1.0], "target")  # of no leaf
    return model_of(one("TreeEnsembleRegressor", n_targets=1, **nodes, **weights), {"y": FLOAT}, features=FEATURES)


REFUSED: dict[str, tuple[ModelProto, str, str]] = {
    **{name: (_broken(name), "EQ0232", "") for name in ("child", "loop", "shared", "feature", "lengths", "target")},
    "mode": (_broken("mode"), "EQ0313", "BRANCH_EQ"),
    "weights": (_broken("weights"), "EQ0313", "a weight at least"),
    "set": (ensemble((0, 6)), "EQ0313", "a node of its own"),
    "probit": (forest_regressor(18, 2, post_transform="PROBIT"), "EQ0313", "PROBIT"),
    "softmax of zeros": (forest_regressor(18, 2, post_transform="SOFTMAX_ZERO"), "EQ0313", "SOFTMAX_ZERO"),
    "function of an ensemble": (ensemble(post_transform=2), "EQ0313", "LOGISTIC"),
    "function of one target": (forest_regressor(19, 1, post_transform="LOGISTIC"), "EQ0313", "runtimes disagree"),
    "bases": (forest_classifier(20, [0], [0, 1], base_values=[0.1, 0.2]), "EQ0313", "base_values"),
    "bases of three": (forest_classifier(21, [0, 1, 2], [0, 1, 2], base_values=[0.1]), "EQ0313", "3 values"),
    "least of some": (
        model_of(
            one(
                "TreeEnsembleRegressor",
                n_targets=2,
                aggregate_function="MIN",
                **drawn_trees(np.random.default_rng(1), 1, 0, FEATURES)[0],
                **weights_of(drawn_trees(np.random.default_rng(1), 1, 0, FEATURES)[1], [0], [1.0], "target"),
            ),
            {"y": FLOAT},
            features=FEATURES,
        ),
        "EQ0313",
        "MIN",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_integer_form_is_refused(name: str) -> None:
    model, code, word = REFUSED[name]
    with pytest.raises(EdgeqError) as caught:
        frontend.normalize(read_model_bytes(model.SerializeToString()))
    (problem,) = caught.value.problems
    assert problem.code == code
    assert word in str(problem)


def test_several_forests_and_a_layer_in_one_model() -> None:
    """The scores of two forests side by side, as boosted classifiers of other libraries have them."""
    draw = np.random.default_rng(22)
    parts = []
    for number in range(2):
        nodes, leaves = drawn_trees(draw, 3, 3, FEATURES)
        weights = weights_of(leaves, [0], Draw(number).floats(len(leaves)), "target")
        made = ml("TreeEnsembleRegressor", ["x"], [f"part{number}"], n_targets=1, **nodes, **weights)
        made.name = f"forest{number}"
        parts.append(made)
    join = helper.make_node("Concat", ["part0", "part1"], ["y"], axis=1)
    model = model_of([*parts, join], {"y": FLOAT}, features=FEATURES)
    graph, _ = integer_graph(model, drawn(100))
    assert [node.op for node in graph.nodes].count("trees") == 2
