"""Parts of a model run by themselves, on values that were computed before.

Running a model to one of its values needs what that value depends on and nothing else; running it layer by layer needs
a session of each layer alone. The model is serialized once, and a session takes the nodes and constants of its part,
so that the sessions of all layers together cost what one session of the whole model costs. Constants may be fed like
inputs: candidates that differ in integers and scales alone share the sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING

import numpy as np

from edgeq.numerics.array import Array
from edgeq.onnxio.session import MAX_IR_VERSION, fetch, start

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir


class Piece:
    """A part of a model that can be run.

    Attributes:
        outputs: names of what :meth:`run` gives.
    """

    def __init__(self, model: onnx.ModelProto, outputs: Sequence[str], constants: Mapping[str, Array]) -> None:
        self.outputs = tuple(outputs)
        self._constants = dict(constants)
        self._computed = tuple(value.name for value in model.graph.output)
        self._inputs = tuple(value.name for value in model.graph.input)
        self._session = start(model.SerializeToString()) if self._computed else None

    def run(self, feeds: Mapping[str, Array], fed: Mapping[str, Array] | None = None) -> dict[str, Array]:
        """The outputs by name.

        Args:
            feeds: values that the part goes on from; there may be more than it reads.
            fed: the constants that are fed.

        Raises:
            EdgeqError: EQ0243 the run fails.
        """
        found = dict(self._constants)
        if self._session is not None:
            given = {name: feeds[name] if fed is None or name in feeds else fed[name] for name in self._inputs}
            found |= fetch(self._session, self._computed, given)
        return {name: found[name] if name in found else feeds[name] for name in self.outputs}


class Pieces:
    """A model, ready to be run in parts.

    Args:
        model: static shapes; every node in the main graph.
        fed: names of constants that are fed with every run.
    """

    def __init__(self, model: ir.Model, fed: Iterable[str] = ()) -> None:
        import onnx_ir as ir

        proto = ir.to_proto(model)
        proto.ir_version = min(proto.ir_version, MAX_IR_VERSION)
        self.nodes: list[onnx.NodeProto] = list(proto.graph.node)
        self._fed = frozenset(fed)
        self._constants = {tensor.name: tensor for tensor in proto.graph.initializer if tensor.name not in self._fed}
        self._maker = {name: number for number, node in enumerate(self.nodes) for name in node.output if name}
        self._types = {str(value.name): int(value.dtype or 1) for value in model.graph.inputs}
        self._types |= {tensor.name: tensor.data_type for tensor in proto.graph.initializer}
        for node in model.graph:
            self._types |= {str(value.name): int(value.dtype or 1) for value in node.outputs}
        del proto.graph.node[:], proto.graph.initializer[:], proto.graph.value_info[:]
        del proto.graph.input[:], proto.graph.output[:]
        self._frame = proto
        self._reshapes = {
            number: tuple(node.outputs[0].shape.numpy())
            for number, node in enumerate(model.graph)
            if node.op_type == "Reshape" and node.outputs[0].shape is not None
        }

    def batched(self) -> Pieces:
        """The same for several samples in one run, along axis 0, which every operator must allow.

        A Reshape, which states the size of axis 0, infers it.
        """
        import onnx

        result = copy(self)
        result.nodes = list(self.nodes)
        constants = dict(self._constants)
        for number, shape in self._reshapes.items():
            node = onnx.NodeProto()
            node.CopyFrom(self.nodes[number])
            name = f"{node.output[0]}/batched_shape"
            constants[name] = onnx.numpy_helper.from_array(np.array([-1, *shape[1:]], np.int64), name)
            node.input[1] = name
            result.nodes[number] = node
        vars(result)["_constants"] = constants
        return result

    def makers(self, outputs: Iterable[str], given: Iterable[str]) -> list[int]:
        """The numbers of the nodes that compute some values from others and from constants, in the model's order."""
        known = set(given)
        pending, found = list(outputs), set[int]()
        while pending:
            name = pending.pop()
            number = self._maker.get(name)
            if number is not None and number not in found and name not in known:
                found.add(number)
                pending += [operand for operand in self.nodes[number].input if operand]
        return sorted(found)

    def piece(self, outputs: Sequence[str], given: Iterable[str]) -> Piece:
        """The part that computes some values from others.

        Raises:
            EdgeqError: EQ0241 onnxruntime refuses it.
        """
        import onnx

        known = set(given)
        nodes = [self.nodes[number] for number in self.makers(outputs, known)]
        model = onnx.ModelProto()
        model.CopyFrom(self._frame)
        graph = model.graph
        graph.node.extend(nodes)
        read = dict.fromkeys(name for node in nodes for name in node.input if name)
        graph.initializer.extend(self._constants[name] for name in read if name in self._constants)
        for name in read:
            if name in known or name in self._fed:
                graph.input.add(name=name).type.tensor_type.elem_type = self._types[name]
        for name in dict.fromkeys(outputs):
            if name not in known and name in self._maker:
                graph.output.add(name=name)
        fixed = [name for name in outputs if name in self._constants and name not in known]
        return Piece(model, outputs, {name: onnx.numpy_helper.to_array(self._constants[name]) for name in fixed})
