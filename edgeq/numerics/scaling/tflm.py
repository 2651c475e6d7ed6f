"""``tflm``: what TFLite Micro's reference kernels compute, as far as it differs from LiteRT's.

Found in TFLite Micro's sources and measured with its interpreter (``tests/e2e/test_tflite_micro.py``): a dense layer
rounds twice; factors are computed in float64 throughout; LOGISTIC and TANH are fixed point; RELU6 clamps without a
change of scale; EXP and GELU have no kernel for int8, so that their tables hold the rounded real function, as do those
of functions without an operator.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor, frexp
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from edgeq.numerics.array import INT32_MAX, Array, saturate
from edgeq.numerics.fixed_point import exp_of_negative, one_minus_over_one_plus, one_over_one_plus
from edgeq.numerics.scaling.base import FunctionAttributes
from edgeq.numerics.scaling.tflite import TFLite
from edgeq.numerics.tflite import (
    multiply_by_quantized_multiplier,
    rounding_divide_by_pot,
)
from edgeq.numerics.tflite_unary import tflite_table

_INPUT_INTEGER_BITS: Final = 4
_INPUTS: Final = np.arange(-128, 128, dtype=np.int64)
# The only quantization parameters of a result for which the kernels are right; they do not read the scale.
_LOGISTIC_RESULT: Final = (1 / 256, -128)
_TANH_RESULT: Final = (1 / 128, 0)


class TFLM(TFLite):
    """LiteRT's arithmetic with the differences that the module names."""

    name = "tflm"
    summary = "as TFLite Micro's reference kernels"
    runtime = "TFLite Micro"
    activation_bits = (8,)
    tabulated = frozenset()
    formulas: ClassVar = {key: formula for key, formula in TFLite.formulas.items() if key != "dense"}

    def ratio(self, op: str, left: float, right: npt.ArrayLike, out: float, dtype: npt.DTypeLike = np.int8) -> Array:
        """In float64 throughout."""
        return np.asarray(np.float64(left) * np.asarray(right, np.float64) / np.float64(out))

    def lookup_table(
        self,
        function: str,
        attributes: FunctionAttributes,
        in_scale: float,
        in_zero: int,
        out_scale: float,
        out_zero: int,
    ) -> Array | None:
        """LOGISTIC, TANH and RELU6 by kernels of their own; others as LiteRT, their factors in float64."""
        result = (out_scale, out_zero)
        if function == "Sigmoid":
            return _table(_logistic, in_scale, in_zero, 31 - 8, -128) if result == _LOGISTIC_RESULT else None
        if function == "Tanh":
            return _table(_tanh, in_scale, in_zero, 31 - 7, 0) if result == _TANH_RESULT else None
        if function == "Clip":
            if (attributes.get("min"), attributes.get("max")) != (0.0, 6.0) or result != (in_scale, in_zero):
                return None
            six = self.round_bound(float(np.float32(6) / np.float32(in_scale))) + in_zero
            return saturate(np.clip(_INPUTS, in_zero, min(six, 127)), -128, 127)
        return tflite_table(function, attributes, in_scale, in_zero, out_scale, out_zero, np.float64)


def _table(function: Callable[[Array], Array], scale: float, zero: int, shift: int, offset: int) -> Array | None:
    """A function of a fixed-point value with 4 integer bits, rounded to int8; beyond those bits it saturates.

    None where the scale is so small (below 2^-28) that the kernel's shift is negative, which C does not define.
    """
    mantissa, exponent = frexp(scale * 2.0 ** (31 - _INPUT_INTEGER_BITS))
    if exponent < 0:
        return None
    radius = floor(((1 << _INPUT_INTEGER_BITS) - 1) * 2.0 ** (31 - _INPUT_INTEGER_BITS) / 2.0**exponent)
    x = _INPUTS - zero
    inside = np.abs(x) < radius
    # A float32 scale has 24 bits, so the product is whole. Where nothing is inside, no shift is applied.
    raw = multiply_by_quantized_multiplier(np.where(inside, x, 0), floor(mantissa * 2.0**31), min(exponent, 30))
    found = saturate(rounding_divide_by_pot(function(raw), shift) + offset, -128, 127)
    return np.where(inside, found, np.where(x <= -radius, np.int8(-128), np.int8(127)))


def _logistic(raw: Array) -> Array:
    positive = one_over_one_plus(exp_of_negative(-np.abs(raw), _INPUT_INTEGER_BITS))
    return np.where(raw == 0, 1 << 30, np.where(raw > 0, positive, INT32_MAX - positive))


def _tanh(raw: Array) -> Array:
    # Read with one integer bit more, the same raw value is twice as large.
    magnitude = one_minus_over_one_plus(exp_of_negative(-np.abs(raw), _INPUT_INTEGER_BITS + 1))
    return np.where(raw == 0, 0, np.sign(raw) * magnitude)
