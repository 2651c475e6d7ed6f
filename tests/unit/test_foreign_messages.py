"""Messages of libraries are quoted in plain words: no C++ places, signatures or tags, no Python of ours."""

from __future__ import annotations

import pytest

from edgeq.onnxio.reader import one_line


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "[ONNXRuntimeError] : 1 : FAIL : Load model from x.onnx failed:/src/graph/model.cc:181 "  # noqa: ISC004
            "onnxruntime::Model::Model(onnx::ModelProto&&, const PathString&) Unsupported model IR version: 12",
            "Unsupported model IR version: 12",
        ),
        (
            "Node(Scan_0) with schema(::Scan:8) has input size 1 not in range [min=2]. ==> Context: Bad node spec.",
            "Node(Scan_0) with schema of Scan has input size 1 not in range [min=2].",
        ),
        (
            "[ShapeInferenceError] Inference error(s): (op_type:Add, node name: a): [ShapeInferenceError] Incompatible",
            "Inference error(s): (Add, node name: a): Incompatible",
        ),
        (
            "/onnx/version_converter/adapter.h:31: Assertion `x` failed: Sum needs one shape",
            "Assertion `x` failed: Sum needs one shape",
        ),
        ("", "no reason was given"),
    ],
)
def test_message_of_a_library_is_plain(said: str, shown: str) -> None:
    assert one_line(RuntimeError(said)) == shown


@pytest.mark.parametrize(
    "error",
    [
        AttributeError("'NoneType' object has no attribute 'shape'"),
        KeyError("axis"),
        IndexError("list index out of range"),
        TypeError("unsupported operand type(s) for +: 'int' and 'NoneType'"),
    ],
)
def test_python_of_ours_is_not_shown(error: Exception) -> None:
    assert one_line(error) == "a part is missing, or has another type or shape than the operator wants"
