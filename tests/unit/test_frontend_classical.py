"""Operators of ``ai.onnx.ml``, written out with standard ones: the same numbers as in onnxruntime, or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir
import onnxruntime
import pytest
from classical_models import FEATURES, Draw, classifier, ml, model_of, one
from onnx import ModelProto, TensorProto, helper

from edgeq import frontend
from edgeq.errors import EdgeqError
from edgeq.interp import run
from edgeq.lowering import lower
from edgeq.notes import gathered
from edgeq.onnxio import Session
from edgeq.onnxio.reader import read_model_bytes
from edgeq.onnxio.samples import Samples
from edgeq.passes import PASSES, run_passes
from edgeq.quant import QuantizeOptions, quantize

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
SCORES = {"label": INT64, "scores": FLOAT}
KERNELS = {"LINEAR": [0.0, 0.0, 0.0], "POLY": [0.5, 1.0, 3.0], "RBF": [0.3, 0.0, 0.0], "SIGMOID": [0.2, 0.1, 0.0]}
RNG = Draw(1)
f = RNG.floats


def _kernel(kind: str) -> dict[str, Any]:
    return {"kernel_type": kind, "kernel_params": KERNELS[kind]}


def _linear(count: int, labels: list[int], transform: str) -> ModelProto:
    nodes = classifier(
        "LinearClassifier",
        coefficients=f(count, FEATURES),
        intercepts=f(count),
        classlabels_ints=labels,
        post_transform=transform,
    )
    return model_of(nodes, SCORES)


def _svc(kind: str, sizes: list[int], labels: list[int], **attributes: Any) -> ModelProto:
    pairs, total = len(sizes) * (len(sizes) - 1) // 2, sum(sizes)
    nodes = classifier(
        "SVMClassifier",
        vectors_per_class=sizes,
        support_vectors=f(total, FEATURES),
        coefficients=f(len(sizes) - 1, total),
        rho=f(pairs),
        classlabels_ints=labels,
        **_kernel(kind),
        **attributes,
    )
    return model_of(nodes, SCORES)


def _svr(kind: str, **attributes: Any) -> ModelProto:
    vectors = {"n_supports": 6, "support_vectors": f(6, FEATURES), "coefficients": f(6), "rho": f(1)}
    return model_of(one("SVMRegressor", **vectors, **_kernel(kind), **attributes), {"y": FLOAT})


def _encoder(version: int = 2, result: int = INT64, **attributes: Any) -> ModelProto:
    return model_of(one("LabelEncoder", **attributes), {"y": result}, kind=INT64, version=version)


def _looked_up() -> ModelProto:
    """Labels as exporters find them: the arg max of scores in a list of numbers."""
    nodes = [
        helper.make_node("ArgMax", ["x"], ["i"], axis=1, keepdims=0),
        ml("ArrayFeatureExtractor", ["classes", "i"], ["found"]),
        helper.make_node("Cast", ["found"], ["whole"], to=INT64),
        helper.make_node("Reshape", ["whole", "shape"], ["y"]),
    ]
    return model_of(nodes, {"y": INT64}, constants={"classes": np.array([4, 2, 7, 1]), "shape": np.array([-1])})


def _distances(metric: str) -> ModelProto:
    """Nearest neighbours as scikit-learn's exporter writes them with ``optim='cdist'``."""
    rows = np.array(f(9, FEATURES), np.float32).reshape(9, FEATURES)
    node = helper.make_node("CDist", ["x", "rows"], ["y"], "distances", None, "com.microsoft", metric=metric)
    return model_of([node], {"y": FLOAT}, constants={"rows": rows})


