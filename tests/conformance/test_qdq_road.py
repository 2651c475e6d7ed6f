"""Quantized models take the road that float models take: the same operators, the same refusals, the right values.

The truth is onnxruntime without optimizations on the same quantized model.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from edgeq.errors import EdgeqError
from edgeq.ir import DType, Quantization
from edgeq.onnxio.qdq_form import REQUANTIZE
from edgeq.onnxio.writer import NEWER
from edgeq.ops import onnx_forms
from tests.conformance.qdq_road import (
    OPSET,
    Single,
    difference,
    float_verdict,
    imported,
    output_parameters,
    quantized_model,
)
from tests.conformance.variants import FAMILIES as VARIANT_FAMILIES
from tests.conformance.variants import variants
from tests.conformance.zoo import FAMILIES, Case, all_cases

# Float operands that are no activations: bounds, scales, a padding value, biases of recurrent layers.
RAW = {"Clip": (1, 2), "GRU": (3,), "LSTM": (3,), "LogMel": (3, 4, 5, 6, 7), "Pad": (2,), "RNN": (3,), "Resize": (1, 2)}
# Some of them are written out step by step, and a quantized model states no scale within a step.
WRITTEN_OUT = {"GRU", "LSTM", "RNN"}
OTHER_GRID = Quantization.per_tensor(DType.INT8, float(np.float32(0.0417)), 11)


def single(case: Case) -> Single:
    """A conformance case as a foreign quantizer writes it."""
    constants = {}
    for position, stated in case.constants.items():
        values = stated
        if isinstance(values, tuple):
            generator = np.random.default_rng(zlib.crc32(f"{case.id}.{position}".encode()))
            values = generator.normal(size=values).astype(np.float32)
            if case.full_range and position == 1:
                values.reshape(values.shape[0], -1)[:, 0] = -np.abs(values).max()
        constants[position] = values
    kind = "Identity" if case.types[0] == REQUANTIZE else case.types[0]
    return Single(
        case.id,
        kind,
        case.inputs,
        constants,
        case.attributes,
        RAW.get(kind, ()),
        case.parameters,
        case.output_parameters,
        then=case.types[1:],
        tolerance=max(case.tolerance, 1.01),
        full_range=case.full_range,
        plain=case.plain,
        result=case.result,
        outputs=case.results,
        which=case.which,
        opset=max(OPSET, NEWER.get(kind, 0)),
    )


def is_chain(case: Case) -> bool:
    """Whether integers go from one operator to another: the harness states types of floats between them."""
    return case.is_plain and len(case.types) > 1


_ALL = [case for family in FAMILIES for case in all_cases(family) if not is_chain(case)]
CASES = {case.id: single(case) for case in _ALL}
SCALED = [case.id for case in _ALL if not case.is_plain]


def check_values(case: Single) -> None:
    output = output_parameters(case)
    model = quantized_model(case, output)
    assert difference(case, model, imported(model), output) <= case.tolerance


@pytest.mark.parametrize("case", CASES)
def test_conformance_case_is_right_as_a_quantized_model(case: str) -> None:
    assert not float_verdict(CASES[case])
    check_values(CASES[case])


@pytest.mark.parametrize("case", SCALED)
def test_conformance_case_is_right_in_uint8_and_at_another_scale(case: str) -> None:
    """The result of an operator that keeps its scale is stated at another one, which is a change of scale more."""
    found = CASES[case]
    form = onnx_forms().get(found.type)
    keeps = form is not None and form[1].scale == "same" and not found.then and found.output is None
    check_values(replace(found, kind="uint8", output=OTHER_GRID if keeps else found.output))


@pytest.mark.parametrize("family", sorted(VARIANT_FAMILIES))
def test_both_roads_refuse_the_same_and_take_the_rest_right(family: str) -> None:
    wrong = []
    for case in variants(family).values():
        verdict = float_verdict(case)
        output = output_parameters(case)
        model = quantized_model(case, output)
        try:
            graph = imported(model)
        except EdgeqError as error:
            codes = tuple(sorted({problem.code for problem in error.problems}))
            if codes != verdict and not (case.type in WRITTEN_OUT and codes == ("EQ0313",)):
                wrong.append(f"{case.id}: float models {verdict or 'work'}, quantized ones {codes}")
            continue
        if verdict:
            wrong.append(f"{case.id}: float models {verdict}, quantized ones work")
        apart = difference(case, model, graph, output)
        if apart > case.tolerance:
            wrong.append(f"{case.id}: {apart} steps apart")
    assert not wrong, "\n".join(wrong)
