"""Which values are quantized and which share a scale follows from the operators between them."""

from __future__ import annotations

import pytest
from quant_models import normal, parse, residual_net

from edgeq.errors import EdgeqError
from edgeq.ir import DType, Quantization
from edgeq.quant.specification import Specification, specify


def specification_of(body: str, signature: str = "(float[1,4,6,6] x) => (y)", mode: str = "highmul") -> Specification:
    constants = {"w": normal(4, 4, 1, 1), "b": normal(4), "k": normal(1, 4, 6, 6), "pads": normal(1)}
    used = {name: array for name, array in constants.items() if f" {name}" in body or f"({name}" in body}
    return specify(parse(f"g {signature} {{ {body} }}", used), mode)


def groups(specification: Specification) -> set[frozenset[str]]:
    return {frozenset(group) for group in specification.groups}


def test_a_layer_and_its_activation_are_quantized_once() -> None:
    specification = specification_of("a = Conv(x, w, b)\n y = Relu(a)")
    assert groups(specification) == {frozenset({"x"}), frozenset({"y"})}
    (layer,) = specification.layers
    assert (layer.x, layer.y) == ("x", "y")


def test_an_activation_with_other_readers_stays_an_operator() -> None:
    specification = specification_of("a = Conv(x, w, b)\n r = Relu(a)\n y = Add(a, r)")
    assert groups(specification) == {frozenset({name}) for name in "xary"}


def test_moves_share_the_scale_of_their_input() -> None:
    specification = specification_of(
        "r = Relu(x)\n t = Transpose <perm = [0,2,3,1]> (r)\n m = MaxPool <kernel_shape = [2,2]> (r)\n y = Relu(m)"
    )
    assert frozenset({"r", "t", "m"}) in groups(specification)
    assert frozenset({"y"}) in groups(specification)


def test_concat_joins_all_its_inputs_and_whatever_shares_with_them() -> None:
    specification = specification_of(
        "a = Relu(x)\n b1 = HardSwish(x)\n m = MaxPool <kernel_shape = [1,1]> (a)\n y = Concat <axis = 1> (m, b1, k)"
    )
    assert frozenset({"a", "m", "b1", "y"}) in groups(specification)
    (placed,) = specification.operands.values()
    assert placed[1] is not None
    assert "y" in specification.groups[placed[1]]


def test_a_constant_of_an_addition_has_its_own_scale() -> None:
    specification = specification_of("y = Add(x, k)")
    assert [owner for _, owner in specification.operands.values()] == [None]


def test_fixed_scales_hold_through_moves() -> None:
    specification = specification_of("s = Sigmoid(x)\n y = Transpose <perm = [0,2,3,1]> (s)")
    assert frozenset({"s", "y"}) in groups(specification)
    assert specification.fixed["s"] == Quantization.per_tensor(DType.INT8, 1 / 256, -128)


def test_equal_fixed_scales_are_shared_and_unequal_ones_stay_apart() -> None:
    same = specification_of("s = Sigmoid(x)\n u = Sigmoid(s)\n y = Concat <axis = 1> (s, u)")
    assert frozenset({"s", "u", "y"}) in groups(same)
    mixed = specification_of("s = Sigmoid(x)\n u = Relu(x)\n y = Concat <axis = 1> (s, u)")
    assert {frozenset({"s"}), frozenset({"u", "y"})} <= groups(mixed)
    unlike = specification_of("s = Sigmoid(x)\n u = Tanh(x)\n y = Concat <axis = 1> (s, u)")
    assert {frozenset({"s"}), frozenset({"u"}), frozenset({"y"})} <= groups(unlike)
    constant = specification_of("s = Sigmoid(x)\n y = Concat <axis = 1> (s, k)")
    assert {frozenset({"s"}), frozenset({"y"})} <= groups(constant)


def test_average_pool_shares_in_mode_tflite_only() -> None:
    body = "r = Relu(x)\n y = AveragePool <kernel_shape = [2,2]> (r)"
    assert frozenset({"r", "y"}) in groups(specification_of(body, mode="tflite"))
    assert frozenset({"r", "y"}) not in groups(specification_of(body))


def test_sources_are_inputs_and_what_is_computed_anew() -> None:
    specification = specification_of(
        "t = Transpose <perm = [0,2,3,1]> (x)\n r = Relu(t)\n y = MaxPool <kernel_shape = [1,1]> (r)"
    )
    assert specification.sources == {"x", "r"}


def test_what_a_maximum_reads_is_clipped_at_its_range() -> None:
    specification = specification_of("a = Tan(x)\n m = MaxPool <kernel_shape = [1,1]> (a)\n y = Max(m, k)")
    assert frozenset({"a", "m", "y"}) in groups(specification)
    (operand,) = specification.operands
    assert specification.clipped == {"a", "m", operand}


def test_what_others_read_or_what_is_an_output_is_not_clipped() -> None:
    specification = specification_of("a = Tan(x)\n m = Min(a, a)\n y = Add(m, a)")
    assert not specification.clipped
    specification = specification_of("a = Tan(x)\n y = Min(a, k)", "(float[1,4,6,6] x) => (y, a)")
    assert "a" not in specification.clipped


def test_every_value_is_in_one_group() -> None:
    for mode in ("highmul", "tflite"):
        specification = specify(residual_net(), mode)
        assert len(specification.names) == len(set(specification.names))
        assert len(specification.layers) == 4


def test_operators_without_an_integer_form_are_listed_together() -> None:
    with pytest.raises(EdgeqError) as caught:
        specification_of("a = Det(x)\n y = Bernoulli(a)", "(float[1,4,6,6] x) => (y)")
    assert [(problem.code, problem.got) for problem in caught.value.problems] == [
        ("EQ0330", "Det"),
        ("EQ0330", "Bernoulli"),
    ]


def test_a_computed_weight_is_refused() -> None:
    with pytest.raises(EdgeqError, match="EQ0331"):
        specification_of("c = Relu(v)\n y = Conv(x, c, b)", "(float[1,4,6,6] x, float[4,4,1,1] v) => (y)")
