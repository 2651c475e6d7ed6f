"""From a draft to the bytes of a .tflite file, through the schema's own builders.

The bytes depend on the draft alone. Constants are aligned to 16 bytes, as TFLite asks; equal ones share a buffer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import flatbuffers
import numpy as np
import tflite

from edgeq.backends.tflite.draft import Draft, Field, Operator, Options
from edgeq.backends.tflite.versions import minimum_runtime
from edgeq.ir import DType, Quantization, Tensor
from edgeq.numerics.array import Array

_SCHEMA_VERSION: Final = 3
_IDENTIFIER: Final = b"TFL3"
_ALIGNMENT: Final = 16
_RUNTIME_BYTES: Final = 16
# The field of one byte that readers of old files know cannot say more.
_DEPRECATED_CODE_MAX: Final = 127
_TYPES: Final = {
    DType.INT8: "INT8",
    DType.INT16: "INT16",
    DType.INT32: "INT32",
    DType.INT64: "INT64",
    DType.UINT8: "UINT8",
    DType.UINT32: "UINT32",
}
# Option fields that hold a member of an enumeration: the enumeration by the field's name.
_ENUMERATIONS: Final = {
    "FusedActivationFunction": tflite.ActivationFunctionType,
    "InDataType": tflite.TensorType,
    "OutDataType": tflite.TensorType,
    "Padding": tflite.Padding,
}


def serialize(draft: Draft, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> bytes:
    """The file.

    Args:
        draft: what it holds.
        inputs: tensor names by the names that the signature gives them, in the model's order.
        outputs: likewise.
    """
    printer = _Printer(draft)
    return printer.model(inputs, outputs)


def packed(tensor: Tensor) -> bytes:
    """A constant as it lies in the file: little endian; 4-bit values two a byte, the first in the low half."""
    values = tensor.value()
    if tensor.bits != 4:
        return values.astype(values.dtype.newbyteorder("<")).tobytes()
    nibbles = np.zeros(values.size + values.size % 2, np.uint8)
    nibbles[: values.size] = values.reshape(-1).astype(np.int8).view(np.uint8) & 0xF
    return (nibbles[::2] | nibbles[1::2] << 4).tobytes()


class _Printer:
    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.builder = flatbuffers.Builder(1024)
        self.index = {name: number for number, name in enumerate(draft.tensors)}
        self.codes = tuple(dict.fromkeys((step.code, step.version) for step in draft.operators))
        # Buffer 0 is empty by the format's definition.
        self.buffers: dict[bytes, int] = {b"": 0}
        self.vectors: dict[tuple[str, bytes], int] = {}

    def model(self, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> bytes:
        name = self.builder.CreateString(self.draft.graph.name)
        subgraph = self._subgraph(name, inputs, outputs)
        signature = self._signature(inputs, outputs)
        metadata = self._metadata()
        codes = self._tables([self._code(code, version) for code, version in self.codes])
        buffers = self._tables([self._buffer(content) for content in self.buffers])
        made = self._table(
            "Model",
            Version=_SCHEMA_VERSION,
            OperatorCodes=codes,
            Subgraphs=self._tables([subgraph]),
            Description=self.builder.CreateString("edgeq"),
            Buffers=buffers,
            Metadata=self._tables([metadata]),
            SignatureDefs=self._tables([signature]),
        )
        self.builder.Finish(made, _IDENTIFIER)
        return bytes(self.builder.Output())

    def _subgraph(self, name: int, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> int:
        return self._table(
            "SubGraph",
            Tensors=self._tables([self._tensor(tensor) for tensor in self.draft.tensors.values()]),
            Inputs=self._indices(tuple(inputs.values())),
            Outputs=self._indices(tuple(outputs.values())),
            Operators=self._tables([self._operator(operator) for operator in self.draft.operators]),
            Name=name,
        )

    def _tensor(self, tensor: Tensor) -> int:
        kind = "INT4" if tensor.bits == 4 else _TYPES[tensor.dtype]
        parts = {
            "Shape": self._numbers(np.array(tensor.shape, np.int32)),
            "Type": getattr(tflite.TensorType, kind),
            "Buffer": self._buffer_of(packed(tensor)) if tensor.is_constant else 0,
            "Name": self.builder.CreateString(tensor.name),
            "HasRank": True,
        }
        if tensor.quant is not None:
            parts["Quantization"] = self._quantization(tensor.quant)
        return self._table("Tensor", **parts)

    def _quantization(self, quant: Quantization) -> int:
        return self._table(
            "QuantizationParameters",
            Scale=self._numbers(np.array(quant.scale, np.float32)),
            ZeroPoint=self._numbers(np.array(quant.zero_point, np.int64)),
            QuantizedDimension=quant.axis or 0,
        )

    def _operator(self, operator: Operator) -> int:
        parts = {
            "OpcodeIndex": self.codes.index((operator.code, operator.version)),
            "Inputs": self._indices(operator.inputs),
            "Outputs": self._indices(operator.outputs),
        }
        if operator.options is not None:
            parts["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, operator.options.table)
            parts["BuiltinOptions"] = self._options(operator.options)
        return self._table("Operator", **parts)

    def _options(self, options: Options) -> int:
        return self._table(options.table, **{name: self._value(name, value) for name, value in options.fields.items()})

    def _value(self, name: str, value: Field) -> int | float | bool:
        if isinstance(value, tuple):
            return self._numbers(np.array(value, np.int32))
        if isinstance(value, str):
            return int(getattr(_ENUMERATIONS[name], value))
        return value

    def _code(self, code: str, version: int) -> int:
        number = getattr(tflite.BuiltinOperator, code)
        return self._table(
            "OperatorCode",
            DeprecatedBuiltinCode=min(number, _DEPRECATED_CODE_MAX),
            Version=version,
            BuiltinCode=number,
        )

    def _metadata(self) -> int:
        content = minimum_runtime(self.codes).encode().ljust(_RUNTIME_BYTES, b"\0")
        return self._table(
            "Metadata", Name=self.builder.CreateString("min_runtime_version"), Buffer=self._buffer_of(content)
        )

    def _signature(self, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> int:
        def entries(names: Mapping[str, str]) -> int:
            return self._tables(
                [
                    self._table("TensorMap", Name=self.builder.CreateString(name), TensorIndex=self.index[tensor])
                    for name, tensor in names.items()
                ]
            )

        return self._table(
            "SignatureDef",
            Inputs=entries(inputs),
            Outputs=entries(outputs),
            SignatureKey=self.builder.CreateString("serving_default"),
            SubgraphIndex=0,
        )

    def _buffer_of(self, content: bytes) -> int:
        return self.buffers.setdefault(content, len(self.buffers))

    def _buffer(self, content: bytes) -> int:
        if not content:
            return self._table("Buffer")
        builder = self.builder
        builder.StartVector(1, len(content), _ALIGNMENT)
        builder.head -= len(content)
        builder.Bytes[builder.head : builder.head + len(content)] = content
        return self._table("Buffer", Data=builder.EndVector())

    def _indices(self, names: Sequence[str]) -> int:
        return self._numbers(np.array([self.index[name] for name in names], np.int32))

    def _numbers(self, values: Array) -> int:
        """A vector of numbers; equal ones, such as the zeros beside per-channel scales, are stored once."""
        key = (values.dtype.name, values.tobytes())
        if key not in self.vectors:
            self.vectors[key] = int(self.builder.CreateNumpyVector(values))
        return self.vectors[key]

    def _tables(self, offsets: Sequence[int]) -> int:
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return int(self.builder.EndVector())

    def _table(self, kind: str, **fields: float | bool) -> int:
        """A table of the schema from scalars and the offsets of its parts."""
        getattr(tflite, f"{kind}Start")(self.builder)
        for name, value in fields.items():
            getattr(tflite, f"{kind}Add{name}")(self.builder, value)
        return int(getattr(tflite, f"{kind}End")(self.builder))
