"""Support vector machines: products with the support vectors, a function of them, and a sum of what comes out.

A squared distance |x − v|² is |x|² − 2·x·v + |v|², of x and v less the middle of the support vectors, which no distance
depends on: so a kernel of distances is a layer, a sum of squares and an exponential. Kernels that are linear vanish in
one layer.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import EdgeqError
from edgeq.frontend.classical.parts import (
    INDEX,
    Labels,
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
    refused,
    transformed,
    write_label,
    write_scores,
)
from edgeq.frontend.constraints import place
from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import integer, ints, name_of, operand, shape_of, text

_KERNELS: Final = ("LINEAR", "POLY", "RBF", "SIGMOID")


def write_regressor(node: ir.Node, edit: Edit) -> None:
    """SVMRegressor: one sum; of one class, its sign."""
    base, x = name_of(node.outputs[0]), features(node, edit)
    if post_transform(node) != "NONE":
        raise refused(node, "post_transform", post_transform(node), "NONE")
    count = integer(node, "n_supports", 0)
    weights, rho = floats(node, "coefficients").reshape(1, -1), floats(node, "rho")[:1]
    vectors = floats(node, "support_vectors").reshape(count, -1) if count else np.eye(weights.shape[1])
    value = _sums(node, edit, x, vectors, weights, rho, base, linear_=not count)
    if integer(node, "one_class", 0):
        ones = exceeds(edit, value, 0.0, ir.DataType.FLOAT, f"{base}_ones")
        value = binary(edit, "Sub", binary(edit, "Mul", ones, 2.0, f"{base}_twice"), 1.0, f"{base}_sign")
    write_scores(node, edit, value, 0)


def write_classifier(node: ir.Node, edit: Edit) -> None:
    """SVMClassifier: a sum for each class, or for each pair of classes, which gives one of them a vote."""
    base, labels, x = name_of(node.outputs[-1]), labels_of(node), features(node, edit)
    count, per_class = len(labels), ints(node, "vectors_per_class", ())
    coefficients, rho = floats(node, "coefficients"), floats(node, "rho")
    if not sum(per_class):
        weights = coefficients.reshape(count, -1)
        sums = linear(edit, x, weights, np.full(count, rho[0]), f"{base}_sum")
        _write_class_of_sums(node, edit, sums, coefficients, labels, base)
        write_scores(node, edit, transformed(node, edit, sums, f"{base}_scores"))
        return
    vectors = floats(node, "support_vectors").reshape(sum(per_class), -1)
    weights = _pairs(coefficients.reshape(count - 1, -1), per_class)
    sums = _sums(node, edit, x, vectors, weights, rho[: len(weights)], base)
    if count == 2:
        _write_pair(node, edit, sums, labels, base)
        return
    if floats(node, "prob_a").size:
        hint = "export it with probability=False, or decision_function: the class is the same but for ties"
        raise refused(node, "set of probabilities", f"{count} classes", "2 classes, or scores", hint)
    write_label(node, edit, arg_max(edit, _votes(edit, sums, count, base), f"{base}_class"), labels)
    write_scores(node, edit, transformed(node, edit, sums, f"{base}_scores"))


def _write_class_of_sums(
    node: ir.Node, edit: Edit, sums: ir.Value, coefficients: np.ndarray, labels: Labels, base: str
) -> None:
    """The largest sum; of two classes the second one where the largest sum is above zero, or a half."""
    if len(labels) > 2:
        write_label(node, edit, arg_max(edit, sums, f"{base}_class"), labels)
        return
    positive = bool((coefficients >= 0).all())
    bound = float(np.nextafter(np.float32(0.5), np.float32(0))) if positive else 0.0
    axes = edit.constant(np.array([1], np.int64), f"{base}_axes")
    one = (shape_of(sums)[0], 1)
    largest = edit.node("ReduceMax", [sums, axes], {"keepdims": 1}, base=f"{base}_largest", shape=one)
    above = column(edit, exceeds(edit, largest, bound, INDEX, f"{base}_above"), f"{base}_above_one")
    either = [above, arg_max(edit, sums, f"{base}_class")]
    write_label(node, edit, edit.node("Max", either, base=f"{base}_either", shape=one[:1], dtype=INDEX), labels)


def _write_pair(node: ir.Node, edit: Edit, sums: ir.Value, labels: Labels, base: str) -> None:
    """Two classes: the first one where the sum is above zero; scores of both, or probabilities."""
    rest = exceeds(edit, sums, 0.0, INDEX, f"{base}_first")
    one = edit.constant(np.array(1, np.int64), f"{base}_one")
    second = edit.node("Sub", [one, rest], base=f"{base}_second", shape=shape_of(sums), dtype=INDEX)
    write_label(node, edit, column(edit, second, f"{base}_class"), labels)
    slope, offset = floats(node, "prob_a"), floats(node, "prob_b")
    if slope.size:
        # The probability of the first class is 1 − σ(a·s + b) = σ(−a·s − b).
        weight = np.array([[-slope[0]], [slope[0]]])
        both = linear(edit, sums, weight, np.array([-offset[0], offset[0]]), f"{base}_odds")
        made = edit.node("Sigmoid", [both], base=f"{base}_probabilities", shape=shape_of(both))
        write_scores(node, edit, transformed(node, edit, made, f"{base}_scores"))
    elif post_transform(node) == "NONE":
        negative = binary(edit, "Mul", sums, -1.0, f"{base}_negative")
        write_scores(node, edit, both_of_two(edit, sums, negative, f"{base}_both"))
    else:
        raise refused(node, "post_transform", post_transform(node), "NONE for two classes without probabilities")


def _pairs(coefficients: np.ndarray, per_class: tuple[int, ...]) -> np.ndarray:
    """The weights of every pair of classes [K·(K − 1)/2, M], from those of each class against the others [K − 1, M]."""
    ends = np.cumsum(per_class)
    spans = [slice(end - size, end) for end, size in zip(ends, per_class, strict=True)]
    found = np.zeros((len(per_class) * (len(per_class) - 1) // 2, coefficients.shape[1]))
    for row, (i, j) in enumerate(combinations(range(len(per_class)), 2)):
        found[row, spans[i]] = coefficients[j - 1, spans[i]]
        found[row, spans[j]] = coefficients[i, spans[j]]
    return found


def _votes(edit: Edit, sums: ir.Value, count: int, base: str) -> ir.Value:
    """The votes of each class [N, K]: of a pair the first one where its sum is above zero."""
    won = exceeds(edit, sums, 0.0, ir.DataType.FLOAT, f"{base}_won")
    weight, bias = np.zeros((count, shape_of(sums)[1])), np.zeros(count)
    for pair, (i, j) in enumerate(combinations(range(count), 2)):
        weight[i, pair], weight[j, pair] = 1, -1
        bias[j] += 1
    return linear(edit, won, weight, bias, f"{base}_votes")


def _sums(
    node: ir.Node,
    edit: Edit,
    x: ir.Value,
    vectors: np.ndarray,
    weights: np.ndarray,
    rho: np.ndarray,
    base: str,
    *,
    linear_: bool = False,
) -> ir.Value:
    """weights · kernel(x, vectors) + rho: [N, rows of weights]."""
    kind = "LINEAR" if linear_ else text(node, "kernel_type", "LINEAR")
    if kind == "LINEAR":
        return linear(edit, x, weights @ vectors, rho, f"{base}_sum")
    gamma, offset, degree = np.resize(floats(node, "kernel_params"), 3)
    if kind == "RBF":
        kernel = _exponentials(edit, x, vectors, gamma, base)
    elif kind in _KERNELS:
        product = linear(edit, x, gamma * vectors, np.full(len(vectors), offset), f"{base}_product")
        if kind == "SIGMOID":
            kernel = edit.node("Tanh", [product], base=f"{base}_kernel", shape=shape_of(product))
        else:
            kernel = binary(edit, "Pow", product, degree, f"{base}_kernel")
    else:
        raise refused(node, "kernel_type", kind, ", ".join(_KERNELS))
    return linear(edit, kernel, weights, rho, f"{base}_sum")


def write_distances(node: ir.Node, edit: Edit) -> None:
    """CDist of onnxruntime's own domain: distances of each row of x to constant rows, squared or not."""
    base, x, rows_ = name_of(node.outputs[0]), features(node, edit), edit.array(operand(node, 1))
    metric = text(node, "metric", "sqeuclidean")
    if metric not in {"euclidean", "sqeuclidean"}:
        raise refused(node, "metric", metric, "euclidean or sqeuclidean")
    if rows_ is None:
        raise EdgeqError(
            "EQ0306",
            "the rows that distances are measured to must be constant",
            where=place(node),
            hint="export the model with its training data as an initializer",
        )
    squares = _squared_distances(edit, x, rows_.astype(np.float64), 1.0, base)
    value = edit.node("Relu", [squares], base=f"{base}_squares", shape=shape_of(squares))
    if metric == "euclidean":
        value = edit.node("Sqrt", [value], base=f"{base}_distances", shape=shape_of(value))
    write_scores(node, edit, value, 0)


