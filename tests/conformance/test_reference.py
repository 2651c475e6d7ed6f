"""The reference against onnxruntime, case by case, and against itself before the passes."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from edgeq.analysis.comparison import BeforePasses, Comparison
from edgeq.errors import EdgeqError
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.numerics.array import Array, comparable
from edgeq.numerics.scaling import MODES, Mode
from edgeq.onnxio import Session
from tests.conformance.node_tests import of_gates
from tests.conformance.zoo import FAMILIES, REFUSED, Types, all_cases, build, cases_of, input_sets, kinds_of, zoo

CASES = [
    pytest.param(kind, family, case.id, id=f"{'-'.join(kind)}-{family}-{case.id}")
    for family in FAMILIES
    for kind in kinds_of(family)
    for case in cases_of(family, *kind)
]
# In steps of int16: constants and exponentials are rounded to about as many bits as the result.
_ALLOWED_INT16 = 0.5
# A value between two operators; with int8 inputs it is int8, and its rounding counts as much as in an int8 model.
_SEVERAL = ("conv2d[then-sigmoid]", "lookup[chain]", "float_unary[then-relu]", "float_unary[behind-sigmoid]")
# Inputs of tables are on their entries, but for one that a convolution computes.
_INTERPOLATED = "conv2d[then-sigmoid]"


@cache
def differences(family: str, mode: Mode, types: Types) -> dict[str, float]:
    """The largest difference to the float result by case, in steps of the output's scale."""
    made = zoo(family, mode, types)
    session = Session(made.float_model)
    declared = {str(value.name): value.dtype.numpy() for value in made.float_model.graph.inputs if value.dtype}
    worst = dict.fromkeys(made.cases, 0.0)
    for drawn in input_sets(made.graph):
        on_entries = family == "lookup" and types != "s8"
        inputs = [array & ~127 if on_entries and array.dtype == np.int16 else array for array in drawn]
        real = {
            name: dequantized(made.graph, name, array).astype(declared[name])
            for name, array in zip(made.graph.inputs, inputs, strict=True)
        }
        expected = session.run(real)
        outputs = run(made.graph, inputs).outputs
        for case, name, got in zip(made.cases.values(), made.graph.outputs, outputs, strict=True):
            worst[case.id] = max(worst[case.id], steps_apart(made.graph, name, expected[case.output], got))
    return worst


def dequantized(graph: Graph, name: str, integers: Array) -> Array:
    """What an input's integers stand for, exactly as DequantizeLinear computes it."""
    quant = graph.tensors[name].quant
    if quant is None:
        return integers
    result: Array = (integers.astype(np.int32) - quant.zero_point[0]).astype(np.float32) * np.float32(quant.scale[0])
    return result


def steps_apart(graph: Graph, name: str, real: Array, integers: Array) -> float:
    """The largest distance in steps; what a type cannot hold saturates; results outside a domain do not count."""
    quant = graph.tensors[name].quant
    if quant is None:
        return float((real != integers.reshape(real.shape)).max(initial=False))
    wanted = np.clip(real.astype(np.float64) / quant.scale[0] + quant.zero_point[0], quant.q_min, quant.q_max)
    apart = np.abs(wanted - integers.reshape(wanted.shape))
    return float(apart[np.isfinite(real)].max(initial=0.0))


def half_a_bias_step(graph: Graph, case: str) -> float:
    """How far rounding the bias of a case's layer from int8 to int16 moves its result, in steps: s_x·s_w/(2·s_y)."""
    found = 0.0
    for node in graph.nodes:
        if node.attrs.get("result") == "int16" and node.op in {"conv2d", "dense"} and node.name.startswith(case):
            x, weight, result = (graph.tensors[name].quant for name in (*node.inputs[:2], node.outputs[0]))
            assert x is not None
            assert weight is not None
            assert result is not None
            found = max(found, x.scale[0] * max(weight.scale) / result.scale[0] / 2)
    return found


def between_entries(graph: Graph, case: str) -> float:
    """How far lines between the entries of a sigmoid's table lie from it, in steps: max|f''|·h²/(8·s_y), h = 128·s_x.

    The second derivative of the sigmoid is at most 1/(6·√3).
    """
    if case != _INTERPOLATED:
        return 0.0
    (found,) = (node for node in graph.nodes if node.op == "lookup" and node.name.startswith(case))
    x, result = graph.tensors[found.inputs[0]].quant, graph.tensors[found.outputs[0]].quant
    assert x is not None
    assert result is not None
    return (128 * x.scale[0]) ** 2 / (6 * 3**0.5) / 8 / result.scale[0]


@pytest.mark.parametrize(("kind", "family", "case"), CASES)
def test_reference_is_onnxruntime_within_tolerance(kind: tuple[Mode, Types], family: str, case: str) -> None:
    allowed = zoo(family, *kind).cases[case].tolerance
    if kind[1] != "s8":
        if kind[1] == "s8s16" and case in _SEVERAL:
            allowed *= 128
        lowered = zoo(family, *kind).lowered
        allowed += (
            _ALLOWED_INT16 + between_entries(lowered, case) + half_a_bias_step(lowered, case) + of_gates(lowered, case)
        )
    assert differences(family, *kind)[case] <= allowed


@pytest.mark.parametrize(
    ("kind", "family"),
    [pytest.param(kind, family, id=f"{'-'.join(kind)}-{family}") for family in FAMILIES for kind in kinds_of(family)],
)
def test_passes_keep_every_bit(kind: tuple[Mode, Types], family: str) -> None:
    made = zoo(family, *kind)
    found = Comparison("passes")
    before = BeforePasses(made.lowered, made.graph)
    for number, inputs in enumerate(input_sets(made.graph)):
        expected = run(made.graph, inputs).tensors
        values = before.run(inputs, expected)
        before.compare(found, number, values, expected)
        for name, value in run(made.lowered, inputs).tensors.items():
            assert np.array_equal(comparable(values[name]), comparable(value))
    assert found.first is None
    assert len(found.names) >= len(made.cases)


@pytest.mark.parametrize(("mode", "case"), [(mode, case) for mode in MODES for case in REFUSED[mode]])
def test_what_a_mode_cannot_do_is_refused(mode: Mode, case: str) -> None:
    found = next(item for family in FAMILIES for item in all_cases(family) if item.id == case)
    with pytest.raises(EdgeqError):
        build("refused", [found], mode)
