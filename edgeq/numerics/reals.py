"""Elementary functions to 80 digits, in decimal arithmetic from the standard library.

Tables and constants must be the same on every machine, so they may not depend on a libm. The functions take and give
exact fractions where the result is rational and decimals otherwise. Where a function approaches a rational limit
(tanh to 1), the result is kept at least 1e-60 off it on the true side: a rounding decision at the limit then comes
out as for the real number. Call them inside :func:`precision`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from math import isqrt

DIGITS = 80
TINY = Decimal("1e-60")
_SERIES_END = Decimal("1e-95")
# Beyond 12, 1 - erf is below TINY (erfc(12) is about 1e-64).
_ERF_END = 12

Real = Fraction | Decimal


def precision(extra: int = 0) -> AbstractContextManager[Context]:
    """A decimal context of 80 digits and ``extra`` more."""
    return localcontext(Context(prec=DIGITS + extra))


def decimal(value: Real) -> Decimal:
    """The value as a decimal, rounded to the context's digits; infinities stay."""
    if isinstance(value, Decimal):
        return value
    return Decimal(value.numerator) / Decimal(value.denominator)


def fraction(value: Real) -> Fraction:
    """The value as an exact fraction; it must be finite."""
    return value if isinstance(value, Fraction) else Fraction(value)


def magnitude(value: Real) -> Real:
    """The absolute value."""
    return value if value >= 0 else -value


def is_finite(value: Real) -> bool:
    """Whether a value is a number; it may be too large for a float."""
    return isinstance(value, Fraction) or value.is_finite()


def exp(value: Real) -> Real:
    """e^x."""
    return decimal(value).exp() if value else Fraction(1)


def expm1(value: Real) -> Real:
    """e^x - 1, above -1 for every x; for x at least 1e-15 away from zero it has 60 correct digits."""
    if not value:
        return Fraction(0)
    return max(decimal(value).exp() - 1, TINY - 1)


def log(value: Real) -> Real:
    """The natural logarithm; minus infinity for x <= 0, the limit at the border of the domain."""
    if value <= 0:
        return Decimal("-Infinity")
    return decimal(value).ln() if value != 1 else Fraction(0)


def sqrt(value: Real) -> Real:
    """The square root, exact for squares of rationals; zero for x <= 0."""
    if value <= 0:
        return Fraction(0)
    exact = fraction(value)
    top, bottom = isqrt(exact.numerator), isqrt(exact.denominator)
    if top * top == exact.numerator and bottom * bottom == exact.denominator:
        return Fraction(top, bottom)
    return decimal(value).sqrt()


def power(base: Real, exponent: Fraction) -> Real:
    """base^exponent; zero where the real power does not exist, infinity for 0 to a negative power."""
    if not base:
        return Fraction(int(exponent == 0)) if exponent >= 0 else Decimal("Infinity")
    if exponent.denominator == 1 and abs(exponent) <= 64:
        return fraction(base) ** exponent.numerator
    if exponent == Fraction(1, 2):
        return sqrt(base)
    if exponent.denominator == 1:
        return decimal(base) ** exponent.numerator
    return decimal(base) ** decimal(exponent) if base > 0 else Fraction(0)


def sigmoid(value: Real) -> Real:
    """1/(1 + e^-x), below 1."""
    if not value:
        return Fraction(1, 2)
    tail = decimal(-magnitude(value)).exp()
    tail = tail / (1 + tail)
    return 1 - max(tail, TINY) if value > 0 else tail


def tanh(value: Real) -> Real:
    """The hyperbolic tangent, within (-1, 1)."""
    if not value:
        return Fraction(0)
    tail = decimal(-2 * magnitude(value)).exp()
    result = 1 - max(2 * tail / (1 + tail), TINY)
    return result if value > 0 else -result


def sinh(value: Real) -> Real:
    """The hyperbolic sine; for x at least 1e-15 away from zero it has 60 correct digits."""
    if not value:
        return Fraction(0)
    growing = decimal(value).exp()
    return (growing - 1 / growing) / 2


def cosh(value: Real) -> Real:
    """The hyperbolic cosine."""
    if not value:
        return Fraction(1)
    growing = decimal(value).exp()
    return (growing + 1 / growing) / 2


