"""The element types of the integer world. There is no float among them, on purpose."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np

from edgeq.numerics.array import Array


class DType(Enum):
    """An integer element type, named as numpy names it; a truth value is a byte that holds 0 or 1."""

    BOOL = "bool"
    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"

    @property
    def numpy(self) -> np.dtype[np.integer[Any]]:
        """The numpy dtype that holds the elements: int8 for truth values, so that a byte beyond 1 is seen."""
        return np.dtype("int8" if self is DType.BOOL else self.value)

    @property
    def size_bytes(self) -> int:
        """Bytes of one element in memory."""
        return self.numpy.itemsize

    @property
    def min(self) -> int:
        """The smallest value."""
        if self is DType.BOOL:
            return 0
        return int(np.iinfo(self.numpy).min)

    @property
    def max(self) -> int:
        """The largest value."""
        if self is DType.BOOL:
            return 1
        return int(np.iinfo(self.numpy).max)

    @property
    def c_name(self) -> str:
        """The C99 type, ``int8_t``."""
        return f"{self.numpy.name}_t"

    @classmethod
    def of(cls, array: Array) -> DType:
        """The dtype of an array of numbers.

        Raises:
            ValueError: the array is not one of the integer types.
        """
        return cls(array.dtype.name)
