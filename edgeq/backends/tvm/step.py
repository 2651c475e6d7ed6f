"""One node on its way to a TVM function: its tensors as buffers, its attributes, and how its results are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tvm.tirx.script import builder

from edgeq.backends.tvm.integers import (
    Buffer,
    Expression,
    Variable,
    i64,
    saturate,
    scale_highmul,
    scale_once,
    scale_twice,
)

if TYPE_CHECKING:
    from edgeq.ir import Node, Tensor


@dataclass(frozen=True)
class Step:
    """A node whose function is being built.

    Attributes:
        node: the node.
        operands: its inputs, constants included.
        inputs: a buffer for each operand, of the operand's shape.
        outputs: a buffer for each result.
    """

    node: Node
    operands: Sequence[Tensor]
    inputs: Sequence[Buffer]
    outputs: Sequence[Buffer]

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

    def store(self, value: Expression, *index: Expression) -> None:
        """Write one element of the first output."""
        builder.buffer_store(self.result, value, list(index))

    def store_clamped(self, value: Expression, *index: Expression, dtype: str = "int32") -> None:
        """Write one element of the first output: a value of type `dtype`, within the node's clamp."""
        low, high = self.node.integer("clamp_min"), self.node.integer("clamp_max")
        self.store(saturate(value, low, high, dtype), *index)

    def store_scaled(
        self,
        acc: Expression,
        index: Sequence[Expression],
        scaling: int,
        channel: Expression = 0,
        *,
        once: bool = False,
    ) -> None:
        """Requantize an accumulator as the node says, and write it.

        Args:
            acc: int32.
            index: where in the first output.
            scaling: which input is the multiplier; in mode tflite the exponent follows.
            channel: which multiplier, where there are several.
            once: in mode tflite, round once instead of twice.
        """
        node = self.node
        place = channel if self.operands[scaling].elements > 1 else 0
        multiplier = self.inputs[scaling][place]
        if node.text("requant") == "highmul":
            scaled = scale_highmul(acc, multiplier, node.integer("shift"))
        else:
            scale = scale_once if once else scale_twice
            scaled = scale(i64(acc), i64(multiplier), i64(self.inputs[scaling + 1][place]))
        # A register of its own: the two comparisons of the clamp read the value, and would repeat the product.
        value = Variable(scaled + i64(node.integer("out_zero")), "int64")
        self.store_clamped(value.value, *index, dtype="int64")