EXACT: dict[str, ModelProto] = {
    **{f"distances {metric}": _distances(metric) for metric in ("euclidean", "sqeuclidean")},
    "scaler": model_of(one("Scaler", offset=f(FEATURES), scale=f(FEATURES)), {"y": FLOAT}),
    "scaler of one number": model_of(one("Scaler", offset=[0.0], scale=[2.0]), {"y": FLOAT}, version=1),
    **{f"normalizer {norm}": model_of(one("Normalizer", norm=norm), {"y": FLOAT}) for norm in ("L1", "L2", "MAX")},
    "binarizer": model_of(one("Binarizer", threshold=0.25), {"y": FLOAT}),
    "imputer of NaN": model_of(
        one("Imputer", imputed_value_floats=f(FEATURES), replaced_value_float=float("nan")), {"y": FLOAT}
    ),
    "imputer": model_of(one("Imputer", imputed_value_floats=f(FEATURES), replaced_value_float=-9.0), {"y": FLOAT}),
    "imputer of integers": model_of(
        one("Imputer", imputed_value_int64s=[7, 8, 9, 10], replaced_value_int64=-1), {"y": INT64}, kind=INT64
    ),
    "feature vectorizer": model_of(
        [ml("FeatureVectorizer", ["x", "x"], ["y"], inputdimensions=[FEATURES, FEATURES])], {"y": FLOAT}
    ),
    "feature extractor": model_of(
        [ml("ArrayFeatureExtractor", ["x", "i"], ["y"])], {"y": FLOAT}, constants={"i": np.array([3, 0, 2])}
    ),
    "labels that are looked up": _looked_up(),
    "one hot": model_of(one("OneHotEncoder", cats_int64s=[-1, 0, 2]), {"y": FLOAT}, kind=INT64),
    "one hot of floats": model_of(one("OneHotEncoder", cats_int64s=[-1, 0, 2]), {"y": FLOAT}),
    "encoder": _encoder(keys_int64s=[-2, 0, 2], values_int64s=[10, 20, 30], default_int64=-7),
    "encoder to floats": _encoder(result=FLOAT, keys_int64s=[-2, 0, 2], values_floats=[1.5, 2.5, 3.5]),
    "encoder of distant keys": _encoder(keys_int64s=[-2, 0, 100000], values_int64s=[10, 20, 30]),
    "encoder of distant keys to floats": _encoder(
        result=FLOAT, keys_int64s=[-2, 0, 100000], values_floats=[1.0, 2.5, 3.0], default_float=0.5
    ),
    "encoder of tensors": _encoder(
        4,
        keys_tensor=helper.make_tensor("k", INT64, [3], [-2, 0, 2]),
        values_tensor=helper.make_tensor("v", INT64, [3], [5, 6, 7]),
        default_tensor=helper.make_tensor("d", INT64, [1], [9]),
    ),
    "linear regressor": model_of(
        one("LinearRegressor", coefficients=f(3, FEATURES), intercepts=f(3), targets=3), {"y": FLOAT}
    ),
    "linear regressor without intercepts": model_of(one("LinearRegressor", coefficients=f(1, FEATURES)), {"y": FLOAT}),
    **{
        f"{count} sums {transform}": _linear(count, labels, transform)
        for transform in ("NONE", "LOGISTIC", "SOFTMAX")
        for count, labels in ((3, [0, 1, 2]), (2, [7, -3]), (1, [0, 1]))
    },
    "linear classifier of integers": model_of(
        classifier("LinearClassifier", coefficients=f(3, FEATURES), intercepts=f(3), classlabels_ints=[0, 1, 2]),
        SCORES,
        kind=INT64,
    ),
    **{f"svr {kind}": _svr(kind) for kind in KERNELS},
    **{f"one class {kind}": _svr(kind, one_class=1) for kind in KERNELS},
    **{f"svc of 2 {kind}": _svc(kind, [4, 2], [0, 1]) for kind in KERNELS},
    **{f"svc of 3 {kind}": _svc(kind, [3, 2, 4], [0, 5, 2]) for kind in KERNELS},
    "linear svr": model_of(
        one("SVMRegressor", coefficients=f(FEATURES), rho=f(1), **_kernel("LINEAR")), {"y": FLOAT}, version=1
    ),
    **{
        f"linear svc of {count}": model_of(
            classifier(
                "SVMClassifier",
                coefficients=f(count, FEATURES),
                rho=f(1),
                classlabels_ints=[*range(count)],
                **_kernel("LINEAR"),
            ),
            SCORES,
        )
        for count in (2, 3)
    },
    "linear svc of positive weights": model_of(
        classifier(
            "SVMClassifier",
            coefficients=np.abs(f(2, FEATURES)).tolist(),
            rho=f(1),
            classlabels_ints=[0, 1],
            **_kernel("LINEAR"),
        ),
        SCORES,
    ),
}
# onnxruntime finds two probabilities by iterations that stop at 0.0025 from the solution.
ROUGH: dict[str, ModelProto] = {
    f"probabilities of svc {kind}": _svc(kind, [4, 2], [0, 1], prob_a=[-1.3], prob_b=[0.2]) for kind in KERNELS
}


def normalized(model: ModelProto) -> onnx_ir.Model:
    """The normalized form, which is supported."""
    made = frontend.normalize(read_model_bytes(model.SerializeToString()))
    assert not frontend.check_support(made)
    assert all(node.domain == "" for node in made.graph)
    return made


