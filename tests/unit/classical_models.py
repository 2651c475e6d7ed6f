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
    opsets = [helper.make_opsetid(*pair) for pair in (("", opset), (ML, version), ("com.microsoft", 1))]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


class Draw:
    """Random lists for attributes."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def floats(self, *shape: int) -> list[float]:
        """Normally distributed numbers, float32."""
        found: list[float] = self.random.normal(size=shape).astype(np.float32).reshape(-1).tolist()
        return found


def drawn_trees(
    draw: np.random.Generator, trees: int, depth: int, features: int, mode: str | Sequence[str] = "BRANCH_LEQ"
) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """Attributes of the nodes of random trees, in no particular order, and the key of every leaf."""
    modes = [mode] if isinstance(mode, str) else list(mode)
    rows: list[tuple[Any, ...]] = []
    leaves: list[tuple[int, int]] = []

    def grow(tree: int, numbers: list[int], left: int) -> int:
        number = numbers.pop()
        if left == 0 or draw.random() < 0.15:
            rows.append((tree, number, 0, 0.0, "LEAF", 0, 0))
            leaves.append((tree, number))
            return number
        threshold = float(np.float32(draw.normal()))
        feature, kind = int(draw.integers(features)), modes[int(draw.integers(len(modes)))]
        place = len(rows)
        rows.append(())
        true, false = grow(tree, numbers, left - 1), grow(tree, numbers, left - 1)
        rows[place] = (tree, number, feature, threshold, kind, true, false)
        return number

    for tree in range(trees):
        numbers = draw.permutation(2 << depth).tolist()
        grow(tree, numbers, depth)
    names = ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
    columns = zip(*rows, strict=True)
    return {f"nodes_{name}": list(column) for name, column in zip(names, columns, strict=True)}, leaves


def weights_of(
    leaves: Sequence[tuple[int, int]], targets: Sequence[int], values: Sequence[float], prefix: str
) -> dict[str, Any]:
    """Attributes of leaves' weights: every leaf has one for each of the targets."""
    keys = [key for key in leaves for _ in targets]
    return {
        f"{prefix}_treeids": [tree for tree, _ in keys],
        f"{prefix}_nodeids": [number for _, number in keys],
        f"{prefix}_ids": [target for _ in leaves for target in targets],
        f"{prefix}_weights": list(values),
    }
