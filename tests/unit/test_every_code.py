"""One broken input for each error code that no other test gives, and the list of codes that are still without one."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from quant_models import HEADER, parse, residual_net, samples_for

from edgeq.backends.c import bind_kernels
from edgeq.backends.c.optimized import check_optimized
from edgeq.cli.main import run
from edgeq.errors import EdgeqError
from edgeq.errors_catalogue import CATALOGUE
from edgeq.firmware import toolchain
from edgeq.folder import Compiled
from edgeq.frontend import check_support, fold, normalize, normalize_qdq, normalize_structure, version
from edgeq.frontend.normalize import _name_everything
from edgeq.ir import DType, Graph, Node, Quantization, Tensor
from edgeq.lowering import lower
from edgeq.manifest import read_manifest
from edgeq.notes import gathered
from edgeq.numerics.scaling import Mode
from edgeq.onnxio import Session, reader
from edgeq.quant import QuantizeOptions, quantize
from edgeq.runners import tflite
from edgeq.runners.base import ImageSpec, RunRequest
from edgeq.target import load_target
from tests.conformance.zoo import zoo

# Codes that no test gives, and why. Only a reason that stays true may stand here.
WITHOUT_A_TEST: dict[str, str] = {}

# Tests of the catalogue itself name codes without giving them.
_ABOUT_CODES = {"test_errors.py", "test_report.py", "test_notes.py"}


def test_every_code_is_given_by_a_test(root: Path) -> None:
    texts = [
        path.read_text("utf-8")
        for path in (root / "tests").rglob("*")
        if path.suffix in {".py", ".txt"} and path.name not in _ABOUT_CODES
    ]
    named = {code for text in texts for code in re.findall(r"EQ\d{4}", text)}
    assert sorted(set(CATALOGUE) - named) == sorted(WITHOUT_A_TEST)


def codes(broken: Callable[[], object]) -> list[str]:
    """The codes of what a broken input raises."""
    with pytest.raises(EdgeqError) as caught:
        broken()
    return [problem.code for problem in caught.value.problems]


FLOAT: dict[str, tuple[str, str, Mapping[str, Any]]] = {
    "an input without elements": ("EQ0304", "g (float[1,0] x) => (float[1,0] y) { y = Relu(x) }", {}),
    "pooling over four dimensions": (
        "EQ0307",
        """g (float[1,1,4,4,4,4] x) => (float[1,1,2,2,2,2] y) {
            y = MaxPool<kernel_shape=[2,2,2,2], strides=[2,2,2,2]>(x) }""",
        {},
    ),
    "nothing given": ("EQ0310", "g () => (float[2] y) { c = Constant<value_floats=[1.0,2.0]>()\n y = Relu(c) }", {}),
    "a constant too large to fold": (
        "EQ0311",
        "g (float[1,5,1000000] x) => (float[1,5,1000000] y) { c = Sigmoid(t)\n y = Add(x, c) }",
        {"t": np.ones((1, 5, 1000000), np.float32)},
    ),
    "a stack of constant matrices": (
        "EQ0314",
        "g (float[1,65,2,4] x) => (float[1,65,2,3] y) { y = MatMul(x, w) }",
        {"w": np.ones((1, 65, 4, 3), np.float32)},
    ),
    "a region that is computed": (
        "EQ0313",
        """g (float[1,1,4,4] x, float[8] region) => (float[1,1,3,3] y) {
            y = Resize<mode="linear", coordinate_transformation_mode="tf_crop_and_resize">(x, region, , sizes) }""",
        {"sizes": np.array([1, 1, 3, 3])},
    ),
    "integers": ("EQ0303", "g (int32[1,4] x) => (int32[1,1] y) { y = ReduceMean(x) }", {}),
    "matrices that broadcast": (
        "EQ0314",
        "g (float[65,2,4] a, float[1,4,3] b) => (float[65,2,3] y) { y = MatMul(a, b) }",
        {},
    ),
}


@pytest.mark.parametrize(("code", "text", "constants"), FLOAT.values(), ids=FLOAT)
def test_float_model_is_refused(code: str, text: str, constants: Mapping[str, Any]) -> None:
    try:
        problems = tuple(check_support(normalize(parse(text, constants))))
    except EdgeqError as error:  # what stands in the way of normalization is said there
        problems = error.problems
    assert {problem.code for problem in problems} == {code}
    assert all(problem.where or problem.hint for problem in problems)


_S = {"s": np.float32(0.05), "z": np.int8(0)}
_QUANTIZED_INPUT = "a = QuantizeLinear(x, s, z)\n b = DequantizeLinear(a, s, z)\n"
_QUANTIZED_OUTPUT = "d = QuantizeLinear(c, s, z)\n y = DequantizeLinear(d, s, z)\n"
LOWERED: dict[str, tuple[str, Mode, str, str, Mapping[str, Any]]] = {
    "an output without scale": ("EQ0350", "highmul", "float[1,4]", "y = Relu(b)", {}),
    "float weights": ("EQ0351", "highmul", "float[1,2]", "c = Gemm(b, w)\n", {"w": np.ones((4, 2), np.float32)}),
    "a bound from outside": ("EQ0352", "highmul", "float[1,4]", "c = Clip(b, limit)\n", {}),
    "a sum beyond int32": (
        "EQ0353",
        "highmul",
        "float[1,1]",
        "w = DequantizeLinear(wq, s, z)\n o = DequantizeLinear(bq, t)\n c = Gemm<transB=1>(b, w, o)\n",
        {"wq": np.full((1, 4), 127, np.int8), "bq": np.full(1, 2**31 - 1, np.int32), "t": np.float32(0.0025)},
    ),
    "a backward slice": (
        "EQ0354",
        "highmul",
        "float[1,4]",
        "c = Slice(b, from, to, axis, step)\n",
        {"from": np.array([3]), "to": np.array([-9]), "axis": np.array([1]), "step": np.array([-1])},
    ),
    "an operator without integer form": ("EQ0355", "highmul", "float[1,4]", "c = Bernoulli(b)\n", {}),
    "scales far apart": (
        "EQ0358",
        "highmul",
        "float[1,4]",
        "e = QuantizeLinear(b, t, z)\n f = DequantizeLinear(e, t, z)\n c = Add(b, f)\n",
        {"s": np.float32(1e-7), "t": np.float32(1e5)},
    ),
    "a Softmax result in steps of 1/1000": (
        "EQ0358",
        "highmul",
        "float[1,4]",
        "c = Softmax(b)\n d = QuantizeLinear(c, t, z)\n y = DequantizeLinear(d, t, z)",
        {"t": np.float32(0.001)},
    ),
    "a long row": ("EQ0359", "tflite", "float[1,600]", "c = Softmax(b)\n", {}),
}


@pytest.mark.parametrize(("code", "mode", "shape", "body", "constants"), LOWERED.values(), ids=LOWERED)
def test_quantized_model_is_refused_by_lowering(
    code: str, mode: Mode, shape: str, body: str, constants: Mapping[str, Any]
) -> None:
    given = {"float[1,600]": "float[1,600]"}.get(shape, "float[1,4]")
    more = ", float limit" if "limit" in body else ""
    ending = "" if "y =" in body else _QUANTIZED_OUTPUT
    text = f"g ({given} x{more}) => ({shape} y) {{ {_QUANTIZED_INPUT}{body}{ending} }}"
    assert codes(lambda: lower(_quantized(text, {**_S, **constants}), mode=mode, name="m")) == [code]


def test_scales_far_apart_are_those_of_a_named_operator() -> None:
    _, mode, shape, body, constants = LOWERED["scales far apart"]
    text = f"g (float[1,4] x) => ({shape} y) {{ {_QUANTIZED_INPUT}{body}{_QUANTIZED_OUTPUT} }}"
    with pytest.raises(EdgeqError) as caught:
        lower(_quantized(text, {**_S, **constants}), mode=mode, name="m")
    assert [problem.where for problem in caught.value.problems] == ["node Add_4"]


def test_activation_with_a_scale_per_channel_is_refused_by_lowering() -> None:
    body = "a = QuantizeLinear<axis=1>(x, s, z)\n y = DequantizeLinear<axis=1>(a, s, z)"
    text = f"g (float[1,4] x) => (float[1,4] y) {{ {body} }}"
    model = _quantized(text, {"s": np.full(4, 0.05, np.float32), "z": np.zeros(4, np.int8)})
    assert codes(lambda: lower(model, mode="highmul", name="m")) == ["EQ0356"]


def test_open_shape_is_refused_by_lowering() -> None:
    text = f"g (float[1,n] x) => (float[1,n] y) {{ {_QUANTIZED_INPUT} c = Relu(b)\n {_QUANTIZED_OUTPUT} }}"
    assert codes(lambda: lower(_quantized(text, _S), mode="highmul", name="m")) == ["EQ0357"]


def test_weights_of_another_type_are_refused_by_lowering() -> None:
    body = "w = DequantizeLinear(wq, s)\n o = DequantizeLinear(bq, s)\n c = Gemm<transB=1>(b, w, o)\n"
    text = f"g (float[1,4] x) => (float[1,1] y) {{ {_QUANTIZED_INPUT}{body}{_QUANTIZED_OUTPUT} }}"
    model = _quantized(text, {**_S, "wq": np.ones((1, 4), np.int16), "bq": np.zeros(1, np.int32)})
    assert codes(lambda: lower(model, mode="highmul", name="m")) == ["EQ0363"]


def _quantized(text: str, constants: Mapping[str, Any]) -> ir.Model:
    proto = onnx.parser.parse_model(HEADER + text)
    for name, array in constants.items():
        proto.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    for index, node in enumerate(proto.graph.node):
        node.name = f"{node.op_type}_{index}"
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


IMPORTED: dict[str, tuple[str, str, Mapping[str, Any]]] = {
    "three scales for four channels": (
        "EQ0261",
        "float[1,4]",
        {"s": np.full(3, 0.05, np.float32), "z": np.zeros(3, np.int8)},
    ),
    "weights beyond float32": (
        "EQ0262",
        "float[1,2]",
        {**_S, "wq": np.full((2, 4), 100, np.int8), "ws": np.full(2, 3e38, np.float32)},
    ),
}


@pytest.mark.parametrize(("code", "shape", "constants"), IMPORTED.values(), ids=IMPORTED)
def test_scales_that_do_not_fit_are_refused(code: str, shape: str, constants: Mapping[str, Any]) -> None:
    body = "w = DequantizeLinear<axis=0>(wq, ws)\n c = Gemm<transB=1>(b, w)\n" if "wq" in constants else "c = Relu(b)\n"
    text = f"g (float[1,4] x) => ({shape} y) {{ {_QUANTIZED_INPUT}{body}{_QUANTIZED_OUTPUT} }}"
    found = codes(lambda: normalize_qdq(normalize_structure(_quantized(text, constants))))
    assert set(found) == {code}


def test_other_types_of_numbers_are_told() -> None:
    for code, text in (
        ("EQ0233", "g (double[1,4] x) => (double[1,4] y) { y = Relu(x) }"),
        ("EQ0234", "g (uint8[1,4] x) => (float[1,4] y) { f = Cast<to=1>(x)\n y = Relu(f) }"),
    ):
        with gathered() as notes:
            normalize(parse(text))
        assert [(note.code, note.severity) for note in notes] == [(code, "note")]


def test_shape_that_depends_on_data_is_refused() -> None:
    text = "g (float[1,4] x, int64[2] s) => (float[m,n] y) { y = Reshape(x, s) }"
    assert codes(lambda: normalize(parse(text))) == ["EQ0226"]


def test_input_without_shape_or_name_is_refused() -> None:
    shapeless = parse("g (float[1,4] x) => (float[1,4] y) { y = Relu(x) }")
    shapeless.graph.inputs[0].shape = None
    assert codes(lambda: normalize(shapeless)) == ["EQ0224"]
    nameless = parse("g (float[1,4] x) => (float[1,4] y) { y = Relu(x) }")
    nameless.graph.inputs[0].name = ""
    assert codes(lambda: _name_everything(nameless)) == ["EQ0228"]


def test_constant_that_cannot_be_computed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("evaluation fails")

    monkeypatch.setattr("onnxscript.optimizer.fold_constants_ir", failing)
    model = parse("g (float[1,4] x) => (float[1,4] y) { c = Neg(t)\n y = Add(x, c) }", {"t": np.ones(4, np.float32)})
    assert codes(lambda: fold.fold_constants(model)) == ["EQ0227"]


def test_converter_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError("assertion in the converter")

    monkeypatch.setattr("onnx.version_converter.convert_version", failing)
    model = parse("g (float[1,4] x) => (float[1,4] y) { y = Relu(x) }")
    model.graph.opset_imports[""] = 13
    assert codes(lambda: version.convert_to_working_opset(model)) == ["EQ0218"]


def test_memory_that_runs_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reader, "_parse", failing)
    assert codes(lambda: reader.read_model_bytes(b"\x08\x0a" + bytes(40))) == ["EQ0213"]


def test_model_that_onnxruntime_does_not_know_is_named() -> None:
    model = parse("g (float[1,4] x) => (float[1,4] y) { y = Relu(x) }")
    model.graph[0].domain = "nobody.knows"
    model.graph.opset_imports["nobody.knows"] = 1
    assert codes(lambda: Session(model)) == ["EQ0241"]


def test_transpose_of_too_many_axes_has_no_kernel() -> None:
    quant = Quantization.per_tensor(DType.INT8, 0.5)
    shape = (2, 3, 2, 3, 2, 3, 2)
    graph = Graph("m", inputs=("x",), outputs=("y",))
    graph.add_tensor(Tensor("x", shape, DType.INT8, quant=quant))
    graph.add_tensor(Tensor("y", shape[::-1], DType.INT8, quant=quant))
    graph.nodes.append(Node("transpose", "t", ("x",), ("y",), {"perm": tuple(range(6, -1, -1))}, ("t",)))
    assert codes(lambda: bind_kernels(graph, ("generic",))) == ["EQ0380"]


def test_portable_loops_can_be_refused() -> None:
    graph = zoo("conv", "highmul", "s8").graph
    dsp, portable = ("dsp", "generic"), ("generic",)
    check_optimized(bind_kernels(graph, dsp), dsp, "cortex-m4")
    steps = bind_kernels(graph, portable)
    assert set(codes(lambda: check_optimized(steps, portable, "native"))) == {"EQ0382"}


def test_a_computer_has_no_memory_that_traps_unaligned_loads() -> None:
    assert codes(load_target("native").with_aligned_loads) == ["EQ0381"]
    assert load_target("cortex-m4").with_aligned_loads().aligned_loads


def test_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": 0}))
    assert codes(lambda: Compiled.open(tmp_path)) == ["EQ0105"]


def test_tool_that_is_absent_or_hangs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert codes(lambda: toolchain.run(["/nowhere/gcc"])) == ["EQ0505"]
    monkeypatch.setattr(toolchain, "_TIMEOUT_SECONDS", 0.2)
    assert codes(lambda: toolchain.run(["sleep", "20"])) == ["EQ0510"]


def test_tool_that_prints_without_end_or_makes_nothing_is_named(tmp_path: Path) -> None:
    assert codes(lambda: toolchain.run(["yes"])) == ["EQ0527"]
    assert codes(lambda: toolchain.run(["true"], makes=[tmp_path / "model.o"])) == ["EQ0528"]


def test_edited_file_of_a_folder_is_named(tmp_path: Path, compiled_example: Callable[..., Path]) -> None:
    manifest = read_manifest(json.loads((compiled_example("native") / "manifest.json").read_text()))
    assert codes(Compiled(tmp_path, manifest).qdq_model) == ["EQ0247"]


def test_tflite_run_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def get_tensor_details(self) -> list[dict[str, Any]]:
            return []

        def invoke(self) -> None:
            raise RuntimeError("node 3 failed to invoke")

    monkeypatch.setattr(tflite, "_open", lambda spec: Failing())
    spec = ImageSpec("m", (), (), ())
    assert codes(lambda: tflite.RUNNER.run(RunRequest(spec, [[]]))) == ["EQ0628"]


def test_normalization_with_a_negative_variance_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The general check names it first; the layer looks on its own."""
    monkeypatch.setattr(sys.modules["edgeq.frontend.normalize_qdq"], "check_support", lambda model: [])
    body = "c = BatchNormalization(b, g, o, m, v)\n"
    text = f"g (float[1,2,3,3] x) => (float[1,2,3,3] y) {{ {_QUANTIZED_INPUT}{body}{_QUANTIZED_OUTPUT} }}"
    parameters = {name: np.ones(2, np.float32) for name in ("g", "o", "m")} | {"v": np.array([1, -1], np.float32)}
    model = _quantized(text, {**_S, **parameters})
    assert codes(lambda: normalize_qdq(normalize_structure(model))) == ["EQ0263"]


