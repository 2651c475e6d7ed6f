"""Tables of unary functions: against float64 away from ties, against exact arithmetic at them."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from edgeq.numerics import reals
from edgeq.numerics.array import Array
from edgeq.numerics.tables import FUNCTIONS, unary_table


def f32(value: float) -> float:
    return float(np.float32(value))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


FLOAT: dict[str, Callable[[float], float]] = {
    "Abs": abs,
    "Acos": lambda x: math.acos(min(max(x, -1), 1)),
    "Acosh": lambda x: math.acosh(max(x, 1.0)),
    "Asin": lambda x: math.asin(min(max(x, -1), 1)),
    "Asinh": math.asinh,
    "Atan": math.atan,
    "Atanh": lambda x: math.atanh(x) if abs(x) < 1 else math.copysign(math.inf, x),
    "Ceil": math.ceil,
    "Celu": lambda x: x if x > 0 else math.expm1(x),
    "Cos": math.cos,
    "Cosh": math.cosh,
    "Elu": lambda x: x if x > 0 else math.expm1(x),
    "Erf": math.erf,
    "Exp": math.exp,
    "Floor": math.floor,
    "Gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
    "HardSigmoid": lambda x: min(max(f32(0.2) * x + 0.5, 0), 1),
    "HardSwish": lambda x: x * min(max(x / 6 + 0.5, 0), 1),
    "LeakyRelu": lambda x: x if x > 0 else f32(0.01) * x,
    "Log": lambda x: math.log(x) if x > 0 else -math.inf,
    "Mish": lambda x: x * math.tanh(softplus(x)),
    "Neg": lambda x: -x,
    "Reciprocal": lambda x: 1 / x if x else math.inf,
    "Relu": lambda x: max(x, 0.0),
    "Round": round,
    "Selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
    "Sigmoid": sigmoid,
    "Shrink": lambda x: x if abs(x) > 0.5 else 0.0,
    "Sign": lambda x: (x > 0) - (x < 0),
    "Sin": math.sin,
    "Sinh": math.sinh,
    "Softplus": softplus,
    "Softsign": lambda x: x / (1 + abs(x)),
    "Sqrt": lambda x: math.sqrt(max(x, 0.0)),
    "Swish": lambda x: x * sigmoid(x),
    "Tan": math.tan,
    "Tanh": math.tanh,
    "ThresholdedRelu": lambda x: x if x > 1 else 0.0,
}


def check(table: Array, function: Callable[[float], float], grid: tuple[float, int, float, int]) -> None:
    in_scale, in_zero, out_scale, out_zero = grid
    assert table.dtype == np.int8
    assert table.shape == (256,)
    for q in range(-128, 128):
        exact = function(in_scale * (q - in_zero)) / out_scale + out_zero
        if not math.isfinite(exact) or abs(exact) > 1e6:
            assert table[q + 128] == (127 if exact > 0 else -128)
        elif abs(exact + 0.5 - round(exact + 0.5)) > 1e-7:
            assert table[q + 128] == min(max(math.floor(exact + 0.5), -128), 127), q


@pytest.mark.parametrize("name", sorted(FLOAT))
def test_table_equals_float64_away_from_ties(name: str) -> None:
    for grid in ((f32(0.043), 7, f32(0.031), -20), (f32(0.21), -101, f32(0.017), 33)):
        check(unary_table(name, {}, *grid), FLOAT[name], grid)


@pytest.mark.parametrize("exponent", [2.0, 3.0, 0.5, 1.7, 0.0])
def test_table_of_powers(exponent: float) -> None:
    grid = (f32(0.043), -128, f32(0.31), -120)
    check(unary_table("Pow", {"constant": f32(exponent)}, *grid), lambda x: x ** f32(exponent), grid)


@pytest.mark.parametrize("divisor", [0.7, -1.3])
def test_table_of_remainders(divisor: float) -> None:
    grid = (f32(0.043), 7, f32(0.031), -20)
    check(unary_table("Mod", {"constant": f32(divisor)}, *grid), lambda x: math.fmod(x, f32(divisor)), grid)


def test_the_remainder_of_a_division_by_zero_is_zero() -> None:
    assert not unary_table("Mod", {"constant": 0.0}, 0.5, 3, 0.25, 0).any()


def test_attributes() -> None:
    grid = (f32(0.05), 3, f32(0.04), -5)
    check(unary_table("Clip", {"min": -0.5, "max": 2.0}, *grid), lambda x: min(max(x, -0.5), 2.0), grid)
    check(
        unary_table("Shrink", {"bias": 0.25, "lambd": 1.0}, *grid),
        lambda x: 0.0 if abs(x) <= 1 else x - math.copysign(0.25, x),
        grid,
    )
    check(unary_table("Elu", {"alpha": 0.5}, *grid), lambda x: x if x > 0 else 0.5 * math.expm1(x), grid)
    check(unary_table("Celu", {"alpha": 2.0}, *grid), lambda x: x if x > 0 else 2 * math.expm1(x / 2), grid)
    check(
        unary_table("Gelu", {"approximate": "tanh"}, *grid),
        lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        grid,
    )


def test_every_function_is_tested() -> None:
    assert set(FUNCTIONS) == set(FLOAT) | {"Clip", "Mod", "Pow"}


def test_rational_ties_go_up() -> None:
    same = {"alpha": 1.0}
    table = unary_table("LeakyRelu", same, 0.5, 0, 1.0, 0)
    assert table.tolist() == [math.floor(Fraction(q, 2) + Fraction(1, 2)) for q in range(-128, 128)]
    # 0.1 cancels exactly, so every odd q is a tie although 0.1 is no binary fraction.
    table = unary_table("LeakyRelu", same, f32(0.1), 0, f32(0.2), 0)
    assert table.tolist() == [math.floor(Fraction(q, 2) + Fraction(1, 2)) for q in range(-128, 128)]


def test_limits_are_approached_from_the_true_side() -> None:
    # Far out, f(x)/2 lies below 1/2 by less than any float64 could tell: it rounds down, a true tie would go up.
    for name in ("Tanh", "Erf", "Sigmoid"):
        assert unary_table(name, {}, 100.0, 0, 2.0, 0)[255] == 0
    assert unary_table("Elu", {}, 100.0, 0, 2.0, 0)[0] == 0
    # On the grid 2x, q = 1 is a tie for x itself. gelu, swish and mish stay below x, softplus above.
    assert [int(unary_table(name, {}, 127.0, 0, 254.0, 0)[129]) for name in ("Gelu", "Swish", "Mish")] == [0, 0, 0]
    assert [int(unary_table(name, {}, 127.0, 0, 254.0, 0)[129]) for name in ("Relu", "Softplus")] == [1, 1]


def test_special_points_are_exact() -> None:
    # sigmoid(0) = 1/2 exactly, a tie on the grid of 1; sqrt of a square is rational.
    assert unary_table("Sigmoid", {}, 1.0, 0, 1.0, 0)[128] == 1
    assert unary_table("Sqrt", {}, 0.25, 0, 1.0, 0)[128 + 1] == 1
    assert unary_table("Exp", {}, 1.0, 0, 2.0, 0)[128] == 1
    assert unary_table("Round", {}, 0.5, 0, 1.0, 0)[[129, 131, 133]].tolist() == [0, 2, 2]


def test_reals_against_known_digits() -> None:
    reals.pi.cache_clear()
    with reals.precision():
        assert str(reals.pi()).startswith("3.14159265358979323846264338327950288419716939937510582097494459")
        known = Decimal("0.84270079294971486934122063508260925929606699796")
        assert abs(reals.decimal(reals.erf(Fraction(1))) - known) < Decimal("1e-46")
        assert abs(4 * reals.decimal(reals.atan(Fraction(1))) - reals.pi()) < Decimal("1e-75")
        sine, cosine = (reals.decimal(f(Fraction(7, 3))) for f in (reals.sin, reals.cos))
        assert abs(sine * sine + cosine * cosine - 1) < Decimal("1e-75")
        folded = reals.decimal(reals.sin(7 * reals.pi() - 22))
        assert abs(reals.decimal(reals.sin(Fraction(22))) - folded) < Decimal("1e-75")


@pytest.mark.parametrize(("function", "scale"), [("Nope", 1.0), ("Relu", 0.0), ("Relu", float("nan"))])
def test_tables_are_refused(function: str, scale: float) -> None:
    with pytest.raises(ValueError, match=r"no table|scales"):
        unary_table(function, {}, scale, 0, 1.0, 0)
