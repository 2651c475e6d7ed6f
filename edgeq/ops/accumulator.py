"""What all operators share that end in a requantization: attributes, operand checks, the scaling itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import DType, Node, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import MODES, SCALINGS, Parameter, Scaling
from edgeq.ops.base import Attribute


def int8(name: str, doc: str) -> Attribute:
    """An attribute that is a value of int8: a zero point, a bound."""
    return Attribute(name, "int", doc, DType.INT8.min, DType.INT8.max)


def parameters(of: Callable[[Scaling], tuple[Parameter, ...]]) -> tuple[Attribute, ...]:
    """The attributes of an operator in all arithmetics: each parameter once, with the arithmetics that have it."""
    modes: dict[Parameter, list[str]] = {}
    for name, scaling in SCALINGS.items():
        for parameter in of(scaling):
            modes.setdefault(parameter, []).append(name)
    return tuple(
        Attribute(each.name, "int", each.doc, each.low, each.high, modes=tuple(having))
        for each, having in modes.items()
    )


CLAMP = (int8("clamp_min", "smallest result"), int8("clamp_max", "largest result"))
MODE = Attribute(
    "requant", "str", "arithmetic: " + "; ".join(f"{s.name}, {s.summary}" for s in SCALINGS.values()), values=MODES
)
REQUANT = (
    MODE,
    Attribute("acc", "str", "type of the accumulator: i32", values=("i32",)),
    Attribute("shift", "int", "left shift of the accumulator before the multiplication", 0, 31),
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
    """Check operands that end in those of the node's arithmetic (``Scaling.operands``), int32 [channels] or [1].

    Args:
        node: the node.
        operands: all its operands.
        dtypes: types of the operands before the multiplier.
        channels: number of multipliers that the operator indexes.

    Raises:
        EdgeqError: EQ0903.
    """
    scaling = scaling_of(node)
    if node.text("acc") != "i32":
        raise invalid(node, "unknown accumulator", node.text("acc"), "i32")
    require_operands(node, operands, [*dtypes, *[DType.INT32] * len(scaling.operands)])
    for tensor in operands[len(dtypes) :]:
        if tensor.shape not in ((channels,), (1,)):
            raise invalid(node, f"{tensor.name} does not match the channels", tensor.shape, f"[{channels}] or [1]")


def scaling_of(node: Node) -> Scaling:
    """The arithmetic of a node.

    Raises:
        EdgeqError: EQ0903 where there is none of that name.
    """
    mode = node.text("requant")
    if mode not in SCALINGS:
        raise invalid(node, "unknown requantization", mode, " or ".join(MODES))
    return SCALINGS[mode]


def requantize(node: Node, acc: Array, operands: Sequence[Array]) -> Array:
    """Scale accumulators as the node says: int8 of the same shape.

    Args:
        node: carries ``requant``, ``shift``, ``out_zero``, ``clamp_min``, ``clamp_max``.
        acc: integers; the last axis runs along the channels.
        operands: the node's operands from the multiplier on.

    Raises:
        OverflowError: an accumulator leaves int32.
    """
    shift, zero, low, high = map(node.integer, ("shift", "out_zero", "clamp_min", "clamp_max"))
    result = scaling_of(node).apply(node.op, acc, operands, shift, zero, low, high)
    # A multiplier [1] gives an accumulator of rank 0 an axis.
    return result.reshape(np.shape(acc))
