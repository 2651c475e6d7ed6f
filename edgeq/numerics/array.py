"""The array type of the numerics, and integer matrix products that go through floating point where it is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

INT32_MIN = -(2**31)
INT32_MAX = 2**31 - 1

_FLOAT32_EXACT = 2**24
_FLOAT64_EXACT = 2**53


def comparable(values: Array) -> Array:
    """Integers that are equal exactly where the bits are: themselves, or the bits of float32, all NaN alike.

    Processors differ in the payload of a NaN, and nothing reads it.
    """
    if values.dtype != np.float32:
        return values
    bits: Array = np.where(np.isnan(values), np.int32(0x7FC00000), np.ascontiguousarray(values).view(np.int32))
    return bits


def saturate(values: Array, low: int, high: int, dtype: npt.DTypeLike = np.int8) -> Array:
    """Clamp to [low, high] and convert."""
    return np.clip(values, low, high).astype(dtype)


def require_int32(values: Array, what: str) -> None:
    """Refuse values that an int32 register of the target could not hold.

    Raises:
        OverflowError: a value is outside int32.
    """
    if values.size == 0 or values.dtype == np.int32:
        return
    low, high = int(values.min()), int(values.max())
    if low < INT32_MIN or high > INT32_MAX:
        raise OverflowError(f"{what} reaches [{low}, {high}], outside int32")


def product_max(left: Array, right: Array) -> int:
    """The largest magnitude of a product of elements of two signed integer types."""
    return -int(np.iinfo(left.dtype).min) * -int(np.iinfo(right.dtype).min)


def matmul_exact(left: Array, right: Array, product_max: int) -> Array:
    """The integer matrix product ``left @ right`` as int64, computed by a floating-point BLAS where that is exact.

    Every partial sum, in whatever order the BLAS adds, is an integer of magnitude at most K·product_max. It is exact
    in float32 up to 2^24 and in float64 up to 2^53; for int8 operands (products up to 2^14) that is K <= 1024 and
    K < 2^39. Beyond both the product is computed in int64.

    Args:
        left: integers [..., M, K].
        right: integers [..., K, N].
        product_max: a bound of |left element · right element|.
    """
    bound = left.shape[-1] * product_max
    if bound <= _FLOAT32_EXACT:
        dtype: npt.DTypeLike = np.float32
    elif bound <= _FLOAT64_EXACT:
        dtype = np.float64
    else:
        dtype = np.int64
    product: Array = np.matmul(left.astype(dtype, copy=False), right.astype(dtype, copy=False))
    return product.astype(np.int64)
