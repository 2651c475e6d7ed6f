"""Models of ``ai.onnx.ml`` as scikit-learn exports them, with random parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

ML = "ai.onnx.ml"
FEATURES = 4


def ml(kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> NodeProto:
    """A node of the domain, named after its operator."""
    return helper.make_node(kind, list(inputs), list(outputs), name=kind, domain=ML, **attributes)


def one(kind: str, **attributes: Any) -> list[NodeProto]:
    """The node alone, from x to y."""
    return [ml(kind, ["x"], ["y"], **attributes)]


def classifier(kind: str, **attributes: Any) -> list[NodeProto]:
    """The node alone, from x to label and scores."""
    return [ml(kind, ["x"], ["label", "scores"], **attributes)]


def model_of(
    nodes: Sequence[NodeProto],
    outputs: Mapping[str, int],
    *,
    features: int = FEATURES,
    kind: int = TensorProto.FLOAT,
    constants: dict[str, Any] | None = None,
    version: int = 3,
    opset: int = 17,
) -> ModelProto:
    """A model of x [N, features]; constants are arrays, or lists of words."""
    initializers = []
    for name, value in (constants or {}).items():
        if isinstance(value, np.ndarray):
            initializers.append(numpy_helper.from_array(value, name))
        else:
            words = [item.encode() for item in value]
            initializers.append(helper.make_tensor(name, TensorProto.STRING, [len(words)], words))
    graph = helper.make_graph(
        list(nodes),
        "classical",
        [helper.make_tensor_value_info("x", kind, [None, features])],
        [helper.make_tensor_value_info(name, type_, None) for name, type_ in outputs.items()],
        initializers,
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(ML, version)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


class Draw:
    """Random lists for attributes."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def floats(self, *shape: int) -> list[float]:
        """Normally distributed numbers, float32."""
        found: list[float] = self.random.normal(size=shape).astype(np.float32).reshape(-1).tolist()
        return found
