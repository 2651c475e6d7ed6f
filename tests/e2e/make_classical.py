"""Trains classical models on scikit-learn's own data sets and exports them, as their users do.

Run it where the packages of ``tests/environments/sklearn.txt`` are: ``python tests/e2e/make_classical.py FOLDER``. Each
model becomes ``NAME.onnx`` and ``NAME.npz``: calibration inputs ``x``, and inputs ``test`` with labels or values ``y``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

OPSETS: Final = {"": 18, "ai.onnx.ml": 3, "com.microsoft": 1}
WORDS: Final = np.array(["ant", "bee", "cat"])
_CALIBRATION: Final = 300


def models() -> dict[str, tuple[Any, str]]:
    """By name, an untrained model and the data set for it."""
    from sklearn import (
        cluster,
        ensemble,
        linear_model,
        naive_bayes,
        neighbors,
        neural_network,
        preprocessing,
        svm,
        tree,
    )
    from sklearn.pipeline import make_pipeline

    def scaled(model: Any) -> Any:
        return make_pipeline(preprocessing.StandardScaler(), model)

    seed = {"random_state": 0}
    return {
        "ada_boost": (ensemble.AdaBoostClassifier(n_estimators=10, **seed), "iris"),
        "decision_tree": (tree.DecisionTreeClassifier(max_depth=5, **seed), "iris"),
        "extra_trees": (ensemble.ExtraTreesClassifier(10, max_depth=8, **seed), "digits"),
        "gradient_boosting": (ensemble.GradientBoostingClassifier(n_estimators=10, **seed), "digits"),
        "gradient_boosting_regressor": (ensemble.GradientBoostingRegressor(n_estimators=30, **seed), "diabetes"),
        "k_neighbors": (neighbors.KNeighborsClassifier(3), "iris"),
        "k_means": (cluster.KMeans(3, n_init=3, **seed), "iris"),
        "linear_regression": (linear_model.LinearRegression(), "diabetes"),
        "linear_svr": (scaled(svm.LinearSVR(**seed)), "diabetes"),
        "logistic_regression": (linear_model.LogisticRegression(max_iter=500), "iris"),
        "logistic_regression_pipeline": (scaled(linear_model.LogisticRegression()), "digits"),
        "mlp": (scaled(neural_network.MLPClassifier((20,), max_iter=500, **seed)), "iris"),
        "mlp_words": (neural_network.MLPClassifier((20,), max_iter=800, **seed), "iris words"),
        "naive_bayes": (naive_bayes.GaussianNB(), "iris"),
        "normalizer": (make_pipeline(preprocessing.Normalizer(), linear_model.LogisticRegression(C=100)), "iris"),
        "random_forest": (ensemble.RandomForestClassifier(10, max_depth=8, **seed), "digits"),
        "random_forest_regressor": (ensemble.RandomForestRegressor(20, max_depth=6, **seed), "diabetes"),
        "random_forest_words": (ensemble.RandomForestClassifier(10, max_depth=4, **seed), "iris words"),
        "svc": (svm.SVC(), "digits"),
        "svc_pipeline": (scaled(svm.SVC()), "iris"),
        "svr": (scaled(svm.SVR(C=100)), "diabetes"),
    }


def boosted() -> dict[str, tuple[Any, str, str]]:
    """By name, an untrained model of another library, the data set for it, and onnxmltools' converter."""
    import lightgbm
    import xgboost

    return {
        "lightgbm": (lightgbm.LGBMClassifier(n_estimators=10, max_depth=4, verbose=-1), "digits", "convert_lightgbm"),
        "lightgbm_regressor": (
            lightgbm.LGBMRegressor(n_estimators=30, max_depth=4, verbose=-1),
            "diabetes",
            "convert_lightgbm",
        ),
        "xgboost": (xgboost.XGBClassifier(n_estimators=10, max_depth=4), "digits", "convert_xgboost"),
        "xgboost_regressor": (xgboost.XGBRegressor(n_estimators=30, max_depth=4), "diabetes", "convert_xgboost"),
    }


def data_of(name: str) -> list[Any]:
    """x and y to train with and to test with: float32 features, and numbers or words."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    x, y = getattr(datasets, f"load_{name.split(maxsplit=1)[0]}")(return_X_y=True)
    found: list[Any] = train_test_split(x.astype(np.float32), WORDS[y] if "words" in name else y, random_state=0)
    return found


def main() -> int:
    """Write every model and its data."""
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType
    from skl2onnx import to_onnx

    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, (model, kind) in models().items():
        x, tested, y, wanted = data_of(kind)
        model.fit(x, y)
        # Without it distances are a Scan over the rows.
        options = {id(model): {"optim": "cdist"}} if name == "k_neighbors" else None
        write(folder, name, to_onnx(model, x[:1], options=options, target_opset=OPSETS), x, tested, wanted)
    for name, (model, kind, converter) in boosted().items():
        x, tested, y, wanted = data_of(kind)
        model.fit(x, y)
        shape = [("x", FloatTensorType([None, x.shape[1]]))]
        convert = getattr(onnxmltools, converter)
        write(folder, name, convert(model, initial_types=shape, target_opset=15), x, tested, wanted)
    return 0


def write(folder: Path, name: str, model: Any, x: Any, tested: Any, wanted: Any) -> None:
    """``NAME.onnx`` and ``NAME.npz``."""
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    labels = np.searchsorted(WORDS, wanted) if wanted.dtype.kind == "U" else wanted
    np.savez(folder / f"{name}.npz", allow_pickle=False, x=x[:_CALIBRATION], test=tested, y=labels)


if __name__ == "__main__":
    sys.exit(main())
