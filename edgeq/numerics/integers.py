"""Functions of plain integers, exact, and what is left of their results in a type: integers wrap around.

ONNX leaves open what x/0 is, and a negative power of zero: 0 here, and so is the remainder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from edgeq.numerics.array import Array

# Exponents from here on are left to repeated squaring in a ring: their powers would fill the memory.
_WHOLE_POWERS: Final = 64
_LONG: Final = 8


def wide(values: Array) -> Array:
    """The values with room for sums and products: int64, of 64 bits Python's integers, which have no end."""
    return np.asarray(values, dtype=object) if values.dtype.itemsize == _LONG else values.astype(np.int64)


def wrapped(values: Array, dtype: np.dtype[Any]) -> Array:
    """The values modulo 2^bits, as a type of so many bits."""
    limits = np.iinfo(dtype)
    size = 1 << limits.bits
    rest = np.asarray(np.asarray(values, dtype=object) % size, dtype=object)
    turned = np.asarray(rest - size, dtype=object)  # of rank 0 numpy gives a number, not an array
    result: Array = np.where(np.asarray(rest > int(limits.max), np.bool_), turned, rest).astype(dtype)
    return result


def _divide(a: int, b: int, bits: int) -> int:
    """Towards zero."""
    if b == 0:
        return 0
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _remainder(a: int, b: int, bits: int) -> int:
    """What a division towards zero leaves: it has the sign of the dividend."""
    return 0 if b == 0 else a - _divide(a, b, bits) * b


def _modulo(a: int, b: int, bits: int) -> int:
    """What a division towards minus infinity leaves: it has the sign of the divisor."""
    return 0 if b == 0 else a % b


def _power(a: int, b: int, bits: int) -> int:
    """a to the power of b, modulo 2^bits where it is large; its whole part where b is negative."""
    if b >= 0:
        return a**b if b < _WHOLE_POWERS else pow(a, b, 1 << bits)
    if abs(a) != 1:
        return 0
    return a if b % 2 else 1


def _shift_left(a: int, b: int, bits: int) -> int:
    return a << b if 0 <= b < bits else 0


def _shift_right(a: int, b: int, bits: int) -> int:
    """Arithmetic: from the left come copies of the sign, nothing else where all is shifted out."""
    return a >> b if 0 <= b < bits else -1 if a < 0 else 0


FUNCTIONS: Final[Mapping[str, Callable[[int, int, int], int]]] = {
    "add": lambda a, b, bits: a + b,
    "and": lambda a, b, bits: a & b,
    "divide": _divide,
    "max": lambda a, b, bits: max(a, b),
    "min": lambda a, b, bits: min(a, b),
    "modulo": _modulo,
    "multiply": lambda a, b, bits: a * b,
    "or": lambda a, b, bits: a | b,
    "power": _power,
    "remainder": _remainder,
    "shift_left": _shift_left,
    "shift_right": _shift_right,
    "subtract": lambda a, b, bits: a - b,
    "xor": lambda a, b, bits: a ^ b,
}
"""By name: of two integers of a type, and its bits."""


def apply(function: str, a: Array, b: Array) -> Array:
    """A function of two arrays of one type, with broadcasting, wrapped around.

    Args:
        function: a key of :data:`FUNCTIONS`.
        a: of an integer type.
        b: of the same type.
    """
    bits = np.iinfo(a.dtype).bits
    exact = np.frompyfunc(lambda left, right: FUNCTIONS[function](int(left), int(right), bits), 2, 1)(a, b)
    return wrapped(np.asarray(exact, dtype=object), a.dtype)


def reduced(function: str, x: Array, axes: tuple[int, ...], *, keepdims: bool) -> Array:
    """An associative function of all elements along axes, at least one, wrapped around."""
    last = np.moveaxis(x, axes, range(-len(axes), 0))
    rows = last.reshape(*last.shape[: x.ndim - len(axes)], -1)
    result = rows[..., 0]
    for place in range(1, rows.shape[-1]):
        result = apply(function, np.asarray(result), np.asarray(rows[..., place]))
    return np.expand_dims(result, axes) if keepdims else np.asarray(result)
