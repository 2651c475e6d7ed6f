"""Nodes that stay in software float: what --allow-float takes, refuses and tells, and what the models say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from quant_models import parse, samples_for

import edgeq
from edgeq.errors import EdgeqError
from edgeq.frontend import check_support, normalize, normalize_qdq, normalize_structure
from edgeq.integers import to_integer_graph
from edgeq.ir import DType, Graph
from edgeq.numerics.array import Array
from edgeq.onnxio import model_bytes, read_model
from edgeq.onnxio.functions import DOMAIN
from edgeq.onnxio.writer import model_proto
from edgeq.ops.float_types import FLOAT_TYPES
from edgeq.quant import QuantizeOptions, quantize, quantize_blindly

HEAD = """g (float[1,16] x) => (float[1,5] y, float[1] d) {
    a = Abs(x)
    s = Sqrt(a)
    p = Pow(s, x)
    m = Reshape(p, shape)
    d = Det(m)
    y = Gemm(p, w, b)
}"""

ALL = ("Abs_0", "Sqrt_1", "Pow_2", "Reshape_3", "Det_4")


def constants() -> dict[str, Any]:
    draw = np.random.default_rng(4)
    return {
        "shape": np.array([1, 4, 4]),
        "w": draw.normal(size=(16, 5)).astype(np.float32),
        "b": draw.normal(size=5).astype(np.float32),
    }


def kept(text: str, patterns: Sequence[str], more: Mapping[str, Any] | None = None) -> ir.Model:
    return normalize(parse(text, more), None, patterns)


def graph_of(model: ir.Model) -> tuple[ir.Model, Graph]:
    """The quantized model and its integer graph."""
    made = quantize(model, samples_for(model), QuantizeOptions(observer="minmax")).model
    return made, to_integer_graph(made, "highmul", "g")


def codes(error: EdgeqError) -> list[str]:
    return [problem.code for problem in error.problems]


def test_named_nodes_become_calls_of_functions_that_the_model_has() -> None:
    model = kept(HEAD, ["Sqrt_1", "Pow_2"], constants())
    called = {str(node.name): node.op_type for node in model.graph if node.domain == DOMAIN}
    assert called == {"Sqrt_1": "FloatSqrt", "Pow_2": "FloatPow"}
    assert {key[1] for key in model.functions} == set(called.values())


def test_nothing_is_quantized_between_nodes_in_float() -> None:
    _, graph = graph_of(kept(HEAD, ALL, constants()))
    ops = [node.op for node in graph.nodes]
    assert ops.count("float_dequantize") == 1
    assert ops.count("float_quantize") == 2
    assert graph.software_float() == ALL
    assert all(graph.tensors[name].dtype is DType.INT8 for name in (*graph.inputs, *graph.outputs))


def test_a_quantized_model_remembers_what_stays_in_float(tmp_path: Path) -> None:
    made, graph = graph_of(kept(HEAD, ["*"], constants()))
    path = tmp_path / "model.onnx"
    path.write_bytes(model_bytes(made))
    again = to_integer_graph(normalize_qdq(normalize_structure(read_model(path))), "highmul", "g")
    assert [(node.op, node.attrs) for node in again.nodes] == [(node.op, node.attrs) for node in graph.nodes]


def test_a_function_of_that_name_that_computes_something_else_is_expanded(tmp_path: Path) -> None:
    proto = model_proto(graph_of(kept(HEAD, ALL[1:], constants()))[0])
    function = next(item for item in proto.functions if item.name == "FloatSqrt")
    function.node[0].op_type = "Exp"
    path = tmp_path / "model.onnx"
    onnx.save(proto, path)
    found = [(node.domain, node.op_type) for node in read_model(path).graph]
    assert ("", "Exp") in found
    assert (DOMAIN, "FloatSqrt") not in found
    assert (DOMAIN, "FloatPow") in found


def test_more_than_two_operands_become_a_chain() -> None:
    text = "g (float[1,4] x) => (float[1,4] y) { a = Abs(x)\n b = Neg(x)\n y = Max(x, a, b) }"
    _, graph = graph_of(kept(text, ["Max_2"]))
    assert [node.op for node in graph.nodes].count("float_binary") == 2


def test_an_absent_bound_of_a_clip_bounds_nothing() -> None:
    text = "g (float[1,4] x) => (float[1,4] y) { y = Clip(x, , top) }"
    _, graph = graph_of(kept(text, ["Clip_0"], {"top": np.array(0.5, np.float32)}))
    assert [node.attrs["function"] for node in graph.nodes if node.op == "float_binary"] == ["minimum"]


def test_without_the_option_the_operator_stays_refused_and_its_hint_names_the_option() -> None:
    problems = check_support(kept(HEAD, [], constants()))
    assert {problem.code for problem in problems} == {"EQ0302", "EQ0306"}
    assert all("--allow-float" in str(problem.hint) for problem in problems)
    assert not check_support(kept(HEAD, ["Pow_2", "Det_4"], constants()))


@pytest.mark.parametrize(
    ("patterns", "code", "words"),
    [
        (["Sqtr_0"], "EQ0153", "did you mean Sqrt_0?"),
        (["Sqrt_0", "sq*"], "EQ0153", "sq*"),
        (["MaxPool_1"], "EQ0316", "cannot stay"),
    ],
)
def test_what_cannot_stay_in_float_is_refused(patterns: list[str], code: str, words: str) -> None:
    text = (
        "g (float[1,1,4,4] x) => (float[1,1,4,4] y) { s = Sqrt(x)\n c = MaxPool<kernel_shape=[1,1]>(s)\n y = Neg(c) }"
    )
    with pytest.raises(EdgeqError, match=code) as caught:
        kept(text, patterns)
    assert codes(caught.value) == [code]
    assert words in str(caught.value)


def test_operands_that_are_no_floats_are_refused() -> None:
    text = "g (int32[1,4] x) => (float[1,4] y) { a = Abs(x)\n y = Cast<to=1>(a) }"
    graph = to_integer_graph(quantize_blindly(kept(text, ["Cast_1"]), QuantizeOptions()), "highmul", "g")
    assert graph.nodes[-2].op == "float_dequantize"
    with pytest.raises(EdgeqError, match="EQ0153"):
        kept(text, ["Abs_0"])


def saved(tmp_path: Path) -> tuple[Path, dict[str, Array]]:
    model = parse(HEAD, constants())
    path = tmp_path / "head.onnx"
    onnx.save(ir.to_proto(model), path)
    return path, {"x": np.random.default_rng(7).normal(size=(64, 16)).astype(np.float32)}


def test_every_report_names_the_nodes(tmp_path: Path) -> None:
    path, data = saved(tmp_path)
    checked = edgeq.check(path, allow_float=ALL)
    assert checked.ok
    assert checked.to_json()["float_nodes"] == [*ALL]
    compiled = edgeq.compile(
        path, data, board="native", allow_float=("Pow_2", "Det_4"), sources_only=True, out=tmp_path / "out"
    )
    assert compiled.manifest.float_nodes == ("Pow_2", "Det_4")
    assert compiled.manifest.options.allow_float == ("Pow_2", "Det_4")
    assert [note.code for note in compiled.notes if note.code == "EQ0317"] == ["EQ0317"]
    header = (tmp_path / "out" / "head.h").read_text("utf-8")
    assert "software float" in header
    assert "     Pow_2, Det_4\n" in header


def test_a_quantized_model_takes_no_names(tmp_path: Path) -> None:
    path, data = saved(tmp_path)
    quantized = edgeq.quantize(path, data, allow_float=["Pow_2", "Det_4"], out=tmp_path / "q.onnx")
    assert quantized.result.to_json()["float_nodes"] == ["Pow_2", "Det_4"]
    with pytest.raises(EdgeqError, match="EQ0230"):
        edgeq.compile(
            tmp_path / "q.onnx", board="native", allow_float=["Pow_2"], sources_only=True, out=tmp_path / "out"
        )


@pytest.mark.parametrize(("backend", "code"), [("tflite", "EQ0390"), ("tvm", "EQ0385")])
def test_other_backends_refuse(backend: str, code: str, tmp_path: Path) -> None:
    pytest.importorskip("tvm" if backend == "tvm" else "ai_edge_litert")
    path, data = saved(tmp_path)
    with pytest.raises(EdgeqError, match=f"{code}.*(?s:.)*float"):
        edgeq.compile(
            path, data, board="native", allow_float=["Pow_2", "Det_4"], backends=[backend], out=tmp_path / "out"
        )


def test_every_type_has_the_operands_that_onnx_has() -> None:
    for kept_type in FLOAT_TYPES.values():
        schema = onnx.defs.get_schema(kept_type.type, 21)
        assert len(kept_type.operands) <= max(schema.max_input, 2)
        assert {attribute.name for attribute in kept_type.attributes} <= set(schema.attributes)
