"""An int8 .tflite file as an ONNX QDQ model that means the same: scales, zero points, weights and biases unchanged.

A test-side converter: it shows that publishers' int8 files come through edgeq's import with every number kept. Images
are NCHW inside and NHWC at the borders, so a Transpose stands where they meet. What a fused activation does is a Relu
or Clip before the QuantizeLinear. What it cannot express it refuses by name; it guesses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeq.numerics.array import Array
from tests.quantized.tflite_file import TfliteModel, TfliteOp, TfliteTensor, read_tflite

OPSET: Final = 21
_TO_NCHW: Final = (0, 3, 1, 2)
_TO_NHWC: Final = (0, 2, 3, 1)
_ACTIVATIONS: Final = {0: None, 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
_ONNX_TYPES: Final = {"INT8": TensorProto.INT8, "UINT8": TensorProto.UINT8}


@dataclass(frozen=True)
class Converted:
    """A model, and how to find the file's tensors in it.

    Attributes:
        model: ONNX, opset 21; inputs and outputs are float32 and laid out as in the file.
        source: what was read.
        tensors: name of a float value of the model → number of the tensor that its QuantizeLinear gives.
        nchw: numbers of the tensors that the model holds as NCHW.
    """

    model: onnx.ModelProto
    source: TfliteModel
    tensors: dict[str, int]
    nchw: frozenset[int]


def convert(path: Path) -> Converted:
    """Convert a file.

    Raises:
        ValueError: an operator, an option or a type has no form here.
    """
    return _Converter(read_tflite(path)).convert()


@dataclass
class _Converter:
    source: TfliteModel
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    # Tensor number and layout → the float value that holds it.
    values: dict[tuple[int, bool], str] = field(default_factory=dict)
    tensors: dict[str, int] = field(default_factory=dict)
    nchw: set[int] = field(default_factory=set)

    def convert(self) -> Converted:
        inputs = []
        for index in self.source.inputs:
            tensor = self.source.tensors[index]
            inputs.append(helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.shape))
            self.quantize(index, tensor.name, nchw=False)
        for op in self.source.ops:
            rule = _RULES.get(op.code)
            if rule is None:
                raise ValueError(f"{op.code} has no form here")
            rule(self, op)
        outputs = []
        for index in self.source.outputs:
            tensor = self.source.tensors[index]
            name = f"{tensor.name}_output"
            last = self.value(index, nchw=False)
            # A dequantized value may have several readers, so an output is a copy by name of the node that makes it.
            for node in self.nodes:
                node.output[:] = [name if item == last else item for item in node.output]
                node.input[:] = [name if item == last else item for item in node.input]
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, tensor.shape))
        graph = helper.make_graph(self.nodes, "tflite", inputs, outputs, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        return Converted(model, self.source, self.tensors, frozenset(self.nchw))

    # --- parts of the graph --------------------------------------------------------------------------------------

    def tensor(self, index: int) -> TfliteTensor:
        return self.source.tensors[index]

    def constant(self, name: str, array: Array) -> str:
        self.initializers.append(numpy_helper.from_array(np.array(array), name))
        return name

    def node(self, op_type: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=f"{op_type}:{output}", **attributes))
        return output

    def parameters(self, tensor: TfliteTensor, base: str) -> list[str]:
        """Scale and zero point of a tensor as initializers: [] for one scale, [C] for several."""
        if tensor.scale is None or tensor.zero is None:
            raise ValueError(f"{tensor.name} is not quantized")
        shape = () if tensor.scale.size == 1 else (-1,)
        zero = tensor.zero.astype(np.int32 if tensor.dtype == "INT32" else np.int8).reshape(shape)
        scale = self.constant(f"{base}/scale", tensor.scale.reshape(shape))
        return [scale, self.constant(f"{base}/zero_point", zero)]

    def quantize(self, index: int, value: str, *, nchw: bool) -> None:
        """Q and DQ behind a float value, which is the file's tensor ``index`` from here on."""
        tensor = self.tensor(index)
        if tensor.dtype != "INT8" or tensor.scale is None or tensor.scale.size != 1:
            raise ValueError(f"activation {tensor.name} is not int8 with one scale")
        parameters = self.parameters(tensor, tensor.name)
        self.node("QuantizeLinear", [value, *parameters], f"{tensor.name}/quantized")
        name = self.node("DequantizeLinear", [f"{tensor.name}/quantized", *parameters], f"{tensor.name}/dequantized")
        self.values[index, nchw] = name
        self.tensors[value] = index
        if nchw:
            self.nchw.add(index)

    def value(self, index: int, *, nchw: bool) -> str:
        """The dequantized value of an activation in the layout asked for."""
        if (index, nchw) not in self.values:
            tensor = self.tensor(index)
            if tensor.data is not None:
                return self.dequantized(index, nchw=nchw)
            perm, label = (_TO_NCHW, "nchw") if nchw else (_TO_NHWC, "nhwc")
            turned = self.node("Transpose", [self.values[index, not nchw]], f"{tensor.name}/{label}", perm=perm)
            self.values[index, nchw] = turned
        return self.values[index, nchw]

    def dequantized(self, index: int, perm: tuple[int, ...] | None = None, *, nchw: bool = False) -> str:
        """A constant as the file has it, or its axes reordered, behind a DequantizeLinear."""
        tensor = self.tensor(index)
        assert tensor.data is not None
        order = perm or (_TO_NCHW if nchw and len(tensor.shape) == 4 else tuple(range(len(tensor.shape))))
        base = f"{tensor.name}/as_{len(self.nodes)}"
        values = self.constant(base, tensor.data.transpose(order))
        per_channel = tensor.scale is not None and tensor.scale.size > 1
        attributes = {"axis": order.index(tensor.axis)} if per_channel else {}
        inputs = [values, *self.parameters(tensor, base)]
        return self.node("DequantizeLinear", inputs, f"{base}/dequantized", **attributes)

    def finish(
        self, op_type: str, inputs: Sequence[str], index: int, *, nchw: bool, activation: int = 0, **attributes: Any
    ) -> None:
        """The node of an operator, its fused activation, and the quantization of its result."""
        name = self.tensor(index).name
        bounds = _ACTIVATIONS.get(activation, ())
        if bounds == ():
            raise ValueError(f"the fused activation {activation} of {name} has no form here")
        if bounds is None:
            self.node(op_type, inputs, name, **attributes)
        else:
            linear = self.node(op_type, inputs, f"{name}/linear", **attributes)
            if bounds == (0.0, None):
                self.node("Relu", [linear], name)
            else:
                limits = zip(("low", "high"), bounds, strict=True)
                named = [self.constant(f"{name}/{label}", np.array(bound, np.float32)) for label, bound in limits]
                self.node("Clip", [linear, *named], name)
        self.quantize(index, name, nchw=nchw)

    def is_image(self, index: int) -> bool:
        return len(self.tensor(index).shape) == 4


