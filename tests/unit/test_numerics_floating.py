"""Software float: functions against the numbers that they stand for, and tables against the C beside them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from edgeq.numerics.floating import (
    BINARY,
    REDUCTIONS,
    UNARY,
    bits_of_float,
    determinant,
    float_of_bits,
    multiplied,
    quantized,
    reduced,
)
from edgeq.ops.float_types import UNARY as ONNX_UNARY

ONE = np.array(1, np.float32)
WIDE, UNIT = (-80.0, 80.0), (-1.0, 1.0)
EXACT: Mapping[str, tuple[Callable[[float], float], tuple[float, float]]] = {
    "acos": (math.acos, UNIT),
    "acosh": (math.acosh, (1.0, 1e4)),
    "asin": (math.asin, UNIT),
    "asinh": (math.asinh, WIDE),
    "atan": (math.atan, WIDE),
    "atanh": (math.atanh, (-0.999, 0.999)),
    "cos": (math.cos, (-1e5, 1e5)),
    "cosh": (math.cosh, WIDE),
    "elu": (lambda x: x if x > 0 else math.expm1(x), WIDE),
    "erf": (math.erf, WIDE),
    "exp": (math.exp, WIDE),
    "gelu": (lambda x: 0.5 * x * math.erfc(-x / math.sqrt(2)), (-10.0, 10.0)),
    "log": (math.log, (1e-30, 1e6)),
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), WIDE),
    "sin": (math.sin, (-1e5, 1e5)),
    "sinh": (math.sinh, WIDE),
    "softplus": (lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))), WIDE),
    "sqrt": (math.sqrt, (0.0, 1e6)),
    "tan": (math.tan, (-1e5, 1e5)),
    "tanh": (math.tanh, WIDE),
}


@pytest.mark.parametrize("name", EXACT)
@np.errstate(all="ignore")
def test_function_is_off_by_hardly_more_than_rounding(name: str) -> None:
    function, (low, high) = EXACT[name]
    generator = np.random.default_rng(5)
    small = generator.normal(size=500) * 2.0 ** generator.integers(-30, 1, 500)
    x = np.clip(np.concatenate([generator.uniform(low, high, 1500), small]), low, high).astype(np.float32)
    got = UNARY[name](x, ONE, ONE).astype(np.float64)
    wanted = np.array([function(float(item)) for item in x])
    assert np.all(np.abs(got - wanted) <= 0.51 * np.spacing(np.abs(wanted).astype(np.float32)))


def test_power_is_that_of_real_numbers() -> None:
    generator = np.random.default_rng(6)
    x, y = generator.uniform(0, 20, 1000).astype(np.float32), generator.uniform(-10, 10, 1000).astype(np.float32)
    wanted = x.astype(np.float64) ** y.astype(np.float64)
    got = BINARY["power"](x, y).astype(np.float64)
    assert np.all(np.abs(got - wanted) <= 0.51 * np.spacing(wanted.astype(np.float32)))


@np.errstate(all="ignore")
def test_power_of_what_is_special_is_that_of_ieee() -> None:
    special = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, np.inf, -np.inf, np.nan, 2.0**24, 1e38]
    x, y = np.meshgrid(np.array(special, np.float32), np.array(special, np.float32))
    # In float64, since numpy's power of float32 is not rounded alike on all processors.
    got, wanted = BINARY["power"](x, y), np.power(x.astype(np.float64), y.astype(np.float64)).astype(np.float32)
    assert np.array_equal(got, wanted, equal_nan=True)
    numbers = ~np.isnan(wanted)
    assert np.array_equal(np.signbit(got)[numbers], np.signbit(wanted)[numbers])


def test_sum_goes_by_index_and_is_rounded_each_time() -> None:
    x = np.array([2.0**24, 1.0, 1.0, -(2.0**24)], np.float32).reshape(1, 4, 1)
    assert reduced(x, "sum")[0, 0] == 0.0
    assert multiplied(x.reshape(1, 4), np.ones((4, 1), np.float32))[0, 0] == 0.0


@np.errstate(all="ignore")
def test_quantization_rounds_ties_to_even_saturates_and_takes_nan_for_zero() -> None:
    x = np.array([0.5, 1.5, -0.5, -2.5, 1e30, -np.inf, np.nan], np.float32)
    assert quantized(x, ONE, 3, -128, 127).tolist() == [3, 5, 3, 1, 127, -128, 3]


def test_determinant_exchanges_rows_and_ends_with_zero() -> None:
    matrices = np.array([[[0, 2], [3, 4]], [[1, 2], [2, 4]], [[5, 0], [0, 5]]], np.float32)
    assert determinant(matrices).tolist() == [-6.0, 0.0, 25.0]


def test_bits_of_a_number_are_its_own() -> None:
    assert float(float_of_bits(bits_of_float(-0.1))) == float(np.float32(-0.1))


@pytest.mark.parametrize(
    ("header", "names"),
    [("kernels/eq_float_unary.h", tuple(UNARY)), ("include/eq_float_pair.h", tuple(BINARY))],
)
def test_c_counts_the_functions_in_the_order_of_the_table(root: Path, header: str, names: tuple[str, ...]) -> None:
    text = (root / "runtime_c" / header).read_text("utf-8")
    listed = re.search(r"enum \{([^}]*)\}", text)
    assert listed is not None
    assert [name.strip() for name in listed[1].split(",")] == [f"EQ_FLOAT_{name.upper()}" for name in names]


def test_c_counts_reductions_in_the_order_of_the_table() -> None:
    assert REDUCTIONS == ("maximum", "minimum", "product", "sum", "sum_square")  # as eq_float_reduce.h has them


def test_every_function_of_onnx_is_in_the_table() -> None:
    assert {kept.function for kept in ONNX_UNARY.values()} <= set(UNARY)
