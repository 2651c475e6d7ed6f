"""The few operators in software float that all nodes kept in float are made of.

Their values are float32: ``float_dequantize`` in front of a group of such nodes, and ``float_quantize`` where something
else reads a result. :mod:`edgeq.ops.float_types` lists the ONNX operators, lowering composes them. Decided against: one
node for a whole group, which would need an interpreter of its own in every place that reads graphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from math import prod
from typing import Final

import numpy as np

from edgeq.ir import Node, Tensor
from edgeq.numerics import floating
from edgeq.numerics.array import Array
from edgeq.ops.accumulator import CLAMP, IN_ZERO, value_of
from edgeq.ops.axes import Axes
from edgeq.ops.base import Attribute, Evaluate, Op, no_macs, same_shape
from edgeq.ops.float_types import SAMPLES, forms_of
from edgeq.ops.logic import RELATIONS, broadcast_shape
from edgeq.ops.signature import RESULT, Shape, Signature, Slot, invalid

_F: Final = "float32"


def _quietly(evaluate: Evaluate) -> Evaluate:
    """Without numpy's warnings of what is infinite or no number."""

    @wraps(evaluate)
    def inside(node: Node, arrays: Sequence[Array]) -> list[Array]:
        with np.errstate(all="ignore"):
            return evaluate(node, arrays)

    return inside


def _bits(name: str, doc: str) -> Attribute:
    return Attribute(name, "int", f"{doc}: the bits of a float32, as an int32", -(2**31), 2**31 - 1)


def _parameter(node: Node, name: str) -> Array:
    return floating.float_of_bits(node.integer(name))


@_quietly
def _evaluate_dequantize(node: Node, arrays: Sequence[Array]) -> list[Array]:
    centred = arrays[0].astype(np.int64) - node.integer("in_zero")
    return [np.asarray(centred.astype(np.float32) * _parameter(node, "scale"))]


@_quietly
def _evaluate_quantize(node: Node, arrays: Sequence[Array]) -> list[Array]:
    zero, low, high = map(node.integer, ("out_zero", "clamp_min", "clamp_max"))
    result = floating.quantized(arrays[0], _parameter(node, "scale"), zero, low, high)
    return [result.astype(node.text(RESULT))]


@_quietly
def _evaluate_unary(node: Node, arrays: Sequence[Array]) -> list[Array]:
    function = floating.UNARY[node.text("function")]
    return [np.asarray(function(arrays[0], _parameter(node, "alpha"), _parameter(node, "beta")))]


@_quietly
def _evaluate_binary(node: Node, arrays: Sequence[Array]) -> list[Array]:
    return [np.asarray(floating.BINARY[node.text("function")](*arrays))]


@_quietly
def _evaluate_compare(node: Node, arrays: Sequence[Array]) -> list[Array]:
    a, b = arrays
    relation = node.text("relation")
    found = a == b if relation == "equal" else a < b if relation == "less" else a <= b
    return [np.asarray(found).astype(np.int8)]


def _reduced_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    shape, axis = operands[0].shape, node.integer("axis")
    if axis >= len(shape) or not shape[axis]:
        raise invalid(node, "nothing is reduced", axis, f"an axis of {shape} that is not empty")
    return (*shape[:axis], 1, *shape[axis + 1 :])


@_quietly
def _evaluate_reduce(node: Node, arrays: Sequence[Array]) -> list[Array]:
    (x,) = arrays
    axis = node.integer("axis")
    rows = x.reshape(prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :]))
    return [floating.reduced(rows, node.text("function")).reshape(*x.shape[:axis], 1, *x.shape[axis + 1 :])]


def _matmul_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    a, b = (tensor.shape for tensor in operands)
    if min(len(a), len(b)) < 2 or a[-1] != b[-2]:
        raise invalid(node, "shapes do not match", f"{a} and {b}", "[..., m, k] and [..., k, n]")
    try:
        return (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])
    except ValueError:
        raise invalid(node, "shapes do not broadcast", f"{a} and {b}", "numpy broadcasting") from None


@_quietly
def _evaluate_matmul(node: Node, arrays: Sequence[Array]) -> list[Array]:
    return [floating.multiplied(*arrays)]


def _matmul_macs(node: Node, operands: Sequence[Tensor]) -> int:
    return prod(_matmul_shape(node, operands)) * operands[0].shape[-1]


def _determinant_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    shape = operands[0].shape
    if len(shape) < 2 or shape[-1] != shape[-2] or not shape[-1]:
        raise invalid(node, "no square matrices", shape, "[..., n, n]")
    return shape[:-2]


@_quietly
def _evaluate_determinant(node: Node, arrays: Sequence[Array]) -> list[Array]:
    (x,) = arrays
    return [floating.determinant(x.reshape(-1, *x.shape[-2:])).reshape(x.shape[:-2])]


