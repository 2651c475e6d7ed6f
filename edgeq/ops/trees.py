"""Forests of decision trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from edgeq.ir import DType, Node, Tensor
from edgeq.numerics.array import Array, saturate
from edgeq.numerics.trees import AGGREGATES, LEAF, SHIFT_MAX, evaluate_trees
from edgeq.ops.base import (
    ML_DOMAIN,
    Attribute,
    OnnxAttribute,
    OnnxForm,
    Op,
    Sample,
    SampleAttribute,
    no_macs,
)
from edgeq.ops.signature import RESULT, Shape, Signature, Slot, invalid

_CLAMP: Final = tuple(
    Attribute(name, "int", f"{word} result", of=RESULT)
    for name, word in (("clamp_min", "smallest"), ("clamp_max", "largest"))
)
_ALSO_AS_TENSORS: Final = ("base_values", "nodes_hitrates", "nodes_values", "target_weights")


def _shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, nodes, roots, leaves, base = operands
    if nodes.shape[1:] != (3,) or roots.shape[1:] != (2,):
        raise invalid(node, "a table has a wrong shape", (nodes.shape, roots.shape), "[nodes, 3] and [trees, 2]")
    rows, width, results = nodes.value(), leaves.shape[1], base.shape[0]
    inner, ends = rows[:, 0] != LEAF, rows[:, 0] == LEAF
    places = np.arange(len(rows))
    _within(node, "feature", rows[inner, 0], 0, x.shape[1] - 1)
    _within(node, "leaf", rows[ends, 1], 0, leaves.shape[0] - 1)
    _within(node, "root", roots.value()[:, 0], 0, len(rows) - 1)
    _within(node, "result", roots.value()[:, 1], 0, results - width)
    if (inner & ((rows[:, 2] <= places) | (rows[:, 2] >= len(rows)))).any() or (len(rows) and inner[-1]):
        raise invalid(node, "a node leads to no row behind it", "its right child", "rows behind the node")
    return (x.shape[0], results)


def _within(node: Node, what: str, values: Array, low: int, high: int) -> None:
    if values.size and (values.min() < low or values.max() > high):
        raise invalid(node, f"a {what} is out of range", (int(values.min()), int(values.max())), f"{low} to {high}")


def _evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, nodes, roots, leaves, base = arrays
    sums = np.stack([evaluate_trees(row, nodes, roots, leaves, base, node.text("aggregate")) for row in x])
    low, high = node.integer("clamp_min"), node.integer("clamp_max")
    dtype = DType(node.text(RESULT)) if RESULT in node.attrs else DType.of(x)
    return [saturate(sums >> node.integer("shift"), low, high, dtype.numpy)]


def drawn_forest(
    seed: int,
    trees: int,
    depth: int,
    features: int,
    targets: int = 1,
    *,
    mode: str = "BRANCH_LEQ",
    own_target: bool = False,
    **more: str | tuple[float, ...],
) -> dict[str, SampleAttribute]:
    """Attributes of TreeEnsembleRegressor: complete trees with random thresholds and leaves.

    Args:
        seed: of the random numbers.
        trees: how many.
        depth: questions from a root to a leaf.
        features: of x.
        targets: results.
        mode: of every question.
        own_target: each tree adds to one of the results alone.
        more: further attributes.
    """
    random = np.random.default_rng(seed)
    inner, count = (1 << depth) - 1, (2 << depth) - 1
    number, tree = np.tile(np.arange(count), trees), np.repeat(np.arange(trees), count)
    leaf = number >= inner
    thresholds = random.uniform(-1.5, 1.5, len(number)).astype(np.float32)
    places = np.repeat(np.flatnonzero(leaf), 1 if own_target else targets)
    goals = tree[places] % targets if own_target else np.tile(np.arange(targets), int(leaf.sum()))
    weights = random.uniform(-1, 1, len(places)).astype(np.float32)
    return {
        "n_targets": targets,
        "nodes_falsenodeids": tuple(np.where(leaf, 0, 2 * number + 2).tolist()),
        "nodes_featureids": tuple(np.where(leaf, 0, random.integers(0, features, len(number))).tolist()),
        "nodes_modes": tuple("LEAF" if end else mode for end in leaf.tolist()),
        "nodes_nodeids": tuple(number.tolist()),
        "nodes_treeids": tuple(tree.tolist()),
        "nodes_truenodeids": tuple(np.where(leaf, 0, 2 * number + 1).tolist()),
        "nodes_values": tuple(np.where(leaf, 0.0, thresholds).tolist()),
        "target_ids": tuple(goals.tolist()),
        "target_nodeids": tuple(number[places].tolist()),
        "target_treeids": tuple(tree[places].tolist()),
        "target_weights": tuple(weights.tolist()),
        **more,
    }


def _sample(name: str, features: int, attributes: dict[str, SampleAttribute]) -> Sample:
    return Sample(name, "TreeEnsembleRegressor", ((1, features),), {}, attributes)


TREES = Op(
    name="trees",
    family="trees",
    summary="A forest: x [1, features], nodes [rows, 3], roots [trees, 2], leaves [rows, width], base [results]",
    signature=Signature(
        (
            Slot("x", rank=2),
            Slot("nodes", "table", "int32", rank=2),
            Slot("roots", "table", "int32", rank=2),
            Slot("leaves", "table", "int32", rank=2),
            Slot("base", "table", "int32", rank=1),
        ),
        (
            ("int8", "int8"),
            ("int8", "int16"),
            ("int16", "int16"),
            ("int16", "int8"),
        ),
    ),
    attributes=(
        Attribute("aggregate", "str", "what the leaves of all trees become", values=AGGREGATES),
        Attribute("shift", "int", "to the right, behind the sum", 0, SHIFT_MAX),
        *_CLAMP,
        Attribute(RESULT, "str", "type of the result, where x has another", values=("int8", "int16"), optional=True),
    ),
    shape=_shape,
    evaluate=_evaluate,
    macs=no_macs,
    one_sample=True,
    onnx=(
        OnnxForm(
            "TreeEnsembleRegressor",
            domain=ML_DOMAIN,
            fine=True,
            attributes=(
                *(OnnxAttribute(f"{name}_as_tensor", "tensor") for name in _ALSO_AS_TENSORS),
                OnnxAttribute("nodes_hitrates", "floats"),
                OnnxAttribute("nodes_missing_value_tracks_true", "ints", count=0),
                OnnxAttribute("post_transform", "str", ("NONE",)),
                OnnxAttribute("aggregate_function", "str", ("SUM", "MIN", "MAX")),
                OnnxAttribute("base_values", "floats", listed=True),
                OnnxAttribute("n_targets", "int", low=1),
                OnnxAttribute("nodes_falsenodeids", "ints"),
                OnnxAttribute("nodes_featureids", "ints"),
                OnnxAttribute("nodes_modes", "strings", listed=True),
                OnnxAttribute("nodes_nodeids", "ints"),
                OnnxAttribute("nodes_treeids", "ints"),
                OnnxAttribute("nodes_truenodeids", "ints"),
                OnnxAttribute("nodes_values", "floats", listed=True),
                OnnxAttribute("target_ids", "ints"),
                OnnxAttribute("target_nodeids", "ints"),
                OnnxAttribute("target_treeids", "ints"),
                OnnxAttribute("target_weights", "floats", listed=True),
            ),
        ),
    ),
    samples=(
        _sample("one_leaf", 3, drawn_forest(1, 1, 0, 3)),
        _sample("one_tree", 5, drawn_forest(2, 1, 4, 5)),
        _sample("boosted", 7, drawn_forest(3, 20, 3, 7, base_values=(0.25,))),
        _sample("classes3", 6, drawn_forest(4, 10, 4, 6, 3)),
        _sample("boosted-classes3", 9, drawn_forest(5, 12, 3, 9, 3, own_target=True, base_values=(0.5, -0.25, 1.0))),
        _sample("minimum", 4, drawn_forest(6, 5, 3, 4, 2, aggregate_function="MIN")),
        _sample("maximum", 4, drawn_forest(7, 5, 3, 4, aggregate_function="MAX", base_values=(-0.5,))),
        _sample("less", 4, drawn_forest(8, 6, 3, 4, mode="BRANCH_LT")),
        _sample("greater", 4, drawn_forest(9, 6, 3, 4, mode="BRANCH_GT")),
        _sample("greater_or_equal", 4, drawn_forest(10, 6, 3, 4, mode="BRANCH_GTE")),
        _sample("features600", 600, drawn_forest(11, 3, 7, 600)),
        _sample("features1500", 1500, drawn_forest(12, 2, 5, 1500)),
    ),
    limits="thresholds in x's own integers, exactly; sums of leaves in int32; no sets of values",
)
OPS = (TREES,)
