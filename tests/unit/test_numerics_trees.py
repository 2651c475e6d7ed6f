"""Forests on integers: the definition against a walk over trees, thresholds against float32, sums within int32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from integer_forests import random_forest

from edgeq.numerics.array import INT32_MAX, Array
from edgeq.numerics.trees import LEAF, Grid, Result, evaluate_trees, scale_leaves


def reached(x: Array, nodes: Array, row: int) -> int:
    """The leaf of one tree, by recursion."""
    feature, threshold, right = (int(item) for item in nodes[row])
    if feature == LEAF:
        return threshold
    return reached(x, nodes, row + 1) if x[feature] <= threshold else reached(x, nodes, right)


@pytest.mark.parametrize(("aggregate", "combine"), [("sum", np.sum), ("min", np.min), ("max", np.max)])
def test_leaves_of_all_trees_are_combined(aggregate: str, combine: Any) -> None:
    draw = np.random.default_rng(1)
    for _ in range(20):
        nodes, roots, count = random_forest(draw, int(draw.integers(1, 6)), 4)
        leaves = draw.integers(-1000, 1000, (count, 3)).astype(np.int32)
        base = draw.integers(-50, 50, 3).astype(np.int32)
        x = draw.integers(-128, 128, 4).astype(np.int8)
        found = np.stack([leaves[reached(x, nodes, int(root))] for root, _ in roots])
        wanted = combine(found, axis=0) + base
        np.testing.assert_array_equal(evaluate_trees(x, nodes, roots, leaves, base, aggregate), wanted)


def test_trees_may_add_to_one_result_each() -> None:
    nodes = np.array([[0, 3, 2], [LEAF, 0, 0], [LEAF, 1, 0]], np.int32)
    roots = np.array([[0, 1], [0, 2], [0, 1]], np.int32)
    leaves, base = np.array([[5], [7]], np.int32), np.array([1, 2, 3], np.int32)
    for value, leaf in ((3, 5), (4, 7)):
        found = evaluate_trees(np.array([value], np.int8), nodes, roots, leaves, base, "sum")
        np.testing.assert_array_equal(found, [1, 2 + 2 * leaf, 3 + leaf])


def test_sum_beyond_int32_is_refused() -> None:
    nodes, roots = np.array([[LEAF, 0, 0]], np.int32), np.zeros((2, 2), np.int32)
    leaves, base = np.array([[INT32_MAX]], np.int32), np.zeros(1, np.int32)
    with pytest.raises(OverflowError, match="int32"):
        evaluate_trees(np.zeros(1, np.int8), nodes, roots, leaves, base, "sum")


@pytest.mark.parametrize(("low", "high", "zero"), [(-128, 127, 5), (-32768, 32767, 0)])
def test_thresholds_compare_as_float32_does(low: int, high: int, zero: int) -> None:
    scale = float(np.float32(0.0173))
    grid = Grid.of(low, high, scale, zero)
    q = np.arange(low, high + 1)
    real = (q - zero).astype(np.float32) * np.float32(scale)
    draw = np.random.default_rng(2)
    between = draw.uniform(real[0] - 1, real[-1] + 1, 40).astype(np.float32)
    near = draw.choice(real, 40)
    beside = [np.nextafter(near, np.float32(side)) for side in (-9e9, 9e9)]
    thresholds = np.concatenate([between, near, *beside])
    at_most, below, equal = grid.last_at_most(thresholds), grid.last_below(thresholds), grid.equal_to(thresholds)
    for threshold, one, other, same in zip(thresholds, at_most, below, equal, strict=True):
        np.testing.assert_array_equal(q <= one, real <= threshold)
        np.testing.assert_array_equal(q <= other, real < threshold)
        if (real == threshold).any():
            np.testing.assert_array_equal(q == same, real == threshold)


def test_equality_beyond_the_integers_is_none_of_them() -> None:
    grid = Grid.of(-128, 127, 0.5, 0)
    np.testing.assert_array_equal(grid.equal_to(np.array([64.0, -64.5, 63.5, -64.0])), [-129, -129, 127, -128])


def _trees(count: int, leaves: int) -> list[tuple[int, Array]]:
    return [(0, np.arange(leaves))] * count


def test_few_trees_have_leaves_of_int16_and_fine_steps() -> None:
    leaves = np.array([[0.5], [-0.25], [1.0]])
    found = scale_leaves(leaves, _trees(10, 3), np.array([0.125]), Result(0.05, -3, 8), "sum")
    assert found is not None
    assert np.abs(found.values).max() <= 32767
    real = (10 * found.values[2, 0] + found.base[0]) / 2**found.shift
    assert abs(real - (10 * 1.0 + 0.125) / 0.05 - (-3) - 0.5) <= 0.25


def test_many_trees_have_wider_leaves() -> None:
    leaves = np.random.default_rng(3).uniform(-1, 1, (40, 1))
    found = scale_leaves(leaves, _trees(3000, 40), np.zeros(1), Result(0.01, 0, 8), "sum")
    assert found is not None
    assert np.abs(found.values).max() > 32767
    assert 3000 * int(np.abs(found.values).max()) + int(np.abs(found.base).max()) <= INT32_MAX
    again = scale_leaves(leaves, _trees(3000, 40), np.zeros(1), Result(0.01, 0, 8), "max")
    assert again is not None
    assert np.abs(again.values).max() <= 32767


def test_leaves_that_no_shift_fits_are_none() -> None:
    assert scale_leaves(np.array([[1.0]]), _trees(3, 1), np.zeros(1), Result(1e-9, 0, 8), "sum") is None


def test_leaves_of_zeros_have_some_shift() -> None:
    found = scale_leaves(np.zeros((1, 2)), _trees(3, 1), np.zeros(2), Result(0.1, 7, 8), "sum")
    assert found is not None
    np.testing.assert_array_equal(found.base >> found.shift, [7, 7])
