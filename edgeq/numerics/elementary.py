"""Elementary functions in float64, each a stated sequence of IEEE operations, so that every processor gives equal bits.

libm differs from platform to platform. Here each function is a reduction of its argument and a polynomial by Horner's
scheme, without fused operations; float64 operations are IEEE's in hardware and in software alike. Arguments are
float32 numbers, or what one of these functions gave. Truncated series end below 2^-30 of the result, so that the result
rounded to float32 is off by at most 0.51 units in the last place, where the functions that use them state no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial, pi
from typing import Final

import numpy as np

from edgeq.numerics.array import Array

LOG2_E: Final = 1.4426950408889634
LN2: Final = 0.6931471805599453
# 32 bits of ln 2, so that products with exponents are exact, and the rest.
LN2_HIGH: Final = 0.6931471803691238
LN2_LOW: Final = 1.9082149292705877e-10
# pi/2 in three parts; products of the first two with whole numbers up to 2^20 are exact.
HALF_PI: Final = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
EXP_LIMIT: Final = 700.0
"""Beyond it e^x is infinite, below its negative zero: far outside of float32."""
ANGLE_LIMIT: Final = 2.0**30
"""Neighbouring float32 numbers from here on are 64 and more apart: sines of them are no numbers."""
_ROUNDING: Final = 1.5 * 2.0**52

EXP_TERMS: Final = tuple(1.0 / factorial(n) for n in range(1, 10))
"""(e^x - 1) / x for |x| <= ln 2 / 2, in powers of x."""
LOG_TERMS: Final = tuple(1.0 / (2 * n + 1) for n in range(8))
"""ln((1 + f) / (1 - f)) / 2f for |f| <= 0.2, in powers of f^2."""
ATAN_TERMS: Final = tuple((-1.0) ** n / (2 * n + 1) for n in range(13))
"""atan(x) / x for |x| <= tan(pi / 8), in powers of x^2."""
SIN_TERMS: Final = tuple((-1.0) ** n / factorial(2 * n + 1) for n in range(6))
COS_TERMS: Final = tuple((-1.0) ** n / factorial(2 * n) for n in range(7))
"""sin(x) / x and cos(x) for |x| <= pi / 4, in powers of x^2."""
ERF_SCALE: Final = 1.1283791670955126
ERF_TERMS: Final = tuple((-1.0) ** n / (factorial(n) * (2 * n + 1)) for n in range(9))
"""erf(x) * sqrt(pi) / 2x for |x| < 1/2, in powers of x^2."""
ERFC_TERMS: Final = (
    0.28209479223188116,
    0.2820951255499261,
    0.24681893196619992,
    0.17656374551390697,
    0.08106079601874973,
    0.013979436193384499,
    -0.14265052416799223,
    0.22605709028957133,
    -0.6345283571376744,
    1.0024781569584895,
    -0.8192534217940011,
    0.34630576207992236,
    -0.06102416722670303,
)
"""erfc(x) * e^(x^2) / u for 1/2 <= x <= 14, in powers of u = 1 / (1 + x/2): the interpolation at Chebyshev's nodes."""


def horner(x: Array, terms: Sequence[float]) -> Array:
    """The polynomial of ascending coefficients, from the last one on."""
    total = np.full_like(x, terms[-1])
    for term in reversed(terms[:-1]):
        total = total * x + term
    return total


def whole(x: Array) -> Array:
    """The nearest whole number of |x| < 2^51, ties to even."""
    return x + _ROUNDING - _ROUNDING


def _reduced_exp(x: Array) -> tuple[Array, Array]:
    """2^k and e^r - 1 of x = k ln 2 + r; of arguments beyond the limit, those of 0."""
    inside = np.where(np.abs(x) <= EXP_LIMIT, x, 0.0)
    k = whole(inside * LOG2_E)
    r = (inside - k * LN2_HIGH) - k * LN2_LOW
    return np.ldexp(1.0, k.astype(np.int32)), horner(r, EXP_TERMS) * r


def _beyond(x: Array, inside: Array, least: float) -> Array:
    """Infinity above the limit, ``least`` below its negative, NaN of NaN."""
    return np.where(x > EXP_LIMIT, np.inf, np.where(x < -EXP_LIMIT, least, np.where(np.isnan(x), x, inside)))


def exp(x: Array) -> Array:
    """e^x."""
    power, rest = _reduced_exp(x)
    return _beyond(x, (1.0 + rest) * power, 0.0)


