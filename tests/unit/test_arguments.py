"""The forms in which Python takes models and data, and what is said of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edgeq.arguments import check_bytes, check_choice, check_data_given, check_dims, data_source, model_source
from edgeq.budget import Budget
from edgeq.errors import EdgeqError

X = np.arange(12, dtype=np.float32).reshape(3, 2, 2)


def test_models_are_paths_bytes_or_protos(example: Any) -> None:
    content = example.model.read_bytes()
    assert model_source(str(example.model)) == model_source(example.model) == example.model
    assert model_source(content) == model_source(bytearray(content)) == content
    proto = onnx.load(example.model)
    assert onnx.ModelProto.FromString(model_source(proto)) == proto


def samples() -> Iterator[Any]:
    yield from X


@pytest.mark.parametrize(
    "data", [X, list(X), tuple(X), X.tolist(), samples(), ({"x": x} for x in X), {"x": X.tolist()}]
)
def test_data_is_arrays_or_samples(data: Any) -> None:
    found = data_source(data)
    assert not isinstance(found, Path)
    assert list(found) == ["x"]
    np.testing.assert_array_equal(found["x"], X)


def test_data_keeps_names_labels_and_types() -> None:
    found = data_source({"left": X.astype(np.uint8), "y": [1, 2, 3], "left_scale": 0.5})
    assert not isinstance(found, Path)
    assert {name: (array.dtype.kind, array.shape) for name, array in found.items()} == {
        "left": ("u", (3, 2, 2)),
        "y": ("i", (3,)),
        "left_scale": ("f", ()),
    }
    assert data_source("calib.npz") == Path("calib.npz")


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (3, "int"),
        (b"PK", "bytes"),
        (None, "NoneType"),
        ([X[0], X[0][:1]], "[1, 2]"),
        ([{"x": X[0]}, {"z": X[0]}], "z"),
        ({"x": [[1, 2], [3]]}, "inhomogeneous"),
    ],
)
def test_other_data_is_refused(data: Any, got: str) -> None:
    with pytest.raises(EdgeqError) as caught:
        data_source(data)
    assert caught.value.problems[0].code == "EQ0193"
    assert got in str(caught.value)


def test_samples_without_end_are_stopped() -> None:
    def forever() -> Iterator[Any]:
        while True:
            yield X

    with Budget(read_bytes=10_000).active(), pytest.raises(EdgeqError, match="EQ0246"):
        data_source(forever())


@pytest.mark.parametrize("model", [3, None, X, object()])
def test_other_models_are_refused(model: Any) -> None:
    with pytest.raises(EdgeqError, match="EQ0193"):
        model_source(model)


def test_choices_and_dimensions_are_checked() -> None:
    check_choice("optimize", "-O2", ("-O2", "-O3"))
    check_dims({"N": 1})
    check_bytes("--code-bytes", 0)
    with pytest.raises(EdgeqError, match="EQ0193"):
        check_choice("optimize", "-O4", ("-O2", "-O3"))
    for size in (0, 1.0, True):
        with pytest.raises(EdgeqError, match="EQ0193"):
            check_dims({"N": size})  # type: ignore[dict-item]
    for budget in (-1, 1.5, True):
        with pytest.raises(EdgeqError, match="EQ0193"):
            check_bytes("--code-bytes", budget)  # type: ignore[arg-type]


def test_float_model_in_memory_needs_data(example: Any) -> None:
    content = example.model.read_bytes()
    check_data_given(content, example.calibration)
    with pytest.raises(EdgeqError, match="EQ0106"):
        check_data_given(content, None)
