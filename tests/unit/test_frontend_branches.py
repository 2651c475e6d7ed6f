"""If by a computed condition: both branches and a choice, or refused where they do not fit together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgeq.analysis.verify import verify_folder
from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.frontend import check_support, normalize
from edgeq.job import CompileOptions
from edgeq.onnxio.reader import read_model_bytes
from edgeq.pipeline import compile_model
from tests.conformance.node_tests import NodeTest, Outcome, judge, run_float

HEADER = '<ir_version: 10, opset_import: ["" : 21]>\n'
CHOICE = """g (float[1,4] x) => (float[1,4] y, float[1] s)
    <float[1,4] w = {1, 2, 3, 4}, float limit = {0.25}, int64[1] axis = {1}> {
    mean = ReduceMean<keepdims=0>(x)
    above = Greater(mean, limit)
    y, s = If(above) <
        then_branch = a () => (float[1,4] p, float[1] q) { p = Mul(x, w)  q = ReduceSum<keepdims=0>(x, axis) },
        else_branch = b () => (float[1,4] r, float[1] t) { r = Neg(x)  t = ReduceSum<keepdims=0>(r, axis) }> }"""
NESTED = """g (float[1,4] x, bool first, bool second) => (float[1,4] y) {
    y = If(first) <
        then_branch = a () => (float[1,4] p) {
            p = If(second) <
                then_branch = c () => (float[1,4] q) { q = Abs(x) },
                else_branch = d () => (float[1,4] r) { r = Neg(x) }> },
        else_branch = b () => (float[1,4] s) { s = Relu(x) }> }"""


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_each_branch_is_chosen(offset: float) -> None:
    model = onnx.parser.parse_model(HEADER + CHOICE)
    x = np.array([[0.1, 0.5, -0.2, 0.9]], np.float32) - np.float32(offset)
    wanted = run_float(model, {"x": x})
    assert judge(NodeTest("choice", model, (x,), tuple(wanted), 1e-5, 1e-5)) == Outcome("passed")


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("second", [False, True])
def test_branch_within_a_branch(*, first: bool, second: bool) -> None:
    model = onnx.parser.parse_model(HEADER + NESTED)
    inputs = (np.array([[0.5, -1, 0.25, -0.75]], np.float32), np.array(first), np.array(second))
    wanted = run_float(model, dict(zip(("x", "first", "second"), inputs, strict=True)))
    assert judge(NodeTest("nested", model, inputs, tuple(wanted), 1e-5, 1e-5)) == Outcome("passed")


def test_choice_has_the_reference_bits_in_c(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(onnx.parser.parse_model(HEADER + CHOICE).SerializeToString())
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(2).uniform(-1, 1, (8, 1, 4)).astype(np.float32))
    compile_model(tmp_path / "m.onnx", tmp_path / "d.npz", tmp_path / "out", CompileOptions("native", "m"))
    assert verify_folder(Compiled.open(tmp_path / "out"), ["native"], 8, tmp_path / "d.npz").mismatches == 0


def test_branches_of_different_shapes_are_refused() -> None:
    text = """g (float[1,4] x, bool c) => (float[1,K] y) <int64[1] s = {0}, int64[1] e = {2}, int64[1] axis = {1}> {
        y = If(c) <then_branch = a () => (float[1,4] p) { p = Abs(x) },
                   else_branch = b () => (float[1,2] q) { q = Slice(x, s, e, axis) }> }"""
    with pytest.raises(EdgeqError) as caught:
        normalize(read_model_bytes(onnx.parser.parse_model(HEADER + text).SerializeToString()))
    assert caught.value.problems[0].code == "EQ0302"
    assert "same type and static shape" in str(caught.value.problems[0])


def test_half_a_spectrum_gives_real_samples() -> None:
    """Of even and odd lengths, and of one that leaves frequencies out; onnxruntime has no such transform."""
    draw = np.random.default_rng(6)
    for given, length in ((6, 10), (6, 11), (6, 7), (4, 12)):
        text = f"""g (float[2,{given},2] x) => (float[2,{length},1] y) <int64 n = {{{length}}}, int64 axis = {{1}}> {{
            y = DFT<inverse=1, onesided=1>(x, n, axis) }}"""
        model = onnx.parser.parse_model(HEADER + text)
        x = draw.uniform(-1, 1, (2, given, 2)).astype(np.float32)
        spectrum = x[..., 0] + 1j * x[..., 1]
        wanted = np.fft.irfft(spectrum, length, axis=1)[..., np.newaxis].astype(np.float32)
        assert judge(NodeTest("irfft", model, (x,), (wanted,), 1e-4, 1e-5)) == Outcome("passed"), length
        assert not check_support(normalize(read_model_bytes(model.SerializeToString())))
