"""What LiteRT's reference kernels compute when they scale integers, operator by operator.

Mode ``tflite`` exists so that an implementation nobody here wrote can check edgeq bit for bit. Convolution, addition
and the rest round twice (SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT); fully connected rounds once.
Measured against ``OpResolverType.BUILTIN_REF``; XNNPACK and the optimized kernels round differently.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, frexp, isfinite

import numpy as np
import numpy.typing as npt

from edgeq.numerics.array import INT32_MAX, Array, require_int32, saturate
from edgeq.numerics.scale_range import ScaleRangeError

ADD_LEFT_SHIFT = 20
ADD_LEFT_SHIFT_INT16 = 15
WIDE_MAX = 1 << 47
WIDE_EXPONENT_MAX = 7
_EXPONENT_MIN = -31
_EXPONENT_MAX = 30


def quantize_multiplier(factor: float) -> tuple[int, int]:
    """A real factor as ``q·2^(e-31)``: q in [2^30, 2^31) and the exponent e in [-31, 30].

    The mantissa is rounded half away from zero; factors below 2^-32 become (0, 0).

    Raises:
        ScaleRangeError: the factor is negative, infinite, NaN, or 2^30 or more.
    """
    if not isfinite(factor) or factor < 0:
        raise ScaleRangeError("requantization factors must be non-negative and finite")
    if factor == 0:
        return 0, 0
    mantissa, exponent = frexp(factor)
    # mantissa·2^31 is below 2^31 with 22 fractional bits: adding one half is exact in float64.
    fixed = floor(mantissa * 2.0**31 + 0.5)
    if fixed == 1 << 31:
        fixed //= 2
        exponent += 1
    if exponent < _EXPONENT_MIN:
        return 0, 0
    if exponent > _EXPONENT_MAX:
        raise ScaleRangeError(f"the requantization factor {factor!r} is too large: it must be below 2^{_EXPONENT_MAX}")
    return fixed, exponent


def quantize_multipliers(factors: npt.ArrayLike) -> tuple[Array, Array]:
    """:func:`quantize_multiplier` for each factor: q int32 and e int32, shaped as ``factors`` (float64).

    Raises:
        ScaleRangeError: as for one factor.
    """
    wanted = np.asarray(factors, dtype=np.float64)
    pairs = np.array([quantize_multiplier(float(factor)) for factor in wanted.flat], dtype=np.int32).reshape(-1, 2)
    return pairs[:, 0].reshape(wanted.shape), pairs[:, 1].reshape(wanted.shape)


def mean_multiplier(ratio: float, count: int) -> tuple[int, int]:
    """The factor ``ratio/count`` of a mean over ``count`` elements as LiteRT has it: (q, e).

    The ratio s_x/s_y is quantized first; its mantissa, raised by floor(log2(count)) bits, is then divided by the count
    and truncated. That is up to one unit below the rounded mantissa of the true factor, and q may lie below 2^30.

    Raises:
        ScaleRangeError: as :func:`quantize_multiplier`.
    """
    multiplier, exponent = quantize_multiplier(ratio)
    raised = min(count.bit_length() - 1, 32, 31 + exponent)
    return (multiplier << raised) // count, exponent - raised


def saturating_rounding_doubling_high_mul(left: Array, right: Array | int) -> Array:
    """``(left·right·2 + 2^31) >> 32`` of int32 values, int64; only (-2^31)² saturates.

    Equal to LiteRT's signed nudge and truncating division: both round the product half up.
    """
    product = left.astype(np.int64) * np.asarray(right, dtype=np.int64)
    result: Array = np.minimum((product + (1 << 30)) >> 31, INT32_MAX)
    return result


def rounding_divide_by_pot(value: Array, exponent: Array | int) -> Array:
    """``value / 2^exponent`` rounded half away from zero, int64; 0 <= exponent <= 31."""
    wide = value.astype(np.int64)
    count = np.asarray(exponent, dtype=np.int64)
    mask: Array = (np.int64(1) << count) - 1
    threshold = (mask >> 1) + (wide < 0)
    result: Array = (wide >> count) + ((wide & mask) > threshold)
    return result


def multiply_by_quantized_multiplier(value: Array, multiplier: Array | int, exponent: Array | int) -> Array:
    """Double rounding: ``value·q·2^(e-31)`` as LiteRT computes it, int64.

    Raises:
        OverflowError: ``value << max(e, 0)`` leaves int32, which is undefined behaviour in LiteRT.
    """
    exponents = np.asarray(exponent, dtype=np.int64)
    shifted = value.astype(np.int64) << np.maximum(exponents, 0)
    require_int32(shifted, "accumulator << exponent")
    high = saturating_rounding_doubling_high_mul(shifted, multiplier)
    return rounding_divide_by_pot(high, np.maximum(-exponents, 0))


def multiply_once(value: Array, multiplier: Array | int, exponent: Array | int) -> Array:
    """Single rounding, as fully connected has it: ``(value·q + 2^(30-e)) >> (31-e)``, int64.

    |value·q| < 2^62 and 30-e <= 61, so the sum stays inside int64.

    Raises:
        OverflowError: the value is outside int32.
    """
    require_int32(value, "accumulator")
    exponents = np.asarray(exponent, dtype=np.int64)
    product = value.astype(np.int64) * np.asarray(multiplier, dtype=np.int64)
    result: Array = (product + (np.int64(1) << (30 - exponents))) >> (31 - exponents)
    return result


def multiply_wide(value: Array, multiplier: Array | int, exponent: Array | int) -> Array:
    """A sum of int16 products, as LiteRT scales it: ``(value·q15 + 2^(14-e)) >> (15-e)``, int64.

    The multiplier is reduced to 15 bits, rounded half up and at most 32 767.

    Raises:
        OverflowError: the value has 48 bits or more, or the exponent is above 7, which LiteRT does not define.
    """
    wide, exponents = value.astype(np.int64), np.asarray(exponent, dtype=np.int64)
    if wide.size and (max(-int(wide.min()), int(wide.max())) >= WIDE_MAX or int(exponents.max()) > WIDE_EXPONENT_MAX):
        raise OverflowError("a sum of int16 products leaves 48 bits, or its exponent is above 7")
    reduced = np.minimum((np.asarray(multiplier, dtype=np.int64) + (1 << 15)) >> 16, (1 << 15) - 1)
    result: Array = (wide * reduced + (np.int64(1) << (14 - exponents))) >> (15 - exponents)
    return result


@dataclass(frozen=True)
class AddParameters:
    """The three factors of LiteRT's quantized addition, each as (q, e)."""

    a_multiplier: int
    a_exponent: int
    b_multiplier: int
    b_exponent: int
    out_multiplier: int
    out_exponent: int
    left_shift: int = ADD_LEFT_SHIFT