# --- rules, one per operator --------------------------------------------------------------------------------------


def _padding(size: int, kernel: int, stride: int, dilation: int, *, same: bool) -> tuple[int, int]:
    """What TensorFlow pads before and behind an axis; the odd element goes behind."""
    reach = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0) if same else 0
    return total // 2, total - total // 2


def _window(c: _Converter, op: TfliteOp, kernel: tuple[int, int], dilations: tuple[int, int]) -> dict[str, Any]:
    options, shape = op.options, c.tensor(op.inputs[0]).shape
    strides = (options.StrideH(), options.StrideW())
    same = options.Padding() == 0
    pads = [_padding(shape[1 + axis], kernel[axis], strides[axis], dilations[axis], same=same) for axis in range(2)]
    return {
        "kernel_shape": kernel,
        "strides": strides,
        "pads": [pads[0][0], pads[1][0], pads[0][1], pads[1][1]],
    }


def _conv(c: _Converter, op: TfliteOp) -> None:
    depthwise = op.code == "DEPTHWISE_CONV_2D"
    weight = c.tensor(op.inputs[1])
    kernel, dilations = weight.shape[1:3], (op.options.DilationHFactor(), op.options.DilationWFactor())
    attributes = _window(c, op, (kernel[0], kernel[1]), dilations) | {"dilations": dilations}
    attributes["group"] = c.tensor(op.inputs[0]).shape[3] if depthwise else 1
    operands = [c.value(op.inputs[0], nchw=True), c.dequantized(op.inputs[1], (3, 0, 1, 2) if depthwise else _TO_NCHW)]
    operands += _bias(c, op)
    c.finish("Conv", operands, op.outputs[0], nchw=True, activation=op.options.FusedActivationFunction(), **attributes)


def _bias(c: _Converter, op: TfliteOp) -> list[str]:
    return [c.dequantized(op.inputs[2])] if len(op.inputs) > 2 and op.inputs[2] >= 0 else []


def _fully_connected(c: _Converter, op: TfliteOp) -> None:
    if op.options.WeightsFormat() or (op.options.KeepNumDims() and len(c.tensor(op.inputs[0]).shape) != 2):
        raise ValueError("a FULLY_CONNECTED in another format has no form here")
    x = c.value(op.inputs[0], nchw=False)
    weight, name = c.tensor(op.inputs[1]), c.tensor(op.outputs[0]).name
    if len(c.tensor(op.inputs[0]).shape) != 2:
        shape = c.constant(f"{name}/rows", np.array([-1, weight.shape[1]], np.int64))
        x = c.node("Reshape", [x, shape], f"{name}/input_rows")
    operands = [x, c.dequantized(op.inputs[1]), *_bias(c, op)]
    c.finish("Gemm", operands, op.outputs[0], nchw=False, activation=op.options.FusedActivationFunction(), transB=1)


def _elementwise(op_type: str) -> Callable[[_Converter, TfliteOp], None]:
    def rule(c: _Converter, op: TfliteOp) -> None:
        nchw = any((index, True) in c.values for index in op.inputs)
        if nchw and not all(c.is_image(index) for index in op.inputs):
            nchw = False
        operands = [c.value(index, nchw=nchw) for index in op.inputs]
        c.finish(op_type, operands, op.outputs[0], nchw=nchw, activation=op.options.FusedActivationFunction())

    return rule


