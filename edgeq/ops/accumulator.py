"""What all operators share that end in a requantization: attributes and the scaling itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgeq.ir import Node
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import MODES, SCALINGS, Parameter, Scaling
from edgeq.ops.base import Attribute, OnnxAttribute, OnnxForm
from edgeq.ops.signature import RESULT, scaling_of


def value_of(slot: str, name: str, doc: str) -> Attribute:
    """An attribute that is a value of the type of a slot, or of the result: a zero point, a bound."""
    return Attribute(name, "int", doc, of=slot)


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


CLAMP = (value_of(RESULT, "clamp_min", "smallest result"), value_of(RESULT, "clamp_max", "largest result"))
MODE = Attribute(
    "requant", "str", "arithmetic: " + "; ".join(f"{s.name}, {s.summary}" for s in SCALINGS.values()), values=MODES
)
REQUANT = (
    MODE,
    Attribute("acc", "str", "type of the accumulator: i32; i64 where it is shifted right", values=("i32", "i64")),
    Attribute("shift", "int", "left shift of the accumulator before the multiplication; below 0 to the right", -31, 31),
    value_of(RESULT, "out_zero", "zero point of the result"),
    *CLAMP,
)
IN_ZERO = value_of("x", "in_zero", "zero point of the input")
RESULT_TYPE = Attribute(
    RESULT, "str", "type of the result, where it is not that of x", values=("int8", "int16"), optional=True
)


def layer_form(onnx: str, *attributes: OnnxAttribute) -> OnnxForm:
    """A layer with a constant weight, output channels first, and a bias: the second and third input."""
    constants = {1: "weight", 2: "bias"}
    return OnnxForm(onnx, weight=1, bias=2, constants=constants, fuses_clamp=True, attributes=attributes)


def requantize(node: Node, acc: Array, operands: Sequence[Array], x: Array) -> Array:
    """Scale accumulators as the node says: of the same shape, of the type of its result.

    Args:
        node: carries ``requant``, ``shift``, ``out_zero``, ``clamp_min``, ``clamp_max``.
        acc: integers; the last axis runs along the channels.
        operands: the node's operands from the multiplier on.
        x: its first operand, which has the type of the result where the node does not say it.

    Raises:
        OverflowError: an accumulator leaves int32.
    """
    shift, zero, low, high = map(node.integer, ("shift", "out_zero", "clamp_min", "clamp_max"))
    dtype = np.dtype(node.text(RESULT)) if RESULT in node.attrs else x.dtype
    result = scaling_of(node).apply(node.op, acc, operands, shift, zero, low, high, dtype)
    # A multiplier [1] gives an accumulator of rank 0 an axis.
    return result.reshape(np.shape(acc))
