"""Binary arithmetic element by element, with numpy broadcasting: addition, subtraction, multiplication."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir import Node, Tensor
from edgeq.numerics.array import Array
from edgeq.ops.accumulator import CLAMP, MODE, REQUANT, parameters, requantize, value_of
from edgeq.ops.axes import Axes
from edgeq.ops.base import Evaluate, OnnxForm, Op, Sample, no_macs
from edgeq.ops.signature import FACTORS, Shape, Signature, Slot, Type, invalid, scaling_of

_OPERANDS = (Slot("a"), Slot("b"))
_TYPES: tuple[tuple[Type, ...], ...] = (("int8", "int8", "int8"), ("int16", "int16", "int16"))
_SUM_ATTRIBUTES = (MODE, *CLAMP, *parameters(lambda scaling: scaling.sum_parameters))


def broadcast_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    """The shape to which the first two operands broadcast."""
    a, b = operands[:2]
    try:
        return np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise invalid(node, "shapes do not broadcast", f"{a.shape} and {b.shape}", "numpy broadcasting") from None


def _evaluate_sum(sign: int) -> Evaluate:
    def evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
        a, b = arrays
        low, high = node.integer("clamp_min"), node.integer("clamp_max")
        scaling = scaling_of(node)
        constants = {each.name: node.integer(each.name) for each in scaling.sum_parameters}
        return [scaling.apply_sum(a, b, constants, sign, low, high)]

    return evaluate


def _evaluate_mul(node: Node, arrays: Sequence[Array]) -> list[Array]:
    a, b, *scaling = arrays
    # |a - za|·|b - zb| <= 255² in int8, and 2^30 in int16, whose zero points are zero.
    product = (a.astype(np.int32) - node.integer("a_zero")) * (b.astype(np.int32) - node.integer("b_zero"))
    return [requantize(node, product, scaling, a)]


def _samples(kind: str) -> tuple[Sample, ...]:
    """The same shapes for each operator: equal, broadcast either way, constant on either side."""
    image = (1, 5, 4, 3)
    return (
        Sample("same-4d", kind, (image, image)),
        Sample("same-2d-17", kind, ((1, 17), (1, 17))),
        Sample("same-3d", kind, ((1, 7, 6), (1, 7, 6))),
        Sample("same-1", kind, ((1, 1), (1, 1))),
        Sample("same-4d-c16", kind, ((1, 16, 5, 5), (1, 16, 5, 5))),
        Sample("per_channel-computed", kind, (image, (1, 5, 1, 1))),
        Sample("per_channel-computed-first", kind, ((1, 5, 1, 1), image)),
        Sample("rows-computed", kind, (image, (1, 1, 4, 1))),
        Sample("outer-2d", kind, ((1, 6, 1), (1, 1, 9))),
        Sample("per_channel-constant", kind, (image,), {1: (1, 5, 1, 1)}),
        Sample("per_channel-constant-rank3", kind, (image,), {1: (5, 1, 1)}),
        Sample("per_feature-constant", kind, ((1, 33),), {1: (33,)}),
        Sample("full-constant", kind, (image,), {1: image}),
        Sample("full-constant-first", kind, (image,), {0: image}),
        Sample("scalar-constant", kind, (image,), {1: np.array(0.75, dtype=np.float32)}),
        Sample("scalar-constant-first", kind, ((1, 21),), {0: np.array(-1.5, dtype=np.float32)}),
        Sample("rank0", kind, ((), ())),
        Sample("rank0-computed", kind, (image, ())),
        Sample("rank0-constant", kind, ((),), {1: np.array(0.75, dtype=np.float32)}),
    )


def _sum_op(name: str, onnx: str, sign: int, summary: str) -> Op:
    return Op(
        name=name,
        family="elementwise",
        summary=summary,
        signature=Signature(_OPERANDS, _TYPES),
        attributes=_SUM_ATTRIBUTES,
        shape=broadcast_shape,
        evaluate=_evaluate_sum(sign),
        macs=no_macs,
        axes=Axes(),
        overwrites=(0, 1),
        onnx=(OnnxForm(onnx, activations=None, fuses_clamp=True),),
        samples=_samples(onnx),
        limits="highmul: every partial sum of int8 fits int32",
    )


ADD = _sum_op("add", "Add", 1, "a + b with numpy broadcasting, either may be constant")
SUB = _sum_op("sub", "Sub", -1, "a - b with numpy broadcasting, either may be constant")
MUL = Op(
    name="mul",
    family="elementwise",
    summary="a·b with numpy broadcasting, either may be constant: a, b, multiplier[1], (exponent)",
    signature=Signature((*_OPERANDS, *FACTORS), _TYPES),
    attributes=(*REQUANT, value_of("a", "a_zero", "zero point of a"), value_of("b", "b_zero", "zero point of b")),
    shape=broadcast_shape,
    evaluate=_evaluate_mul,
    macs=no_macs,
    axes=Axes(),
    overwrites=(0, 1),
    onnx=(OnnxForm("Mul", activations=None, fuses_clamp=True),),
    samples=_samples("Mul"),
)
OPS = (ADD, MUL, SUB)