def _exponentials(edit: Edit, x: ir.Value, vectors: np.ndarray, gamma: float, base: str) -> ir.Value:
    """exp(−γ·|x − v|²) for each vector: [N, M]."""
    exponent = _squared_distances(edit, x, vectors, -gamma, base)
    return edit.node("Exp", [exponent], base=f"{base}_kernel", shape=shape_of(exponent))


def _squared_distances(edit: Edit, x: ir.Value, vectors: np.ndarray, factor: float, base: str) -> ir.Value:
    """factor·|x − v|² for each vector: [N, M]."""
    middle = (vectors.min(axis=0) + vectors.max(axis=0)) / 2
    moved, centred = binary(edit, "Sub", x, middle.reshape(1, -1), f"{base}_centred"), vectors - middle
    products = linear(edit, moved, -2 * factor * centred, factor * (centred**2).sum(axis=1), f"{base}_products")
    axes = edit.constant(np.array([1], np.int64), f"{base}_axes")
    one = (shape_of(x)[0], 1)
    squares = edit.node("ReduceSumSquare", [moved, axes], {"keepdims": 1}, base=f"{base}_squares", shape=one)
    scaled = squares if factor == 1 else binary(edit, "Mul", squares, factor, f"{base}_length")
    return edit.node("Add", [products, scaled], base=f"{base}_distances", shape=shape_of(products))
