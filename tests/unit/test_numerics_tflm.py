"""What ``tflm`` computes otherwise than ``tflite``; its interpreter is the judge in tests/e2e/test_tflite_micro.py."""

from __future__ import annotations

import numpy as np
import pytest

from edgeq.numerics.scaling import SCALINGS
from edgeq.numerics.tables import unary_table

LITERT, MICRO = SCALINGS["tflite"], SCALINGS["tflm"]


def test_a_dense_layer_rounds_twice() -> None:
    """An output of the publisher's autoencoder: -117.499 + 96 rounds to -118 in two steps, to -117 in one."""
    acc, factor = np.array([-88337]), [np.array([1462485078]), np.array([-9])]
    assert MICRO.apply("dense", acc, factor, 0, 96, -128, 127).tolist() == [-22]
    assert LITERT.apply("dense", acc, factor, 0, 96, -128, 127).tolist() == [-21]
    assert MICRO.apply("conv2d", acc, factor, 0, 96, -128, 127).tolist() == [-22]


@pytest.mark.parametrize("op", ["dense", "matmul", "mul"])
def test_factors_are_products_in_float64(op: str) -> None:
    left, right, out = (float(np.float32(scale)) for scale in (0.1, 0.3, 0.7))
    assert MICRO.ratio(op, left, [right], out).tolist() == [left * right / out]
    assert LITERT.ratio(op, left, [right], out).tolist() != [left * right / out]


@pytest.mark.parametrize("scale", [0.004, 0.03, 0.0625, 0.2, 3.0])
@pytest.mark.parametrize("zero", [-128, 0, 17])
@pytest.mark.parametrize(("function", "result"), [("Sigmoid", (1 / 256, -128)), ("Tanh", (1 / 128, 0))])
def test_fixed_point_is_the_function_within_a_step(
    function: str, result: tuple[float, int], scale: float, zero: int
) -> None:
    given = float(np.float32(scale))
    table = MICRO.lookup_table(function, {}, given, zero, *result)
    assert table is not None
    exact = unary_table(function, {}, given, zero, *result, -128, 127)
    assert np.abs(table.astype(int) - exact).max() <= 1


def test_a_step_beyond_the_integer_bits_leaves_the_ends_alone() -> None:
    table = MICRO.lookup_table("Sigmoid", {}, 40.0, 0, 1 / 256, -128)
    assert table is not None
    # The kernel asks for the lower end first, so that zero is there, too.
    assert table.tolist() == [-128] * 129 + [127] * 127


def test_no_kernel_where_the_result_has_another_scale() -> None:
    assert MICRO.lookup_table("Sigmoid", {}, 0.1, 0, 1 / 128, -128) is None
    assert MICRO.lookup_table("Tanh", {}, 0.1, 0, 1 / 128, 1) is None
    assert MICRO.lookup_table("Sigmoid", {}, 2.0**-29, 0, 1 / 256, -128) is None
    assert MICRO.lookup_table("Exp", {}, 0.1, 0, 0.1, 0) is None


def test_relu6_clamps_at_one_scale_only() -> None:
    bounds = {"min": 0.0, "max": 6.0}
    table = MICRO.lookup_table("Clip", bounds, 0.125, -100, 0.125, -100)
    assert table is not None
    assert table.tolist() == np.clip(np.arange(-128, 128), -100, -100 + 48).tolist()
    assert MICRO.lookup_table("Clip", bounds, 0.125, -100, 0.25, -100) is None
    assert MICRO.lookup_table("Clip", {"min": 0.0, "max": 1.0}, 0.125, -100, 0.125, -100) is None
