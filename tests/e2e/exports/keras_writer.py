"""Writes ONNX in the forms that tf2onnx gives Keras layers, one method a layer.

Values are NHWC with a dynamic batch; every layer on images stands between two Transposes, padding of ZeroPadding2D is a
node of its own, batch normalization is a node, or the product and sum that Grappler leaves; shapes are computed from
Shape by Slice, Gather and Concat. Names have the path of the layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

TO_NCHW: Final = (0, 3, 1, 2)
TO_NHWC: Final = (0, 2, 3, 1)


class Writer:
    """A model that grows layer by layer; methods take and give names of values.

    Args:
        name: of the Keras model, which stands in every name.
        opset: of the default domain; axes and splits are attributes below 13, as tf2onnx has them.
    """

    def __init__(self, name: str, opset: int) -> None:
        self.opset = opset
        self._prefix, self._count = f"StatefulPartitionedCall/{name}", 0
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._draw = np.random.default_rng(len(name) * 100 + opset)

    def op(self, op_type: str, layer: str, inputs: Sequence[str], **attributes: Any) -> str:
        """One node; the name of its result."""
        return self.ops(op_type, layer, inputs, 1, **attributes)[0]

    def ops(self, op_type: str, layer: str, inputs: Sequence[str], results: int, **attributes: Any) -> list[str]:
        """One node of several results."""
        self._count += 1
        name = f"{self._prefix}/{layer}__{self._count}"
        outputs = [f"{name}:{place}" for place in range(results)]
        self._nodes.append(helper.make_node(op_type, inputs, outputs, name=name, **attributes))
        return outputs

    def const(self, values: Any, dtype: Any = np.float32, label: str = "const_fold_opt") -> str:
        """A constant."""
        self._count += 1
        name = f"{label}__{self._count}"
        self._constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def weights(self, *shape: int, gain: float = 1.0) -> str:
        """Normal values whose spread keeps that of what they are multiplied with; the last axes are summed over."""
        fan = max(1, int(np.prod(shape[1:]))) if len(shape) != 2 else shape[0]
        values = self._draw.normal(size=shape) * gain * np.sqrt(2.0 / fan)
        return self.const(values, label=f"{self._prefix}/ReadVariableOp")

    def vector(self, size: int, low: float, high: float) -> str:
        """Uniform values."""
        return self.const(self._draw.uniform(low, high, size), label=f"{self._prefix}/ReadVariableOp")

    def squeeze(self, x: str, layer: str, axes: Sequence[int], op_type: str = "Squeeze") -> str:
        """Squeeze, or Unsqueeze: axes are an input from opset 13 on."""
        if self.opset < 13:
            return self.op(op_type, layer, [x], axes=list(axes))
        return self.op(op_type, layer, [x, self.const(axes, np.int64)])

    def on_images(self, x: str, op_type: str, layer: str, more: Sequence[str] = (), **attributes: Any) -> str:
        """An operator of NCHW between two Transposes."""
        turned = self.op("Transpose", f"{layer}/{op_type}", [x], perm=TO_NCHW)
        found = self.op(op_type, f"{layer}/{op_type}", [turned, *more], **attributes)
        return self.op("Transpose", f"{layer}/{op_type}", [found], perm=TO_NHWC)

    def conv(self, x: str, layer: str, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> str:
        """Conv2D with its BiasAdd apart, SAME."""
        weight = self.weights(outputs, inputs, kernel, kernel)
        attributes: dict[str, Any] = {"strides": [stride, stride], "kernel_shape": [kernel, kernel]}
        if stride == 1:
            around = kernel // 2
            attributes |= {"pads": [around] * 4, "dilations": [1, 1], "group": 1}
        else:
            attributes |= {"auto_pad": "SAME_UPPER"}
        return self.on_images(x, "Conv", f"{layer}/Conv2D", [weight], **attributes)

    def bias(self, x: str, layer: str, size: int) -> str:
        """BiasAdd."""
        return self.op("Add", f"{layer}/BiasAdd", [x, self.vector(size, -0.2, 0.2)])

    def depthwise(self, x: str, layer: str, channels: int, stride: int = 1) -> str:
        """DepthwiseConv2D; strides of 2 have a ZeroPadding2D in front, in NHWC."""
        pads = [1, 1, 1, 1]
        if stride == 2:
            x = self.op("Pad", f"{layer}_pad/Pad", [x, self.const([0, 0, 0, 0, 0, 1, 1, 0], np.int64)])
            pads = [0, 0, 0, 0]
        weight = self.weights(channels, 1, 3, 3)
        attributes = {"kernel_shape": [3, 3], "strides": [stride, stride], "pads": pads, "group": channels}
        return self.on_images(x, "Conv", f"{layer}/depthwise", [weight], **attributes)

    def batch_norm(self, x: str, layer: str, channels: int) -> str:
        """FusedBatchNormV3 as BatchNormalization."""
        constants = [self.vector(channels, *bounds) for bounds in ((0.7, 1.3), (-0.2, 0.2), (-0.2, 0.2), (0.7, 1.4))]
        return self.on_images(x, "BatchNormalization", f"{layer}/FusedBatchNormV3", constants, epsilon=1e-3)

    def batch_norm_in_parts(self, x: str, layer: str, channels: int) -> str:
        """What Grappler leaves of a batch normalization: a product and a sum."""
        x = self.op("Mul", f"{layer}/batchnorm/mul_1", [x, self.vector(channels, 0.7, 1.3)])
        return self.op("Add", f"{layer}/batchnorm/add_1", [x, self.vector(channels, -0.2, 0.2)])

    def relu6(self, x: str, layer: str) -> str:
        """Relu6 as the Clip of a Relu."""
        x = self.op("Relu", f"{layer}/Relu6", [x])
        return self.op("Clip", f"{layer}/Relu6", [x, self.const(0.0), self.const(6.0)])

    def mean(self, x: str, layer: str, axes: Sequence[int], keep: int = 0) -> str:
        """ReduceMean; its axes are an input from opset 18 on."""
        if self.opset < 18:
            return self.op("ReduceMean", layer, [x], axes=list(axes), keepdims=keep)
        return self.op("ReduceMean", layer, [x, self.const(axes, np.int64)], keepdims=keep)

    def flatten(self, x: str, layer: str, size: int) -> str:
        """Reshape to [batch, -1], the batch read from Shape."""
        shape = self.op("Shape", f"{layer}/Shape", [x])
        batch = self.op("Slice", f"{layer}/strided_slice", [shape, *(self.const([v], np.int64) for v in (0, 1, 0))])
        wanted = self.op("Concat", f"{layer}/stack", [batch, self.const([size], np.int64)], axis=0)
        return self.op("Reshape", f"{layer}/Reshape", [x, wanted])

    def dense(self, x: str, layer: str, inputs: int, outputs: int) -> str:
        """MatMul and BiasAdd."""
        found = self.op("MatMul", f"{layer}/MatMul", [x, self.weights(inputs, outputs)])
        return self.bias(found, layer, outputs)

    def tensordot(self, x: str, layer: str, inputs: int, outputs: int) -> str:
        """Dense on [batch, time, channels]: free axes gathered from Shape, multiplied, and put back."""
        shape = self.op("Shape", f"{layer}/Tensordot/Shape", [x])
        free = self.op("Gather", f"{layer}/Tensordot/GatherV2", [shape, self.const([0, 1], np.int64)], axis=0)
        rows = self.op("ReduceProd", f"{layer}/Tensordot/Prod", [free], **self._no_axes(), keepdims=1)
        two = self.op("Concat", f"{layer}/Tensordot/stack", [rows, self.const([inputs], np.int64)], axis=0)
        flat = self.op("Reshape", f"{layer}/Tensordot/Reshape", [x, two])
        found = self.op("MatMul", f"{layer}/Tensordot/MatMul", [flat, self.weights(inputs, outputs)])
        back = self.op("Concat", f"{layer}/Tensordot/concat_1", [free, self.const([outputs], np.int64)], axis=0)
        return self.bias(self.op("Reshape", f"{layer}/Tensordot", [found, back]), layer, outputs)

    def _no_axes(self) -> dict[str, Any]:
        return {"axes": [0]} if self.opset < 18 else {}

    def layer_norm(self, x: str, layer: str, channels: int) -> str:
        """LayerNormalization in parts: moments, Rsqrt, products."""
        mean = self.mean(x, f"{layer}/moments/mean", [2], 1)
        away = self.op("Sub", f"{layer}/moments/SquaredDifference", [x, mean])
        square = self.op("Mul", f"{layer}/moments/SquaredDifference", [away, away])
        variance = self.mean(square, f"{layer}/moments/variance", [2], 1)
        biased = self.op("Add", f"{layer}/batchnorm/add", [variance, self.const(1e-3)])
        root = self.op("Sqrt", f"{layer}/batchnorm/Rsqrt", [biased])
        inverse = self.op("Reciprocal", f"{layer}/batchnorm/Rsqrt", [root])
        factor = self.op("Mul", f"{layer}/batchnorm/mul", [inverse, self.vector(channels, 0.7, 1.3)])
        first = self.op("Mul", f"{layer}/batchnorm/mul_1", [x, factor])
        second = self.op("Mul", f"{layer}/batchnorm/mul_2", [mean, factor])
        shift = self.op("Sub", f"{layer}/batchnorm/sub", [self.vector(channels, -0.2, 0.2), second])
        return self.op("Add", f"{layer}/batchnorm/add_1", [first, shift])

    def model(self, inputs: dict[str, Sequence[int]], outputs: dict[str, tuple[str, Sequence[int]]]) -> ModelProto:
        """The whole: shapes without the batch; an output's name with the value that it is."""

        def value(name: str, shape: Sequence[int]) -> Any:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["unk__1", *shape])

        ends = [helper.make_node("Identity", [source], [name]) for name, (source, _) in outputs.items()]
        graph = helper.make_graph(
            [*self._nodes, *ends],
            "tf2onnx",
            [value(name, shape) for name, shape in inputs.items()],
            [value(name, shape) for name, (_, shape) in outputs.items()],
            self._constants,
        )
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("ai.onnx.ml", 2)]
        made = helper.make_model(graph, producer_name="tf2onnx", opset_imports=opsets)
        made.ir_version = 7 if self.opset < 15 else 8
        return made
