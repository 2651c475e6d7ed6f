"""What all operators share that end in a requantization: attributes, operand checks, the scaling itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import DType, Node, Tensor
from edgeq.numerics import highmul, tflite
from edgeq.numerics.array import Array
from edgeq.ops.base import Attribute

MODES = ("highmul", "tflite")


def int8(name: str, doc: str, mode: Literal["highmul", "tflite"] | None = None) -> Attribute:
    """An attribute that is a value of int8: a zero point, a bound."""
    return Attribute(name, "int", doc, DType.INT8.min, DType.INT8.max, mode=mode)


CLAMP = (int8("clamp_min", "smallest result"), int8("clamp_max", "largest result"))
REQUANT = (
    Attribute("requant", "str", "highmul: one rounding; tflite: as LiteRT's reference kernels", values=MODES),
    Attribute("acc", "str", "type of the accumulator: i32", values=("i32",)),
    Attribute("shift", "int", "highmul: left shift of the accumulator before the high multiplication; else 0", 0, 31),
    int8("out_zero", "zero point of the result"),
    *CLAMP,
)
IN_ZERO = int8("in_zero", "zero point of the input")


def invalid(node: Node, what: str, got: object, allowed: object) -> EdgeqError:
    """The internal error for operands or attributes that lowering or a pass should never have produced."""
    return EdgeqError(
        "EQ0903",
        f"{node.op}: {what}",
        where=node.name,
        got=got,
        allowed=allowed,
        hint="this is a defect of edgeq: report it with the model",
    )


def require_operands(node: Node, operands: Sequence[Tensor], dtypes: Sequence[DType]) -> None:
    """Check number and types of the operands.

    Raises:
        EdgeqError: EQ0903.
    """
    got = [tensor.dtype for tensor in operands]
    if got != list(dtypes):
        names = [dtype.value for dtype in got]
        raise invalid(node, "wrong operand types", names, [dtype.value for dtype in dtypes])


def require_rank(node: Node, tensor: Tensor, rank: int) -> None:
    """Check the rank of an operand.

    Raises:
        EdgeqError: EQ0903.
    """
    if len(tensor.shape) != rank:
        raise invalid(node, f"{tensor.name} has a wrong rank", tensor.shape, f"{rank} dimensions")


def require_scaled(node: Node, operands: Sequence[Tensor], dtypes: Sequence[DType], channels: int = 1) -> None:
    """Check operands that end in ``multiplier`` and, in mode tflite, ``exponent``, int32 [channels] or [1].

    Args:
        node: the node.
        operands: all its operands.
        dtypes: types of the operands before the multiplier.
        channels: number of multipliers that the operator indexes.

    Raises:
        EdgeqError: EQ0903.
    """
    mode = mode_of(node)
    if node.text("acc") != "i32":
        raise invalid(node, "unknown accumulator", node.text("acc"), "i32")
    count = 2 if mode == "tflite" else 1
    require_operands(node, operands, [*dtypes, *[DType.INT32] * count])
    for tensor in operands[len(dtypes) :]:
        if tensor.shape not in ((channels,), (1,)):
            raise invalid(node, f"{tensor.name} does not match the channels", tensor.shape, f"[{channels}] or [1]")


def mode_of(node: Node) -> str:
    """The requantization mode of a node.

    Raises:
        EdgeqError: EQ0903 where it is neither highmul nor tflite.
    """
    mode = node.text("requant")
    if mode not in MODES:
        raise invalid(node, "unknown requantization", mode, " or ".join(MODES))
    return mode


def requantize(node: Node, acc: Array, scaling: Sequence[Array], *, once: bool = False) -> Array:
    """Scale accumulators as the node says: int8 of the same shape.

    Args:
        node: carries ``requant``, ``shift``, ``out_zero``, ``clamp_min``, ``clamp_max``.
        acc: integers; the last axis runs along the channels.
        scaling: the node's operands from the multiplier on.
        once: in mode tflite, round once (fully connected) instead of twice.

    Raises:
        OverflowError: an accumulator leaves int32.
    """
    zero, low, high = node.integer("out_zero"), node.integer("clamp_min"), node.integer("clamp_max")
    if mode_of(node) == "highmul":
        result = highmul.requantize(acc, scaling[0], node.integer("shift"), zero, low, high)
    else:
        result = tflite.requantize(acc, scaling[0], scaling[1], zero, low, high, once=once)
    # A multiplier [1] gives an accumulator of rank 0 an axis.
    return result.reshape(np.shape(acc))
