"""Reads what a .tflite file says into plain records, by the schema package alone: no TensorFlow, no interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgeq.numerics.array import Array

TYPES: Final = {"FLOAT32": np.float32, "INT8": np.int8, "UINT8": np.uint8, "INT16": np.int16, "INT32": np.int32}
_WIDE: Final = {"INT64": np.int64}


@dataclass(frozen=True, eq=False)
class TfliteTensor:
    """One tensor of the file.

    Attributes:
        index: its number in the file.
        name: its name, made unique.
        shape: sizes, NHWC.
        dtype: the schema's name of its type, ``INT8``.
        data: the values of a constant, else None.
        scale: float32 [1] or [C], or None where it is not quantized.
        zero: int64, as ``scale``.
        axis: the axis along which ``scale`` runs.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    data: Array | None
    scale: Array | None
    zero: Array | None
    axis: int


@dataclass(frozen=True)
class TfliteOp:
    """One operator: its builtin name, its tensors by number (−1 is absent), its options as the schema reads them."""

    code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


@dataclass(frozen=True)
class TfliteModel:
    """The main graph of a file."""

    tensors: tuple[TfliteTensor, ...]
    ops: tuple[TfliteOp, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


# Operator → class of its options in the schema; the others have none that matter.
_OPTIONS: Final = {
    "ADD": "AddOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MUL": "MulOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SUB": "SubOptions",
}


def read_tflite(path: Path) -> TfliteModel:
    """Read a file.

    Raises:
        ValueError: it has several subgraphs (control flow, variables), or a type that no int8 model needs.
    """
    import tflite

    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ValueError(f"{path} is not a .tflite file")
    model = tflite.Model.GetRootAsModel(content, 0)
    if model.SubgraphsLength() != 1:
        raise ValueError(f"{path} has {model.SubgraphsLength()} subgraphs, not 1")
    graph = model.Subgraphs(0)
    types, codes = _names(tflite.TensorType), _names(tflite.BuiltinOperator)
    taken: set[str] = set()
    tensors = tuple(_tensor(model, graph.Tensors(i), i, types, taken) for i in range(graph.TensorsLength()))
    ops = []
    for position in range(graph.OperatorsLength()):
        op = graph.Operators(position)
        entry = model.OperatorCodes(op.OpcodeIndex())
        code = codes[max(entry.BuiltinCode(), entry.DeprecatedBuiltinCode())]
        options = None
        if code in _OPTIONS:
            options = getattr(tflite, _OPTIONS[code])()
            table = op.BuiltinOptions()
            options.Init(table.Bytes, table.Pos)
        ops.append(TfliteOp(code, _ints(op.InputsAsNumpy()), _ints(op.OutputsAsNumpy()), options))
    return TfliteModel(tensors, tuple(ops), _ints(graph.InputsAsNumpy()), _ints(graph.OutputsAsNumpy()))


def _tensor(model: Any, tensor: Any, index: int, types: dict[int, str], taken: set[str]) -> TfliteTensor:
    name = tensor.Name().decode() or f"tensor_{index}"
    if name in taken:
        name = f"{name}_{index}"
    taken.add(name)
    shape = _ints(tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
    dtype = types[tensor.Type()]
    buffer = model.Buffers(tensor.Buffer())
    data = None
    if buffer.DataLength():
        known = {**TYPES, **_WIDE}
        if dtype not in known:
            raise ValueError(f"constant {name} is {dtype}")
        data = np.frombuffer(buffer.DataAsNumpy().tobytes(), known[dtype]).reshape(shape)
    quantization = tensor.Quantization()
    scale = zero = None
    axis = 0
    if quantization is not None and quantization.ScaleLength():
        scale = np.array(quantization.ScaleAsNumpy(), np.float32)
        zero = np.array(quantization.ZeroPointAsNumpy(), np.int64)
        axis = quantization.QuantizedDimension()
    return TfliteTensor(index, name, shape, dtype, data, scale, zero, axis)


def _names(kind: type) -> dict[int, str]:
    return {value: name for name, value in vars(kind).items() if isinstance(value, int)}


def _ints(array: Any) -> tuple[int, ...]:
    return tuple(int(item) for item in np.atleast_1d(array))
