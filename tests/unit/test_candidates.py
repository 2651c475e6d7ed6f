"""Kernels that the user wants: by name, by pattern, from a file; and what is said where they cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import parse

import edgeq
from edgeq.backends.c import bind_kernels, choose, emit_c
from edgeq.backends.c.bindings import EVERY
from edgeq.backends.c.candidates import candidates_of, forced_kernels
from edgeq.backends.c.kernel_file import kernels_text, read_kernels, wrote_kernels
from edgeq.errors import EdgeqError
from edgeq.ir import Graph
from edgeq.target import load_target

M4 = load_target("cortex-m4")


@pytest.fixture(scope="module")
def quantized() -> bytes:
    """A 3x3 convolution with a multiple of four channels, one with a stride, a dense layer."""
    draw = np.random.default_rng(2)
    constants = {
        "w": draw.normal(size=(8, 4, 3, 3)).astype(np.float32) / 6,
        "v": draw.normal(size=(8, 8, 3, 3)).astype(np.float32) / 8,
        "u": draw.normal(size=(200, 6)).astype(np.float32) / 14,
    }
    model = parse(
        """g (float[1,4,10,10] x) => (float[1,6] y) {
            a = Conv<pads = [1,1,1,1]>(x, w)
            b = Relu(a)
            c = Conv<pads = [1,1,1,1], strides = [2,2]>(b, v)
            d = Flatten(c)
            y = MatMul(d, u)
        }""",
        constants,
    )
    return edgeq.quantize(ir.to_proto(model), draw.normal(size=(32, 4, 10, 10)).astype(np.float32)).content


@pytest.fixture(scope="module")
def graph(quantized: bytes, tmp_path_factory: pytest.TempPathFactory) -> Graph:
    made = edgeq.compile(quantized, board="mps2-an386", sources_only=True, out=tmp_path_factory.mktemp("c") / "out")
    return made._compiled.graph


def steps_of(graph: Graph, *wanted: tuple[str, str]) -> list[str]:
    """The transpose in front, the two convolutions, the dense layer."""
    return [step.candidate for step in emit_c(graph, "model", M4, kernels=wanted).steps]


def test_candidates_of_an_operator_have_names_of_their_own() -> None:
    found = [(binding.op, binding.name) for binding in EVERY]
    assert len(found) == len(set(found))


def test_kernels_are_chosen_by_name_or_pattern(graph: Graph) -> None:
    _, first, second, dense = steps_of(graph)
    assert steps_of(graph, ("Conv_0", "eq_conv2d_s16"))[1:] == ["eq_conv2d_s16", second, dense]
    assert steps_of(graph, ("Relu_1", "eq_conv2d_winograd_s8:2"))[1] == "eq_conv2d_winograd_s8:2"
    assert steps_of(graph, ("Conv_0", "eq_conv2d_winograd_s8"))[1] == "eq_conv2d_winograd_s8:4"
    assert steps_of(graph, ("Conv*", "eq_conv2d_s16"))[1:] == ["eq_conv2d_s16", "eq_conv2d_s16", dense]
    assert steps_of(graph, ("*", dense)) == steps_of(graph)  # no other operator has it
    assert steps_of(graph, ("Conv*", "eq_conv2d_s16"), ("Conv_0", first))[1:] == [first, "eq_conv2d_s16", dense]
    asked = [(graph.nodes[1].name, steps_of(graph)[1])]
    assert emit_c(graph, "model", M4, kernels=asked).bundle == emit_c(graph, "model", M4).bundle


def test_what_memory_allows_is_not_asked_for_what_is_forced(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "estimate", lambda *_: None)  # whether it is faster does not matter here
    speed = [step.candidate for step in emit_c(graph, "model", M4, aim="speed").steps]
    assert speed[1] == "eq_conv2d_winograd_4x4_s8"
    forced = emit_c(graph, "model", M4, aim="speed", kernels=[("Conv_0", "eq_conv2d_triple_s8")])
    assert forced.steps[1].candidate == "eq_conv2d_triple_s8"
    assert dict(forced.forced) == {forced.steps[1].node.name: "eq_conv2d_triple_s8"}


@pytest.mark.parametrize(
    ("wanted", "code", "told"),
    [
        (("conv1", "eq_conv2d_s16"), "EQ0155", "Conv_0, Relu_1"),
        (("Conv_0", "eq_dense_s8"), "EQ0156", "eq_conv2d_triple_s8; "),
        (("*", "eq_dense_s9"), "EQ0156", "eq_dense_s8"),
        (("Conv_0", "eq_pointwise_s8"), "EQ0383", "eq_pointwise_s8 (the kernel is not 1x1"),
        (
            ("Conv_2", "eq_conv2d_winograd_s8"),
            "EQ0383",
            "eq_conv2d_winograd_s8:4 (it has another stride than 1",
        ),
    ],
)
def test_what_cannot_be_is_told_with_the_candidates(
    graph: Graph, wanted: tuple[str, str], code: str, told: str
) -> None:
    with pytest.raises(EdgeqError) as raised:
        forced_kernels(graph, M4.isa, [wanted])
    problems = raised.value.problems
    assert {problem.code for problem in problems} == {code}
    assert any(told in str(problem.allowed) for problem in problems)
    assert raised.value.exit_code == (3 if code == "EQ0383" else 2)


def test_every_candidate_says_whether_it_takes_the_node(graph: Graph) -> None:
    found = candidates_of(graph.nodes[1], graph, M4.isa)
    fitting = [each.binding.name for each in found if each.refusal is None]
    assert fitting[0] == bind_kernels(graph, M4.isa)[1].candidate
    assert steps_of(graph)[1] in fitting
    assert all(each.binding.op == "conv2d" for each in found)


def test_a_file_says_them_exactly(graph: Graph, tmp_path: Path) -> None:
    path = tmp_path / "kernels.json"
    kernels: Mapping[str, str] = {"Conv_0": "eq_conv2d_s16", "Conv_[02]": "eq_dense_s8"}
    path.write_text(kernels_text("cortex-m4", kernels), "utf-8")
    assert wrote_kernels(path)
    first, second = read_kernels(path)
    assert first == ("Conv_0", "eq_conv2d_s16")
    with pytest.raises(EdgeqError, match="EQ0155"):  # brackets are no pattern
        forced_kernels(graph, M4.isa, [second])


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "edgeq/kernels/1"}', '{"schema": "edgeq/kernels/2"}'])
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "kernels.json"
    path.write_text(text, "utf-8")
    assert not wrote_kernels(path)
    with pytest.raises(EdgeqError, match="EQ0157"):
        read_kernels(path)


def test_compile_takes_both_and_the_manifest_keeps_them(quantized: bytes, tmp_path: Path) -> None:
    file = tmp_path / "kernels.json"
    file.write_text(kernels_text("cortex-m4", {"Conv_0": "eq_conv2d_s16", "y_float": "eq_dense_s8"}), "utf-8")
    made = edgeq.compile(
        quantized, board="mps2-an386", kernels=file, kernel={"Conv_0": "eq_conv2d_winograd_s8:3"}, sources_only=True
    )
    steps = made.manifest.program.steps
    assert made.manifest.options.kernels == {steps[1].name: "eq_conv2d_winograd_s8:3", steps[3].name: "eq_dense_s8"}
    assert steps[1].kernel == "eq_conv2d_winograd_s8"
    with pytest.raises(EdgeqError, match="EQ0157"):
        edgeq.compile(quantized, board="mps2-an386", kernels=tmp_path / "none.json", sources_only=True)
    with pytest.raises(EdgeqError, match="EQ0193"):
        edgeq.compile(quantized, board="mps2-an386", kernel="a=b", sources_only=True)  # type: ignore[arg-type]


def test_command_line_takes_pairs(quantized: bytes, tmp_path: Path) -> None:
    from edgeq.cli.main import run

    (tmp_path / "m.onnx").write_bytes(quantized)
    compiling = [
        "compile",
        str(tmp_path / "m.onnx"),
        "--board",
        "mps2-an386",
        "--sources-only",
        "-o",
        str(tmp_path / "o"),
    ]
    assert run([*compiling, "--kernel", "Conv_0=eq_conv2d_s16"]) == 0
    manifest = json.loads((tmp_path / "o" / "manifest.json").read_text("utf-8"))
    assert list(manifest["options"]["kernels"].values()) == ["eq_conv2d_s16"]
    assert run([*compiling, "--kernel", "eq_conv2d_s16"]) == 2
    assert run([*compiling, "--kernel", "Conv_0=eq_pointwise_s8"]) == 3
