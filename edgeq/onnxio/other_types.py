"""Integer types for which onnxruntime has no kernel: the operator runs on a wider type, between casts.

onnxruntime says so when it loads a model, and only then is the model changed. The numbers are the same: a wider type
holds all values, and sums and products wrap around when they are cast back. What compares uint32 and uint64 runs on
int32 and int64, whose order is the same when the highest bit is turned: there is no wider type than uint64, and
onnxruntime finds the smallest of several int64 by their lower halves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper, shape_inference

from edgeq.onnxio.names import fresh_name

_SHORT: Final = (TensorProto.INT16, TensorProto.UINT16)
_LONG: Final = (TensorProto.UINT32, TensorProto.UINT64)
_ALL: Final = (*_SHORT, *_LONG, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32, TensorProto.BOOL)
_TURNED: Final[Mapping[int, tuple[int, np.ndarray]]] = {
    TensorProto.UINT32: (TensorProto.INT32, np.array(1 << 31, np.uint32)),
    TensorProto.UINT64: (TensorProto.INT64, np.array(1 << 63, np.uint64)),
}


@dataclass(frozen=True)
class _Lack:
    """What an operator lacks.

    Attributes:
        types: the types without a kernel.
        operands: the inputs of the type in question.
        ordered: it compares values.
        indices: its first result is not of that type.
        carrier: the type to run on; None: the next wider one.
    """

    types: tuple[int, ...]
    operands: tuple[int, ...] = (0,)
    ordered: bool = False
    indices: bool = False
    carrier: int | None = None


_LACKS: Final[Mapping[str, _Lack]] = {
    **dict.fromkeys(("ArgMax", "ArgMin"), _Lack((*_SHORT, *_LONG), ordered=True, indices=True)),
    "BitShift": _Lack((TensorProto.UINT16,), (0, 1), carrier=TensorProto.UINT32),
    "Clip": _Lack(_SHORT, (0, 1, 2), ordered=True),
    "CumSum": _Lack(_LONG),
    **dict.fromkeys(("Max", "Min"), _Lack(_SHORT, tuple(range(64)), ordered=True)),
    "OneHot": _Lack(_ALL, (2,), carrier=TensorProto.INT64),
    "Pad": _Lack(_SHORT, (0, 2)),
    **dict.fromkeys(("ReduceMax", "ReduceMin"), _Lack(_LONG, ordered=True)),
    **dict.fromkeys(("ReduceL1", "ReduceProd", "ReduceSum", "ReduceSumSquare"), _Lack(_LONG)),
    "TopK": _Lack((TensorProto.UINT16, *_LONG), ordered=True),
    "Where": _Lack((*_SHORT, *_LONG, TensorProto.BOOL), (1, 2)),
}
_WIDER: Final[Mapping[int, int]] = {
    TensorProto.BOOL: TensorProto.INT32,
    TensorProto.INT16: TensorProto.INT32,
    TensorProto.UINT16: TensorProto.INT32,
    TensorProto.UINT32: TensorProto.INT64,
    TensorProto.UINT64: TensorProto.INT64,
}


def on_other_types(model: bytes) -> bytes | None:
    """The model with casts around the operators that need them; None where none does."""
    proto = shape_inference.infer_shapes(onnx.load_from_string(model))
    types = {value.name: value.type.tensor_type.elem_type for value in _values(proto.graph)}
    types |= {tensor.name: tensor.data_type for tensor in proto.graph.initializer}
    taken = set(types) | {name for node in proto.graph.node for name in (*node.input, *node.output, node.name)}
    nodes: list[NodeProto] = []
    for node in proto.graph.node:
        nodes += _Wrapped(node, types, taken).nodes(proto.graph)
    if len(nodes) == len(proto.graph.node):
        return None
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    return bytes(proto.SerializeToString())


def _values(graph: onnx.GraphProto) -> Iterable[onnx.ValueInfoProto]:
    return (*graph.input, *graph.output, *graph.value_info)


class _Wrapped:
    """One node, with casts in front and behind where it needs them."""

    def __init__(self, node: NodeProto, types: Mapping[str, int], taken: set[str]) -> None:
        self.node, self.taken = node, taken
        lack = _LACKS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        self.lack = lack or _Lack(())
        operands = [node.input[index] for index in self.lack.operands if index < len(node.input)]
        self.type = types.get(operands[0], 0) if operands else 0
        self.turned = _TURNED.get(self.type) if self.lack.ordered else None
        self.carrier = self.turned[0] if self.turned else self.lack.carrier or _WIDER.get(self.type, 0)

    def nodes(self, graph: onnx.GraphProto) -> list[NodeProto]:
        """What comes in the place of the node; its constants go to the graph."""
        if self.type not in self.lack.types:
            return [self.node]
        before: list[NodeProto] = []
        highest = self._name("highest")
        if self.turned:
            graph.initializer.append(numpy_helper.from_array(self.turned[1], highest))
        for index in self.lack.operands:
            if index < len(self.node.input) and self.node.input[index]:
                given = self.node.input[index]
                if self.turned:
                    given = self._made("BitwiseXor", [given, highest], before)
                self.node.input[index] = self._made("Cast", [given], before, to=self.carrier)
        if self.lack.indices:
            return [*before, self.node]
        result, wide = self.node.output[0], self._name("wide")
        self.node.output[0] = wide
        if not self.turned:
            return [*before, self.node, helper.make_node("Cast", [wide], [result], self._name("back"), to=self.type)]
        behind: list[NodeProto] = []
        narrow = self._made("Cast", [wide], behind, to=self.type)
        turn = helper.make_node("BitwiseXor", [narrow, highest], [result], self._name("turn"))
        return [*before, self.node, *behind, turn]

    def _made(self, kind: str, inputs: list[str], nodes: list[NodeProto], to: int | None = None) -> str:
        name = self._name(kind.lower())
        node = helper.make_node(kind, inputs, [name], name)
        if to is not None:
            node.attribute.append(helper.make_attribute("to", to))
        nodes.append(node)
        return name

    def _name(self, label: str) -> str:
        return fresh_name(f"{self.node.name or self.node.op_type}_{label}", self.taken)