def add_parameters(a_scale: float, b_scale: float, out_scale: float, left_shift: int = ADD_LEFT_SHIFT) -> AddParameters:
    """Factors of addition and subtraction: both operands at twice the larger scale, 20 bits up, those of int16 15.

    Args:
        a_scale: float32 value, positive.
        b_scale: float32 value, positive.
        out_scale: float32 value, positive.
        left_shift: the bits.

    Raises:
        ScaleRangeError: a scale is not positive and finite, or the factors are out of range.
    """
    if not all(isfinite(scale) and scale > 0 for scale in (a_scale, b_scale, out_scale)):
        raise ScaleRangeError("scales must be positive and finite")
    twice_max = 2.0 * max(a_scale, b_scale)
    return AddParameters(
        *quantize_multiplier(a_scale / twice_max),
        *quantize_multiplier(b_scale / twice_max),
        *quantize_multiplier(twice_max / ((1 << left_shift) * out_scale)),
        left_shift,
    )


def add(
    a: Array, b: Array, a_zero: int, b_zero: int, out_zero: int, p: AddParameters, low: int, high: int, sign: int = 1
) -> Array:
    """LiteRT's quantized addition (``sign`` 1) or subtraction (``sign`` -1) of one type, numpy broadcasting.

    (x - zero) << 20 has at most 9 + 20 bits, in int16 16 + 15; after scaling by at most one half the sum has at most
    as many.
    """
    scaled_a = multiply_by_quantized_multiplier(
        (a.astype(np.int64) - a_zero) << p.left_shift, p.a_multiplier, p.a_exponent
    )
    scaled_b = multiply_by_quantized_multiplier(
        (b.astype(np.int64) - b_zero) << p.left_shift, p.b_multiplier, p.b_exponent
    )
    total = scaled_a + sign * scaled_b
    result = multiply_by_quantized_multiplier(total, p.out_multiplier, p.out_exponent)
    return saturate(result + out_zero, low, high, a.dtype)


def requantize(
    acc: Array,
    multiplier: Array,
    exponent: Array,
    zero: int,
    low: int,
    high: int,
    *,
    once: bool = False,
    dtype: npt.DTypeLike = np.int8,
) -> Array:
    """Scale accumulators: double rounding, or a single one where ``once`` (fully connected).

    Raises:
        OverflowError: an accumulator, shifted by its exponent, leaves int32.
    """
    scale = multiply_once if once else multiply_by_quantized_multiplier
    return saturate(scale(acc, multiplier, exponent) + zero, low, high, dtype)
