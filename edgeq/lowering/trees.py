"""Forests: thresholds in the integers of their operand, leaves in fractions of a step of their result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, Tensor
from edgeq.lowering.context import Context, Target, result_type, scalar_quant
from edgeq.numerics.array import Array
from edgeq.numerics.trees import LEAF, Grid, Result, scale_leaves
from edgeq.onnxio.forests import Forest, canonical_forest

if TYPE_CHECKING:
    import onnx_ir

_SINGLE: Final = 1


def lower_trees(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """A forest, of whose trees each compares x with its own thresholds.

    Raises:
        EdgeqError: EQ0353 a sum of leaves can leave int32.
    """
    forest = canonical_forest(node)
    grid = Grid.of(x.dtype.min, x.dtype.max, *scalar_quant(x))
    rows, first = _table(forest, grid)
    values, columns = _leaf_values(forest)
    trees = [
        (column, np.flatnonzero(forest.is_leaf[start:end]) + start)
        for column, (start, end) in zip(columns, forest.spans(), strict=True)
    ]
    aggregate = forest.aggregate.lower()
    result = Result(target.scale, target.zero, 8 * target.dtype.size_bytes)
    leaves = scale_leaves(values, trees, forest.base, result, aggregate)
    if leaves is None:
        raise EdgeqError(
            "EQ0353",
            "an accumulator can leave int32",
            where=f"node {', '.join(target.sources)}",
            got=f"leaves up to {np.abs(values).max():.3g}, of {len(trees)} trees, in steps of {target.scale:.3g}",
            allowed="a sum of the largest leaves within int32",
            hint="calibrate with data that reaches the larger leaves",
        )
    distinct, number = np.unique(leaves.values, axis=0, return_inverse=True)
    ends = rows[:, 0] == LEAF
    rows[ends, 1] = number.reshape(-1)[rows[ends, 1]]
    constants = {
        "nodes": rows,
        "roots": np.array(list(zip(first, columns, strict=True))).reshape(-1, 2),
        "leaves": distinct,
        "base": leaves.base,
    }
    names = [ctx.add_constant(f"{target.name}.{name}", array.astype(np.int32)) for name, array in constants.items()]
    attrs: dict[str, Attr] = {
        "aggregate": aggregate,
        "shift": leaves.shift,
        "clamp_min": target.clamp_min,
        "clamp_max": target.clamp_max,
        **result_type(x, target.quant),
    }
    return ctx.emit_result("trees", target, (x.name, *names), attrs)


def _leaf_values(forest: Forest) -> tuple[Array, list[int]]:
    """float64 [nodes, width], and the first target of each tree.

    Where each tree adds to one target alone, as those of gradient boosting do, width is 1.
    """
    everywhere = [0] * len(forest.roots)
    if forest.targets == _SINGLE or forest.aggregate != "SUM":
        return forest.weights, everywhere
    columns = []
    for start, end in forest.spans():
        used = np.flatnonzero(forest.weights[start:end].any(axis=0))
        if len(used) > _SINGLE:
            return forest.weights, everywhere
        columns.append(int(used[0]) if len(used) else 0)
    return forest.weights.sum(axis=1, keepdims=True), columns


def _table(forest: Forest, grid: Grid) -> tuple[Array, list[int]]:
    """The rows of nodes, with the number of its node for each leaf, and the row of each root.

    Branches that no integer of x takes are left out; a question for equality is two for order.
    """
    at_most, below, equal = (find(forest.thresholds) for find in (grid.last_at_most, grid.last_below, grid.equal_to))
    rows: list[list[int]] = []
    first = []
    for root in forest.roots:
        first.append(len(rows))
        waiting: list[tuple[int, int]] = [(root, -1)]
        while waiting:
            place, parent = waiting.pop()
            while not forest.is_leaf[place]:
                way = _only_way(forest, place, grid, at_most, below, equal)
                if way is None:
                    break
                place = way
            if parent >= 0:
                rows[parent][2] = len(rows)
            if forest.is_leaf[place]:
                rows.append([LEAF, place, 0])
                continue
            feature, true, false = int(forest.features[place]), int(forest.true[place]), int(forest.false[place])
            if forest.modes[place] != "BRANCH_EQ":
                last = at_most if forest.modes[place] == "BRANCH_LEQ" else below
                rows.append([feature, int(last[place]), 0])
                waiting += [(false, len(rows) - 1), (true, -1)]
                continue
            wanted = int(equal[place])
            if wanted == grid.low:
                rows.append([feature, wanted, 0])
                waiting += [(false, len(rows) - 1), (true, -1)]
                continue
            if wanted < grid.high:  # what is larger goes where what is smaller goes, right behind both questions
                rows.append([feature, wanted, len(rows) + 2])
            rows.append([feature, wanted - 1, 0])
            waiting += [(true, len(rows) - 1), (false, -1)]
    return np.array(rows, np.int64).reshape(-1, 3), first


def _only_way(forest: Forest, place: int, grid: Grid, at_most: Array, below: Array, equal: Array) -> int | None:
    """The child that every integer leads to, None where both can be reached."""
    if forest.modes[place] == "BRANCH_EQ":
        return int(forest.false[place]) if equal[place] < grid.low else None
    last = (at_most if forest.modes[place] == "BRANCH_LEQ" else below)[place]
    if last < grid.low:
        return int(forest.false[place])
    return int(forest.true[place]) if last >= grid.high else None
