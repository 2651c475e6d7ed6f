"""The default requantization: one rounding, the high half of a 64-bit product.

``y = clamp(((((int64)acc << s) * m + 2^31) >> 32) + z)`` with a floor shift, hence round half up. A node has one shift
``s`` and one 31-bit multiplier per channel, so that M4 needs a single SMMLAR and M0 a few MULS. Decided against: a
shift per channel, which costs an instruction per output and buys accuracy only for channels whose scale is far below
that of their neighbours; the error that is left is bounded by :func:`multiplier_error_lsb`.

A sum that can leave int32, as sums of int16 products do, is int64 and shifted **right** by −s bits, s < 0, before the
same multiplication: ``acc >> -s`` fits int32, and the bits that fall off are worth less than M·2^−s of an output step.
Decided against: a multiplier of 15 bits on the whole int64, too coarse for channels whose scales are far apart.
"""

from __future__ import annotations

from fractions import Fraction
from math import frexp, ldexp

import numpy as np
import numpy.typing as npt

from edgeq.numerics.array import INT32_MAX, Array, require_int32, saturate
from edgeq.numerics.scale_range import ScaleRangeError

SHIFT_MAX = 31


def choose_multipliers(scales: npt.ArrayLike, reach: int = 0) -> tuple[Array, int]:
    """The multipliers and the common shift for real factors M.

    Args:
        scales: factors M = s_x·s_w/s_y, float64, any shape, all positive and finite.
        reach: the largest magnitude of the accumulator, below 2^62, where it may leave int32.

    Returns:
        ``(m, s)``: m int32 of the same shape, m = round_half_even(M·2^(32-s)) < 2^31. Where ``reach`` fits int32, s is
        the smallest of 0 … 31 that allows it; else −s is the smallest right shift by which ``reach`` fits int32.

    Raises:
        ScaleRangeError: a factor is zero, negative, infinite or NaN, or the largest needs s > 31 (M >= about 2^30), or
            more than the right shift leaves (every sum near ``reach`` would saturate, even in int16).
    """
    factors = np.asarray(scales, dtype=np.float64)
    if factors.size == 0 or not bool(np.all(np.isfinite(factors) & (factors > 0))):
        raise ScaleRangeError("requantization factors must be positive and finite")
    largest = float(factors.max())
    shift = shift_of(largest)
    if shift > SHIFT_MAX:
        raise ScaleRangeError(f"the requantization factor {largest!r} is too large: it must be below 2^30")
    if reach > INT32_MAX:
        shift = 31 - reach.bit_length()
        if round(ldexp(largest, 32 - shift)) > INT32_MAX:
            raise ScaleRangeError(f"the requantization factor {largest!r} is too large for sums up to {reach}")
    # ldexp is exact: it changes the exponent only (factors below 2^-1000 round to zero either way).
    return np.rint(np.ldexp(factors, 32 - shift)).astype(np.int32), shift


def shift_of(factor: float) -> int:
    """The smallest s >= 0 with round(M·2^(32−s)) < 2^31, M positive and finite: the shift that it needs."""
    shift = max(frexp(factor)[1] + 1, 0)
    # M·2^(32−s) is in [2^30, 2^31) where s > 0; rounding may give 2^31.
    return shift + (round(ldexp(factor, 32 - shift)) >= 1 << 31)


def requantize(
    acc: Array, multiplier: Array, shift: int, zero: int, low: int, high: int, dtype: npt.DTypeLike = np.int8
) -> Array:
    """Scale accumulators to the output's scale.

    Args:
        acc: accumulators, any integer dtype, any shape.
        multiplier: int32, broadcast against ``acc`` (per channel along the last axis).
        shift: s; ``acc << s``, or ``acc >> -s`` where it is negative, must fit int32.
        zero: output zero point z.
        low: smallest result.
        high: largest result.
        dtype: type of the result.

    Raises:
        OverflowError: the shifted accumulator leaves int32: the proof that lowering gave was wrong.
    """
    value = acc.astype(np.int64)
    value = value << shift if shift >= 0 else value >> -shift
    require_int32(value, "the shifted accumulator")
    # |value·m| <= 2^31·(2^31 - 1) < 2^62, so adding 2^31 cannot leave int64.
    value = value * multiplier.astype(np.int64)
    value += 1 << 31
    value >>= 32
    value += zero
    return saturate(value, low, high, dtype)


def multiplier_error_lsb(acc_abs_max: int, shift: int, factor: float = 0.0) -> float:
    """How far rounding the multiplier can move a result before the final rounding, in output steps.

    m differs from M·2^(32-s) by at most one half, so the product differs by |acc|·2^(s-33). A right shift drops less
    than one of ``acc >> -s``, which is worth M·2^-s steps.

    Args:
        acc_abs_max: the largest magnitude of the accumulator.
        shift: s.
        factor: the largest M, where s is negative.
    """
    dropped = ldexp(factor, -shift) if shift < 0 else 0.0
    return ldexp(acc_abs_max, shift - 33) + dropped


def exact_result(acc: int, factor: Fraction, zero: int, low: int, high: int) -> int:
    """What requantization approximates: ``clamp(round_half_up(acc·M) + z)`` with the exact factor."""
    scaled = acc * factor + Fraction(1, 2)
    return min(max(scaled.numerator // scaled.denominator + zero, low), high)
