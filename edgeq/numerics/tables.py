"""Tables of unary int8 functions: every one of the 256 results rounded half up, decided exactly.

An entry is ``clamp(floor(f(s_x·(q - z_x))/s_y + z_y + 1/2))`` of real numbers. Rational functions are computed as
fractions, so their ties are ties; the others to 80 digits, and as their values at nonzero rationals are irrational
(exactly rational points are treated apart) no tie exists. Outside a function's domain the value at the nearest border
counts: log(x <= 0) is minus infinity and saturates, sqrt(x < 0) is zero.

Functions carry ONNX's names and attributes; defaults are ONNX's, as float32 where ONNX has floats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor, isfinite

import numpy as np

from edgeq.numerics import reals
from edgeq.numerics.array import Array
from edgeq.numerics.reals import Real, decimal, fraction
from edgeq.numerics.rounding import round_half_even
from edgeq.numerics.scale_range import ScaleRangeError

Attributes = Mapping[str, int | float | str]
_Function = Callable[[Real, Attributes], Real]

_ZERO, _HALF, _ONE = Fraction(0), Fraction(1, 2), Fraction(1)
_SELU_ALPHA = 1.67326319217681884765625
_SELU_GAMMA = 1.05070102214813232421875


def unary_table(
    function: str,
    attributes: Attributes,
    in_scale: float,
    in_zero: int,
    out_scale: float,
    out_zero: int,
    low: int = -128,
    high: int = 127,
) -> Array:
    """The table of one function: int8[256], entry q + 128 holds the result for q.

    Args:
        function: a key of :data:`FUNCTIONS`.
        attributes: ONNX attributes; the bounds of ``Clip`` are ``min`` and ``max``, other operands ``constant``.
        in_scale: s_x, float32 value, positive.
        in_zero: z_x.
        out_scale: s_y, float32 value, positive.
        out_zero: z_y.
        low: smallest result.
        high: largest result.

    Raises:
        ValueError: an unknown function, or a scale that is not positive and finite.
    """
    results = real_results(function, attributes, in_scale, in_zero, out_scale, range(-128, 128))
    return np.array([quantized(value, out_zero, low, high) for value in results], dtype=np.int8)


def real_results(
    function: str, attributes: Attributes, in_scale: float, in_zero: int, out_scale: float, positions: Iterable[int]
) -> list[Real]:
    """f(s_x·(q − z_x))/s_y for the integers q in ``positions``: exact, or to 80 digits, or infinite.

    Raises:
        ValueError: as :func:`unary_table`.
    """
    if not all(isfinite(scale) and scale > 0 for scale in (in_scale, out_scale)):
        raise ScaleRangeError("scales must be positive and finite")
    if function not in FUNCTIONS:
        raise ValueError(f"no table for {function}")
    results = []
    with reals.precision():
        for q in positions:
            value = FUNCTIONS[function](Fraction(in_scale) * (q - in_zero), attributes)
            results.append(fraction(value) / Fraction(out_scale) if reals.is_finite(value) else value)
    return results


def quantized(value: Real, zero: int, low: int, high: int) -> int:
    """A result in output steps, rounded half up, plus the zero point, clamped."""
    if not reals.is_finite(value):
        return high if value > 0 else low
    return min(max(floor(fraction(value) + zero + _HALF), low), high)


def _number(attributes: Attributes, name: str, default: float) -> Fraction:
    value = attributes.get(name, default)
    if isinstance(value, str):
        raise ValueError(f"attribute {name} is {value!r}, not a number")  # noqa: TRY004 - a bad model, not a bad call
    return Fraction(value)


def _float32(value: float) -> float:
    return float(np.float32(value))


def _product(left: Real, right: Real) -> Real:
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return left * right
    # 0·∞ has no value; a zero factor wins, as in the limit of every function used here.
    return decimal(left) * decimal(right) if left and right else _ZERO


def _sum(left: Real, right: Real) -> Real:
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return left + right
    return decimal(left) + decimal(right)


def _quotient(left: Real, right: Real) -> Real:
    if not right:
        return Decimal("Infinity") * (1 if left > 0 else -1) if left else _ZERO
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return left / right
    return decimal(left) / decimal(right)


def _rounded(rule: Callable[[Fraction], int]) -> _Function:
    return lambda x, a: Fraction(rule(fraction(x))) if reals.is_finite(x) else x


def _plain(function: Callable[[Real], Real]) -> _Function:
    return lambda x, a: function(x)


def _celu(x: Real, a: Attributes) -> Real:
    alpha = _number(a, "alpha", 1.0)
    return x if x >= 0 else _product(alpha, reals.expm1(_quotient(x, alpha)))


def _clip(x: Real, a: Attributes) -> Real:
    # As ONNX: where min exceeds max, max wins.
    if "min" in a:
        x = max(x, _number(a, "min", 0.0))
    return min(x, _number(a, "max", 0.0)) if "max" in a else x


def _elu(x: Real, a: Attributes) -> Real:
    return x if x >= 0 else _product(_number(a, "alpha", 1.0), reals.expm1(x))


def _gelu(x: Real, a: Attributes) -> Real:
    if not x:
        return _ZERO
    real = decimal(x)
    if a.get("approximate", "none") == "tanh":
        inner = (2 / reals.pi()).sqrt() * (real + Decimal("0.044715") * real * real * real)
        gate = decimal(reals.tanh(inner))
    else:
        gate = decimal(reals.erf(real / Decimal(2).sqrt()))
    return real * (1 + gate) / 2


def _hard_sigmoid(x: Real, a: Attributes) -> Real:
    line = _sum(_product(_number(a, "alpha", _float32(0.2)), x), _number(a, "beta", 0.5))
    return min(max(line, _ZERO), _ONE)


def _hard_swish(x: Real, a: Attributes) -> Real:
    gate: Real = min(max(_sum(_product(Fraction(1, 6), x), _HALF), _ZERO), _ONE)
    return _product(x, gate)


def _leaky_relu(x: Real, a: Attributes) -> Real:
    return x if x >= 0 else _product(_number(a, "alpha", _float32(0.01)), x)


def _mish(x: Real, a: Attributes) -> Real:
    return _product(x, reals.tanh(reals.softplus(x)))


def _selu(x: Real, a: Attributes) -> Real:
    inner = x if x >= 0 else _product(_number(a, "alpha", _SELU_ALPHA), reals.expm1(x))
    return _product(_number(a, "gamma", _SELU_GAMMA), inner)


def _sign(x: Real, a: Attributes) -> Real:
    return Fraction((x > 0) - (x < 0))


def _shrink(x: Real, a: Attributes) -> Real:
    lambd, bias = _number(a, "lambd", 0.5), _number(a, "bias", 0.0)
    if reals.magnitude(x) <= lambd:
        return _ZERO
    return _sum(x, -bias if x > 0 else bias)


def _power(x: Real, a: Attributes) -> Real:
    return reals.power(x, _number(a, "constant", 1.0))


def _remainder(x: Real, a: Attributes) -> Real:
    """As C's fmod: of the dividend's sign; zero for a divisor of zero."""
    divisor = abs(_number(a, "constant", 0.0))
    if not divisor:
        return _ZERO
    rest = abs(fraction(x)) % divisor
    return rest if x > 0 else -rest


def _swish(x: Real, a: Attributes) -> Real:
    return _product(x, reals.sigmoid(_product(_number(a, "alpha", 1.0), x)))


def _thresholded_relu(x: Real, a: Attributes) -> Real:
    return x if x > _number(a, "alpha", 1.0) else _ZERO


FUNCTIONS: dict[str, _Function] = {
    "Abs": _plain(reals.magnitude),
    "Acos": _plain(reals.acos),
    "Acosh": _plain(reals.acosh),
    "Asin": _plain(reals.asin),
    "Asinh": _plain(reals.asinh),
    "Atan": _plain(reals.atan),
    "Atanh": _plain(reals.atanh),
    "Ceil": _rounded(ceil),
    "Celu": _celu,
    "Clip": _clip,
    "Cos": _plain(reals.cos),
    "Cosh": _plain(reals.cosh),
    "Elu": _elu,
    "Erf": _plain(reals.erf),
    "Exp": _plain(reals.exp),
    "Floor": _rounded(floor),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "LeakyRelu": _leaky_relu,
    "Log": _plain(reals.log),
    "Mish": _mish,
    "Mod": _remainder,
    "Neg": lambda x, a: -x,
    "Pow": _power,
    "Reciprocal": lambda x, a: _quotient(_ONE, x),
    "Relu": lambda x, a: max(x, _ZERO),
    "Round": _rounded(round_half_even),
    "Selu": _selu,
    "Sigmoid": _plain(reals.sigmoid),
    "Shrink": _shrink,
    "Sign": _sign,
    "Sin": _plain(reals.sin),
    "Sinh": _plain(reals.sinh),
    "Softplus": _plain(reals.softplus),
    "Softsign": lambda x, a: _quotient(x, _sum(_ONE, reals.magnitude(x))),
    "Sqrt": _plain(reals.sqrt),
    "Swish": _swish,
    "Tan": _plain(reals.tan),
    "Tanh": _plain(reals.tanh),
    "ThresholdedRelu": _thresholded_relu,
}
