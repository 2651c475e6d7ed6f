"""Forests: every spelling becomes TreeEnsembleRegressor, and what its sums become is standard operators behind it."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import EdgeqError
from edgeq.frontend.classical.linear import two_classes
from edgeq.frontend.classical.parts import (
    FLOAT,
    INDEX,
    Labels,
    arg_max,
    binary,
    both_of_two,
    column,
    exceeds,
    features,
    labels_of,
    linear,
    post_transform,
    refused,
    rows,
    transformed,
    write_label,
    write_scores,
)
from edgeq.frontend.constraints import place
from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import integer, ints, name_of, shape_of, text
from edgeq.onnxio.forests import FOREST, MODES, Forest, Listed, floats_of, listed_nodes
from edgeq.ops.base import ML_DOMAIN

VERSION: Final = 3
"""Of the domain, whose TreeEnsembleRegressor is the one form of forests."""
_MODES_BY_NUMBER: Final = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
_AGGREGATES: Final = ("AVERAGE", "SUM", "MIN", "MAX")
_TRANSFORMS: Final = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_SETS: Final = "compare with each value of the set by a node of its own: BRANCH_EQ"


def write_regressor(node: ir.Node, edit: Edit) -> None:
    """TreeEnsembleRegressor: the sums in canonical form; a function of them stands behind."""
    count = integer(node, "n_targets", 1)
    forest = _forest(
        node, listed_nodes(node, "target"), count, _base(node, count), text(node, "aggregate_function", "SUM")
    )
    kind = post_transform(node)
    if kind != "NONE" and count == 1:
        raise refused(
            node, "post_transform", kind, "NONE for a single target", "runtimes disagree: put the function behind it"
        )
    if kind == "NONE" and _is_canonical(node, forest):
        return
    base = name_of(node.outputs[0])
    sums = _sums(node, edit, forest, f"{base}_sum")
    write_scores(node, edit, transformed(node, edit, sums, f"{base}_scores"), 0)


def write_ensemble(node: ir.Node, edit: Edit) -> None:
    """TreeEnsemble, which came with version 5 of the domain."""
    count = integer(node, "n_targets", 1)
    kind = _TRANSFORMS[integer(node, "post_transform", 0)]
    if kind != "NONE":
        raise refused(node, "post_transform", kind, "NONE", "runtimes disagree: put the function behind it")
    aggregate = _AGGREGATES[integer(node, "aggregate_function", 1)]
    forest = _forest(node, _listed(node), count, np.zeros(count), aggregate)
    write_scores(node, edit, _sums(node, edit, forest, f"{name_of(node.outputs[0])}_sum"), 0)


def write_classifier(node: ir.Node, edit: Edit) -> None:
    """TreeEnsembleClassifier: the class of the largest sum; one sum for two classes is compared with a bound.

    Where all weights of such a sum are positive it is the probability of the second class, whose bound is a half.
    """
    labels, listed = labels_of(node), listed_nodes(node, "class")
    count, used = len(labels), sorted(set(listed.targets))
    given = floats_of(node, "base_values")
    base = name_of(node.outputs[-1])
    positive = all(weight >= 0 for weight in listed.weights)
    bound = 0.5 if positive else 0.0
    if count == 2 and used == [0]:
        if len(given) > 1:
            raise refused(node, "list of base_values", given, "one value for one sum of two classes")
        sums = _sums(node, edit, _forest(node, listed, 1, np.array(given or [0.0]), "SUM"), f"{base}_sum")
        write_label(
            node, edit, column(edit, exceeds(edit, sums, bound, INDEX, f"{base}_positive"), f"{base}_class"), labels
        )
        write_scores(node, edit, _two_scores(node, edit, sums, base, positive=positive))
        return
    if len(given) not in (0, count) or (count == 2 and used == [1] and given):
        raise refused(node, "list of base_values", given, f"none, or {count} values for {count} sums")
    forest = _forest(node, listed, count, np.array(given or [0.0] * count), "SUM")
    sums = _sums(node, edit, forest, f"{base}_sum")
    if count == 2 and used == [1]:
        _write_second(node, edit, sums, bound, labels, base)
    else:
        write_label(node, edit, arg_max(edit, sums, f"{base}_class"), labels)
    write_scores(node, edit, transformed(node, edit, sums, f"{base}_scores"))


def _two_scores(node: ir.Node, edit: Edit, sums: ir.Value, base: str, *, positive: bool) -> ir.Value:
    """The scores [N, 2] of two classes from the sum [N, 1] of the second."""
    if post_transform(node) == "LOGISTIC":
        both = linear(edit, sums, np.array([[-1.0], [1.0]]), np.zeros(2), f"{base}_odds")
        return edit.node("Sigmoid", [both], base=f"{base}_probabilities", shape=shape_of(both))
    # Softmax of a single sum is no probability: runtimes leave it out.
    if positive:
        return two_classes(edit, sums, base)
    return both_of_two(edit, sums, binary(edit, "Mul", sums, -1.0, f"{base}_negative"), f"{base}_both")


def _write_second(node: ir.Node, edit: Edit, sums: ir.Value, bound: float, labels: Labels, base: str) -> None:
    """The label of two classes of which the second alone has weights."""
    second = edit.constant(np.array([1], np.int64), f"{base}_second")
    shape = (shape_of(sums)[0], 1)
    value = edit.node("Gather", [sums, second], {"axis": 1}, base=f"{base}_second_sum", shape=shape)
    write_label(
        node, edit, column(edit, exceeds(edit, value, bound, INDEX, f"{base}_positive"), f"{base}_class"), labels
    )


def _base(node: ir.Node, count: int) -> np.ndarray:
    given = floats_of(node, "base_values")
    if given and len(given) != count:
        raise refused(node, "list of base_values", given, f"{count} values, one for each target")
    return np.array(given or [0.0] * count)


def _forest(node: ir.Node, listed: Listed, count: int, base: np.ndarray, aggregate: str) -> Forest:
    """The forest in canonical order, of which a mean is a sum of smaller leaves.

    Raises:
        EdgeqError: EQ0232 its lists contradict each other, EQ0313 it asks for more than comparisons with one value.
    """
    if aggregate not in _AGGREGATES:
        raise refused(node, "aggregate_function", aggregate, ", ".join(_AGGREGATES))
    forest = listed.ordered(count, base, "SUM" if aggregate == "AVERAGE" else aggregate)
    if not forest.stated.any():
        raise refused(node, "list of weights", "no weight of a leaf", "a weight at least")
    alien = next((mode for mode in forest.modes if mode not in (*MODES, "LEAF")), None)
    if alien is not None:
        raise refused(node, "mode of a node", alien, ", ".join(_MODES_BY_NUMBER), _SETS)
    width = shape_of(rows(node))[1]
    if forest.features.size and not 0 <= forest.features.min() <= forest.features.max() < width:
        raise EdgeqError(
            "EQ0232",
            "the operands or attributes of a node do not fit together",
            where=place(node),
            got=f"feature {int(forest.features.max())}",
            allowed=f"0 to {width - 1}",
            hint="export the model for inputs of as many features as it was trained on",
        )
    if aggregate in {"MIN", "MAX"} and not forest.stated[forest.is_leaf].all():
        raise refused(node, "list of weights", f"leaves without a weight, of which {aggregate} is taken", "all targets")
    if aggregate == "AVERAGE":
        np.divide(forest.weights, len(forest.roots), out=forest.weights)
    return forest


def _sums(node: ir.Node, edit: Edit, forest: Forest, base: str) -> ir.Value:
    """The canonical TreeEnsembleRegressor of a forest, over the operand of a node."""
    x = features(node, edit)
    shape = (shape_of(x)[0], forest.targets)
    edit.graph.opset_imports[ML_DOMAIN] = VERSION
    attributes = forest.attributes()
    return edit.node(FOREST, [x], attributes, base=base, shape=shape, dtype=FLOAT, domain=ML_DOMAIN)


def _is_canonical(node: ir.Node, forest: Forest) -> bool:
    """Whether a node is what :func:`_sums` would write."""
    wanted = forest.attributes()
    if set(node.attributes) != set(wanted) or rows(node).dtype != FLOAT:
        return False
    return all(_plain(node.attributes[name]) == _plain_value(value) for name, value in wanted.items())


def _plain(attribute: ir.Attr) -> object:
    value = attribute.value
    return _plain_value(value)


def _plain_value(value: object) -> object:
    if isinstance(value, str | int):
        return value
    items = list(value)  # type: ignore[call-overload]  # a sequence of an attribute
    return [np.float32(item) if isinstance(item, float) else item for item in items]


def _listed(node: ir.Node) -> Listed:
    """The lists of a TreeEnsemble, whose leaves stand in lists of their own: they are nodes behind the others."""
    inner = ints(node, "nodes_featureids", ())
    ends, weights = ints(node, "leaf_targetids", ()), np.asarray(node.attributes["leaf_weights"].as_tensor().numpy())
    codes = np.asarray(node.attributes["nodes_modes"].as_tensor().numpy()).reshape(-1).tolist()
    splits = np.asarray(node.attributes["nodes_splits"].as_tensor().numpy(), np.float64).reshape(-1).tolist()
    count = len(inner)
    modes = [_MODES_BY_NUMBER[code] if code < len(_MODES_BY_NUMBER) else "BRANCH_MEMBER" for code in codes]
    true, false = (
        [child + count * leaf for child, leaf in zip(ints(node, which, ()), ints(node, leaves, ()), strict=True)]
        for which, leaves in (("nodes_truenodeids", "nodes_trueleafs"), ("nodes_falsenodeids", "nodes_falseleafs"))
    )
    roots = ints(node, "tree_roots", ())
    # A tree that is a leaf is a node both of whose branches lead to it: then the leaf has two parents.
    alone = {root for root in roots if true[root] == false[root]}
    for root in alone:
        modes[root] = "LEAF"
    weighted = [(0, root) for root in sorted(alone)]
    targets = [ends[true[root] - count] for root in sorted(alone)]
    values = [float(weights.reshape(-1)[true[root] - count]) for root in sorted(alone)]
    return Listed(
        [(0, number) for number in range(count + len(ends))],
        [*inner, *[0] * len(ends)],
        [*splits, *[0.0] * len(ends)],
        [*modes, *["LEAF"] * len(ends)],
        [*true, *[0] * len(ends)],
        [*false, *[0] * len(ends)],
        [(0, root) for root in roots],
        [*weighted, *((0, count + number) for number in range(len(ends)))],
        [*targets, *ends],
        [*values, *weights.reshape(-1).tolist()],
    )
