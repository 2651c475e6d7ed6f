"""What is sampled at constant places, small determinants, and clips to one number: right in C, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from quant_models import parse

from edgeq.analysis.verify import verify_folder
from edgeq.folder import Compiled
from edgeq.frontend import check_support, normalize
from edgeq.job import CompileOptions
from edgeq.numerics.array import Array
from edgeq.pipeline import compile_model
from tests.conformance.node_tests import NodeTest, Outcome, judge, run_float

HEADER = '<ir_version: 10, opset_import: ["" : 21]>\n'

WARP = """g (float[1,1,4,5] x, float[1,2,3] theta) => (float[1,3,4,2] grid, float[2] det, float[1,1,4,5] y) <
    int64[4] size = {1, 1, 3, 4}, int64[4] square = {1, 2, 2, 2}, int64[3] shape = {2, 2, 2}, float low = {0.5},
    float high = {0.25}, int64[1] start = {0}, int64[1] end = {2}, int64[1] axis = {2}> {
    grid = AffineGrid(theta, size)
    rows = Slice(x, start, end, axis)
    part = Slice(rows, start, end, last)
    twice = Concat<axis=1>(part, part)
    pairs = Reshape(twice, shape)
    det = Det(pairs)
    one = Clip(x, low, high)
    y = Add(x, one) }"""


def problems_of(text: str, constants: Mapping[str, Array]) -> list[str]:
    return [str(problem) for problem in check_support(normalize(parse(text, constants)))]


def test_grid_and_determinants_have_the_reference_bits_in_c(tmp_path: Path) -> None:
    text = WARP.replace("int64[1] axis = {2}>", "int64[1] axis = {2}, int64[1] last = {3}>")
    model = onnx.parser.parse_model(HEADER + text)
    draw = np.random.default_rng(4)
    samples = {"x": (6, 1, 1, 4, 5), "theta": (6, 1, 2, 3)}
    data = {name: draw.uniform(-1, 1, shape).astype(np.float32) for name, shape in samples.items()}
    first = {name: array[0] for name, array in data.items()}
    wanted = run_float(model, first)
    assert judge(NodeTest("warp", model, tuple(first.values()), tuple(wanted), 1e-5, 1e-5)) == Outcome("passed")
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    np.savez(tmp_path / "d.npz", allow_pickle=False, **data)
    compile_model(tmp_path / "m.onnx", tmp_path / "d.npz", tmp_path / "out", CompileOptions("native", "m"))
    assert verify_folder(Compiled.open(tmp_path / "out"), ["native"], 4, tmp_path / "d.npz").mismatches == 0


REFUSED: Mapping[str, tuple[str, Mapping[str, Array], str]] = {
    "corners of one pixel": (
        "g (float[1,2,3] x) => (float[1,1,4,2] y) { y = AffineGrid<align_corners=1>(x, size) }",
        {"size": np.array([1, 1, 1, 4])},
        "more than one pixel",
    ),
    "computed offsets": (
        "g (float[1,1,3,3] x, float[1,8,2,2] o) => (float[1,1,2,2] y) { y = DeformConv(x, w, o) }",
        {"w": np.ones((1, 1, 2, 2), np.float32)},
        "weights, offsets and mask",
    ),
    "largest of regions": (
        """g (float[1,1,8,8] x) => (float[1,1,2,2] y) {
            y = RoiAlign<mode="max", output_height=2, output_width=2>(x, r, s) }""",
        {"r": np.array([[0, 0, 4, 4]], np.float32), "s": np.array([0])},
        "regions must be constant, averaged",
    ),
    "four rows": ("g (float[4,4] x) => (float y) { y = Det(x) }", {}, "at most three rows"),
}


@pytest.mark.parametrize(("text", "constants", "words"), REFUSED.values(), ids=REFUSED)
def test_other_forms_are_refused(text: str, constants: Mapping[str, Array], words: str) -> None:
    (problem,) = problems_of(text, constants)
    assert problem.startswith("EQ0302")
    assert words in problem
