"""One node on its way to a TVM function: its tensors as buffers, its attributes, and how its results are stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tvm import tirx
from tvm.tirx.script import builder

from edgeq.backends.tvm.integers import (
    Buffer,
    Expression,
    Variable,
    i32,
    i64,
    saturate,
    scale_highmul,
    scale_once,
    scale_twice,
)
from edgeq.ops import BY_NAME
from edgeq.ops.signature import scaling_of

if TYPE_CHECKING:
    from edgeq.ir import Node, Tensor

Scaled = Callable[[Expression, Sequence[Expression], int], Expression]


def _highmul(acc: Expression, factor: Sequence[Expression], shift: int) -> Expression:
    return scale_highmul(acc, factor[0], shift)


def _single(acc: Expression, factor: Sequence[Expression], shift: int) -> Expression:
    return scale_once(i64(acc), i64(factor[0]), i64(factor[1]))


def _double(acc: Expression, factor: Sequence[Expression], shift: int) -> Expression:
    return scale_twice(i64(acc), i64(factor[0]), i64(factor[1]))


_SCALED: Final[Mapping[str, Scaled]] = {"double": _double, "highmul": _highmul, "single": _single}
"""int64 from an accumulator, the constants of its factor and the node's shift; by formula."""


@dataclass(frozen=True)
class Step:
    """A node whose function is being built.

    Attributes:
        node: the node.
        operands: its inputs, constants included.
        inputs: a buffer for each operand, of the operand's shape.
        outputs: a buffer for each result.
        result_type: type of the first output.
    """

    node: Node
    operands: Sequence[Tensor]
    inputs: Sequence[Buffer]
    outputs: Sequence[Buffer]
    result_type: str

    @property
    def formula(self) -> str:
        """How the node scales (``Scaling.formula``): the key of tables of functions."""
        return scaling_of(self.node).formula(self.node.op)

    @property
    def buffers(self) -> dict[str, Buffer]:
        """The inputs by the names of their slots."""
        return BY_NAME[self.node.op].signature.bind(self.node, self.inputs)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the first input."""
        return self.operands[0].shape

    @property
    def extents(self) -> tuple[int, ...]:
        """Shape of the first output."""
        return tuple(int(extent) for extent in self.result.shape)

    @property
    def result(self) -> Buffer:
        """The first output."""
        return self.outputs[0]

    @property
    def accumulator(self) -> str:
        """Type of the node's sums."""
        return "int64" if self.node.attrs.get("acc") == "i64" else "int32"

    def sum_of(self, value: Expression | int) -> Variable:
        """A variable of the accumulator's type; :meth:`term` makes what is added to it."""
        return Variable(self.term(i32(value)), self.accumulator)

    def term(self, value: Expression) -> Expression:
        """An int32 value in the accumulator's type."""
        return i64(value) if self.accumulator == "int64" else value

    def cast(self, value: Expression) -> Expression:
        """A value in the type of the first output."""
        return tirx.Cast(self.result_type, value)

    def store(self, value: Expression, *index: Expression) -> None:
        """Write one element of the first output, of its type."""
        builder.buffer_store(self.result, value, list(index))

    def store_clamped(self, value: Expression, *index: Expression, dtype: str = "int32") -> None:
        """Write one element of the first output: a value of type `dtype`, within the node's clamp."""
        low, high = self.node.integer("clamp_min"), self.node.integer("clamp_max")
        self.store(self.cast(saturate(value, low, high, dtype)), *index)

    def store_scaled(
        self,
        acc: Expression,
        index: Sequence[Expression],
        channel: Expression = 0,
    ) -> None:
        """Requantize an accumulator as the node says, and write it.

        Args:
            acc: of the node's accumulator.
            index: where in the first output.
            channel: which factor, where there are several.
        """
        node = self.node
        factor = [self.buffers[name] for name in scaling_of(node).operands]
        place = channel if int(factor[0].shape[0]) > 1 else 0
        scaled = _SCALED[self.formula](acc, [each[place] for each in factor], node.integer("shift"))
        # A register of its own: the two comparisons of the clamp read the value, and would repeat the product.
        value = Variable(scaled + i64(node.integer("out_zero")), "int64")
        self.store_clamped(value.value, *index, dtype="int64")
