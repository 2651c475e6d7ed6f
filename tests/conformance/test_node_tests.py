"""ONNX's node tests, and every operator in every opset: right, or refused with a code.

The normal set runs a seeded part; all of it, and the C of a part on this computer, is slow.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgeq import frontend
from edgeq.analysis.verify import verify_folder
from edgeq.folder import Compiled
from edgeq.frontend.version import MAX_OPSET, MIN_OPSET
from edgeq.job import CompileOptions
from edgeq.onnxio.reader import read_model_bytes
from edgeq.onnxio.writer import OPSET
from edgeq.pipeline import compile_model
from tests.conformance.node_tests import NodeTest, Outcome, chosen, judge, samples_of, variants_of
from tests.conformance.opsets import REWRITTEN, models, operators, opsets_of

SOME = 40
ON_NATIVE = 24
SWEEP = [(name, opset) for name in operators() for opset in opsets_of(name)]
# What must pass: without these a harness that refuses everything would be content.
ACCEPTED = (
    "test_ai_onnx_ml_array_feature_extractor", "test_ai_onnx_ml_binarizer",
    "test_add_bcast", "test_averagepool_2d_same_lower", "test_basic_conv_with_padding", "test_clip_default_inbounds",
    "test_concat_3d_axis_negative_2", "test_expand_dim_changed", "test_gemm_all_attributes",
    "test_globalmaxpool", "test_hardswish", "test_max_two_inputs", "test_maxpool_2d_ceil", "test_mean_two_inputs",
    "test_reduce_max_keepdims_example", "test_reduce_sum_keepdims_example", "test_relu", "test_reshape_zero_dim",
    "test_softmax_axis_1", "test_squeeze", "test_swish", "test_tile", "test_transpose_default",
)  # fmt: skip


def faults(tests: list[NodeTest], variants: tuple[str, ...]) -> list[str]:
    """Everything that is wrong or an internal error, by name."""
    found = []
    for test in tests:
        for variant, one in variants_of(test, variants):
            outcome = judge(one)
            if outcome.kind in {"wrong", "internal"}:
                found.append(f"{variant} {test.name}: {outcome}")
    return found


def test_a_part_of_the_node_tests_is_right_or_refused() -> None:
    assert not faults(list(chosen(SOME)), ("raw", "initializers"))


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["raw", "initializers"])
def test_all_node_tests_are_right_or_refused(variant: str) -> None:
    assert not faults(list(chosen(None)), (variant,))


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_edgeq_reads_passes(name: str) -> None:
    (test,) = [item for item in chosen(None) if item.name == name]
    assert [judge(one) for _, one in variants_of(test, ("initializers",))] in ([Outcome("passed")], [])
    if len(test.inputs) == 1:
        assert judge(test) == Outcome("passed")


def sweep_faults(pairs: list[tuple[str, int]]) -> list[str]:
    """Models of the opset sweep that did not pass."""
    found = []
    for name, opset in pairs:
        made = list(models(name, opset))
        assert made or (name, opset) == ("Resize", 7), (name, opset)
        found += [f"{test.name}: {outcome}" for test in made if (outcome := judge(test)).kind != "passed"]
    return found


def test_operators_pass_in_a_part_of_their_opsets() -> None:
    """The first and the last definition of a third of the operators each way."""
    pairs = [(name, opsets_of(name)[0]) for name in operators()[::3]]
    assert not sweep_faults(pairs + [(name, opsets_of(name)[-1]) for name in operators()[1::3]])


@pytest.mark.parametrize("name", REWRITTEN)
def test_operator_that_rules_rewrite_passes(name: str) -> None:
    """In the working opset, or the last before that has it, or the first behind."""
    opsets = opsets_of(name)
    assert not sweep_faults([(name, max((opset for opset in opsets if opset <= OPSET), default=opsets[0]))])


@pytest.mark.slow
@pytest.mark.parametrize("name", operators())
def test_operator_passes_in_every_opset(name: str) -> None:
    assert not sweep_faults([(name, opset) for opset in opsets_of(name)])


def test_sweep_reaches_from_the_first_opset_to_a_new_one() -> None:
    assert min(opset for _, opset in SWEEP) == MIN_OPSET
    assert {opset for _, opset in SWEEP} >= {9, 10, 11, 12, 13, 14, 16, 18, 19, 20, 21, 22, 23, 24, 25}
    assert max(opset for _, opset in SWEEP) <= MAX_OPSET


def on_native(test: NodeTest, folder: Path) -> int:
    """Differing elements between the reference and the C on this computer, on the test's own input."""
    (folder / "m.onnx").write_bytes(test.model.SerializeToString())
    normal = frontend.normalize(read_model_bytes(test.model.SerializeToString()))
    names = [value.name for value in test.model.graph.input]
    feeds = {name: np.asarray(array, np.float32) for name, array in zip(names, test.inputs, strict=True)}
    samples = samples_of(normal, feeds)
    stacked = {name: np.stack([samples.inputs(i)[name] for i in range(len(samples))]) for name in feeds}
    np.savez(folder / "d.npz", allow_pickle=False, **stacked)
    compile_model(folder / "m.onnx", folder / "d.npz", folder / "out", CompileOptions("native", "m"))
    return verify_folder(Compiled.open(folder / "out"), ["native"], 2, folder / "d.npz").mismatches


@pytest.mark.slow
def test_a_part_has_the_reference_bits_in_c(tmp_path: Path) -> None:
    pairs = random.Random(1).sample(SWEEP, ON_NATIVE)
    tests = [test for name, opset in pairs for test in list(models(name, opset))[:1]]
    passed = [one for item in chosen(400, seed=2) for _, one in variants_of(item) if judge(one).kind == "passed"]
    floats = [item for item in passed if all(array.dtype.kind == "f" for array in item.inputs)]
    tests += floats[:ON_NATIVE]
    for number, test in enumerate(tests):
        below = tmp_path / str(number)
        below.mkdir()
        assert on_native(test, below) == 0, test.name


def test_harness_sees_a_wrong_model() -> None:
    """The expected values of another model: the harness must not be content."""
    (test,) = [item for item in models("AveragePool", 22) if item.name == "AveragePool-22-2"]
    lower = onnx.ModelProto()
    lower.CopyFrom(test.model)
    (auto,) = [item for item in lower.graph.node[0].attribute if item.name == "auto_pad"]
    assert auto.s == b"SAME_UPPER"
    auto.s = b"SAME_LOWER"
    assert judge(NodeTest("swapped", lower, test.inputs, test.outputs, test.rtol, test.atol)).kind == "wrong"
