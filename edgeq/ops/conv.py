"""Convolution in two dimensions, grouped and depthwise included."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from edgeq.ir import Node, Tensor
from edgeq.numerics.array import Array, matmul_exact, product_max
from edgeq.ops.accumulator import REQUANT, RESULT_TYPE, layer_form, requantize, value_of
from edgeq.ops.base import Attribute, OnnxAttribute, Op, Sample
from edgeq.ops.signature import FACTORS, WEIGHTED, Shape, Signature, Slot, invalid
from edgeq.ops.window import ONNX_WINDOW, PADS, STRIDES, pad_spatial, window_output, windows

# Depthwise sums of int8 run in int32: taps·2^14 < 2^31.
_TAPS_MAX = 2**17 - 1


def _shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, weight = operands[:2]
    outputs, height, width, depth = weight.shape
    group = node.integer("group")
    if group < 1 or outputs % group or depth * group != x.shape[3]:
        raise invalid(node, "channels and groups do not match", f"x {x.shape} weight {weight.shape} group {group}", "")
    if height * width * depth > _TAPS_MAX:
        raise invalid(node, "too many products in one sum", height * width * depth, _TAPS_MAX)
    out_height, out_width = window_output(node, x.shape, (height, width), node.integers("dilations"))
    return (x.shape[0], out_height, out_width, outputs)


def _evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, weight, bias, *scaling = arrays
    group = node.integer("group")
    padded = pad_spatial(x, node.integers("pads"), node.integer("pad_value"))
    if group == x.shape[3] and weight.shape[3] == 1 and group > 1:
        acc = _depthwise(node, padded, weight)
    else:
        acc = _grouped(node, padded, weight, group)
    acc += bias
    return [requantize(node, acc, scaling, x)]


def _grouped(node: Node, padded: Array, weight: Array, group: int) -> Array:
    """Sums of a convolution as int64 [N,OH,OW,O], as one matrix product per group."""
    outputs, height, width, depth = weight.shape
    strides, dilations = node.integers("strides"), node.integers("dilations")
    if height == width == 1:
        columns = padded[:, :: strides[0], :: strides[1]]
        places = columns.shape[:3]
    else:
        columns = windows(padded, (height, width), strides, dilations)
        places = columns.shape[:3]
        # [N,OH,OW,C,KH,KW] → taps outside, channels inside, as the weights have them.
        columns = columns.transpose(0, 1, 2, 4, 5, 3)
    taps = height * width
    rows = prod(places)
    largest = product_max(padded, weight)
    if group == 1:
        product = matmul_exact(columns.reshape(rows, taps * depth), weight.reshape(outputs, taps * depth).T, largest)
        return product.reshape(*places, outputs)
    # Groups become the batch of the matrix product.
    left = columns.reshape(rows, taps, group, depth).transpose(2, 0, 1, 3).reshape(group, rows, taps * depth)
    right = weight.reshape(group, outputs // group, taps * depth).transpose(0, 2, 1)
    product = matmul_exact(left, right, largest)
    return product.transpose(1, 0, 2).reshape(*places, outputs)


def _depthwise(node: Node, padded: Array, weight: Array) -> Array:
    """Sums of a depthwise convolution as int64 [N,OH,OW,O]: tap by tap, for int8 in int32."""
    outputs, height, width, _ = weight.shape
    (row_step, column_step), (row_gap, column_gap) = node.integers("strides"), node.integers("dilations")
    channels = padded.shape[3]
    out_height = (padded.shape[1] - (height - 1) * row_gap - 1) // row_step + 1
    out_width = (padded.shape[2] - (width - 1) * column_gap - 1) // column_step + 1
    # Output o belongs to input channel o // multiplier.
    total = np.dtype(np.int32 if padded.dtype == np.int8 else np.int64)
    wide_weight = weight.reshape(channels, outputs // channels, height, width).astype(total)
    wide = padded.astype(total)[..., np.newaxis]
    acc = np.zeros((padded.shape[0], out_height, out_width, channels, outputs // channels), dtype=total)
    for row in range(height):
        top = row * row_gap
        rows = slice(top, top + (out_height - 1) * row_step + 1, row_step)
        for column in range(width):
            left = column * column_gap
            columns = slice(left, left + (out_width - 1) * column_step + 1, column_step)
            acc += wide[:, rows, columns] * wide_weight[:, :, row, column]
    return acc.reshape(*acc.shape[:3], outputs).astype(np.int64)


def _macs(node: Node, operands: Sequence[Tensor]) -> int:
    return prod(_shape(node, operands)) * prod(operands[1].shape[1:])


def _sample(name: str, x: Shape, weight: Shape, *, bias: bool = True, **attributes: int | tuple[int, ...]) -> Sample:
    constants: dict[int, Shape | Array] = {1: weight}
    if bias:
        constants[2] = (weight[0],)
    return Sample(name, "Conv", (x,), constants, {"kernel_shape": weight[2:], **attributes})


_SAMPLES = (
    _sample("pointwise-c8", (1, 8, 5, 5), (16, 8, 1, 1)),
    _sample("pointwise-c1-o1", (1, 1, 3, 4), (1, 1, 1, 1)),
    _sample("pointwise-c17-o5", (1, 17, 4, 3), (5, 17, 1, 1)),
    _sample("pointwise-c3-o33", (1, 3, 2, 5), (33, 3, 1, 1)),
    _sample("pointwise-stride2", (1, 5, 6, 7), (7, 5, 1, 1), strides=(2, 2)),
    _sample("pointwise-c16-o1-stride3x2-one_column", (1, 16, 9, 2), (1, 16, 1, 1), strides=(3, 2)),
    _sample("pointwise-pads1", (1, 4, 3, 3), (6, 4, 1, 1), pads=(1, 1, 1, 1)),
    _sample("k3-valid-c3", (1, 3, 7, 6), (8, 3, 3, 3)),
    _sample("k3-same-c16", (1, 16, 4, 4), (8, 16, 3, 3), pads=(1, 1, 1, 1)),
    _sample("k3-same-c5-o3-no_bias", (1, 5, 5, 5), (3, 5, 3, 3), bias=False, pads=(1, 1, 1, 1)),
    _sample("k3-stride2-pads_end", (1, 3, 8, 8), (8, 3, 3, 3), pads=(0, 0, 1, 1), strides=(2, 2)),
    _sample("k3-stride1x2-pads_uneven", (1, 4, 5, 8), (5, 4, 3, 3), pads=(2, 0, 0, 1), strides=(1, 2)),
    _sample("k3-stride2-pads-c8", (1, 8, 9, 7), (5, 8, 3, 3), pads=(1, 1, 1, 1), strides=(2, 2)),
    _sample("k3-dilation2", (1, 3, 8, 7), (4, 3, 3, 3), pads=(2, 2, 2, 2), dilations=(2, 2)),
    _sample("k2x3-dilation3x1-stride2", (1, 2, 9, 6), (5, 2, 2, 3), dilations=(3, 1), strides=(2, 2)),
    _sample("k10x4-c1", (1, 1, 14, 7), (8, 1, 10, 4), pads=(4, 1, 5, 1), strides=(2, 2)),
    _sample("k1x5-c6", (1, 6, 1, 12), (4, 6, 1, 5), pads=(0, 2, 0, 2)),
    _sample("k5x1-c2", (1, 2, 11, 1), (9, 2, 5, 1), strides=(3, 1)),
    _sample("k5-larger_than_input", (1, 3, 3, 2), (4, 3, 5, 5), pads=(2, 2, 2, 2)),
    _sample("k4-whole_input", (1, 5, 4, 4), (12, 5, 4, 4)),
    _sample("group2", (1, 6, 5, 5), (8, 3, 3, 3), pads=(1, 1, 1, 1), group=2),
    _sample("group3-pointwise", (1, 9, 4, 4), (6, 3, 1, 1), group=3),
    _sample("group4-stride2-uneven_outputs", (1, 4, 7, 5), (12, 1, 3, 3), strides=(2, 2), group=4),
    _sample("depthwise-k3-same-c8", (1, 8, 6, 6), (8, 1, 3, 3), pads=(1, 1, 1, 1), group=8),
    _sample("depthwise-k3-stride2-c17", (1, 17, 7, 7), (17, 1, 3, 3), pads=(1, 1, 1, 1), strides=(2, 2), group=17),
    _sample("depthwise-k3-stride2-pads_end-c5", (1, 5, 8, 6), (5, 1, 3, 3), pads=(0, 0, 1, 1), strides=(2, 2), group=5),
    _sample("depthwise-k3-valid-c3-no_bias", (1, 3, 5, 6), (3, 1, 3, 3), bias=False, group=3),
    _sample("depthwise-multiplier2-c4", (1, 4, 5, 5), (8, 1, 3, 3), pads=(1, 1, 1, 1), group=4),
    _sample("depthwise-multiplier3-k5-c3", (1, 3, 6, 7), (9, 1, 5, 5), pads=(2, 2, 2, 2), strides=(2, 2), group=3),
    _sample("depthwise-k9x1-c6", (1, 6, 12, 1), (6, 1, 9, 1), pads=(4, 0, 4, 0), group=6),
    _sample("depthwise-dilation2-c4", (1, 4, 9, 8), (4, 1, 3, 3), pads=(2, 2, 2, 2), dilations=(2, 2), group=4),
    _sample("depthwise-k1-c5", (1, 5, 3, 4), (5, 1, 1, 1), group=5),
    _sample("depthwise-k4-larger_than_input-c2", (1, 2, 2, 3), (2, 1, 4, 4), pads=(1, 1, 2, 2), group=2),
    Sample("conv1d-k3-c4", "Conv", ((1, 4, 16),), {1: (6, 4, 3), 2: (6,)}, {"kernel_shape": (3,), "pads": (1, 1)}),
)

CONV2D = Op(
    name="conv2d",
    family="conv",
    summary="Convolution: x[N,H,W,C], weight[O,KH,KW,C/group], bias[O] (zero point folded in), multiplier, (exponent)",
    signature=Signature(
        (Slot("x", rank=4), Slot("weight", "weight", rank=4), Slot("bias", "bias"), *FACTORS),
        WEIGHTED,
    ),
    attributes=(
        *REQUANT,
        RESULT_TYPE,
        STRIDES,
        PADS,
        Attribute("dilations", "ints", "rows, columns", 1),
        Attribute("group", "int", "number of groups; depthwise where it equals C", 1),
        value_of("x", "pad_value", "what padded positions hold: the zero point of x"),
    ),
    shape=_shape,
    evaluate=_evaluate,
    macs=_macs,
    onnx=(
        layer_form(
            "Conv",
            *ONNX_WINDOW,
            OnnxAttribute("dilations", "ints", low=1, count=2),
            OnnxAttribute("group", "int", low=1),
        ),
    ),
    one_sample=True,
    samples=_SAMPLES,
    limits="at most 2^17 - 1 products in one sum; the accumulator of int8 must fit int32",
)
OPS = (CONV2D,)
