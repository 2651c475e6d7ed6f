"""conv2d: CONV_2D, or DEPTHWISE_CONV_2D where every group is one input channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from edgeq.backends.tflite.draft import Draft, Writer, scalar_quant
from edgeq.backends.tflite.exactness import clamped, require_equal, require_factors
from edgeq.backends.tflite.write.window import pad_image, padding_scheme
from edgeq.errors import EdgeqError
from edgeq.ir import DType, Node, Quantization, Tensor


def write_conv2d(draft: Draft, node: Node) -> None:
    """Weights [O,KH,KW,I]; depthwise [1,KH,KW,O]. Explicit PAD where neither SAME nor VALID fits."""
    x, weight, result = draft.of(node, "x", "weight", "result")
    _, in_zero = scalar_quant(x)
    check_layer(draft, node, x, weight)
    require_equal(node, "pad_value", node.integer("pad_value"), in_zero)
    strides, dilations, group = node.integers("strides"), node.integers("dilations"), node.integer("group")
    kernel = weight.shape[1:3]
    reach = ((kernel[0] - 1) * dilations[0] + 1, (kernel[1] - 1) * dilations[1] + 1)
    scheme = padding_scheme(node, x.shape[1:3], result.shape[1:3], reach)  # type: ignore[arg-type]
    source = x.name if scheme is not None else pad_image(draft, node, x, in_zero)
    depthwise = group > 1 and group == x.shape[3]
    names = constants(draft, node, depthwise=depthwise)
    fields: dict[str, int | str] = {
        "Padding": scheme or "VALID",
        "StrideW": strides[1],
        "StrideH": strides[0],
        "DilationWFactor": dilations[1],
        "DilationHFactor": dilations[0],
    }
    if depthwise:
        fields["DepthMultiplier"] = weight.shape[0] // group

    def append(name: str, activation: str) -> None:
        code, table = ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions") if depthwise else ("CONV_2D", "Conv2DOptions")
        version = _version(x, weight, depthwise=depthwise, grouped=group > 1)
        draft.append(code, version, (source, *names), name, table, FusedActivationFunction=activation, **fields)

    clamped(draft, node, append)


def constants(draft: Draft, node: Node, *, depthwise: bool = False) -> tuple[str, str]:
    """Weight and bias of a multiply-accumulate layer as TFLite has them; their names.

    The graph's bias holds the input's zero point, −z_x·Σw; TFLite subtracts the zero point from every input, so it is
    taken out again. The bias is int32, int64 behind int16 inputs, at the scale s_x·s_w.

    Raises:
        EdgeqError: EQ0906 where a weight has no scale or the bias leaves its type.
    """
    x, weight, bias = draft.of(node, "x", "weight", "bias")
    scale, zero = scalar_quant(x)
    quant = weight_quant(weight)
    values = weight.value()
    outputs = values.shape[0]
    plain = bias.value().astype(np.int64) + zero * values.reshape(outputs, -1).astype(np.int64).sum(axis=1)
    dtype = DType.INT64 if x.dtype is DType.INT16 else DType.INT32
    if plain.size and not dtype.min <= plain.min() <= plain.max() <= dtype.max:
        raise EdgeqError("EQ0906", "a bias does not fit its type in TFLite", where=node.name, allowed=dtype.value)
    if depthwise:
        values = np.ascontiguousarray(values.transpose(3, 1, 2, 0))
    axis = None if len(quant.scale) == 1 else 3 if depthwise else 0
    scales = tuple(float(np.float32(scale) * np.float32(each)) for each in quant.scale)
    bias_quant = Quantization(dtype, scales, (0,) * len(scales), None if axis is None else 0)
    return (
        draft.constant(weight.name, values, replace(quant, axis=axis)),
        draft.constant(bias.name, plain.astype(dtype.numpy), bias_quant),
    )


def weight_quant(weight: Tensor) -> Quantization:
    """The scales of a weight, symmetric.

    Raises:
        EdgeqError: EQ0906 where it has none.
    """
    if weight.quant is None or any(weight.quant.zero_point):
        raise EdgeqError("EQ0906", "a weight of the TFLite file has no symmetric scale", where=weight.name)
    return weight.quant


def check_layer(draft: Draft, node: Node, x: Tensor, weight: Tensor) -> None:
    """Compare a multiply-accumulate layer's output zero point and factors with what the runtime derives.

    Raises:
        EdgeqError: EQ0906 where they differ.
    """
    out_scale, out_zero = scalar_quant(draft.graph.tensors[node.outputs[0]])
    require_equal(node, "out_zero", node.integer("out_zero"), out_zero)
    in_scale, _ = scalar_quant(x)
    ratio = draft.scaling.ratio(node.op, in_scale, weight_quant(weight).scale, out_scale, x.dtype.numpy)
    require_factors(draft, node, draft.scaling.choose(np.broadcast_to(ratio, weight.shape[:1])))


def _version(x: Tensor, weight: Tensor, *, depthwise: bool, grouped: bool) -> int:
    if weight.bits == 4:
        return 7
    if depthwise:
        return 5 if x.dtype is DType.INT16 else 3
    if grouped:
        return 6
    return 4 if x.dtype is DType.INT16 else 3


WRITERS: Final[Mapping[str, Writer]] = {"conv2d": write_conv2d}