def expm1(x: Array) -> Array:
    """e^x - 1."""
    power, rest = _reduced_exp(x)
    return _beyond(x, (power - 1.0) + power * rest, -1.0)


def _log_ratio(f: Array) -> Array:
    """ln((1 + f) / (1 - f))."""
    return 2.0 * f * horner(f * f, LOG_TERMS)


def log(x: Array) -> Array:
    """The natural logarithm of a normal float64 number, of zero, or of infinity; of less than zero: NaN."""
    usable = (x > 0.0) & (x < np.inf)
    half, exponent = np.frexp(np.where(usable, x, 1.0))
    large = half * 2.0 > 1.4142135623730951
    mantissa = np.where(large, half, half * 2.0)
    power = np.where(large, exponent, exponent - 1).astype(np.float64)
    value = power * LN2 + _log_ratio((mantissa - 1.0) / (mantissa + 1.0))
    return np.where(usable, value, np.where(x == 0.0, -np.inf, np.where(x > 0.0, x, np.nan)))


def log1p(x: Array) -> Array:
    """ln(1 + x)."""
    near = (x > -0.25) & (x < 0.5)
    inside = np.where(near, x, 0.0)
    return np.where(near, _log_ratio(inside / (2.0 + inside)), log(1.0 + x))


def sqrt(x: Array) -> Array:
    """The square root: four of Newton's steps from half the exponent; of less than zero: NaN."""
    usable = (x > 0.0) & (x < np.inf)
    inside = np.where(usable, x, 1.0)
    # Half of the bits as an integer: half the exponent, and a mantissa that is off by at most 7 %.
    root = ((inside.view(np.uint64) >> np.uint64(1)) + np.uint64(0x1FF8000000000000)).view(np.float64)
    for _ in range(4):
        root = 0.5 * (root + inside / root)
    return np.where(usable, root, np.where(x >= 0.0, x, np.nan))


def _quadrant(x: Array) -> tuple[Array, Array, Array]:
    """The quadrant 0 to 3, and sine and cosine of what is left of the angle."""
    inside = np.where(np.abs(x) < ANGLE_LIMIT, x, 0.0)
    k = whole(inside * (2.0 / pi))
    r = inside
    for part in HALF_PI:
        r = r - k * part
    square = r * r
    return k.astype(np.int64) & 3, horner(square, SIN_TERMS) * r, horner(square, COS_TERMS)


def _of_angle(x: Array, value: Array) -> Array:
    return np.where(np.abs(x) < ANGLE_LIMIT, value, np.nan)


def sin(x: Array) -> Array:
    """The sine of an angle; from :data:`ANGLE_LIMIT` on NaN."""
    quadrant, sine, cosine = _quadrant(x)
    value = np.where(quadrant & 1, cosine, sine)
    return _of_angle(x, np.where(quadrant & 2, -value, value))


def cos(x: Array) -> Array:
    """The cosine of an angle; from :data:`ANGLE_LIMIT` on NaN."""
    quadrant, sine, cosine = _quadrant(x)
    value = np.where(quadrant & 1, sine, cosine)
    return _of_angle(x, np.where((quadrant + 1) & 2, -value, value))


def tan(x: Array) -> Array:
    """The tangent of an angle; from :data:`ANGLE_LIMIT` on NaN."""
    quadrant, sine, cosine = _quadrant(x)
    return _of_angle(x, np.where(quadrant & 1, -cosine / sine, sine / cosine))


def atan(x: Array) -> Array:
    """The arc tangent of a number that is not negative."""
    steep = x > 1.0
    small = np.where(steep, 1.0 / x, x)
    middle = small > 0.41421356237309503
    rest = np.where(middle, (small - 1.0) / (small + 1.0), small)
    value = np.where(middle, pi / 4, 0.0) + horner(rest * rest, ATAN_TERMS) * rest
    result: Array = np.where(steep, pi / 2 - value, value)
    return result


def erfc(x: Array) -> Array:
    """1 - erf(x) of a number that is not negative."""
    small = x < 0.5
    inside = np.where(small, 1.0, x)
    u = 1.0 / (1.0 + inside * 0.5)
    large = exp(-(inside * inside)) * (horner(u, ERFC_TERMS) * u)
    return np.where(small, 1.0 - erf_near(np.where(small, x, 0.0)), large)


def erf_near(x: Array) -> Array:
    """erf(x) for |x| < 1/2."""
    return ERF_SCALE * x * horner(x * x, ERF_TERMS)
