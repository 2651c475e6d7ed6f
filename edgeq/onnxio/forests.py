"""A forest of decision trees as ONNX states it: the canonical TreeEnsembleRegressor, read and written.

Nodes stand in one list, each tree from its root on, the true child right behind its parent: an order that every export
can be brought to, and in which children stand behind their parents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.numerics.array import Array

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.ir import Quantization

FOREST: Final = "TreeEnsembleRegressor"
NO_CHILD: Final = -1
MODES: Final = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_EQ")
"""What a node of the canonical form asks of its feature; the opposites have their children exchanged."""
_OPPOSITES: Final = {"BRANCH_GT": "BRANCH_LEQ", "BRANCH_GTE": "BRANCH_LT", "BRANCH_NEQ": "BRANCH_EQ"}
_LEAF: Final = "LEAF"


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees over rows of features.

    Attributes:
        roots: the first node of each tree, ascending; a tree ends where the next one begins.
        features: int64 [nodes], 0 for leaves.
        thresholds: float32 [nodes].
        modes: of each node, one of :data:`MODES`, or LEAF.
        true, false: int64 [nodes], where each branch leads, :data:`NO_CHILD` for leaves.
        weights: float64 [nodes, targets], zero for inner nodes.
        stated: bool [nodes, targets], where a leaf has a weight for a target.
        base: float64 [targets], added at last.
        aggregate: SUM, MIN or MAX.
    """

    roots: tuple[int, ...]
    features: Array
    thresholds: Array
    modes: tuple[str, ...]
    true: Array
    false: Array
    weights: Array
    stated: Array
    base: Array
    aggregate: str

    @property
    def is_leaf(self) -> Array:
        """bool [nodes]."""
        return np.asarray(self.true == NO_CHILD)

    @property
    def targets(self) -> int:
        """How many results it has."""
        return int(self.weights.shape[1])

    def spans(self) -> Iterator[tuple[int, int]]:
        """The first node of each tree, and the one behind its last."""
        return zip(self.roots, [*self.roots[1:], len(self.modes)], strict=True)

    def attributes(self) -> dict[str, Sequence[int] | Sequence[float] | Sequence[str] | int | str]:
        """Of TreeEnsembleRegressor in its canonical form."""
        tree = np.repeat(np.arange(len(self.roots)), [end - first for first, end in self.spans()])
        place = np.arange(len(self.modes)) - np.array(self.roots, np.int64)[tree]
        first = np.array(self.roots, np.int64)[tree]
        leaf = self.is_leaf
        node, target = np.nonzero(self.stated)
        found: dict[str, Sequence[int] | Sequence[float] | Sequence[str] | int | str] = {
            "aggregate_function": self.aggregate,
            "n_targets": self.targets,
            "nodes_falsenodeids": np.where(leaf, 0, self.false - first).tolist(),
            "nodes_featureids": self.features.tolist(),
            "nodes_modes": list(self.modes),
            "nodes_nodeids": place.tolist(),
            "nodes_treeids": tree.tolist(),
            "nodes_truenodeids": np.where(leaf, 0, self.true - first).tolist(),
            "nodes_values": self.thresholds.tolist(),
            "target_ids": target.tolist(),
            "target_nodeids": place[node].tolist(),
            "target_treeids": tree[node].tolist(),
            "target_weights": self.weights[node, target].tolist(),
        }
        if self.base.any():
            found["base_values"] = self.base.tolist()
        return found