FLOAT_DEQUANTIZE: Final = Op(
    name="float_dequantize",
    family="float",
    summary="From integers to software float: (float)(x − in_zero)·scale, rounded to float32",
    signature=Signature((Slot("x"),), (("int8", _F), ("int16", _F)), (("int32", _F), ("bool", _F))),
    attributes=(IN_ZERO, _bits("scale", "scale of x")),
    shape=same_shape,
    evaluate=_evaluate_dequantize,
    macs=no_macs,
    axes=Axes(),
    onnx=forms_of("float_dequantize"),
    samples=SAMPLES["float_dequantize"],
    limits="only nodes that --allow-float names",
)
FLOAT_QUANTIZE: Final = Op(
    name="float_quantize",
    family="float",
    summary="From software float to integers: x / scale, ties to even, + out_zero; NaN becomes out_zero",
    signature=Signature((Slot("x"),), ((_F, "int8"), (_F, "int16"))),
    attributes=(
        _bits("scale", "scale of the result"),
        value_of(RESULT, "out_zero", "zero point of the result"),
        *CLAMP,
        Attribute(RESULT, "str", "type of the result", values=("int8", "int16")),
    ),
    shape=same_shape,
    evaluate=_evaluate_quantize,
    macs=no_macs,
    axes=Axes(),
    limits="only behind nodes that --allow-float names",
)
FLOAT_UNARY: Final = Op(
    name="float_unary",
    family="float",
    summary="A function of one number in software float",
    signature=Signature((Slot("x"),), ((_F, _F),)),
    attributes=(
        Attribute("function", "str", "what is computed", values=tuple(floating.UNARY)),
        _bits("alpha", "its first parameter, or 0"),
        _bits("beta", "its second parameter, or 0"),
    ),
    shape=same_shape,
    evaluate=_evaluate_unary,
    macs=no_macs,
    axes=Axes(),
    overwrites=(0,),
    onnx=forms_of("float_unary"),
    samples=SAMPLES["float_unary"],
    limits="sines from 2^30 on are NaN",
)
FLOAT_BINARY: Final = Op(
    name="float_binary",
    family="float",
    summary="A function of two numbers in software float, with numpy broadcasting",
    signature=Signature((Slot("a"), Slot("b")), ((_F, _F, _F),)),
    attributes=(Attribute("function", "str", "what is computed", values=tuple(floating.BINARY)),),
    shape=broadcast_shape,
    evaluate=_evaluate_binary,
    macs=no_macs,
    axes=Axes(),
    onnx=forms_of("float_binary"),
    samples=SAMPLES["float_binary"],
)
FLOAT_COMPARE: Final = Op(
    name="float_compare",
    family="float",
    summary="Whether a is equal to b, less, or not more, in software float",
    signature=Signature((Slot("a"), Slot("b")), ((_F, _F, "bool"),)),
    attributes=(Attribute("relation", "str", "of a to b", values=RELATIONS),),
    shape=broadcast_shape,
    evaluate=_evaluate_compare,
    macs=no_macs,
    axes=Axes(),
    onnx=forms_of("float_compare"),
    samples=SAMPLES["float_compare"],
)
FLOAT_REDUCE: Final = Op(
    name="float_reduce",
    family="float",
    summary="Sum, product or extreme along an axis in software float, in the order of indices",
    signature=Signature((Slot("x"),), ((_F, _F),)),
    attributes=(
        Attribute("axis", "int", "the axis, which stays with size 1", 0),
        Attribute("function", "str", "what is computed", values=floating.REDUCTIONS),
    ),
    shape=_reduced_shape,
    evaluate=_evaluate_reduce,
    macs=no_macs,
    axes=Axes(named="axis"),
    onnx=forms_of("float_reduce"),
    samples=SAMPLES["float_reduce"],
)
FLOAT_MATMUL: Final = Op(
    name="float_matmul",
    family="float",
    summary="Products of matrices in software float, each sum in the order of indices",
    signature=Signature((Slot("a"), Slot("b")), ((_F, _F, _F),)),
    attributes=(),
    shape=_matmul_shape,
    evaluate=_evaluate_matmul,
    macs=_matmul_macs,
    onnx=forms_of("float_matmul"),
    samples=SAMPLES["float_matmul"],
    limits="all leading axes of an operand, or none, are broadcast",
)
FLOAT_DETERMINANT: Final = Op(
    name="float_determinant",
    family="float",
    summary="Determinants in software float, by Gaussian elimination with pivots of columns",
    signature=Signature((Slot("x"),), ((_F, _F),)),
    attributes=(),
    shape=_determinant_shape,
    evaluate=_evaluate_determinant,
    macs=no_macs,
    onnx=forms_of("float_determinant"),
    samples=SAMPLES["float_determinant"],
)
OPS: Final = (
    FLOAT_BINARY,
    FLOAT_COMPARE,
    FLOAT_DEQUANTIZE,
    FLOAT_DETERMINANT,
    FLOAT_MATMUL,
    FLOAT_QUANTIZE,
    FLOAT_REDUCE,
    FLOAT_UNARY,
)
