"""Reading damaged files, writing, and sessions."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.errors import EdgeqError
from edgeq.frontend import check_support, normalize
from edgeq.onnxio import Session, limits, model_bytes, read_model, read_model_bytes, write_model, wrote
from edgeq.onnxio.reader import one_line


def small_model(opset: int = 21) -> onnx.ModelProto:
    """Conv, Relu, Flatten, Gemm on [1,2,4,4], and a local function."""
    rng = np.random.default_rng(4)
    weights = {"w": (3, 2, 3, 3), "b": (3,), "g": (12, 5)}
    node = helper.make_node
    graph = helper.make_graph(
        [
            node("Conv", ["x", "w", "b"], ["c"]),
            node("Act", ["c"], ["r"], domain="local"),
            node("Flatten", ["r"], ["f"]),
            node("MatMul", ["f", "g"], ["y"]),
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])],
        [numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name) for name, shape in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("local", 1)]
    body = [node("Relu", ["a"], ["t"]), node("Tanh", ["t"], ["out"])]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    made.functions.append(helper.make_function("local", "Act", ["a"], ["out"], body, [helper.make_opsetid("", opset)]))
    return made


FEEDS = {"x": np.random.default_rng(5).normal(size=(1, 2, 4, 4)).astype(np.float32)}


def test_local_functions_are_expanded() -> None:
    model = read_model_bytes(small_model().SerializeToString())
    assert not model.functions
    assert [node.op_type for node in model.graph] == ["Conv", "Relu", "Tanh", "Flatten", "MatMul"]


def test_unused_functions_are_dropped_not_expanded() -> None:
    """A chain of functions that nobody calls would expand to 10^20 nodes."""
    made = small_model()
    for index in range(20):
        calls = [
            helper.make_node(f"F{index + 1}", ["a" if i == 0 else f"t{i - 1}"], [f"t{i}"], domain="local")
            for i in range(10)
        ]
        made.functions.append(
            helper.make_function("local", f"F{index}", ["a"], ["t9"], calls, [helper.make_opsetid("local", 1)])
        )
    assert not read_model_bytes(made.SerializeToString()).functions


def test_damaged_files_give_errors_and_nothing_else() -> None:
    """Random changes of bytes: either the model still works, or an EdgeqError says why not."""
    rng = random.Random(6)
    original = small_model(17).SerializeToString()
    outcomes = set()
    for _ in range(400):
        data = bytearray(original)
        for _ in range(rng.choice((1, 2, 4))):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        try:
            problems = check_support(normalize(read_model_bytes(bytes(data))))
            outcomes.add(problems[0].code if problems else "ok")
        except EdgeqError as error:
            outcomes.add(error.problems[0].code)
    assert "ok" in outcomes
    assert len(outcomes) > 3
    assert not outcomes & {"EQ0220", "EQ0221", "EQ0229"}


@pytest.mark.parametrize("cut", range(0, 900, 37))
def test_cut_off_file_is_an_error(cut: int) -> None:
    data = small_model().SerializeToString()
    with pytest.raises(EdgeqError):
        read_model_bytes(data[: min(cut, len(data) - 1)])


def test_file_beyond_the_cap_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(small_model().SerializeToString())
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 100)
    with pytest.raises(EdgeqError, match="EQ0202"):
        read_model(path)


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.onnx"):
        with pytest.raises(EdgeqError, match="EQ0201") as caught:
            read_model(path)
        assert caught.value.problems[0].where == str(path)


@pytest.mark.parametrize(
    ("kind", "bits"),
    [(TensorProto.INT4, 4), (TensorProto.UINT4, 4), (TensorProto.FLOAT16, 16), (TensorProto.DOUBLE, 64)],
)
def test_amount_of_raw_data_is_checked_by_type(kind: int, bits: int) -> None:
    tensor = TensorProto(name="t", data_type=kind, raw_data=bytes((5 * bits + 7) // 8))
    tensor.dims.append(5)
    limits.check_tensor(tensor, "t")
    tensor.raw_data += b"\0"
    with pytest.raises(EdgeqError, match="EQ0210"):
        limits.check_tensor(tensor, "t")


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "int8", "uint8", "int32", "int64", "uint64", "bool", "float16"]
)
def test_tensors_of_every_storage_pass(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    limits.check_tensor(numpy_helper.from_array(array, "raw"), "raw")
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    limits.check_tensor(helper.make_tensor("typed", kind, array.shape, array.reshape(-1).tolist()), "typed")


def test_names_are_shown_on_one_line() -> None:
    assert limits.shown("a\nb\u202e") == "a\\nb\\u202e"
    assert len(limits.shown("x" * 500)) == 80
    assert one_line(ValueError("first\n\n second\nthird")) == "first second"


def test_written_file_is_whole_pinned_and_the_same_each_time(tmp_path: Path) -> None:
    model = normalize(read_model_bytes(small_model().SerializeToString()))
    model.metadata_props.update({"b": "2", "a": "1"})
    path = tmp_path / "out.onnx"
    path.write_bytes(b"old")
    write_model(model, path)
    assert path.read_bytes().startswith(model_bytes(model))
    assert [item.name for item in tmp_path.iterdir()] == ["out.onnx"]
    proto = onnx.load(path)
    assert (proto.ir_version, proto.producer_name) == (10, "edgeq")
    assert [(item.domain, item.version) for item in proto.opset_import] == [("", 21)]
    assert [item.key for item in proto.metadata_props] == ["a", "b", "edgeq_sha256"]


def test_only_unedited_models_of_edgeq_are_known_as_such(tmp_path: Path) -> None:
    path, again = tmp_path / "out.onnx", tmp_path / "again.onnx"
    model = normalize(read_model_bytes(small_model().SerializeToString()))
    write_model(model, path)
    assert wrote(path)
    write_model(read_model(path), again)
    assert again.read_bytes() == path.read_bytes()
    edited = onnx.load(path)
    edited.doc_string = "mine"
    onnx.save(edited, again)
    assert not wrote(again)
    for changed in (path.read_bytes() + b"\n", path.read_bytes()[:-1], path.read_bytes()[1:], b"", b"thesis"):
        again.write_bytes(changed)
        assert not wrote(again)
    assert not wrote(tmp_path)
    assert not wrote(tmp_path / "missing")


def test_unwritable_place_is_an_error(tmp_path: Path) -> None:
    model = normalize(read_model_bytes(small_model().SerializeToString()))
    with pytest.raises(EdgeqError, match="EQ0215"):
        write_model(model, tmp_path / "no folder" / "out.onnx")


def test_other_opset_is_not_written() -> None:
    with pytest.raises(ValueError, match="opset 21"):
        model_bytes(read_model_bytes(small_model(17).SerializeToString()))


def test_session_gives_intermediate_values() -> None:
    model = read_model_bytes(small_model().SerializeToString())
    relu = next(node.outputs[0].name for node in model.graph if node.op_type == "Relu") or ""
    session = Session(model, [relu, "x", "b", "y"])
    assert session.inputs == ("x",)
    assert session.outputs == ("y", relu, "x", "b")
    results = session.run(FEEDS)
    assert list(results) == ["y", relu, "x", "b"]
    assert results[relu].shape == (1, 3, 2, 2)
    assert results[relu].min() >= 0
    assert np.array_equal(results["x"], FEEDS["x"])
    assert results["b"].shape == (3,)
    assert [value.name for value in model.graph.outputs] == ["y"]


@pytest.mark.parametrize(
    ("feeds", "text"),
    [
        ({}, "missing"),
        ({**FEEDS, "z": FEEDS["x"]}, "no such input"),
        ({"x": FEEDS["x"][:, :1]}, "cannot run"),
        ({"x": FEEDS["x"].astype(np.float64)}, "cannot run"),
    ],
)
def test_wrong_feeds_are_errors(feeds: dict[str, np.ndarray], text: str) -> None:
    session = Session(read_model_bytes(small_model().SerializeToString()))
    with pytest.raises(EdgeqError, match=text) as caught:
        session.run(feeds)
    assert caught.value.problems[0].code == "EQ0243"


def test_unknown_extra_output_is_an_error() -> None:
    with pytest.raises(EdgeqError, match="EQ0242"):
        Session(read_model_bytes(small_model().SerializeToString()), ["nothing"])


def test_model_that_onnxruntime_refuses_is_an_error() -> None:
    made = small_model()
    made.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.zeros((3, 7, 3, 3), dtype=np.float32), "w"))
    model = read_model_bytes(made.SerializeToString())
    with pytest.raises(EdgeqError, match=r"EQ024[13]"):
        Session(model).run(FEEDS)


def test_package_alone_loads_no_onnx() -> None:
    """``edgeq.onnxio.samples`` is read where onnx is not needed."""
    script = "import sys, edgeq.onnxio; sys.exit(any(m.split('.')[0] in ('onnx', 'onnxruntime') for m in sys.modules))"
    subprocess.run([sys.executable, "-c", script], check=True)
