"""Classical models end to end: what libraries export, as firmware that gives the classes and values of onnxruntime."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
import pytest
from classical_models import Draw, classifier, drawn_trees, ml, model_of, one, weights_of
from onnx import ModelProto, TensorProto, helper

import edgeq

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
SCORES: Final = {"label": INT64, "scores": FLOAT}
FEATURES: Final = 6
SKLEARN_PYTHON: Final = "EDGEQ_SKLEARN_PYTHON"
# The share of samples whose class is that of the float model, and the error of values as a share of their spread, which
# one sample of twenty may exceed: where a value lies within half a step of a threshold, another leaf is reached.
SAME: Final = 0.95
ERROR: Final = 0.03
# Whose scores are counts of three neighbours, or exponentials of numbers too large for differences of one in 16 bits.
CLASSES_ALONE: Final = frozenset(("k_neighbors", "naive_bayes"))


def _draw(seed: int) -> Draw:
    return Draw(seed)


def logistic_regression() -> ModelProto:
    f = _draw(1).floats
    nodes = [
        ml("LinearClassifier", ["x"], ["label", "raw"], coefficients=f(3, FEATURES), intercepts=f(3),
           classlabels_ints=[0, 1, 2], post_transform="SOFTMAX"),
        ml("Normalizer", ["raw"], ["scores"], norm="L1"),
    ]  # fmt: skip
    return model_of(nodes, SCORES, features=FEATURES)


def linear_regression() -> ModelProto:
    f = _draw(2).floats
    return model_of(one("LinearRegressor", coefficients=f(FEATURES), intercepts=f(1)), {"y": FLOAT}, features=FEATURES)


def _trees(seed: int, count: int, depth: int) -> tuple[np.random.Generator, dict[str, Any], list[tuple[int, int]]]:
    draw = np.random.default_rng(seed)
    return (draw, *drawn_trees(draw, count, depth, FEATURES))


def random_forest() -> ModelProto:
    draw, nodes, leaves = _trees(3, 10, 5)
    shares = draw.dirichlet([0.3] * 4, len(leaves)) / 10
    weights = weights_of(leaves, range(4), shares.astype(np.float32).reshape(-1).tolist(), "class")
    made = classifier("TreeEnsembleClassifier", classlabels_int64s=[0, 1, 2, 3], **nodes, **weights)
    return model_of(made, SCORES, features=FEATURES)


def random_forest_regressor() -> ModelProto:
    draw, nodes, leaves = _trees(4, 20, 5)
    weights = weights_of(leaves, [0], draw.normal(size=len(leaves)).astype(np.float32).tolist(), "target")
    made = one("TreeEnsembleRegressor", n_targets=1, aggregate_function="AVERAGE", **nodes, **weights)
    return model_of(made, {"y": FLOAT}, features=FEATURES)


def gradient_boosting() -> ModelProto:
    draw, nodes, leaves = _trees(5, 30, 3)
    weights = weights_of(leaves, [0], draw.normal(size=len(leaves)).astype(np.float32).tolist(), "class")
    made = classifier(
        "TreeEnsembleClassifier",
        classlabels_int64s=[0, 1],
        base_values=[0.1],
        post_transform="LOGISTIC",
        **nodes,
        **weights,
    )
    return model_of(made, SCORES, features=FEATURES)


def _vectors(seed: int, count: int) -> dict[str, Any]:
    f = _draw(seed).floats
    return {"support_vectors": f(count, FEATURES), "kernel_type": "RBF", "kernel_params": [0.15, 0.0, 0.0]}


def svc() -> ModelProto:
    f = _draw(6).floats
    attributes = {"vectors_per_class": [8, 7, 9], "classlabels_ints": [0, 1, 2], "coefficients": f(2, 24), "rho": f(3)}
    made = classifier("SVMClassifier", **attributes, **_vectors(7, 24))
    return model_of(made, SCORES, features=FEATURES)


def svr_pipeline() -> ModelProto:
    f = _draw(8).floats
    nodes = [
        ml("Scaler", ["x"], ["scaled"], offset=f(FEATURES), scale=[0.5, 1.0, 2.0, 1.0, 0.7, 1.3]),
        ml("SVMRegressor", ["scaled"], ["y"], n_supports=20, coefficients=f(20), rho=f(1), **_vectors(9, 20)),
    ]
    return model_of(nodes, {"y": FLOAT}, features=FEATURES)


def mlp() -> ModelProto:
    f = _draw(10).floats
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"]),
        helper.make_node("Add", ["a", "b1"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("MatMul", ["c", "w2"], ["d"]),
        helper.make_node("Softmax", ["d"], ["scores"], axis=1),
        helper.make_node("ArgMax", ["scores"], ["i"], axis=1),
        ml("ArrayFeatureExtractor", ["classes", "i"], ["found"]),
        helper.make_node("Reshape", ["found", "shape"], ["label"]),
    ]
    constants = {
        "w1": np.array(f(FEATURES, 16), np.float32).reshape(FEATURES, 16),
        "b1": np.array(f(16), np.float32),
        "w2": np.array(f(16, 3), np.float32).reshape(16, 3),
        "classes": np.array([3, 5, 4]),
        "shape": np.array([-1]),
    }
    return model_of(nodes, SCORES, features=FEATURES, constants=constants)


def k_means() -> ModelProto:
    centres = np.array(_draw(11).floats(4, FEATURES), np.float32).reshape(4, FEATURES)
    nodes = [
        helper.make_node("ReduceSumSquare", ["x"], ["squares"], axes=[1], keepdims=1),
        helper.make_node("Gemm", ["x", "centres"], ["products"], alpha=-2.0, transB=1),
        helper.make_node("Add", ["squares", "products"], ["part"]),
        helper.make_node("Add", ["part", "lengths"], ["distances"]),
        helper.make_node("ArgMin", ["distances"], ["label"], axis=1, keepdims=0),
        helper.make_node("Sqrt", ["distances"], ["scores"]),
    ]
    constants = {"centres": centres, "lengths": (centres**2).sum(axis=1)[np.newaxis]}
    return model_of(nodes, SCORES, features=FEATURES, constants=constants)


MODELS: Final[dict[str, Callable[[], ModelProto]]] = {
    made.__name__: made
    for made in (
        *(gradient_boosting, k_means, linear_regression, logistic_regression, mlp, random_forest),
        *(random_forest_regressor, svc, svr_pipeline),
    )
}


def compare(model: bytes, calibration: Any, inputs: Any, folder: Path, board: str = "native") -> tuple[float, float]:
    """The share of equal classes, and the error of values that 95 % of the samples keep, as a share of their spread.

    The firmware runs on this computer, after its bits were compared with those of the reference.
    """
    compiled = edgeq.compile(model, calibration, board=board, out=folder / "net", scheme="w8a16")
    assert compiled.verify(["native"] if board == "native" else ["native", "qemu"], samples=3).ok
    found = compiled.emulate(inputs, "native").outputs
    session = onnxruntime.InferenceSession(model)
    name = session.get_inputs()[0].name
    wanted = [session.run(None, {name: x[np.newaxis]}) for x in inputs]
    same, error = 1.0, 0.0
    for place, output in enumerate(session.get_outputs()):
        theirs = [each[place] for each in wanted]
        if isinstance(theirs[0], list):  # a map for each sample
            theirs = [np.array([list(each[0].values())]) for each in theirs]
        mine = np.stack([each[output.name] for each in found]).reshape(len(inputs), -1)
        real = np.stack(theirs).reshape(len(inputs), -1)
        if real.dtype.kind == "i":
            same = float((mine == real).all(axis=1).mean())
        elif real.dtype.kind == "f":
            off = np.abs(mine - real).max(axis=1) / max(float(np.ptp(real)), 1e-6)
            error = max(error, float(np.quantile(off, 0.95)))
    return same, error


@pytest.mark.parametrize("name", MODELS)
def test_model_as_it_is_exported_is_firmware(name: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    calibration, inputs = (draw.normal(size=(count, FEATURES)).astype(np.float32) for count in (300, 100))
    same, error = compare(MODELS[name]().SerializeToString(), calibration, inputs, tmp_path)
    assert same >= SAME
    assert error <= ERROR


@pytest.mark.qemu
def test_forest_has_the_same_bits_in_the_emulator(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    calibration, inputs = (draw.normal(size=(count, FEATURES)).astype(np.float32) for count in (300, 50))
    same, error = compare(random_forest().SerializeToString(), calibration, inputs, tmp_path, board="mps2-an386")
    assert same >= SAME
    assert error <= ERROR


@pytest.mark.slow
def test_models_of_the_libraries_are_firmware(tmp_path: Path, root: Path) -> None:
    python = os.environ.get(SKLEARN_PYTHON)
    if not python:
        pytest.skip(f"{SKLEARN_PYTHON} names no Python with the packages of tests/environments/sklearn.txt")
    subprocess.run([python, str(root / "tests/e2e/make_classical.py"), str(tmp_path)], check=True)
    bad = []
    for path in sorted(tmp_path.glob("*.onnx")):
        with np.load(path.with_suffix(".npz")) as data:
            calibration, inputs = data["x"], data["test"][:100]
        (tmp_path / path.stem).mkdir()
        same, error = compare(path.read_bytes(), calibration, inputs, tmp_path / path.stem)
        print(f"{path.stem}: classes {same:.3f}, error {error:.4f}")  # noqa: T201 - the shares are a result
        if same < SAME or (error > ERROR and path.stem not in CLASSES_ALONE):
            bad.append((path.stem, same, error))
    assert not bad
