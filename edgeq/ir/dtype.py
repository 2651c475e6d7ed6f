"""The element types of the integer world, and the one float of nodes that users keep in software float."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np

from edgeq.numerics.array import Array


class DType(Enum):
    """An element type, named as numpy names it; a truth value is a byte that holds 0 or 1.

    float32 is there for the nodes of ``--allow-float`` alone; nothing else gives or takes it.
    """

    BOOL = "bool"
    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"

    @property
    def numpy(self) -> np.dtype[Any]:
        """The numpy dtype that holds the elements: int8 for truth values, so that a byte beyond 1 is seen."""
        return np.dtype("int8" if self is DType.BOOL else self.value)

    @property
    def size_bytes(self) -> int:
        """Bytes of one element in memory."""
        return self.numpy.itemsize

    @property
    def min(self) -> int:
        """The smallest value of a type of integers."""
        if self is DType.BOOL:
            return 0
        return int(np.iinfo(self.numpy).min)

    @property
    def max(self) -> int:
        """The largest value of a type of integers."""
        if self is DType.BOOL:
            return 1
        return int(np.iinfo(self.numpy).max)

    @property
    def c_name(self) -> str:
        """The C99 type, ``int8_t``."""
        return "float" if self is DType.FLOAT32 else f"{self.numpy.name}_t"

    @classmethod
    def of(cls, array: Array) -> DType:
        """The dtype of an array of numbers.

        Raises:
            ValueError: the array is of another type.
        """
        return cls(array.dtype.name)
