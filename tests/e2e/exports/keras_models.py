"""Keras models as tf2onnx writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from onnx import ModelProto

from tests.e2e.exports.keras_writer import TO_NHWC, Writer


def mobilenet() -> ModelProto:
    """Depthwise and pointwise layers, Relu6, zero padding apart, an average over NHWC."""
    w = Writer("mobilenet", 13)
    x = w.relu6(w.batch_norm(w.conv("input_1", "conv1", 3, 8, stride=2), "conv1_bn", 8), "conv1_relu")
    for place, (inputs, outputs, stride) in enumerate(((8, 16, 1), (16, 24, 2), (24, 24, 1))):
        x = w.batch_norm(w.depthwise(x, f"conv_dw_{place}", inputs, stride), f"conv_dw_{place}_bn", inputs)
        x = w.relu6(x, f"conv_dw_{place}_relu")
        x = w.batch_norm(w.conv(x, f"conv_pw_{place}", inputs, outputs, 1), f"conv_pw_{place}_bn", outputs)
        x = w.relu6(x, f"conv_pw_{place}_relu")
    x = w.mean(x, "global_average_pooling2d/Mean", [1, 2])
    x = w.op("Softmax", "dense/Softmax", [w.dense(x, "dense", 24, 5)], axis=1)
    return w.model({"input_1": (16, 16, 3)}, {"dense": (x, (5,))})


def resnet() -> ModelProto:
    """Residual sums in NHWC, batch normalization in parts, a flatten of NHWC values into a dense layer."""
    w = Writer("resnet", 12)
    x = w.op("Relu", "activation/Relu", [w.batch_norm_in_parts(w.conv("input_1", "conv2d", 3, 8), "bn", 8)])
    for place, (inputs, outputs, stride) in enumerate(((8, 8, 1), (8, 16, 2))):
        y = w.batch_norm_in_parts(w.conv(x, f"conv2d_a{place}", inputs, outputs, 3, stride), f"bn_a{place}", outputs)
        y = w.op("Relu", f"activation_a{place}/Relu", [y])
        y = w.batch_norm_in_parts(w.conv(y, f"conv2d_b{place}", outputs, outputs), f"bn_b{place}", outputs)
        if stride != 1:
            x = w.bias(w.conv(x, f"conv2d_c{place}", inputs, outputs, 1, stride), f"conv2d_c{place}", outputs)
        x = w.op("Relu", f"activation_b{place}/Relu", [w.op("Add", f"add_{place}/add", [x, y])])
    x = w.on_images(x, "AveragePool", "average_pooling2d/AvgPool", kernel_shape=[4, 4], strides=[4, 4])
    x = w.dense(w.flatten(x, "flatten", 64), "dense", 64, 10)
    return w.model({"input_1": (16, 16, 3)}, {"dense": (x, (10,))})


def unet() -> ModelProto:
    """Conv2DTranspose, UpSampling2D with sizes computed from Shape, concatenation of NHWC channels."""
    w = Writer("unet", 11)
    one = w.op("Relu", "conv2d/Relu", [w.bias(w.conv("input_1", "conv2d", 1, 8), "conv2d", 8)])
    x = w.on_images(one, "MaxPool", "max_pooling2d/MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    two = w.op("Relu", "conv2d_1/Relu", [w.bias(w.conv(x, "conv2d_1", 8, 12), "conv2d_1", 12)])
    x = w.on_images(two, "MaxPool", "max_pooling2d_1/MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    x = w.op("Relu", "conv2d_2/Relu", [w.bias(w.conv(x, "conv2d_2", 12, 16), "conv2d_2", 16)])
    weight = w.weights(16, 12, 3, 3)
    layer = "conv2d_transpose/conv2d_transpose"
    x = w.on_images(x, "ConvTranspose", layer, [weight], strides=[2, 2], kernel_shape=[3, 3], pads=[0, 0, 1, 1],
                    output_padding=[0, 0], group=1)  # fmt: skip
    x = w.op("Concat", "concatenate/concat", [w.bias(x, "conv2d_transpose", 12), two], axis=3)
    x = w.op("Relu", "conv2d_3/Relu", [w.bias(w.conv(x, "conv2d_3", 24, 8), "conv2d_3", 8)])
    x = _upsampled(w, x, "up_sampling2d")
    x = w.op("Concat", "concatenate_1/concat", [x, one], axis=-1)
    x = w.op("Sigmoid", "conv2d_4/Sigmoid", [w.bias(w.conv(x, "conv2d_4", 16, 1, 1), "conv2d_4", 1)])
    return w.model({"input_1": (16, 16, 1)}, {"conv2d_4": (x, (16, 16, 1))})


def _upsampled(w: Writer, x: str, layer: str) -> str:
    """ResizeNearestNeighbor to twice the size, as sizes."""
    shape = w.op("Shape", f"{layer}/Shape", [x])
    size = w.op("Slice", f"{layer}/strided_slice", [shape, *(w.const([v], np.int64) for v in (1, 3, 0))])
    double = w.op("Mul", f"{layer}/mul", [size, w.const([2, 2], np.int64)])
    turned = w.op("Transpose", f"{layer}/resize", [x], perm=(0, 3, 1, 2))
    now = w.op("Shape", f"{layer}/resize", [turned])
    front = w.op("Slice", f"{layer}/resize", [now, *(w.const([v], np.int64) for v in (0, 2, 0))])
    sizes = w.op("Concat", f"{layer}/resize", [front, double], axis=0)
    empty = w.const([], np.float32)
    attributes: dict[str, Any] = {"mode": "nearest", "nearest_mode": "floor"}
    found = w.op("Resize", f"{layer}/resize", [turned, empty, empty, sizes], **attributes,
                 coordinate_transformation_mode="asymmetric")  # fmt: skip
    return w.op("Transpose", f"{layer}/resize", [found], perm=TO_NHWC)


def conv1d() -> ModelProto:
    """Conv1D as Conv2D with an axis put in, a causal Pad, MaxPooling1D, GlobalMaxPooling1D."""
    w = Writer("conv1d", 15)
    x, channels = "input_1", 3
    for place, (outputs, dilation) in enumerate(((8, 1), (12, 2))):
        layer = f"conv1d_{place}"
        x = w.op("Pad", f"{layer}/Pad", [x, w.const([0, 2 * dilation, 0, 0, 0, 0], np.int64)])
        x = w.squeeze(x, f"{layer}/Conv1D/ExpandDims", [1], "Unsqueeze")
        weight = w.weights(outputs, channels, 1, 3)
        x = w.on_images(x, "Conv", f"{layer}/Conv1D", [weight], kernel_shape=[1, 3], dilations=[1, dilation])
        x = w.squeeze(x, f"{layer}/Conv1D/Squeeze", [1])
        x = w.op("Elu", f"{layer}/Elu", [w.bias(x, layer, outputs)])
        channels = outputs
    x = w.squeeze(x, "max_pooling1d/ExpandDims", [2], "Unsqueeze")
    x = w.on_images(x, "MaxPool", "max_pooling1d", kernel_shape=[2, 1], strides=[2, 1])
    x = w.squeeze(x, "max_pooling1d/Squeeze", [2])
    x = w.op("ReduceMax", "global_max_pooling1d/Max", [x], axes=[1], keepdims=0)
    return w.model({"input_1": (32, 3)}, {"dense": (w.dense(x, "dense", 12, 4), (4,))})


def lstm() -> ModelProto:
    """LSTM of frames: time first, states of zeros expanded to the batch, the last frame, and a GRU behind it."""
    w = Writer("lstm", 14)
    frames = w.op("Transpose", "lstm/transpose", ["input_1"], perm=(1, 0, 2))
    zeros = _zeros(w, "input_1", "lstm", 12)
    weights = [w.weights(1, 48, 8, gain=0.7), w.weights(1, 48, 12, gain=0.7), w.const(np.zeros((1, 96)))]
    y = w.ops("LSTM", "lstm/PartitionedCall/while", [frames, *weights, "", zeros, zeros], 3, hidden_size=12)[0]
    y = w.squeeze(y, "lstm/PartitionedCall/squeeze", [1])
    y = w.op("Transpose", "lstm/transpose_1", [y], perm=(1, 0, 2))
    frames = w.op("Transpose", "gru/transpose", [y], perm=(1, 0, 2))
    weights = [w.weights(1, 30, 12, gain=0.7), w.weights(1, 30, 10, gain=0.7), w.const(np.zeros((1, 60)))]
    zeros = _zeros(w, y, "gru", 10)
    y = w.ops("GRU", "gru/PartitionedCall/while", [frames, *weights, "", zeros], 2, hidden_size=10,
              linear_before_reset=1)[0]  # fmt: skip
    y = w.squeeze(y, "gru/PartitionedCall/squeeze", [1])
    last = w.op("Slice", "gru/strided_slice_2", [y, *(w.const([v], np.int64) for v in (-1, 2**31 - 1, 0))])
    last = w.squeeze(last, "gru/strided_slice_2", [0])
    return w.model({"input_1": (16, 8)}, {"dense": (w.dense(last, "dense", 10, 3), (3,))})


def _zeros(w: Writer, x: str, layer: str, units: int) -> str:
    """A state of zeros, [1, batch, units]."""
    shape = w.op("Shape", f"{layer}/Shape", [x])
    batch = w.op("Slice", f"{layer}/strided_slice", [shape, *(w.const([v], np.int64) for v in (0, 1, 0))])
    wanted = w.op("Concat", f"{layer}/zeros/packed", [batch, w.const([units], np.int64)], axis=0)
    zeros = w.op("Expand", f"{layer}/zeros", [w.const(0.0), wanted])
    return w.squeeze(zeros, f"{layer}/zeros", [0], "Unsqueeze")


def transformer() -> ModelProto:
    """MultiHeadAttention by Einsum, LayerNormalization in parts, Dense by Tensordot, GELU by Erf."""
    w = Writer("transformer", 15)
    x = w.tensordot("input_1", "dense", 8, 16)
    q, k, v = (_projected(w, x, f"multi_head_attention/{name}") for name in ("query", "key", "value"))
    q = w.op("Mul", "multi_head_attention/Mul", [q, w.const(8**-0.5)])
    scores = w.op("Einsum", "multi_head_attention/einsum/Einsum", [k, q], equation="aecd,abcd->acbe")
    weights = w.op("Softmax", "multi_head_attention/softmax/Softmax", [scores], axis=-1)
    mixed = w.op("Einsum", "multi_head_attention/einsum_1/Einsum", [weights, v], equation="acbe,aecd->abcd")
    layer, weight = "multi_head_attention/attention_output", w.weights(2, 8, 16)
    out = w.op("Einsum", f"{layer}/einsum/Einsum", [mixed, weight], equation="abcd,cde->abe")
    x = w.layer_norm(w.op("Add", "add/add", [x, w.bias(out, layer, 16)]), "layer_normalization", 16)
    y = w.tensordot(x, "dense_1", 16, 32)
    erf = w.op("Erf", "dense_1/Gelu/Erf", [w.op("Mul", "dense_1/Gelu/truediv", [y, w.const(2**-0.5)])])
    half = w.op("Mul", "dense_1/Gelu/mul", [y, w.const(0.5)])
    y = w.op("Mul", "dense_1/Gelu/mul_1", [half, w.op("Add", "dense_1/Gelu/add", [erf, w.const(1.0)])])
    x = w.layer_norm(w.op("Add", "add_1/add", [x, w.tensordot(y, "dense_2", 32, 16)]), "layer_normalization_1", 16)
    x = w.mean(x, "global_average_pooling1d/Mean", [1])
    return w.model({"input_1": (12, 8)}, {"dense_3": (w.dense(x, "dense_3", 16, 4), (4,))})


def _projected(w: Writer, x: str, layer: str) -> str:
    """EinsumDense of two heads of eight."""
    found = w.op("Einsum", f"{layer}/einsum/Einsum", [x, w.weights(16, 2, 8)], equation="abc,cde->abde")
    bias = w.const(np.linspace(-0.1, 0.1, 16).reshape(2, 8))
    return w.op("Add", f"{layer}/add", [found, bias])


MODELS: Final[dict[str, Callable[[], ModelProto]]] = {
    made.__name__: made for made in (conv1d, lstm, mobilenet, resnet, transformer, unet)
}
