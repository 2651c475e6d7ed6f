"""The larger and the smaller of two values, quotients, and slopes of negative values: one rounding or none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir import DType, Node, Tensor
from edgeq.numerics import highmul
from edgeq.numerics.array import Array
from edgeq.numerics.division import QUOTIENT_BITS_MAX, divide, divide_by_table
from edgeq.ops.accumulator import CLAMP, IN_ZERO, value_of
from edgeq.ops.axes import Axes
from edgeq.ops.base import Attribute, Evaluate, OnnxForm, Op, Sample, no_macs
from edgeq.ops.elementwise import broadcast_shape
from edgeq.ops.signature import RESULT, Shape, Signature, Slot, Type, invalid

_TYPES: tuple[tuple[Type, ...], ...] = (("int8", "int8", "int8"), ("int16", "int16", "int16"))


def _evaluate_extreme(choose: np.ufunc) -> Evaluate:
    def evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
        a, b = arrays
        return [np.asarray(choose(a, b))]

    return evaluate


def _divide_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    entries = (256,) if operands[1].dtype is DType.INT8 else (1,)
    if operands[2].shape != entries:
        raise invalid(node, f"divisors of {operands[1].dtype.value} have other factors", operands[2].shape, entries)
    return broadcast_shape(node, operands)


def _evaluate_divide(node: Node, arrays: Sequence[Array]) -> list[Array]:
    a, b, factors = arrays
    low, high = node.integer("clamp_min"), node.integer("clamp_max")
    if a.dtype == np.int16:
        return [divide(a, b, int(factors[0]), node.integer("shift"), low, high)]
    return [divide_by_table(a, b, factors, node.integer("a_zero"), node.integer("out_zero"), low, high)]


def _prelu_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, slopes = operands[:2]
    if not slopes.is_constant:
        raise invalid(node, "the slopes are computed", "no data", "a constant")
    if broadcast_shape(node, operands) != x.shape:
        raise invalid(node, "slopes do not fit", slopes.shape, f"what broadcasts to {x.shape}")
    return x.shape


def _evaluate_prelu(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, slopes, positive = arrays
    shift, zero, low, high = map(node.integer, ("shift", "out_zero", "clamp_min", "clamp_max"))
    value = x.astype(np.int64) - node.integer("in_zero")
    multiplier = np.where(value < 0, slopes.astype(np.int64), positive.astype(np.int64))
    return [highmul.requantize(value, multiplier, shift, zero, low, high, x.dtype).reshape(x.shape)]


_IMAGE: Shape = (1, 5, 4, 3)


def _pairs(kind: str) -> tuple[Sample, ...]:
    """Equal shapes, broadcast either way, constant on either side."""
    return (
        Sample("same-4d", kind, (_IMAGE, _IMAGE)),
        Sample("same-2d-17", kind, ((1, 17), (1, 17))),
        Sample("per_channel-computed", kind, (_IMAGE, (1, 5, 1, 1))),
        Sample("per_channel-computed-first", kind, ((1, 5, 1, 1), _IMAGE)),
        Sample("outer-2d", kind, ((1, 6, 1), (1, 1, 9))),
        Sample("per_channel-constant", kind, (_IMAGE,), {1: (1, 5, 1, 1)}),
        Sample("full-constant-first", kind, (_IMAGE,), {0: _IMAGE}),
        Sample("rank0", kind, ((), ())),
    )


def _extreme(name: str, onnx: str, choose: np.ufunc, word: str) -> Op:
    return Op(
        name=name,
        family="arithmetic",
        summary=f"The {word} of a and b with numpy broadcasting, either may be constant",
        signature=Signature((Slot("a"), Slot("b")), _TYPES),
        attributes=(),
        shape=broadcast_shape,
        evaluate=_evaluate_extreme(choose),
        macs=no_macs,
        axes=Axes(),
        overwrites=(0, 1),
        onnx=(OnnxForm(onnx, activations=None, scale="same", saturates=True),),
        samples=_pairs(onnx),
    )


MAXIMUM = _extreme("maximum", "Max", np.maximum, "larger")
MINIMUM = _extreme("minimum", "Min", np.minimum, "smaller")

DIVIDE = Op(
    name="divide",
    family="arithmetic",
    summary="a/b with numpy broadcasting, either may be constant: factors[256] of int8 are the reciprocals of all b, "
    "of int16 one multiplier; a/0 saturates by the sign of a, 0/0 is 0",
    signature=Signature((Slot("a"), Slot("b"), Slot("factors", "table", "int32", rank=1)), _TYPES),
    attributes=(
        Attribute("shift", "int", "right shift of the product, of int16 of the quotient", 1, QUOTIENT_BITS_MAX),
        value_of("a", "a_zero", "zero point of a"),
        value_of(RESULT, "out_zero", "zero point of the result"),
        *CLAMP,
    ),
    shape=_divide_shape,
    evaluate=_evaluate_divide,
    macs=no_macs,
    axes=Axes(),
    overwrites=(0, 1),
    onnx=(OnnxForm("Div", activations=None, fuses_clamp=True),),
    samples=(
        Sample("same-4d", "Div", (_IMAGE, _IMAGE), positive=(1,)),
        Sample("same-2d-17", "Div", ((1, 17), (1, 17)), positive=(1,)),
        Sample("per_channel-computed", "Div", (_IMAGE, (1, 5, 1, 1)), positive=(1,)),
        Sample("per_channel-computed-first", "Div", ((1, 5, 1, 1), _IMAGE), positive=(1,)),
        Sample("outer-2d", "Div", ((1, 6, 1), (1, 1, 9)), positive=(1,)),
        Sample("full-constant-first", "Div", (_IMAGE,), {0: _IMAGE}, positive=(0,)),
        Sample("rank0", "Div", ((), ()), positive=(1,)),
    ),
    limits="before the final rounding int8 is less than 0.004, int16 2^-16 steps off",
)

PRELU = Op(
    name="prelu",
    family="arithmetic",
    summary="x, or slope·x where x is negative: x, slopes (a factor each, broadcast to x), multiplier[1] of the others",
    signature=Signature(
        (Slot("x"), Slot("slopes", type="int32"), Slot("multiplier", "factor", "int32", shape=(1,))),
        (("int8", "int8"), ("int16", "int16")),
    ),
    attributes=(
        Attribute("shift", "int", "left shift of x before the multiplication", 0, 31),
        IN_ZERO,
        value_of(RESULT, "out_zero", "zero point of the result"),
        *CLAMP,
    ),
    shape=_prelu_shape,
    evaluate=_evaluate_prelu,
    macs=no_macs,
    axes=Axes(),
    overwrites=(0,),
    onnx=(OnnxForm("PRelu", constants={1: "list of slopes"}, fuses_clamp=True),),
    samples=(
        Sample("per_channel", "PRelu", (_IMAGE,), {1: (5, 1, 1)}),
        Sample("per_channel-c16", "PRelu", ((1, 16, 3, 3),), {1: (16, 1, 1)}),
        Sample("per_element", "PRelu", (_IMAGE,), {1: _IMAGE}),
        Sample("per_feature", "PRelu", ((1, 17),), {1: (17,)}),
        Sample("with_zero", "PRelu", ((1, 3, 7),), {1: np.array([[0.25], [0.0], [-1.5]], np.float32)}),
        Sample("steep", "PRelu", ((1, 3, 7),), {1: np.array([[4.0], [9.0], [1.0]], np.float32)}),
    ),
)
OPS = (DIVIDE, MAXIMUM, MINIMUM, PRELU)
