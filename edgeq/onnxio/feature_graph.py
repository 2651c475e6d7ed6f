"""ONNX models of features, node by node, with states for the streaming form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.numerics.array import Array
from edgeq.onnxio.states import KEY
from edgeq.onnxio.writer import IR_VERSION, OPSET

if TYPE_CHECKING:
    import onnx

SIGNAL: Final = "signal"


class FeatureGraph:
    """Nodes in a row, each called after its operator; the input is :data:`SIGNAL`."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, Array] = {}
        self._states: list[tuple[str, tuple[int, ...]]] = []

    def constant(self, name: str, values: Array) -> str:
        """Add a constant; returns its name."""
        self._constants[name] = values
        return name

    def node(self, kind: str, *operands: str, result: str | None = None, **attributes: int | list[int]) -> str:
        """Add a node of one result; returns the name of that."""
        from onnx import helper

        name = result or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(operands), [name], name=f"{name}_{kind}", **attributes))  # type: ignore[arg-type]
        return name

    def remember(self, value: str, name: str, kept: int, rest: tuple[int, ...]) -> str:
        """What was kept before, then the value, along axis 1; the last ``kept`` of that are kept."""
        if kept < 1:
            return value
        state = self.state(f"{name}_state", (1, kept, *rest))
        whole = self.node("Concat", state, value, axis=1)
        bounds = [self.constant(f"{name}_{label}", np.array([at])) for label, at in (("from", -kept), ("to", 1 << 31))]
        self.node("Slice", whole, *bounds, self.constant(f"{name}_axis", np.array([1])), result=f"{state}_out")
        return whole

    def state(self, name: str, shape: tuple[int, ...]) -> str:
        """What the last step left in ``NAME_out``, zeros before the first."""
        self._states.append((name, shape))
        return name

    def model(self, name: str, given: tuple[int, ...], result: str, shape: tuple[int, ...]) -> onnx.ModelProto:
        """The whole model, of one input and one result beside the states."""
        from onnx import TensorProto, helper, numpy_helper

        def infos(named: Sequence[tuple[str, tuple[int, ...]]]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(key, TensorProto.FLOAT, size) for key, size in named]

        graph = helper.make_graph(
            self._nodes,
            name,
            infos([(SIGNAL, given), *self._states]),
            infos([(result, shape), *((f"{key}_out", size) for key, size in self._states)]),
            [numpy_helper.from_array(values, key) for key, values in self._constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        if self._states:
            helper.set_model_props(model, {KEY: json.dumps([[key, f"{key}_out"] for key, _ in self._states])})
        return model
