"""What an arithmetic decides: how real scales become integer constants, and what executors compute with them.

Every method is exact: ``choose_*`` gives the constants that a node carries, ``apply_*`` computes with them what every
executor must compute. Operators, lowering and backends ask the object; none of them compares names of arithmetics.
What they prove before it is the same for all: the accumulator, shifted by ``Factors.shift``, fits int32
(``numerics.accumulator``). Activations are int8, or int16 with zero point zero in arithmetics that have them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from edgeq.numerics.array import Array

FunctionAttributes = Mapping[str, int | float | str]
"""Attributes of a unary function, as ONNX has them."""


@dataclass(frozen=True)
class Parameter:
    """An integer that a node of the arithmetic carries as an attribute.

    Attributes:
        name: of the attribute.
        doc: what it means.
        low, high: its bounds, inclusive; None where it has none.
    """

    name: str
    doc: str
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class Factors:
    """Real factors as integers.

    Attributes:
        operands: the constant operands of a node by name, in the order in which the node has them; int32, [channels].
        shift: left shift of the accumulator before the multiplication; the shifted accumulator must fit int32. Below
            zero, the accumulator is int64 and shifted right.
        wide: the accumulator is int64, and proven to fit what the arithmetic asks of it.
    """

    operands: Mapping[str, Array]
    shift: int = 0
    wide: bool = False


class Scaling(ABC):
    """One arithmetic.

    Attributes:
        name: what nodes and users call it.
        summary: how it rounds and what it equals, in one line.
        operands: names of the constant operands by which a node scales its accumulator.
        activation_bits: the widths of activations that it has formulas for.
        mixes_types: a layer's operand and result may have different types.
        int8_only: integer operators that it has no formula of for int16.
        int32_sums: integer operators whose sums of int16 products must fit int32.
        shares_shift: all channels of a node have one shift, so that a channel of a far smaller factor loses precision.
        averages_integers: an average pool keeps the scale of its input and averages the integers as they are.
        sum_parameters: the attributes of a sum or difference.
        softmax_parameters: the attributes of a softmax.
        softmax_table: a softmax has a second operand, its table of exponentials: uint32[256], for int16 uint16[512].
        softmax_row_max: the longest row of a softmax; None: any.
        runtime: the interpreter that derives these integers from the scales in a .tflite file; None: there is none.
        tabulated: unary functions, by ONNX name, of which the runtime fills a table with the rounded real function.
        default_formula, formulas: see :meth:`formula`.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    operands: ClassVar[tuple[str, ...]]
    activation_bits: ClassVar[tuple[int, ...]] = (8,)
    mixes_types: ClassVar[bool] = False
    int8_only: ClassVar[frozenset[str]] = frozenset()
    int32_sums: ClassVar[frozenset[str]] = frozenset()
    shares_shift: ClassVar[bool] = False
    averages_integers: ClassVar[bool] = False
    sum_parameters: ClassVar[tuple[Parameter, ...]]
    softmax_parameters: ClassVar[tuple[Parameter, ...]] = ()
    softmax_table: ClassVar[bool] = False
    softmax_row_max: ClassVar[int | None] = None
    runtime: ClassVar[str | None] = None
    tabulated: ClassVar[frozenset[str]] = frozenset()
    default_formula: ClassVar[str]
    formulas: ClassVar[Mapping[str, str]] = {}

    def formula(self, op: str) -> str:
        """The name of the formula by which an operator computes; backends have a table of kernels keyed by it.

        Arithmetics that compute an operator alike share its formula, and with it its kernels.

        Args:
            op: name of the integer operator.
        """
        return self.formulas.get(op, self.default_formula)

    # --- accumulators: convolution, dense, matmul, mul, mean, requantize ------------------------------------------

    @abstractmethod
    def ratio(self, op: str, left: float, right: npt.ArrayLike, out: float, dtype: npt.DTypeLike = np.int8) -> Array:
        """The real factor left·right/out, float64, in the float types in which the arithmetic computes it.

        Args:
            op: name of the integer operator.
            left: scale of the first operand, float32 value.
            right: scales of the second operand, float32 values; [channels] for weights per channel.
            out: scale of the result, float32 value.
            dtype: type of the first operand.
        """

    @abstractmethod
    def choose(self, ratio: Array, reach: int = 0) -> Factors:
        """Integer factors for real ones, float64 [channels].

        Args:
            ratio: the real factors.
            reach: the largest magnitude of the accumulator; given where it may be int64, for int16 operands.

        Raises:
            ScaleRangeError: a factor is out of range.
        """

    def choose_mean(self, ratio: float, count: int, reach: int = 0) -> Factors:
        """The factor ratio/count of a mean over ``count`` elements; ``reach`` as in :meth:`choose`.

        Raises:
            ScaleRangeError: as :meth:`choose`.
        """
        return self.choose(np.array([ratio / count], np.float64), reach)

    @abstractmethod
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
        """Scale accumulators, add the zero point, clamp: ``dtype`` of the same shape.

        Args:
            op: name of the integer operator.
            acc: integers; the last axis runs along the channels.
            operands: as in :class:`Factors`, broadcast against ``acc``.
            shift: as in :class:`Factors`.
            zero: the result's zero point.
            low: smallest result.
            high: largest result.
            dtype: type of the result.

        Raises:
            OverflowError: an accumulator, shifted, leaves int32.
        """

    # --- average pools ----------------------------------------------------------------------------------------------

    @abstractmethod
    def choose_average(self, in_scale: float, out_scale: float, counts: Sequence[int], reach: int = 0) -> Factors:
        """The factors in_scale/(count·out_scale) of an average pool, one for each number of valid positions.

        ``reach`` is that of the largest sum, as in :meth:`choose`.

        Raises:
            ScaleRangeError: as :meth:`choose`.
        """

    # --- sums and differences ---------------------------------------------------------------------------------------

    @abstractmethod
    def choose_sum(
        self,
        scales: tuple[float, float, float],
        zeros: tuple[int, int, int],
        sign: int,
        dtype: npt.DTypeLike = np.int8,
    ) -> dict[str, int]:
        """The attributes of ``a + sign·b``: a value for each of :attr:`sum_parameters`.

        Args:
            scales: of a, b and the result, float32 values.
            zeros: zero points of a, b and the result.
            sign: 1 or −1.
            dtype: type of a, b and the result.

        Raises:
            ScaleRangeError: the scales are too far apart.
        """

    @abstractmethod
    def apply_sum(self, a: Array, b: Array, constants: Mapping[str, int], sign: int, low: int, high: int) -> Array:
        """``a + sign·b`` for arrays of one type with numpy broadcasting: of that type, within [low, high]."""

    # --- softmax ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def choose_softmax(self, scale: float, dtype: npt.DTypeLike = np.int8) -> tuple[Array | None, dict[str, int]]:
        """The table (or None) and the attributes of a softmax of ``dtype`` with this scale.

        Raises:
            ScaleRangeError: the scale is too small.
        """

    @abstractmethod
    def apply_softmax(self, x: Array, table: Array | None, constants: Mapping[str, int]) -> Array:
        """Softmax over the last axis, of the operand's type: int8 at 1/256, zero point −128; int16 at 1/32768, 0."""

    # --- functions of one value ---------------------------------------------------------------------------------------

    def lookup_table(
        self,
        function: str,
        attributes: FunctionAttributes,
        in_scale: float,
        in_zero: int,
        out_scale: float,
        out_zero: int,
    ) -> Array | None:
        """The table of a unary function that the arithmetic computes in integers: int8[256], entry q + 128 for q.

        None where it has none: then the table holds the rounded real function.
        """
        return None

    @abstractmethod
    def round_bound(self, steps: float) -> int:
        """A bound of a fused activation, in steps of the scale, as an integer."""
