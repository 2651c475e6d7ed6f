"""LiteRT judges every operator: each case written as .tflite, run by the reference kernels, every tensor compared.

int8 and int16 activations (16x8), and graphs of both. No operator is allowed to differ: what TFLite's own unary
operators compute is what mode ``tflite`` has in its tables, and functions that it lacks are written as a gather.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from edgeq.analysis.comparison import Comparison, compare_runs
from edgeq.backends.tflite import UNSUPPORTED, WRITERS, emit_tflite
from edgeq.backends.tflite.emit import draft_of
from edgeq.errors import EdgeqError
from edgeq.extras import missing
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.numerics.scaling import SCALINGS
from edgeq.ops import BY_NAME, onnx_forms
from edgeq.runners.base import ImageSpec, RunRequest, TensorSpec
from edgeq.runners.table import load_runner
from tests.conformance.zoo import FAMILIES, NETWORK, Case, Types, all_cases, build, cases_of, input_sets, network, zoo

needs_litert = pytest.mark.skipif(bool(missing("tflite")), reason="pip install 'edgeq[tflite]'")
# What the format has no operator for: case → a word of the reason.
REFUSED = {"average_pool[k2x3-pads_uneven-c1]": "centred outside the image"}
# Lookups that are one of TFLite's own operators; all others are CAST, ADD, GATHER.
NAMED = {
    "lookup[clip-relu6]": "RELU6",
    "lookup[exp]": "EXP",
    "lookup[gelu-tanh]": "GELU",
    "lookup[gelu]": "GELU",
    "lookup[hardswish]": "HARD_SWISH",
    "lookup[leakyrelu-alpha]": "LEAKY_RELU",
    "lookup[leakyrelu]": "LEAKY_RELU",
    "lookup[relu-1]": "RELU",
    "lookup[relu-2d-301]": "RELU",
    "lookup[relu-5d]": "RELU",
    "lookup[relu-rank0]": "RELU",
    "lookup[relu]": "RELU",
    "lookup[sigmoid-3d]": "LOGISTIC",
    "lookup[sigmoid-rank0]": "LOGISTIC",
    "lookup[sigmoid]": "LOGISTIC",
    "lookup[tanh-2d]": "TANH",
    "lookup[tanh]": "TANH",
}


@cache
def expressible(family: str, types: Types = "s8") -> Graph:
    """A family's graph without the cases that TFLite cannot express."""
    if family == NETWORK:
        return network("tflite", types)
    cases = cases_of(family, "tflite", types)
    kept = [case for case in cases if has_writer(case) and (types == "s8" or not _looks_up(case))]
    return zoo(family, "tflite").graph if len(kept) == len(cases) else build(family, kept, "tflite", types).graph


def has_writer(case: Case) -> bool:
    """Whether the operator that a case is of, which its name begins with, is one of TFLite's."""
    without = case.id in REFUSED or case.id.partition("[")[0] in UNSUPPORTED
    return not without and not case.plain and not case.is_float


def _looks_up(case: Case) -> bool:
    """Whether an operator of a case has no formula for int16."""
    forms = onnx_forms()
    return any(kind in forms and forms[kind][0].name in SCALINGS["tflite"].int8_only for kind in case.types)


def spec_of(graph: Graph, path: Path) -> ImageSpec:
    """For the runner: every node is a step, reshapes included."""

    def tensors(names: tuple[str, ...]) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(name, graph.tensors[name].dtype.value, graph.tensors[name].shape) for name in names)

    steps = tuple(tensors(node.outputs) for node in graph.nodes)
    return ImageSpec(graph.name, tensors(graph.inputs), tensors(graph.outputs), steps, image=path)


@needs_litert
@pytest.mark.parametrize(
    ("family", "types"),
    [
        (family, types)
        for types in get_args(Types)
        for family in (*FAMILIES, NETWORK)
        if (types == "s8" or family != "lookup") and (family == NETWORK or any(map(has_writer, all_cases(family))))
    ],
)
def test_litert_has_the_reference_bits(family: str, types: Types, tmp_path: Path) -> None:
    graph = expressible(family, types)
    path = tmp_path / "model.tflite"
    path.write_bytes(emit_tflite(graph, graph.outputs))
    spec, inputs = spec_of(graph, path), input_sets(graph)
    answer = load_runner("tflite").run(RunRequest(spec, inputs, steps=True))
    found = Comparison("tflite")
    compare_runs(found, spec, 0, [run(graph, sample).tensors for sample in inputs], answer)
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"
    assert found.names == {name for node in graph.nodes for name in node.outputs}


@pytest.mark.parametrize("case", REFUSED)
def test_what_tflite_cannot_express_is_refused(case: str) -> None:
    found = next(item for family in FAMILIES for item in all_cases(family) if item.id == case)
    graph = build("refused", [found], "tflite").graph
    with pytest.raises(EdgeqError) as error:
        draft_of(graph)
    assert [problem.code for problem in error.value.problems] == ["EQ0390"]
    assert REFUSED[case] in str(error.value)
    assert error.value.exit_code == 3


def test_operator_has_a_writer_or_a_reason() -> None:
    assert not set(WRITERS) & set(UNSUPPORTED)
    assert set(WRITERS) | set(UNSUPPORTED) == set(BY_NAME)
    assert all(UNSUPPORTED.values())


def test_lookups_are_tflites_own_operators_where_it_has_them() -> None:
    graph = expressible("lookup")
    codes = {operator.outputs[0]: operator.code for operator in draft_of(graph).operators}
    by_case = {
        node.outputs[0].partition("]")[0] + "]": codes[node.outputs[0]] for node in graph.nodes if node.op == "lookup"
    }
    own = {case: code for case, code in by_case.items() if code != "GATHER"}
    assert own == NAMED
