"""Weights in files beside a model: read where they are plain files below its folder, refused everywhere else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.errors import EdgeqError
from edgeq.onnxio import external, read_model
from edgeq.onnxio.reader import read_model_bytes

WEIGHTS = np.arange(12, dtype=np.float32).reshape(3, 4)
SECOND = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


def tensor(name: str, array: np.ndarray, **keys: object) -> TensorProto:
    """An initializer whose data lies in a file."""
    made = numpy_helper.from_array(array, name)
    made.ClearField("raw_data")
    made.data_location = TensorProto.EXTERNAL
    for key, value in keys.items():
        made.external_data.add(key=key, value=str(value))
    return made


def write(folder: Path, *initializers: TensorProto) -> Path:
    """A model that adds its initializers to its input."""
    names = ["x", *(item.name for item in initializers)]
    nodes = [helper.make_node("Sum", names, ["y"])]
    border = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3, 4]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", border[:1], border[1:], list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_default_export_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, numpy_helper.from_array(WEIGHTS, "w"))
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    assert (tmp_path / "model.onnx.data").stat().st_size >= WEIGHTS.nbytes
    read = read_model(path).graph.initializers["w"].const_value
    assert read is not None
    np.testing.assert_array_equal(read.numpy(), WEIGHTS)


def test_offsets_folders_and_shared_regions(tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "w.bin").write_bytes(b"12345678" + WEIGHTS.tobytes() + SECOND.tobytes())
    at = {"location": "data/deep/w.bin"}
    path = write(
        tmp_path,
        tensor("a", WEIGHTS, **at, offset=8, length=48),
        tensor("b", SECOND, **at, offset=56, checksum="00"),
        tensor("c", WEIGHTS, **at, offset=8),
    )
    values = {name: value.const_value for name, value in read_model(path).graph.initializers.items()}
    for name, wanted in (("a", WEIGHTS), ("b", SECOND), ("c", WEIGHTS)):
        found = values[name]
        assert found is not None
        np.testing.assert_array_equal(found.numpy(), wanted)


@pytest.mark.parametrize(
    "location",
    [
        "../w.bin",
        "/etc/hostname",
        "data/../../w.bin",
        "./w.bin",
        "data//w.bin",
        "",
        "c:w.bin",
        "data\\w.bin",
        "w\n.bin",
    ],
)
def test_location_outside_of_the_folder_is_refused(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    (folder / "data").mkdir(parents=True)
    for place in (tmp_path, folder):
        (place / "w.bin").write_bytes(WEIGHTS.tobytes())
    with pytest.raises(EdgeqError, match="EQ0205"):
        read_model(write(folder, tensor("w", WEIGHTS, location=location)))


def symbolic(folder: Path, outside: Path) -> None:
    (folder / "w.bin").symlink_to(outside)


def symbolic_inside(folder: Path, outside: Path) -> None:
    (folder / "other.bin").write_bytes(outside.read_bytes())
    (folder / "w.bin").symlink_to("other.bin")


def hard(folder: Path, outside: Path) -> None:
    os.link(outside, folder / "w.bin")


def pipe(folder: Path, outside: Path) -> None:
    del outside
    os.mkfifo(folder / "w.bin")


def directory(folder: Path, outside: Path) -> None:
    del outside
    (folder / "w.bin").mkdir()


def nothing(folder: Path, outside: Path) -> None:
    del folder, outside


def short(folder: Path, outside: Path) -> None:
    (folder / "w.bin").write_bytes(outside.read_bytes()[:-1])


@pytest.mark.parametrize("make", [symbolic, symbolic_inside, hard, pipe, directory, nothing, short])
def test_anything_but_a_plain_file_is_refused(make: Callable[[Path, Path], None], tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(WEIGHTS.tobytes())
    make(folder, tmp_path / "secret")
    with pytest.raises(EdgeqError) as caught:
        read_model(write(folder, tensor("w", WEIGHTS, location="w.bin")))
    (problem,) = caught.value.problems
    assert problem.code == "EQ0205"
    assert problem.where is not None
    assert problem.where.endswith("initializer w")
    assert "w.bin" in str(problem.got)


def test_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "w.bin").write_bytes(WEIGHTS.tobytes())
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "data").symlink_to(tmp_path / "outside")
    with pytest.raises(EdgeqError, match="EQ0205"):
        read_model(write(folder, tensor("w", WEIGHTS, location="data/w.bin")))


@pytest.mark.parametrize(
    "keys",
    [
        {"offset": -1},
        {"offset": "0x8"},
        {"offset": "²"},
        {"offset": 1},
        {"offset": 10**14},
        {"offset": 10**20},
        {"length": 47},
        {"length": 49},
        {"length": ""},
        {"basepath": "/etc"},
    ],
)
def test_region_that_is_not_the_tensors_is_refused(keys: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(WEIGHTS.tobytes())
    with pytest.raises(EdgeqError, match="EQ0205"):
        read_model(write(tmp_path, tensor("w", WEIGHTS, location="w.bin", **keys)))


def test_regions_that_overlap_in_part_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(WEIGHTS.tobytes() * 2)
    made = [tensor("a", WEIGHTS, location="w.bin"), tensor("b", WEIGHTS, location="w.bin", offset=44)]
    with pytest.raises(EdgeqError, match="other tensors use in part"):
        read_model(write(tmp_path, *made))


def test_files_together_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "MAX_TOTAL_BYTES", 95)
    (tmp_path / "w.bin").write_bytes(WEIGHTS.tobytes() * 2)
    made = [tensor("a", WEIGHTS, location="w.bin"), tensor("b", WEIGHTS, location="w.bin", offset=48)]
    with pytest.raises(EdgeqError, match="EQ0202"):
        read_model(write(tmp_path, *made))


def test_model_in_memory_has_no_folder(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(WEIGHTS.tobytes())
    path = write(tmp_path, tensor("w", WEIGHTS, location="w.bin"))
    with pytest.raises(EdgeqError, match="EQ0205"):
        read_model_bytes(path.read_bytes())
