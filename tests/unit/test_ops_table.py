"""The table of operators: sorted, complete, and its ONNX facts and samples consistent."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from edgeq.errors import EdgeqError
from edgeq.ir import Node
from edgeq.numerics.tables import FUNCTIONS
from edgeq.ops import BY_NAME, OPS, Sample, infer, onnx_forms, plain_form

SAMPLES = [pytest.param(sample, id=f"{op.name}[{sample.id}]") for op in OPS for sample in op.samples]


def test_table_is_sorted_and_unique() -> None:
    names = [op.name for op in OPS]
    assert names == sorted(set(names))
    assert list(BY_NAME) == names


def test_tuples_of_types_fit_the_slots() -> None:
    for op in OPS:
        free = [slot for slot in op.signature.slots if slot.type is None]
        assert {len(row) for row in op.signature.rows} == {len(free) + 1}, op.name
        assert not any(slot.repeated for slot in op.signature.slots[:-1]), op.name
        assert {attribute.of for attribute in op.attributes} <= {
            None,
            "result",
            *(slot.name for slot in op.signature.slots),
        }


def test_onnx_types_belong_to_one_operator() -> None:
    types = [form.type for op in OPS for form in op.onnx if not form.plain]
    assert sorted(types) == list(onnx_forms())
    for op, form in onnx_forms().values():
        assert form in op.onnx
        assert (form.scale == "fixed") == (form.fixed is not None)


def test_onnx_types_of_integers_belong_to_one_operator() -> None:
    types = [form.type for op in OPS for form in op.onnx if form.plain]
    assert len(set(types)) == len(types)
    for kind in types:
        found = plain_form(kind)
        assert found is not None
        assert found[1].plain


def test_every_lookup_form_has_a_function() -> None:
    assert {form.type for form in BY_NAME["lookup"].onnx} == set(FUNCTIONS)


def test_sample_ids_are_unique() -> None:
    for op in OPS:
        ids = [sample.id for sample in op.samples]
        assert len(ids) == len(set(ids)), op.name
        if op.onnx:
            assert ids, f"{op.name} has no sample"
        assert {sample.type for sample in op.samples} <= {form.type for form in op.onnx}


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples_are_small_enough_for_an_emulated_m0(sample: Sample) -> None:
    for shape in sample.inputs:
        assert prod(shape) <= 2000
    for value in sample.constants.values():
        assert (value.size if isinstance(value, np.ndarray) else prod(value)) <= 6000


def test_an_unknown_operator_is_an_internal_error() -> None:
    with pytest.raises(EdgeqError) as caught:
        infer(Node("nope", "n", (), ()), [])
    assert caught.value.exit_code == 70