def asinh(value: Real) -> Real:
    """The inverse of the hyperbolic sine; precise as :func:`sinh`."""
    if not value:
        return Fraction(0)
    size = decimal(magnitude(value))
    result = (size + (size * size + 1).sqrt()).ln()
    return result if value > 0 else -result


def acosh(value: Real) -> Real:
    """The inverse of the hyperbolic cosine; arguments below 1 count as 1."""
    if value <= 1:
        return Fraction(0)
    x = decimal(value)
    return (x + (x * x - 1).sqrt()).ln()


def atanh(value: Real) -> Real:
    """The inverse of the hyperbolic tangent; infinite from the borders of (-1, 1) on."""
    if not value:
        return Fraction(0)
    if magnitude(value) >= 1:
        return Decimal("Infinity") if value > 0 else Decimal("-Infinity")
    x = decimal(value)
    return ((1 + x) / (1 - x)).ln() / 2


def softplus(value: Real) -> Real:
    """ln(1 + e^x), above x and above 0."""
    tail = decimal(-magnitude(value)).exp()
    # ln(1 + t) = t - t²/2 + …; the sum 1 + t would lose t below 1e-80.
    small = (1 + tail).ln() if tail > TINY else tail
    return decimal(value) + max(small, TINY) if value > 0 else small


def erf(value: Real) -> Real:
    """The error function, within (-1, 1): 2/√π·e^(-x²)·Σ 2^n·x^(2n+1)/(1·3·…·(2n+1)), all terms of one sign."""
    if not value:
        return Fraction(0)
    result = 1 - TINY
    if magnitude(value) < _ERF_END:
        with precision(10):
            x = decimal(magnitude(value))
            square = 2 * x * x
            term = total = x
            odd = 1
            while term > total * _SERIES_END:
                odd += 2
                term = term * square / odd
                total += term
            result = min(2 * total * (-x * x).exp() / pi().sqrt(), result)
    return +result if value > 0 else -result


@lru_cache(maxsize=1)
def pi() -> Decimal:
    """π by Machin: 16·atan(1/5) - 4·atan(1/239)."""
    with precision(15):
        return 16 * _atan_series(Decimal(1) / 5) - 4 * _atan_series(Decimal(1) / 239)


def sin(value: Real) -> Real:
    """The sine, for |x| below 1e10."""
    if not value:
        return Fraction(0)
    with precision(15):
        x = decimal(value)
        turn = 2 * pi()
        x -= turn * (x / turn).to_integral_value()
        term = total = x
        odd = 1
        while abs(term) > _SERIES_END:
            odd += 2
            term = -term * x * x / (odd * (odd - 1))
            total += term
    return +total


def cos(value: Real) -> Real:
    """The cosine, for |x| below 1e10."""
    if not value:
        return Fraction(1)
    with precision(15):
        shifted = decimal(value) + pi() / 2
    return sin(shifted)


def tan(value: Real) -> Real:
    """The tangent; rational arguments never meet a pole except through rounding, where it is infinite."""
    if not value:
        return Fraction(0)
    divisor = decimal(cos(value))
    return decimal(sin(value)) / divisor if divisor else Decimal("Infinity")


def atan(value: Real) -> Real:
    """The arc tangent; the argument is halved in angle three times before the series."""
    if not value:
        return Fraction(0)
    with precision(10):
        x = decimal(value)
        for _ in range(3):
            x = x / (1 + (1 + x * x).sqrt())
        total = 8 * _atan_series(x)
    return +total


def asin(value: Real) -> Real:
    """The arc sine; arguments outside [-1, 1] count as the nearest end."""
    if magnitude(value) >= 1:
        return pi() / 2 if value > 0 else -pi() / 2
    if not value:
        return Fraction(0)
    exact = fraction(value)
    return atan(decimal(exact) / decimal(1 - exact * exact).sqrt())


def acos(value: Real) -> Real:
    """The arc cosine; arguments outside [-1, 1] count as the nearest end."""
    if value >= 1:
        return Fraction(0)
    return pi() / 2 - decimal(asin(value))


def _atan_series(x: Decimal) -> Decimal:
    """x - x³/3 + x⁵/5 - …, for |x| up to about 0.21."""
    square, power_of_x, total, odd = x * x, x, x, 1
    while abs(power_of_x) > _SERIES_END:
        odd += 2
        power_of_x = -power_of_x * square
        total += power_of_x / odd
    return total
