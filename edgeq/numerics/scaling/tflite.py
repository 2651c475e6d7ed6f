"""``tflite``: what LiteRT's reference kernels compute, operator by operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from edgeq.numerics import tflite, tflite_softmax
from edgeq.numerics.array import Array, saturate
from edgeq.numerics.scale_range import ScaleRangeError
from edgeq.numerics.scaling.base import Factors, FunctionAttributes, Parameter, Scaling
from edgeq.numerics.tflite_unary import tflite_table

_ZERO_POINTS = (-128, 127)
_INT64_SUMS = ("conv2d", "matmul")


class TFLite(Scaling):
    """``numerics.tflite``, ``numerics.tflite_softmax`` and ``numerics.tflite_unary``."""

    name = "tflite"
    summary = "as LiteRT's reference kernels"
    operands = ("multiplier", "exponent")
    activation_bits: ClassVar[tuple[int, ...]] = (8, 16)
    int8_only: ClassVar = frozenset({"lookup"})
    int32_sums: ClassVar = frozenset({"average_pool", "dense", "mean"})
    averages_integers = True
    sum_parameters: ClassVar = (
        Parameter("left_shift", "bits that both operands are raised by, 20, of int16 15", 0, tflite.ADD_LEFT_SHIFT),
        Parameter("a_zero", "zero point of a", *_ZERO_POINTS),
        Parameter("b_zero", "zero point of b", *_ZERO_POINTS),
        Parameter("a_multiplier", "factor of a"),
        Parameter("a_exponent", "exponent of a's factor"),
        Parameter("b_multiplier", "factor of b"),
        Parameter("b_exponent", "exponent of b's factor"),
        Parameter("out_multiplier", "factor of the sum"),
        Parameter("out_exponent", "exponent of the sum's factor"),
        Parameter("out_zero", "zero point of the result", *_ZERO_POINTS),
    )
    softmax_parameters: ClassVar = (
        Parameter("input_multiplier", "factor of the differences"),
        Parameter("input_left_shift", "exponent of the factor"),
        Parameter("diff_min", "smaller differences count as zero"),
    )
    softmax_row_max = tflite_softmax.ROW_MAX
    runtime = "LiteRT"
    tabulated = frozenset({"Exp", "Gelu", "Sigmoid", "Tanh"})
    default_formula = "double"
    formulas: ClassVar = {"average_pool": "integer_mean", "dense": "single", "softmax": "fixed_point"}

    def ratio(self, op: str, left: float, right: npt.ArrayLike, out: float, dtype: npt.DTypeLike = np.int8) -> Array:
        """float32 products in mul, matmul and int8 dense layers with one weight scale; mul divides in float32, too."""
        scales = np.asarray(right, np.float64)
        if op == "mul":
            return np.asarray(np.float64(_single_product(left, scales) / np.float32(out)))
        if op == "matmul" or (op == "dense" and scales.size == 1 and np.dtype(dtype) == np.int8):
            return np.asarray(np.float64(_single_product(left, scales)) / np.float64(out))
        return np.asarray(np.float64(left) * scales / np.float64(out))

    def choose(self, ratio: Array, reach: int = 0) -> Factors:
        """``q·2^(e−31)`` with q of 31 bits, one pair a channel; ``reach`` is that of an int64 sum."""
        found = tflite.quantize_multipliers(ratio)
        if reach and (reach >= tflite.WIDE_MAX or int(found[1].max()) > tflite.WIDE_EXPONENT_MAX):
            raise ScaleRangeError(f"sums up to {reach} or factors up to {ratio.max():g} are too large for int64 sums")
        return Factors(dict(zip(self.operands, found, strict=True)), wide=bool(reach))

    def choose_mean(self, ratio: float, count: int, reach: int = 0) -> Factors:
        """The ratio is quantized first, then divided by the count and truncated."""
        found = tflite.mean_multiplier(float(ratio), count)
        return Factors({name: np.array([value], np.int32) for name, value in zip(self.operands, found, strict=True)})

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
        """One rounding in a dense layer, two elsewhere; int64 sums have a multiplier of 15 bits."""
        if op in _INT64_SUMS and np.dtype(dtype) == np.int16:
            return saturate(tflite.multiply_wide(acc, operands[0], operands[1]) + zero, low, high, dtype)
        once = self.formula(op) == "single"
        return tflite.requantize(acc, operands[0], operands[1], zero, low, high, once=once, dtype=dtype)

    def choose_average(self, in_scale: float, out_scale: float, counts: Sequence[int], reach: int = 0) -> Factors:
        """No factor: the node has a multiplier that nothing reads."""
        return Factors({"multiplier": np.zeros(1, np.int32)})

    def choose_sum(
        self,
        scales: tuple[float, float, float],
        zeros: tuple[int, int, int],
        sign: int,
        dtype: npt.DTypeLike = np.int8,
    ) -> dict[str, int]:
        """Both operands at twice the larger scale, 20 bits up, those of int16 15."""
        left_shift = tflite.ADD_LEFT_SHIFT_INT16 if np.dtype(dtype) == np.int16 else tflite.ADD_LEFT_SHIFT
        return {
            **vars(tflite.add_parameters(*scales, left_shift)),
            **dict(zip(("a_zero", "b_zero", "out_zero"), zeros, strict=True)),
        }

    def apply_sum(self, a: Array, b: Array, constants: Mapping[str, int], sign: int, low: int, high: int) -> Array:
        """Three scalings, of each operand and of the sum, each with two roundings."""
        given = dict(constants)
        zeros = (given.pop("a_zero"), given.pop("b_zero"), given.pop("out_zero"))
        return tflite.add(a, b, *zeros, tflite.AddParameters(**given), low, high, sign)

    def choose_softmax(self, scale: float, dtype: npt.DTypeLike = np.int8) -> tuple[Array | None, dict[str, int]]:
        """No table; the factor of the differences to a row's maximum."""
        wide = np.dtype(dtype) == np.int16
        found = (tflite_softmax.softmax_parameters_int16 if wide else tflite_softmax.softmax_parameters)(scale)
        return None, {parameter.name: value for parameter, value in zip(self.softmax_parameters, found, strict=True)}

    def apply_softmax(self, x: Array, table: Array | None, constants: Mapping[str, int]) -> Array:
        """Fixed point with 5 integer bits (``numerics.tflite_softmax``)."""
        if x.dtype == np.int16:
            return tflite_softmax.softmax_int16(x, constants["input_multiplier"], constants["input_left_shift"])
        return tflite_softmax.softmax(x, **constants)

    def lookup_table(
        self,
        function: str,
        attributes: FunctionAttributes,
        in_scale: float,
        in_zero: int,
        out_scale: float,
        out_zero: int,
    ) -> Array | None:
        """HARD_SWISH, LEAKY_RELU, RELU and RELU6; other kernels fill a table with the rounded real function."""
        return tflite_table(function, attributes, in_scale, in_zero, out_scale, out_zero)

    def round_bound(self, steps: float) -> int:
        """Half away from zero."""
        return int(np.copysign(np.floor(np.abs(steps) + 0.5), steps))


def _single_product(left: float, right: Array) -> Array:
    """The product of scales, rounded to float32."""
    return np.float32(left) * right.astype(np.float32)
