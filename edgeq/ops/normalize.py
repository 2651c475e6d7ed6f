"""Normalization of rows by their deviation or norm, with a scale and a bias for each element or channel."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from edgeq.ir import Node, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.normalization import RAISED_MAX, SHIFT_MAX, Row, normalize_rows, scale_elements
from edgeq.ops.accumulator import CLAMP, IN_ZERO
from edgeq.ops.base import Attribute, OnnxAttribute, OnnxForm, Op, Sample, no_macs
from edgeq.ops.signature import Shape, Signature, Slot, invalid

_EPSILON = OnnxAttribute("epsilon", "float")
_STASH = OnnxAttribute("stash_type", "int", (1,))


def _shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, scale, bias = operands
    elements, length, inner = prod(x.shape), node.integer("length"), node.integer("inner")
    if scale.shape != bias.shape:
        raise invalid(node, "scale and bias differ in number", (scale.shape, bias.shape), "one of each")
    if elements % length or elements % (inner * scale.shape[0]):
        raise invalid(node, "rows or channels do not divide the tensor", (length, inner, scale.shape), x.shape)
    return x.shape


def _evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, scale, bias = arrays
    length, centred, *rest = map(node.integer, ("length", "centred", "raised", "epsilon", "bits"))
    row = Row(length, bool(centred), *rest)
    h = normalize_rows(x.reshape(-1, row.length), node.integer("in_zero"), row).reshape(-1)
    channel = np.arange(x.size) // node.integer("inner") % len(scale)
    low, high, shift = map(node.integer, ("clamp_min", "clamp_max", "shift"))
    return [scale_elements(h, scale[channel], bias[channel], shift, low, high, x.dtype).reshape(x.shape)]


def _layer(name: str, x: Shape, scale: Shape, *, bias: bool = True, **attributes: float) -> Sample:
    constants: dict[int, Shape | Array] = {1: scale}
    if bias:
        constants[2] = scale
    return Sample(name, "LayerNormalization", (x,), constants, attributes)


NORMALIZE = Op(
    name="normalize",
    family="normalize",
    summary="Rows over their deviation from the mean, or over their norm, scaled and shifted: x, scale[C], bias[C]",
    signature=Signature(
        (Slot("x"), Slot("scale", "table", "int32", rank=1), Slot("bias", "table", "int64", rank=1)),
        (("int8", "int8"), ("int16", "int16")),
    ),
    attributes=(
        Attribute("length", "int", "elements in a row, which are neighbours", 1),
        Attribute("inner", "int", "elements that share a scale, which are neighbours", 1),
        Attribute("centred", "int", "1: by the deviation from the mean; 0: by the norm", 0, 1),
        Attribute("raised", "int", "bits that the square of the divisor is raised by", 0, RAISED_MAX),
        Attribute("epsilon", "int", "what is added to that square", 0),
        Attribute("bits", "int", "of a normalized value behind the point", 1, 29),
        Attribute("shift", "int", "right shift of the scaled value", 1, SHIFT_MAX),
        IN_ZERO,
        *CLAMP,
    ),
    shape=_shape,
    evaluate=_evaluate,
    macs=no_macs,
    onnx=(
        OnnxForm(
            "GroupNormalization",
            constants={1: "scale", 2: "bias"},
            fuses_clamp=True,
            attributes=(_EPSILON, OnnxAttribute("num_groups", "int", low=1), _STASH),
        ),
        OnnxForm("InstanceNormalization", constants={1: "scale", 2: "bias"}, fuses_clamp=True, attributes=(_EPSILON,)),
        OnnxForm(
            "LayerNormalization",
            constants={1: "scale", 2: "bias"},
            fuses_clamp=True,
            attributes=(OnnxAttribute("axis", "int"), _EPSILON, _STASH),
        ),
        OnnxForm("LpNormalization", attributes=(OnnxAttribute("axis", "int"), OnnxAttribute("p", "int", (2,)))),
        OnnxForm(
            "RMSNormalization",
            constants={1: "scale"},
            fuses_clamp=True,
            attributes=(OnnxAttribute("axis", "int"), _EPSILON, _STASH),
        ),
    ),
    samples=(
        _layer("2d-33", (1, 33), (33,)),
        _layer("3d-16", (1, 6, 16), (16,)),
        _layer("3d-no_bias-epsilon", (1, 6, 7), (7,), bias=False, epsilon=0.25),
        _layer("4d-three_axes", (1, 3, 4, 5), (3, 4, 5), axis=1),
        _layer("4d-last", (1, 3, 4, 5), (5,), axis=-1),
        _layer("two", (1, 9, 2), (2,)),
        Sample("instance-c5", "InstanceNormalization", ((1, 5, 6, 4),), {1: (5,), 2: (5,)}, {"epsilon": 0.0625}),
        Sample("instance-3d", "InstanceNormalization", ((1, 3, 20),), {1: (3,), 2: (3,)}, {"epsilon": 0.0625}),
        Sample(
            "group-3", "GroupNormalization", ((1, 6, 4, 3),), {1: (6,), 2: (6,)}, {"num_groups": 3, "epsilon": 0.25}
        ),
        Sample("group-1-3d", "GroupNormalization", ((1, 5, 7),), {1: (5,), 2: (5,)}, {"num_groups": 1}),
        Sample("lp-2d", "LpNormalization", ((1, 40),), {}, {"axis": -1, "p": 2}),
        Sample("lp-channels", "LpNormalization", ((1, 6, 4, 3),), {}, {"axis": 1, "p": 2}),
        Sample("rms-3d", "RMSNormalization", ((1, 5, 17),), {1: (17,)}, {"epsilon": 0.0625}),
        Sample("rms-two_axes", "RMSNormalization", ((1, 3, 4, 5),), {1: (4, 5)}, {"axis": 2}),
    ),
    limits="rows of int8 have at most 2^23 elements, of int16 2^15",
)
OPS = (NORMALIZE,)