@dataclass(frozen=True, eq=False)
class Listed:
    """Nodes and weights of a forest in any order, as exports list them.

    Attributes:
        keys: of each node, its tree and its number in it.
        features, thresholds, modes, true, false: as attributes of ONNX, true and false with the numbers of children.
        roots: the key of each tree's root, in order.
        weighted: of each weight, the key of its leaf.
        targets: of each weight, the result that it adds to.
        weights: its value.
    """

    keys: Sequence[tuple[int, int]]
    features: Sequence[int]
    thresholds: Sequence[float]
    modes: Sequence[str]
    true: Sequence[int]
    false: Sequence[int]
    roots: Sequence[tuple[int, int]]
    weighted: Sequence[tuple[int, int]]
    targets: Sequence[int]
    weights: Sequence[float]

    def ordered(self, count: int, base: Array, aggregate: str) -> Forest:
        """The forest in canonical order.

        Args:
            count: how many results it has.
            base: float64 [count].
            aggregate: SUM, MIN or MAX.

        Raises:
            ValueError: the lists contradict each other.
            KeyError: a child that is no node.
        """
        index = {key: place for place, key in enumerate(self.keys)}
        if len(index) != len(self.keys):
            raise ValueError("two nodes of one tree have the same number")
        order, children = self._walk(index)
        new = np.full(len(self.keys), NO_CHILD)
        new[order] = np.arange(len(order))
        weights, stated = np.zeros((len(order), count)), np.zeros((len(order), count), bool)
        modes = [_OPPOSITES.get(self.modes[place], self.modes[place]) for place in order]
        for key, target, weight in zip(self.weighted, self.targets, self.weights, strict=True):
            place = int(new[index[key]])
            if place == NO_CHILD or modes[place] != _LEAF:
                continue  # what no leaf holds is never reached
            weights[place, target] += weight
            stated[place, target] = True
        pairs = np.array([children.get(place, (NO_CHILD, NO_CHILD)) for place in order], np.int64).reshape(-1, 2)
        true, false = (np.where(side == NO_CHILD, NO_CHILD, new[side]) for side in pairs.T)
        leaf = true == NO_CHILD
        return Forest(
            tuple(int(new[index[root]]) for root in self.roots),
            np.where(leaf, 0, np.array(self.features, np.int64)[order]),
            np.where(leaf, np.float32(0), np.array(self.thresholds, np.float32)[order]),
            tuple(modes),
            true,
            false,
            weights,
            stated,
            np.asarray(base, np.float64),
            aggregate,
        )

    def _walk(self, index: Mapping[tuple[int, int], int]) -> tuple[list[int], dict[int, tuple[int, int]]]:
        """The nodes that roots lead to, parents first, true children before false ones; and the children of each."""
        order: list[int] = []
        children: dict[int, tuple[int, int]] = {}
        for root in self.roots:
            waiting = [index[root]]
            while waiting:
                place = waiting.pop()
                order.append(place)
                if len(order) > len(index):
                    raise ValueError("a node has two parents")
                mode, tree = self.modes[place], self.keys[place][0]
                if mode == _LEAF:
                    continue
                sides = index[tree, self.true[place]], index[tree, self.false[place]]
                children[place] = sides[::-1] if mode in _OPPOSITES else sides
                waiting += [children[place][1], children[place][0]]
        if len(set(order)) != len(order):
            raise ValueError("a node has two parents")
        return order, children


def listed_nodes(node: onnx_ir.Node, weights: str) -> Listed:
    """The lists of a TreeEnsembleRegressor or TreeEnsembleClassifier.

    Args:
        node: the operator.
        weights: how the names of its weights begin, ``target`` or ``class``.
    """
    trees, numbers = _ints(node, "nodes_treeids"), _ints(node, "nodes_nodeids")
    keys = list(zip(trees, numbers, strict=True))
    first: dict[int, tuple[int, int]] = {}
    for key in keys:
        first.setdefault(key[0], key)
    return Listed(
        keys,
        _ints(node, "nodes_featureids"),
        floats_of(node, "nodes_values"),
        [str(item) for item in node.attributes["nodes_modes"].as_strings()],
        _ints(node, "nodes_truenodeids"),
        _ints(node, "nodes_falsenodeids"),
        [*first.values()],
        list(zip(_ints(node, f"{weights}_treeids"), _ints(node, f"{weights}_nodeids"), strict=True)),
        _ints(node, f"{weights}_ids"),
        floats_of(node, f"{weights}_weights"),
    )


def floats_of(node: onnx_ir.Node, name: str) -> list[float]:
    """A list of floats, or that of ``NAME_as_tensor``; empty where there is none."""
    attribute = node.attributes.get(name)
    if attribute is not None:
        return [float(item) for item in attribute.as_floats()]
    attribute = node.attributes.get(f"{name}_as_tensor")
    if attribute is None:
        return []
    found: list[float] = np.asarray(attribute.as_tensor().numpy(), np.float64).reshape(-1).tolist()
    return found


def canonical_forest(node: onnx_ir.Node) -> Forest:
    """The forest of a canonical TreeEnsembleRegressor."""
    count = int(node.attributes["n_targets"].as_int())
    base = floats_of(node, "base_values") or [0.0] * count
    aggregate = node.attributes.get("aggregate_function")
    word = "SUM" if aggregate is None else aggregate.as_string()
    return listed_nodes(node, "target").ordered(count, np.array(base), word)


def round_thresholds(node: onnx_ir.Node, params: Quantization) -> None:
    """Move the thresholds of a canonical TreeEnsembleRegressor to numbers that integers of its operand stand for.

    A value that is equal to a threshold, as data of few distinct values often are, becomes the same integer, so that
    both stay equal. Thresholds beyond the range of the operand stay where they are. In place.
    """
    import onnx_ir as ir

    values = np.array(floats_of(node, "nodes_values"), np.float32)
    inside = (values >= params.low) & (values <= params.high)
    rounded = np.where(inside, params.rounded(values), values)
    node.attributes.add(ir.AttrFloat32s("nodes_values", rounded.tolist()))


def _ints(node: onnx_ir.Node, name: str) -> list[int]:
    attribute = node.attributes.get(name)
    return [] if attribute is None else [int(item) for item in attribute.as_ints()]
