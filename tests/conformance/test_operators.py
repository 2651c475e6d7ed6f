"""Every case of every operator: onnxruntime ≈ reference, and C = reference, bit for bit, on the host and all cores.

One model a family, one image a family and core, a handful of inputs each. The cases come from the operator table: an
operator is tested by being in it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from images import compare_on
from zoo import FAMILIES, MODES, input_sets, zoo

from edgeq.analysis.verify import Comparison, compare_graphs
from edgeq.backends.c import bind_kernels
from edgeq.backends.c.bindings import BINDINGS, UNSUPPORTED
from edgeq.backends.c.emit import SPECIALIZE, Specialize
from edgeq.interp import run
from edgeq.ir import Tensor
from edgeq.lowering import Mode
from edgeq.lowering.rules import RULES
from edgeq.numerics.array import Array
from edgeq.onnxio import Session
from edgeq.ops import OPS, onnx_forms
from edgeq.target import load_board

CORES = {
    "m0": "mps2-m0",
    "m3": "mps2-an385",
    "m4": "mps2-an386",
    "m7": "mps2-an500",
    "m33": "mps2-an505",
    "m55": "mps3-an547",
}


def real(tensor: Tensor, integers: Array) -> Array:
    """What the integers of a tensor stand for, float64."""
    assert tensor.quant is not None
    return np.asarray((integers.astype(np.float64) - tensor.quant.zero_point[0]) * tensor.quant.scale[0])


def assert_equal(found: Comparison) -> None:
    assert found.elements > 0
    assert found.mismatches == 0, found.first


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_reference_is_what_onnxruntime_computes(family: str, mode: Mode) -> None:
    found = zoo(family, mode)
    graph, session = found.graph, Session(found.float_model)
    far: dict[str, float] = {}
    for sample in input_sets(graph):
        feeds = {
            name: real(graph.tensors[name], array).astype(np.float32)
            for name, array in zip(graph.inputs, sample, strict=True)
        }
        floats = session.run(feeds)
        outputs = dict(zip((case.output for case in found.cases.values()), run(graph, sample).outputs, strict=True))
        tensors = dict(zip(outputs, (graph.tensors[name] for name in graph.outputs), strict=True))
        for case in found.cases.values():
            tensor = tensors[case.output]
            assert tensor.quant is not None
            wanted = np.clip(floats[case.output].reshape(-1), *real(tensor, np.array([-128, 127])))
            got = real(tensor, outputs[case.output]).reshape(-1)
            steps = float(np.abs(np.nan_to_num(wanted) - got).max()) / tensor.quant.scale[0]
            # TFLite rounds up to three times: one more step.
            if steps > case.tolerance + 0.01 + (mode == "tflite"):
                far[case.id] = max(steps, far.get(case.id, 0.0))
    assert far == {}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_passes_keep_the_bits(family: str, mode: Mode) -> None:
    found = zoo(family, mode)
    comparison = Comparison("passes")
    for number, sample in enumerate(input_sets(found.graph)):
        expected = run(found.graph, sample).tensors
        compare_graphs(comparison, number, found.lowered, found.graph, sample, expected)
    assert_equal(comparison)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_c_on_the_host_has_the_reference_bits_and_no_undefined_behaviour(
    family: str, mode: Mode, tmp_path: Path
) -> None:
    graph = zoo(family, mode).graph
    assert_equal(compare_on("native", graph, input_sets(graph), tmp_path, sanitize=True))


@pytest.mark.slow
@pytest.mark.parametrize("specialize", SPECIALIZE)
@pytest.mark.parametrize("family", FAMILIES)
def test_specialisation_changes_no_bit(family: str, specialize: Specialize, tmp_path: Path) -> None:
    graph = zoo(family, "highmul").graph
    for board in ("native", CORES["m0"], CORES["m4"], CORES["m55"]):
        assert_equal(compare_on(board, graph, input_sets(graph), tmp_path / board, specialize=specialize))


@pytest.mark.qemu
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("family", FAMILIES)
def test_c_on_the_core_has_the_reference_bits(family: str, core: str, tmp_path: Path) -> None:
    graph = zoo(family, "highmul").graph
    assert_equal(compare_on(CORES[core], graph, input_sets(graph), tmp_path))


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("family", FAMILIES)
def test_tflite_mode_on_the_core_has_the_reference_bits(family: str, core: str, tmp_path: Path) -> None:
    graph = zoo(family, "tflite").graph
    assert_equal(compare_on(CORES[core], graph, input_sets(graph), tmp_path))


@pytest.mark.parametrize("name", [op.name for op in OPS])
def test_operator_has_all_its_parts(name: str) -> None:
    (op,) = (found for found in OPS if found.name == name)
    assert op.samples or not op.onnx, "an operator that ONNX spells needs samples"
    assert {form.type for form in op.onnx} <= set(RULES), "a form without a lowering rule"
    bound = any(binding.op == name for binding in BINDINGS)
    assert bound != (name in UNSUPPORTED), "a binding, or a reason why there is none"


def test_no_rule_without_a_form() -> None:
    assert set(RULES) == set(onnx_forms())


def test_every_kernel_runs_in_the_zoo() -> None:
    """A kernel that no case reaches is not tested: on some core, in some mode, each must be chosen."""
    used = set()
    for family in FAMILIES:
        for mode in MODES:
            for board in ("native", *CORES.values()):
                steps = bind_kernels(zoo(family, mode).graph, load_board(board).target.isa)
                used |= {step.call.kernel for step in steps}
    assert {binding.kernel for binding in BINDINGS} - used == set()
