"""Linear models: Gemm, and what turns scores into classes."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgeq.frontend.classical.parts import (
    INDEX,
    arg_max,
    binary,
    both_of_two,
    column,
    exceeds,
    features,
    floats,
    labels_of,
    linear,
    post_transform,
    transformed,
    write_label,
    write_scores,
)
from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import integer, name_of, shape_of


def _weights(node: ir.Node, x: ir.Value, targets: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients [targets, C] and intercepts [targets]."""
    weight = floats(node, "coefficients").reshape(targets, shape_of(x)[1])
    bias = floats(node, "intercepts")
    return weight, bias if bias.size else np.zeros(targets)


def write_regressor(node: ir.Node, edit: Edit) -> None:
    """LinearRegressor: Gemm and the function behind it."""
    base = name_of(node.outputs[0])
    x = features(node, edit)
    weight, bias = _weights(node, x, integer(node, "targets", 1))
    scores = linear(edit, x, weight, bias, f"{base}_sum")
    write_scores(node, edit, transformed(node, edit, scores, f"{base}_scores"), 0)


def write_classifier(node: ir.Node, edit: Edit) -> None:
    """LinearClassifier: the class has the largest sum; of one sum for two classes its sign decides."""
    base, labels = name_of(node.outputs[-1]), labels_of(node)
    x = features(node, edit)
    count = floats(node, "intercepts").size or len(labels)
    weight, bias = _weights(node, x, count)
    sums = linear(edit, x, weight, bias, f"{base}_sum")
    if count > 1:
        write_label(node, edit, arg_max(edit, sums, f"{base}_class"), labels)
        write_scores(node, edit, transformed(node, edit, sums, f"{base}_scores"))
        return
    positive = column(edit, exceeds(edit, sums, 0.0, INDEX, f"{base}_positive"), f"{base}_class")
    write_label(node, edit, positive, labels)
    # Softmax of a single sum is no probability: runtimes leave it out.
    scores = sums if post_transform(node) == "SOFTMAX" else transformed(node, edit, sums, f"{base}_score")
    if len(labels) == 2:
        scores = two_classes(edit, scores, base)
    write_scores(node, edit, scores)


def two_classes(edit: Edit, score: ir.Value, base: str) -> ir.Value:
    """[N, 1] of the second class becomes [N, 2]: the first class has the rest of one."""
    negative = binary(edit, "Mul", score, -1.0, f"{base}_negative")
    return both_of_two(edit, score, binary(edit, "Add", negative, 1.0, f"{base}_rest"), f"{base}_both")
