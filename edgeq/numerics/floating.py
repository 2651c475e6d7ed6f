"""What operators in software float compute: float32 operations of IEEE in a stated order.

Sums go in the order of indices, each product and each sum is rounded to float32. Functions that IEEE does not prescribe
are those of :mod:`edgeq.numerics.elementary`, in float64 and then rounded to float32 once. Arguments and results are
float32 arrays; what is no number stays none, with any payload.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from edgeq.numerics import elementary as real
from edgeq.numerics.array import Array

Unary = Callable[[Array, Array, Array], Array]
Binary = Callable[[Array, Array], Array]
_F32: Final = np.float32
_ONE: Final = np.float32(1)
_ZERO: Final = np.float32(0)
GELU_SCALE: Final = 1.5957691216057308
"""2 sqrt(2 / pi)."""


def float_of_bits(bits: int) -> Array:
    """The float32 number of 32 bits that an int32 holds, as an array of rank 0."""
    return np.array(bits, np.int32).view(np.float32)


def bits_of_float(value: float) -> int:
    """The bits of a number rounded to float32, as an int32."""
    return int(np.array(value, np.float32).view(np.int32))


def _rounded(of: Callable[[Array, Array, Array], Array]) -> Unary:
    """A function of float64, rounded once."""

    def function(x: Array, alpha: Array, beta: Array) -> Array:
        result: Array = of(x.astype(np.float64), alpha.astype(np.float64), beta.astype(np.float64)).astype(_F32)
        return result

    return function


def _function(of: Callable[[Array], Array]) -> Unary:
    return _rounded(lambda x, alpha, beta: of(x))


def _odd(of: Callable[[Array], Array]) -> Unary:
    """An odd function, by its values of numbers that are not negative."""
    return _function(lambda x: np.where(np.signbit(x), -of(np.abs(x)), of(np.abs(x))))


def _within_one(of: Callable[[Array], Array]) -> Unary:
    """A function whose domain is [-1, 1]."""
    return _function(lambda x: np.where(np.abs(x) <= 1.0, of(np.where(np.abs(x) <= 1.0, x, 0.0)), np.nan))


def _sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + real.exp(-x))


def _asin(x: Array) -> Array:
    magnitude = np.abs(x)
    angle = real.atan(magnitude / real.sqrt((1.0 - magnitude) * (1.0 + magnitude)))
    return np.where(np.signbit(x), -angle, angle)


def _acosh(x: Array) -> Array:
    above = np.where(x >= 1.0, x - 1.0, 0.0)
    return np.where(x >= 1.0, real.log1p(above + real.sqrt(above * (above + 2.0))), np.nan)


def _asinh(x: Array) -> Array:
    finite = np.where(x < np.inf, x, 0.0)
    return np.where(x < np.inf, real.log1p(finite + finite * finite / (1.0 + real.sqrt(1.0 + finite * finite))), x)


def _sinh(x: Array) -> Array:
    less = real.expm1(x)
    return np.where(x > real.EXP_LIMIT, less, 0.5 * (less + less / (less + 1.0)))


def _cosh(x: Array) -> Array:
    power = real.exp(np.abs(x))
    return 0.5 * (power + 1.0 / power)


def _tanh(x: Array) -> Array:
    less = real.expm1(2.0 * np.where(x > 20.0, 20.0, x))
    return less / (less + 2.0)


def _erf(x: Array) -> Array:
    return np.where(x < 0.5, real.erf_near(np.where(x < 0.5, x, 0.0)), 1.0 - real.erfc(x))


def _gelu(x: Array) -> Array:
    tail = real.erfc(np.abs(x) * 0.7071067811865476)
    return 0.5 * x * np.where(x < 0.0, tail, 2.0 - tail)


def _softplus(x: Array) -> Array:
    return np.where(x > 0.0, x, 0.0) + real.log1p(real.exp(-np.abs(x)))


def _mish(x: Array) -> Array:
    power = real.exp(np.where(x > 20.0, 20.0, x))
    numerator = power * (power + 2.0)
    return np.where(x > 20.0, x, x * numerator / (numerator + 2.0))


def _clamped(x: Array) -> Array:
    """Between 0 and 1; NaN: 0."""
    above: Array = np.where(x > _ZERO, x, _ZERO)
    result: Array = np.where(above < _ONE, above, _ONE)
    return result


def _shrink(x: Array, bias: Array, limit: Array) -> Array:
    below: Array = np.where(x < -limit, x + bias, _ZERO)
    result: Array = np.where(x > limit, x - bias, below)
    return result


UNARY: Final[Mapping[str, Unary]] = {
    "abs": lambda x, a, b: np.abs(x),
    "acos": _within_one(lambda x: 2.0 * real.atan(real.sqrt((1.0 - x) / (1.0 + x)))),
    "acosh": _function(_acosh),
    "asin": _within_one(_asin),
    "asinh": _odd(_asinh),
    "atan": _odd(real.atan),
    "atanh": _odd(lambda x: 0.5 * real.log1p(2.0 * x / (1.0 - x))),
    "ceil": lambda x, a, b: np.ceil(x),
    "celu": _rounded(lambda x, a, b: np.where(x > 0.0, x, a * real.expm1(x / a))),
    "cos": _function(real.cos),
    "cosh": _function(_cosh),
    "elu": _rounded(lambda x, a, b: np.where(x > 0.0, x, a * real.expm1(x))),
    "erf": _odd(_erf),
    "exp": _function(real.exp),
    "floor": lambda x, a, b: np.floor(x),
    "gelu": _function(_gelu),
    "gelu_tanh": _function(lambda x: x / (1.0 + real.exp(-(GELU_SCALE * (x + 0.044715 * (x * x * x)))))),
    "hard_sigmoid": lambda x, a, b: _clamped(a * x + b),
    "hard_swish": lambda x, a, b: x * _clamped(x * _F32(1 / 6) + _F32(0.5)),
    "leaky_relu": lambda x, a, b: np.where(x < _ZERO, a * x, x),
    "log": _function(real.log),
    "mish": _function(_mish),
    "negate": lambda x, a, b: -x,
    "reciprocal": lambda x, a, b: _ONE / x,
    "round": lambda x, a, b: np.rint(x),
    "selu": _rounded(lambda x, a, b: b * np.where(x > 0.0, x, a * real.expm1(x))),
    "shrink": _shrink,
    "sigmoid": _function(_sigmoid),
    "sign": lambda x, a, b: np.where(x > _ZERO, _ONE, np.where(x < _ZERO, -_ONE, _ZERO)),
    "sin": _function(real.sin),
    "sinh": _odd(_sinh),
    "softplus": _function(_softplus),
    "softsign": lambda x, a, b: x / (_ONE + np.abs(x)),
    "sqrt": lambda x, a, b: np.sqrt(x),
    "swish": _rounded(lambda x, a, b: x / (1.0 + real.exp(-(a * x)))),
    "tan": _function(real.tan),
    "tanh": _odd(_tanh),
    "thresholded_relu": lambda x, a, b: np.where(x > a, x, _ZERO),
}
"""Functions of one number and up to two parameters, by name."""


def _power(x: Array, y: Array) -> Array:
    """x^y; of negative x for whole y, else NaN. x^0 and 1^y are 1, also of what is no number."""
    base, exponent = (np.asarray(item, np.float64) for item in np.broadcast_arrays(x, y))
    magnitude = np.abs(base)
    value = real.exp(exponent * real.log(magnitude))
    # From 2^24 on every float32 is even.
    small = np.abs(exponent) < 2.0**24
    inside = np.where(small, exponent, 0.0)
    is_whole = ~small | (real.whole(inside) == inside)
    is_odd = small & is_whole & (2.0 * real.whole(inside * 0.5) != inside)
    value = np.where(is_odd & np.signbit(base), -value, value)
    value = np.where((base < 0.0) & ~is_whole & (magnitude < np.inf), np.nan, value)
    is_one = (base == 1.0) | (exponent == 0.0) | ((magnitude == 1.0) & (np.abs(exponent) == np.inf))
    result: Array = np.where(is_one, 1.0, value).astype(_F32)
    return result


BINARY: Final[Mapping[str, Binary]] = {
    "add": np.add,
    "divide": np.divide,
    "maximum": lambda a, b: np.where(a > b, a, b),
    "minimum": lambda a, b: np.where(a < b, a, b),
    "multiply": np.multiply,
    "power": _power,
    "prelu": lambda a, b: np.where(a < _ZERO, a * b, a),
    "remainder": np.fmod,
    "subtract": np.subtract,
}
"""Functions of two numbers, by name."""
_START: Final = {"sum": 0.0, "sum_square": 0.0, "product": 1.0}
REDUCTIONS: Final = ("maximum", "minimum", "product", "sum", "sum_square")


def reduced(x: Array, function: str) -> Array:
    """float32 [outer, length, inner] to [outer, inner], in the order of indices; maximum and minimum from the first."""
    total = np.full((x.shape[0], x.shape[2]), _START[function], _F32) if function in _START else x[:, 0]
    for place in range(0 if function in _START else 1, x.shape[1]):
        item = x[:, place]
        if function == "sum_square":
            total = total + item * item
        else:
            total = BINARY[{"sum": "add", "product": "multiply"}.get(function, function)](total, item)
    return total


def multiplied(a: Array, b: Array) -> Array:
    """float32 [..., m, k] times [..., k, n]: each sum from 0 on in the order of k."""
    rows, columns = a.shape[-2], b.shape[-1]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    total = np.zeros((*batch, rows, columns), _F32)
    for k in range(a.shape[-1]):
        total = total + a[..., :, k, None] * b[..., None, k, :]
    return total


def quantized(x: Array, scale: Array, zero: int, low: int, high: int) -> Array:
    """int64: x / scale to the nearest whole number, ties to even, plus ``zero``, within the bounds; of NaN ``zero``."""
    steps = np.nan_to_num(np.asarray(x / scale), nan=0.0, posinf=1e6, neginf=-1e6)
    whole = np.rint(np.clip(steps, -1e6, 1e6)).astype(np.int64)
    result: Array = np.clip(whole + zero, low, high)
    return result


def determinant(x: Array) -> Array:
    """float32 [n, size, size] to [n]: the product of pivots, row by row, the largest of a column first.

    Gaussian elimination: of equal magnitudes the upper row is the pivot; a pivot of 0 ends it with 0.
    """
    result = np.empty(x.shape[0], _F32)
    for number, matrix in enumerate(x):
        result[number] = _determinant(matrix.copy())
    return result


def _determinant(a: Array) -> Array:
    value = _ONE
    for column in range(a.shape[0]):
        pivot = column
        for row in range(column + 1, a.shape[0]):
            if abs(a[row, column]) > abs(a[pivot, column]):
                pivot = row
        if pivot != column:
            a[[column, pivot]] = a[[pivot, column]]
            value = -value
        value = value * a[column, column]
        if a[column, column] == 0:
            break
        for row in range(column + 1, a.shape[0]):
            factor = a[row, column] / a[column, column]
            a[row, column + 1 :] = a[row, column + 1 :] - factor * a[column, column + 1 :]
    return np.asarray(value)
