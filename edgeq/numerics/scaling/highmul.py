"""``highmul``, the default: one rounding everywhere; the formulas stand in the modules named below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from edgeq.numerics import highmul, softmax
from edgeq.numerics.addition import SHIFT_MAX_INT64, Addition, add, choose_addition, choose_wide_addition
from edgeq.numerics.array import Array
from edgeq.numerics.scaling.base import Factors, Parameter, Scaling


class HighMul(Scaling):
    """``numerics.highmul``, ``numerics.addition`` and ``numerics.softmax``."""

    name = "highmul"
    summary = "one rounding, edgeq's own; fastest and nearest to exact"
    operands = ("multiplier",)
    activation_bits = (8, 16)
    mixes_types = True
    shares_shift = True
    sum_parameters: ClassVar = (
        Parameter("a_multiplier", "factor of a"),
        Parameter("b_multiplier", "factor of b"),
        Parameter("offset", "zero points and rounding, in units of 2^-shift"),
        Parameter("shift", "right shift of the sum", 0, SHIFT_MAX_INT64),
    )
    softmax_table = True
    default_formula = "highmul"

    def ratio(self, op: str, left: float, right: npt.ArrayLike, out: float, dtype: npt.DTypeLike = np.int8) -> Array:
        """In float64 throughout."""
        return np.asarray(np.float64(left) * np.asarray(right, np.float64) / np.float64(out))

    def choose(self, ratio: Array, reach: int = 0) -> Factors:
        """31-bit multipliers with one shift for all of them."""
        multiplier, shift = highmul.choose_multipliers(ratio, reach)
        return Factors({"multiplier": multiplier}, shift, wide=shift < 0)

    def apply(
        self,
        op: str,
        acc: Array,
        operands: Sequence[Array],
        shift: int,
        zero: int,
        low: int,
        high: int,
        dtype: npt.DTypeLike = np.int8,
    ) -> Array:
        """``clamp((((acc << shift)·m + 2^31) >> 32) + zero)``."""
        return highmul.requantize(acc, operands[0], shift, zero, low, high, dtype)

    def choose_average(self, in_scale: float, out_scale: float, counts: Sequence[int], reach: int = 0) -> Factors:
        """A multiplier for each count, so that the sum is scaled in one rounding."""
        return self.choose(np.float64(in_scale) / (np.asarray(counts, np.float64) * np.float64(out_scale)), reach)

    def choose_sum(
        self,
        scales: tuple[float, float, float],
        zeros: tuple[int, int, int],
        sign: int,
        dtype: npt.DTypeLike = np.int8,
    ) -> dict[str, int]:
        """The largest shift that the sum of int8 in int32, or of int16 in int64, allows."""
        if np.dtype(dtype) == np.int16:
            assert zeros == (0, 0, 0)
            found = choose_wide_addition(scales, sign)
        else:
            found = choose_addition(scales, zeros, sign)
        return {parameter.name: getattr(found, parameter.name) for parameter in self.sum_parameters}

    def apply_sum(self, a: Array, b: Array, constants: Mapping[str, int], sign: int, low: int, high: int) -> Array:
        """``clamp((a·ma ± b·mb + offset) >> shift)``."""
        return add(a, b, Addition(**constants, sign=sign), low, high)

    def choose_softmax(self, scale: float, dtype: npt.DTypeLike = np.int8) -> tuple[Array | None, dict[str, int]]:
        """The table of exponentials; no attribute."""
        return softmax.exp_table_int16(scale) if np.dtype(dtype) == np.int16 else softmax.exp_table(scale), {}

    def apply_softmax(self, x: Array, table: Array | None, constants: Mapping[str, int]) -> Array:
        """One division of a table entry by the row's sum."""
        assert table is not None  # the operator has checked its operands
        return softmax.softmax(x, table)

    def round_bound(self, steps: float) -> int:
        """Half to even, as ONNX."""
        return int(np.rint(steps))