def samples_for(model: ModelProto, count: int = 60) -> np.ndarray:
    random = np.random.default_rng(3)
    if model.graph.input[0].type.tensor_type.elem_type == INT64:
        return random.integers(-3, 4, (count, FEATURES))
    drawn = random.normal(size=(count, FEATURES)).astype(np.float32)
    drawn[: count // 3] = np.rint(drawn[: count // 3])  # OneHotEncoder reads whole numbers
    return drawn


def differences(model: ModelProto) -> float:
    """The largest difference to onnxruntime over all results and samples."""
    session, made = onnxruntime.InferenceSession(model.SerializeToString()), normalized(model)
    again, kind = Session(made), made.graph.inputs[0].dtype
    assert kind is not None
    worst = 0.0
    for x in samples_for(model):
        wanted = session.run(None, {"x": x[None]})
        found = again.run({"x": x[None].astype(kind.numpy())})
        for value, array in zip(model.graph.output, wanted, strict=True):
            assert found[value.name].shape == array.shape
            worst = max(worst, float(np.abs(found[value.name].astype(np.float64) - array).max()))
    return worst


@pytest.mark.parametrize("name", EXACT)
def test_operator_gives_what_onnxruntime_gives(name: str) -> None:
    assert differences(EXACT[name]) < 1e-4


@pytest.mark.parametrize("name", ROUGH)
def test_two_probabilities_are_the_solution_that_onnxruntime_nears(name: str) -> None:
    assert differences(ROUGH[name]) < 5e-3


def integer_results(model: ModelProto, **options: Any) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    """What the integer graph gives for samples, and what onnxruntime does."""
    made, drawn = normalized(model), samples_for(model, 200)
    given = Samples.of({"x": drawn[:, None]}, made)
    graph = lower(quantize(made, given, QuantizeOptions(**options)).model, mode="highmul", name="m")
    run_passes(graph, PASSES)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [value.name for value in model.graph.output]
    found = []
    for x in drawn:
        source = graph.tensors[graph.inputs[0]]
        integers = x[None].astype(source.dtype.numpy) if source.quant is None else source.quant.quantize(x[None])
        results = run(graph, [integers]).outputs
        parameters = [graph.tensors[name].quant for name in graph.outputs]
        real = [
            array if quant is None else quant.dequantize(array)
            for quant, array in zip(parameters, results, strict=True)
        ]
        found.append(dict(zip(names, real, strict=True)))
    return found, [session.run(None, {"x": x[None]}) for x in drawn]


@pytest.mark.parametrize(
    ("name", "scheme", "share"),
    [
        ("3 sums SOFTMAX", "w8a8", 0.97),
        ("1 sums LOGISTIC", "w8a8", 0.97),
        ("svc of 2 RBF", "w8a8", 0.93),
        ("svc of 3 RBF", "w8a8", 0.93),
        ("linear svc of 3", "w8a8", 0.97),
        ("svc of 2 RBF", "w8a16", 0.985),
        ("svc of 3 RBF", "w8a16", 0.985),
        ("svc of 3 POLY", "w8a16", 0.985),
    ],
)
def test_classes_of_the_integer_graph_are_those_of_the_float_model(name: str, scheme: str, share: float) -> None:
    found, wanted = integer_results(EXACT[name], scheme=scheme)
    same = [int(mine["label"][0]) == int(theirs[0][0]) for mine, theirs in zip(found, wanted, strict=True)]
    assert np.mean(same) >= share


@pytest.mark.parametrize("name", ["svr RBF", "linear regressor", "encoder to floats"])
def test_numbers_of_the_integer_graph_are_near(name: str) -> None:
    found, wanted = integer_results(EXACT[name], scheme="w8a16")
    real = np.array([theirs[0] for theirs in wanted])
    off = np.abs(np.array([mine["y"] for mine in found]) - real)
    assert off.max() <= 0.02 * np.ptp(real)


WORDS: dict[str, tuple[ModelProto, str]] = {
    "classifier": (
        model_of(
            classifier(
                "LinearClassifier",
                coefficients=f(3, FEATURES),
                intercepts=f(3),
                classlabels_strings=["ant", "bee", "cat"],
            ),
            {"label": STRING, "scores": FLOAT},
        ),
        "label",
    ),
    "list": (
        model_of(
            [
                helper.make_node("ArgMax", ["x"], ["i"], axis=1, keepdims=0),
                ml("ArrayFeatureExtractor", ["words", "i"], ["found"]),
                helper.make_node("Cast", ["found"], ["word"], to=STRING),
                helper.make_node("Reshape", ["word", "shape"], ["y"]),
            ],
            {"y": STRING},
            constants={"words": ["ant", "bee", "cat", "dog"], "shape": np.array([-1])},
        ),
        "y",
    ),
    "encoder": (_encoder(result=STRING, keys_int64s=[-1, 0, 1], values_strings=["ant", "bee", "ant"]), "y"),
}


@pytest.mark.parametrize("name", WORDS)
def test_word_becomes_its_index_with_a_note(name: str) -> None:
    model, result = WORDS[name]
    with gathered() as notes:
        made = normalized(model)
    (note,) = [each for each in notes if each.code == "EQ0236"]
    assert "0: ant, 1: bee" in str(note.got)
    words = ["ant", "bee", "cat", "dog"]
    session, again = onnxruntime.InferenceSession(model.SerializeToString()), Session(made)
    names = [value.name for value in model.graph.output]
    for x in samples_for(model):
        wanted = session.run(None, {"x": x[None]})[names.index(result)]
        found = again.run({"x": x[None]})[result]
        expected = [words.index(word) if word in words else -1 for word in wanted.reshape(-1).tolist()]
        assert found.reshape(-1).tolist() == expected


def _zipped(**attributes: Any) -> ModelProto:
    nodes = [helper.make_node("Softmax", ["x"], ["p"], axis=1), ml("ZipMap", ["p"], ["y"], **attributes)]
    model = model_of(nodes, {"y": FLOAT})
    scores = helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, []))
    model.graph.output[0].type.CopyFrom(helper.make_sequence_type_proto(scores))
    return model