def test_operator_without_a_lowering_of_tvm_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = pytest.importorskip("edgeq.backends.tvm.steps")
    monkeypatch.setattr(steps, "LOWERINGS", {})
    graph = Graph("m", inputs=("x",), outputs=("y",))
    for name in ("x", "y"):
        graph.add_tensor(Tensor(name, (1, 4), DType.INT8, quant=Quantization.per_tensor(DType.INT8, 0.5)))
    graph.nodes.append(Node("transpose", "t", ("x",), ("y",), {"perm": (0, 1)}, ("turn",)))
    assert codes(lambda: steps.lower_steps(graph, "m", None)) == ["EQ0385"]


def test_poor_outputs_are_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["edgeq.quant.report"], "POOR_DB", 1e9)
    model = residual_net()
    options = QuantizeOptions(observer="minmax", bias_correction="off")
    warnings = quantize(model, samples_for(model, 5), options).report.warnings
    assert [(warning.code, warning.severity) for warning in warnings] == [("EQ0173", "warning"), ("EQ0175", "warning")]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["boards", "nothing-like-it"], "EQ0101"),
        (["verify"], "EQ0101"),
        (["verify", "x", "--smples", "3"], "EQ0101"),
        (["explain", "EQ4711"], "EQ0177"),
        (["quantize", "{model}", "--data", "{data}", "-o", "{model}"], "EQ0123"),
        (["quantize", "{model}", "--data", "{data}", "-o", "{mine}"], "EQ0124"),
    ],
)
def test_command_line_is_refused(
    arguments: list[str], code: str, example: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.onnx"
    mine.write_text("precious")
    places = {"model": example.model, "data": example.calibration, "out": tmp_path / "out", "mine": mine}
    assert run([*(word.format(**places) for word in arguments), "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert [problem["code"] for problem in document["problems"]] == [code]
    assert mine.read_text() == "precious"


def test_warning_of_the_compiler_is_passed_on(
    example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gcc = tmp_path / "bin" / "gcc"
    gcc.parent.mkdir()
    gcc.write_text(f'#!/bin/sh\necho "model.c:1: warning: odd" >&2\nexec {shutil.which("gcc")} "$@"\n')
    gcc.chmod(gcc.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{gcc.parent}:{os.environ['PATH']}")
    q = tmp_path / "q.onnx"
    assert run(["quantize", str(example.model), "--data", str(example.calibration), "-o", str(q)]) == 0
    capsys.readouterr()
    assert run(["compile", str(q), "--board", "native", "-o", str(tmp_path / "out"), "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert ("EQ0176", "warning") in {(note["code"], note["severity"]) for note in notes}


def test_interrupt_under_json_is_a_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgeq.folder.Compiled.open", interrupted)
    assert run(["verify", "x", "--json"]) == 130
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["problems"][0]["code"]) == (False, "EQ0178")
