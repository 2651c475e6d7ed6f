"""Small quantized networks at random: operators, branches, changes of scale, layout operators on integers, outputs.

Written with onnx alone, as exporters write them: some roundings are left out where an operator keeps its scale, some
are at another scale, biases are int32 or float, normalizations stand behind layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
import onnx_ir as ir
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edgeq.numerics.array import Array
from edgeq.onnxio import Session
from edgeq.ops.signature import Shape

_FUNCTIONS: Final = ("Abs", "HardSwish", "LeakyRelu", "Neg", "Sigmoid", "Tanh")


@dataclass(frozen=True)
class Quantized:
    """A value behind its DequantizeLinear: its name, that of its integers, shape, scale and zero point in int8."""

    real: str
    integers: str
    shape: Shape
    scale: float
    zero: int


class RandomModel:
    """One network, the same for the same seed.

    Attributes:
        feeds: inputs on which ranges were observed.
        model: the network.
    """

    def __init__(self, seed: int) -> None:
        self._draw = np.random.default_rng(seed)
        self._kind: Any = self._draw.choice(["int8", "uint8"])
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._values: list[Quantized] = []
        self._count = 0
        self._shape: Shape = (1, *(int(size) for size in self._draw.integers((1, 3, 3), (6, 8, 8))))
        self.feeds = [self._normal(*self._shape) * 2 for _ in range(3)]
        self._quantize("x")
        steps = (
            self._convolution, self._depthwise, self._pool, self._average, self._sum, self._product, self._join,
            self._function, self._relu, self._pad, self._double, self._softmax, self._mean, self._part,
        )  # fmt: skip
        for _ in range(int(self._draw.integers(3, 9))):
            value = self._values[int(self._draw.integers(max(0, len(self._values) - 3), len(self._values)))]
            step: Callable[[Quantized], None] = steps[int(self._draw.integers(len(steps)))]
            if len(value.shape) == 4 and min(value.shape[2:]) >= 2:
                step(value)
        self.model = self._model(self._outputs())

    # --- parts ---------------------------------------------------------------------------------------------------

    def _chance(self, share: float) -> bool:
        return bool(self._draw.random() < share)

    def _normal(self, *shape: int) -> Array:
        result: Array = self._draw.normal(size=shape).astype(np.float32)
        return result

    def _name(self, base: str) -> str:
        self._count += 1
        return f"{base}{self._count}"

    def _constant(self, array: Any) -> str:
        self._constants.append(numpy_helper.from_array(np.asarray(array), self._name("c")))
        return self._constants[-1].name

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        result = self._name(kind.lower())
        self._nodes.append(helper.make_node(kind, inputs, [result], name=f"n_{result}", **attributes))
        return result

    def _model(self, outputs: list[str]) -> ModelProto:
        graph = helper.make_graph(
            self._nodes,
            "random",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self._shape)],
            [onnx.ValueInfoProto(name=name) for name in outputs],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)

    def _observed(self, value: str) -> tuple[float, float, Shape]:
        """Range and shape of a float value on the inputs."""
        arrays = self.feeds
        if value != "x":
            session = Session(ir.from_proto(self._model([value])))
            arrays = [session.run({"x": feed})[value] for feed in self.feeds]
        return min(0.0, *(float(a.min()) for a in arrays)), max(0.0, *(float(a.max()) for a in arrays)), arrays[0].shape

    def _quantize(self, value: str, like: Quantized | None = None) -> None:
        """Q and DQ behind a value; now and then a layout operator on the integers between them."""
        low, high, shape = self._observed(value)
        stretch = float(self._draw.choice([0.8, 1, 1, 1, 1.3]))
        scale = float(np.float32(max((high - low) / 255 * stretch, 1e-6))) if like is None else like.scale
        zero = int(np.clip(np.rint(-128 - low / scale), -128, 127)) if like is None else like.zero
        stated = np.array(zero + 128, np.uint8) if self._kind == "uint8" else np.array(zero, np.int8)
        parameters = self._constant(np.float32(scale)), self._constant(stated)
        integers = self._node("QuantizeLinear", value, *parameters)
        if self._chance(0.2) and len(shape) == 4 and min(shape[2:]) > 2:
            integers, shape = self._moved(integers, shape, stated)
        real = self._node("DequantizeLinear", integers, *parameters)
        self._values.append(Quantized(real, integers, shape, scale, zero))

    def _moved(self, integers: str, shape: Shape, zero: Array) -> tuple[str, Shape]:
        batch, channels, rows, columns = shape
        choice = int(self._draw.integers(4))
        if choice == 0:
            return self._node("Transpose", integers, perm=[0, 1, 3, 2]), (batch, channels, columns, rows)
        if choice == 1:
            bounds = [self._constant(np.array([number])) for number in (1, rows, 2)]
            return self._node("Slice", integers, *bounds), (batch, channels, rows - 1, columns)
        if choice == 2:
            pooled = self._node("MaxPool", integers, kernel_shape=[2, 2])
            return pooled, (batch, channels, rows - 1, columns - 1)
        fill = [self._constant(zero)] if self._chance(0.5) else []
        amounts = self._constant(np.array([0, 0, 1, 0, 0, 0, 0, 1]))
        return self._node("Pad", integers, amounts, *fill), (batch, channels, rows + 1, columns + 1)

    def _weight(self, *shape: int) -> tuple[str, Array]:
        weight = self._normal(*shape)
        per_channel = self._chance(0.7)
        largest = np.abs(weight).reshape(shape[0], -1).max(axis=1) if per_channel else np.abs(weight).max()
        scale = np.asarray(largest / 127, np.float32)
        spread = scale.reshape(-1, 1, 1, 1) if per_channel else scale
        integers = np.clip(np.rint(weight / spread), -128, 127).astype(np.int8)
        operands = [self._constant(integers), self._constant(scale)]
        return self._node("DequantizeLinear", *operands, axis=0 if per_channel else None), scale

    def _bias(self, count: int, scale: Array) -> str:
        bias = self._normal(count)
        if self._chance(0.3):
            return self._constant(bias)
        operands = [self._constant(np.rint(bias / scale).astype(np.int32)), self._constant(scale)]
        return self._node("DequantizeLinear", *operands, axis=0 if scale.ndim else None)

    def _activated(self, value: str) -> str:
        if self._chance(0.3):
            return self._node("Relu", value)
        if self._chance(0.2):
            return self._node("Clip", value, self._constant(np.float32(-1)), self._constant(np.float32(2)))
        return value

    def _partner(self, value: Quantized) -> Quantized:
        same = [other for other in self._values if other.shape == value.shape]
        return same[int(self._draw.integers(len(same)))]

    def _kept(self, value: Quantized, share: float = 0.6) -> Quantized | None:
        return value if self._chance(share) else None

    # --- operators -----------------------------------------------------------------------------------------------

    def _convolution(self, value: Quantized) -> None:
        outputs, size = int(self._draw.integers(1, 7)), int(self._draw.integers(1, 4))
        weight, scale = self._weight(outputs, value.shape[1], size, size)
        bias = [self._bias(outputs, np.float32(value.scale) * scale)] if self._chance(0.7) else []
        strides = [int(self._draw.integers(1, 3))] * 2
        made = self._node("Conv", value.real, weight, *bias, pads=[size // 2] * 4, strides=strides)
        if self._chance(0.2):
            made = self._node("BatchNormalization", made, *self._statistics(outputs))
        self._quantize(self._activated(made))

    def _statistics(self, channels: int) -> list[str]:
        return [self._constant(np.abs(self._normal(channels)) + np.float32(0.3)) for _ in range(4)]

    def _depthwise(self, value: Quantized) -> None:
        channels = value.shape[1]
        weight, _ = self._weight(channels, 1, 3, 3)
        self._quantize(self._activated(self._node("Conv", value.real, weight, group=channels, pads=[1] * 4)))

    def _pool(self, value: Quantized) -> None:
        strides, ceil = [int(self._draw.integers(1, 3))] * 2, int(self._draw.integers(2))
        made = self._node("MaxPool", value.real, kernel_shape=[2, 2], strides=strides, ceil_mode=ceil)
        self._quantize(made, self._kept(value))

    def _average(self, value: Quantized) -> None:
        counted = int(self._draw.integers(2))
        pads = [0, 0, 1, 1]
        made = self._node("AveragePool", value.real, kernel_shape=[2, 2], pads=pads, count_include_pad=counted)
        self._quantize(made)

    def _sum(self, value: Quantized) -> None:
        kind = "Add" if self._chance(0.7) else "Sub"
        self._quantize(self._activated(self._node(kind, value.real, self._partner(value).real)))

    def _product(self, value: Quantized) -> None:
        self._quantize(self._activated(self._node("Mul", value.real, self._partner(value).real)))

    def _join(self, value: Quantized) -> None:
        self._quantize(self._node("Concat", value.real, self._partner(value).real, axis=1))

    def _function(self, value: Quantized) -> None:
        self._quantize(self._node(str(self._draw.choice(_FUNCTIONS)), value.real))

    def _relu(self, value: Quantized) -> None:
        made = self._node("Relu", value.real)
        self._quantize(made, self._kept(value, 0.4))
        if self._chance(0.3):
            self._quantize(self._node("Abs", made))

    def _pad(self, value: Quantized) -> None:
        self._quantize(
            self._node("Pad", value.real, self._constant(np.array([0, 0, 1, 0, 0, 0, 0, 2]))), self._kept(value)
        )

    def _double(self, value: Quantized) -> None:
        modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        made = self._node(
            "Resize", value.real, "", self._constant(np.array([1, 1, 2, 1], np.float32)), mode="nearest", **modes
        )
        self._quantize(made, self._kept(value))

    def _softmax(self, value: Quantized) -> None:
        grid = Quantized("", "", (), 1 / 256, -128)
        self._quantize(self._node("Softmax", value.real, axis=int(self._draw.choice([-1, 1]))), grid)

    def _mean(self, value: Quantized) -> None:
        self._quantize(self._node("GlobalAveragePool", value.real))

    def _part(self, value: Quantized) -> None:
        if value.shape[1] < 2:
            return
        names = [self._name("part"), self._name("part")]
        self._nodes.append(helper.make_node("Split", [value.real], names, name=f"n_{names[0]}", axis=1, num_outputs=2))
        for name in names:
            self._quantize(name, self._kept(value))

    def _outputs(self) -> list[str]:
        """Every value that nobody reads, some others, and the integers of a few."""
        read = {name for node in self._nodes for name in node.input}
        found = []
        for value in self._values[1:]:
            if value.real not in read or self._chance(0.15):
                found.append(value.real)
            if self._chance(0.1):
                found.append(value.integers)
        return found or [self._values[-1].real]