def test_map_of_scores_is_the_tensor_of_them() -> None:
    with gathered() as notes:
        made = normalized(_zipped(classlabels_int64s=[3, 1, 4, 2]))
    (note,) = notes
    assert (note.code, note.where, note.got) == ("EQ0237", "output y", "classes 3, 1, 4, 2")
    x = np.array([[0.5, -1, 2, 0.25]], np.float32)
    exponents = np.exp(x)
    np.testing.assert_allclose(Session(made).run({"x": x})["y"], exponents / exponents.sum(), rtol=1e-5)


def _refused(name: str) -> tuple[ModelProto, str, str]:
    """Model, code, and a word of the message."""
    x_is_words = model_of(one("LabelEncoder", keys_strings=["a"], values_int64s=[1]), {"y": INT64}, kind=STRING)
    far = [*range(0, 200000, 5000)]
    table: dict[str, Callable[[], tuple[ModelProto, str, str]]] = {
        "words in": lambda: (x_is_words, "EQ0303", "in the application"),
        "far keys": lambda: (_encoder(keys_int64s=far, values_int64s=far), "EQ0313", "40 from 0 to 195000"),
        "probit": lambda: (_linear(3, [0, 1, 2], "PROBIT"), "EQ0313", "PROBIT"),
        "probabilities of three": lambda: (
            _svc("RBF", [3, 2, 4], [0, 1, 2], prob_a=f(3), prob_b=f(3)),
            "EQ0313",
            "probability=False",
        ),
        "words hot": lambda: (
            model_of(one("OneHotEncoder", cats_strings=["a"]), {"y": FLOAT}, kind=STRING),
            "EQ0313",
            "words",
        ),
        "categories that stop the model": lambda: (
            model_of(one("OneHotEncoder", cats_int64s=[1], zeros=0), {"y": FLOAT}, kind=INT64),
            "EQ0313",
            "zeros=1",
        ),
        "weights that do not fit": lambda: (
            model_of(one("LinearRegressor", coefficients=[1.0, 2.0, 3.0], targets=1), {"y": FLOAT}),
            "EQ0232",
            "LinearRegressor",
        ),
        "another operator": lambda: (
            model_of(one("CategoryMapper", cats_int64s=[1], cats_strings=["a"]), {"y": STRING}, kind=INT64),
            "EQ0301",
            "numbers",
        ),
        "distances of two inputs": lambda: (
            model_of(
                [helper.make_node("CDist", ["x", "x"], ["y"], "distances", None, "com.microsoft", metric="euclidean")],
                {"y": FLOAT},
            ),
            "EQ0306",
            "training data",
        ),
        "images": lambda: (
            model_of(
                [
                    helper.make_node("Reshape", ["x", "shape"], ["image"]),
                    ml("LinearRegressor", ["image"], ["y"], coefficients=f(1, 2)),
                ],
                {"y": FLOAT},
                constants={"shape": np.array([1, 2, 2])},
            ),
            "EQ0307",
            "shape [1, features]",
        ),
    }
    return table[name]()


@pytest.mark.parametrize(
    "name",
    [
        "words in",
        "far keys",
        "probit",
        "probabilities of three",
        "words hot",
        "categories that stop the model",
        "weights that do not fit",
        "another operator",
        "distances of two inputs",
        "images",
    ],
)
def test_what_has_no_integer_form_is_refused(name: str) -> None:
    model, code, word = _refused(name)
    with pytest.raises(EdgeqError) as caught:
        normalized(model)
    (problem,) = caught.value.problems
    assert problem.code == code
    assert word in str(problem)
