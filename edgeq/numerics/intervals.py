"""Between which numbers the results of integer functions lie, from where their operands lie; bounds are included.

The bounds need not be the nearest ones. They prove that what ONNX declares as int64 fits int32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

Interval = tuple[int, int]
_MAX_EXPONENT: Final = 64


def joined(*intervals: Interval) -> Interval:
    """The smallest interval that holds all of these."""
    return min(low for low, _ in intervals), max(high for _, high in intervals)


def within(inner: Interval, outer: Interval) -> bool:
    """Whether an interval lies in another one."""
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _magnitude(a: Interval) -> int:
    return max(abs(a[0]), abs(a[1]))


def _product(a: Interval, b: Interval) -> Interval:
    corners = [x * y for x in a for y in b]
    return min(corners), max(corners)


def _quotient(a: Interval, b: Interval) -> Interval:
    most = _magnitude(a)
    return (0 if a[0] >= 0 and b[0] >= 0 else -most), most


def _remainder(a: Interval, b: Interval) -> Interval:
    """It has the sign of the dividend."""
    most = min(_magnitude(a), max(_magnitude(b) - 1, 0))
    return (0 if a[0] >= 0 else -most), (0 if a[1] <= 0 else most)


def _modulo(a: Interval, b: Interval) -> Interval:
    """It has the sign of the divisor."""
    most = max(_magnitude(b) - 1, 0)
    return (0 if b[0] >= 0 else -most), (0 if b[1] <= 0 else most)


def _bits(a: Interval, b: Interval) -> Interval:
    """No bit is beyond the longest operand."""
    low, high = joined(a, b)
    size = 1 << max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0)
    return (0 if low >= 0 else -size), size - 1


def _power(a: Interval, b: Interval) -> Interval | None:
    if b[1] > _MAX_EXPONENT:
        return None
    most = max(_magnitude(a) ** max(b[1], 0), 1)
    return (0 if a[0] >= 0 else -most), most


INTERVALS: Final[Mapping[str, Callable[[Interval, Interval], Interval | None]]] = {
    "add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "and": _bits,
    "divide": _quotient,
    "max": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "min": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "modulo": _modulo,
    "multiply": _product,
    "or": _bits,
    "power": _power,
    "remainder": _remainder,
    "shift_left": lambda a, b: None,
    "shift_right": lambda a, b: (min(a[0], -1 if a[0] < 0 else 0), max(a[1], 0)),
    "subtract": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "xor": _bits,
}
"""By function of :data:`edgeq.numerics.integers.FUNCTIONS`; None: nothing is known."""


def repeated(function: str, x: Interval, count: int) -> Interval | None:
    """Where the function of ``count`` numbers of one interval, at least one, lies."""
    if function == "add":
        return x[0] * count, x[1] * count
    if function == "multiply":
        return None if count > _MAX_EXPONENT else joined(x, _power(x, (0, count)) or x)
    return x
