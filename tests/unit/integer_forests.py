"""Random forests as the integer graph holds them."""

from __future__ import annotations

import numpy as np

from edgeq.numerics.array import Array
from edgeq.numerics.trees import LEAF


def random_forest(draw: np.random.Generator, trees: int, features: int) -> tuple[Array, Array, int]:
    """Nodes int32 [rows, 3] and roots int32 [trees, 2] of random trees, and the number of leaves."""
    rows: list[list[int]] = []
    leaves = 0

    def grow(depth: int) -> None:
        nonlocal leaves
        if depth == 0 or draw.random() < 0.2:
            rows.append([LEAF, leaves, 0])
            leaves += 1
            return
        row = [int(draw.integers(features)), int(draw.integers(-100, 100)), 0]
        rows.append(row)
        grow(depth - 1)
        row[2] = len(rows)
        grow(depth - 1)

    roots = []
    for _ in range(trees):
        roots.append([len(rows), 0])
        grow(5)
    return np.array(rows, np.int32), np.array(roots, np.int32), leaves