def _pool(op_type: str) -> Callable[[_Converter, TfliteOp], None]:
    def rule(c: _Converter, op: TfliteOp) -> None:
        attributes = _window(c, op, (op.options.FilterHeight(), op.options.FilterWidth()), (1, 1))
        x = c.value(op.inputs[0], nchw=True)
        c.finish(op_type, [x], op.outputs[0], nchw=True, activation=op.options.FusedActivationFunction(), **attributes)

    return rule


def _mean(c: _Converter, op: TfliteOp) -> None:
    axes = c.tensor(op.inputs[1]).data
    assert axes is not None
    image = c.is_image(op.inputs[0])
    rank = len(c.tensor(op.inputs[0]).shape)
    wanted = [int(axis) % rank for axis in axes.reshape(-1)]
    keep = bool(op.options.KeepDims())
    nchw = image and keep
    named = c.constant(
        f"{c.tensor(op.outputs[0]).name}/axes",
        np.array(sorted(_TO_NCHW.index(axis) if nchw else axis for axis in wanted), np.int64),
    )
    c.finish("ReduceMean", [c.value(op.inputs[0], nchw=nchw), named], op.outputs[0], nchw=nchw, keepdims=int(keep))


def _pad(c: _Converter, op: TfliteOp) -> None:
    amounts = c.tensor(op.inputs[1]).data
    assert amounts is not None
    nchw = c.is_image(op.inputs[0])
    order = _TO_NCHW if nchw else tuple(range(len(amounts)))
    pads = [int(amounts[axis][0]) for axis in order] + [int(amounts[axis][1]) for axis in order]
    named = c.constant(f"{c.tensor(op.outputs[0]).name}/pads", np.array(pads, np.int64))
    c.finish("Pad", [c.value(op.inputs[0], nchw=nchw), named], op.outputs[0], nchw=nchw)


def _reshape(c: _Converter, op: TfliteOp) -> None:
    shape = np.array(c.tensor(op.outputs[0]).shape, np.int64)
    named = c.constant(f"{c.tensor(op.outputs[0]).name}/shape", shape)
    c.finish("Reshape", [c.value(op.inputs[0], nchw=False), named], op.outputs[0], nchw=False)


def _softmax(c: _Converter, op: TfliteOp) -> None:
    if op.options.Beta() != 1.0:
        raise ValueError("a SOFTMAX with beta other than 1 has no form here")
    c.finish("Softmax", [c.value(op.inputs[0], nchw=False)], op.outputs[0], nchw=False, axis=-1)


def _concatenation(c: _Converter, op: TfliteOp) -> None:
    nchw = all(c.is_image(index) for index in op.inputs)
    axis = op.options.Axis() % len(c.tensor(op.inputs[0]).shape)
    operands = [c.value(index, nchw=nchw) for index in op.inputs]
    c.finish(
        "Concat",
        operands,
        op.outputs[0],
        nchw=nchw,
        activation=op.options.FusedActivationFunction(),
        axis=_TO_NCHW.index(axis) if nchw else axis,
    )


def _transpose(c: _Converter, op: TfliteOp) -> None:
    perm = c.tensor(op.inputs[1]).data
    assert perm is not None
    x = c.value(op.inputs[0], nchw=False)
    c.finish("Transpose", [x], op.outputs[0], nchw=False, perm=[int(axis) for axis in perm])


def _unary(op_type: str) -> Callable[[_Converter, TfliteOp], None]:
    def rule(c: _Converter, op: TfliteOp) -> None:
        nchw = (op.inputs[0], True) in c.values
        c.finish(op_type, [c.value(op.inputs[0], nchw=nchw)], op.outputs[0], nchw=nchw)

    return rule


def _quantize(c: _Converter, op: TfliteOp) -> None:
    """int8 to int8 is a change of scale; from a float input it is the QuantizeLinear that the input has anyway."""
    nchw = (op.inputs[0], True) in c.values
    c.quantize(op.outputs[0], c.value(op.inputs[0], nchw=nchw), nchw=nchw)


_RULES: Final[dict[str, Callable[[_Converter, TfliteOp], None]]] = {
    "ADD": _elementwise("Add"),
    "AVERAGE_POOL_2D": _pool("AveragePool"),
    "CONCATENATION": _concatenation,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _conv,
    "FULLY_CONNECTED": _fully_connected,
    "LOGISTIC": _unary("Sigmoid"),
    "MAX_POOL_2D": _pool("MaxPool"),
    "MEAN": _mean,
    "MUL": _elementwise("Mul"),
    "PAD": _pad,
    "QUANTIZE": _quantize,
    "RELU": _unary("Relu"),
    "RESHAPE": _reshape,
    "SOFTMAX": _softmax,
    "SUB": _elementwise("Sub"),
    "TANH": _unary("Tanh"),
    "TRANSPOSE": _transpose,
}
