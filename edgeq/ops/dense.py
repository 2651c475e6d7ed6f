"""Matrix products: with constant weights (dense) and of two computed tensors (matmul)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from edgeq.ir import Node, Tensor
from edgeq.numerics.array import Array, matmul_exact, product_max
from edgeq.ops.accumulator import REQUANT, RESULT_TYPE, layer_form, requantize, value_of
from edgeq.ops.axes import Axes
from edgeq.ops.base import OnnxAttribute, OnnxForm, Op, Sample
from edgeq.ops.signature import FACTORS, WEIGHTED, Shape, Signature, Slot, invalid


def _dense_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, weight = operands[:2]
    if x.shape[1] != weight.shape[1]:
        raise invalid(node, "operand shapes do not match", f"x {x.shape} weight {weight.shape}", "x[N,K] weight[O,K]")
    return (x.shape[0], weight.shape[0])


def _evaluate_dense(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, weight, bias, *scaling = arrays
    acc = matmul_exact(x, weight.T, product_max(x, weight))
    acc += bias
    return [requantize(node, acc, scaling, x)]


def _dense_macs(node: Node, operands: Sequence[Tensor]) -> int:
    return operands[0].shape[0] * prod(operands[1].shape)


def _matmul_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    a, b = operands[:2]
    same = len(a.shape) == len(b.shape) >= 2 and a.shape[:-2] == b.shape[:-2] and a.shape[-1] == b.shape[-2]
    if not same:
        raise invalid(node, "operand shapes do not match", f"a {a.shape} b {b.shape}", "a[...,M,K] b[...,K,N]")
    return (*a.shape[:-1], b.shape[-1])


def _evaluate_matmul(node: Node, arrays: Sequence[Array]) -> list[Array]:
    a, b, *scaling = arrays
    left, right = a.astype(np.int32) - node.integer("a_zero"), b.astype(np.int32) - node.integer("b_zero")
    # Less their zero points, int8 values are up to twice as large; those of int16 are zero.
    return [requantize(node, matmul_exact(left, right, 4 * product_max(a, b)), scaling, a)]


def _matmul_macs(node: Node, operands: Sequence[Tensor]) -> int:
    return operands[0].elements * operands[1].shape[-1]


def _gemm(name: str, rows: int, depth: int, outputs: int, *, bias: bool = True) -> Sample:
    constants: dict[int, Shape | Array] = {1: (outputs, depth)}
    if bias:
        constants[2] = (outputs,)
    return Sample(name, "Gemm", ((rows, depth),), constants, {"transB": 1})


DENSE = Op(
    name="dense",
    family="dense",
    summary="Fully connected: x[N,K], weight[O,K], bias[O] (zero point folded in), multiplier, (exponent)",
    signature=Signature(
        (Slot("x", rank=2), Slot("weight", "weight", rank=2), Slot("bias", "bias"), *FACTORS),
        WEIGHTED,
    ),
    attributes=(*REQUANT, RESULT_TYPE),
    shape=_dense_shape,
    evaluate=_evaluate_dense,
    macs=_dense_macs,
    onnx=(
        layer_form(
            "Gemm",
            OnnxAttribute("alpha", "float", (1.0,)),
            OnnxAttribute("beta", "float", (1.0,)),
            OnnxAttribute("transA", "int", (0,)),
            OnnxAttribute("transB", "int", (1,)),
        ),
    ),
    samples=(
        _gemm("k1-o1", 1, 1, 1),
        _gemm("k3-o5", 1, 3, 5),
        _gemm("k8-o4", 1, 8, 4),
        _gemm("k17-o7", 1, 17, 7),
        _gemm("k64-o12", 1, 64, 12),
        _gemm("k67-o10-no_bias", 1, 67, 10, bias=False),
        _gemm("k130-o31", 1, 130, 31),
        _gemm("k640-o3", 1, 640, 3),
        _gemm("k1500-o1", 1, 1500, 1),
        _gemm("rows3-k19-o6", 3, 19, 6),
        _gemm("rows5-k4-o9", 5, 4, 9),
        Sample("not_transposed-k12-o5", "Gemm", ((1, 12),), {1: (12, 5), 2: (5,)}, {"transB": 0}),
    ),
    limits="the accumulator of int8 must fit int32",
)

MATMUL = Op(
    name="matmul",
    family="dense",
    summary="Product of two computed tensors: a[...,M,K], b[...,K,N], multiplier[1], (exponent)",
    signature=Signature((Slot("a"), Slot("b"), *FACTORS), (("int8", "int8", "int8"), ("int16", "int16", "int16"))),
    attributes=(*REQUANT, value_of("a", "a_zero", "zero point of a"), value_of("b", "b_zero", "zero point of b")),
    shape=_matmul_shape,
    evaluate=_evaluate_matmul,
    macs=_matmul_macs,
    axes=Axes(fixed=2),
    onnx=(OnnxForm("MatMul", activations=(0, 1), fuses_clamp=True),),
    samples=(
        Sample("2d-m3-k5-n4", "MatMul", ((3, 5), (5, 4))),
        Sample("2d-m1-k17-n9", "MatMul", ((1, 17), (17, 9))),
        Sample("2d-m6-k8-n1", "MatMul", ((6, 8), (8, 1))),
        Sample("3d-m4-k7-n5", "MatMul", ((1, 4, 7), (1, 7, 5))),
        Sample("4d-heads3-m5-k8-n5", "MatMul", ((1, 3, 5, 8), (1, 3, 8, 5))),
        Sample("4d-heads2-m2-k9-n3", "MatMul", ((1, 2, 2, 9), (1, 2, 9, 3))),
        Sample("4d-heads2-m3-k12-n7", "MatMul", ((1, 2, 3, 12), (1, 2, 12, 7))),
        Sample("4d-heads2-m4-k33-n6", "MatMul", ((1, 2, 4, 33), (1, 2, 33, 6))),
    ),
    limits="batch dimensions must be equal; the accumulator of int8 must fit int32",
)
OPS = (DENSE, MATMUL)
