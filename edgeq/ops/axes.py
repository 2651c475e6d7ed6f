"""What an operator does to the axes of its activations, as data: enough to move a transpose through it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeq.ir import Attr, Node

Perm = tuple[int, ...]


@dataclass(frozen=True)
class Axes:
    """The part of an operator in the order of axes: without any of these it is elementwise, with numpy broadcasting.

    Attributes:
        fixed: so many of the last axes have a meaning by their place.
        each: attributes that hold one number for each axis, or several, axis by axis in blocks.
        named: the attribute that holds an axis, or axes in ascending order.
        contiguous: named axes are neighbours.
        kept: the attribute that is 0 where the result lacks the named axes.
    """

    fixed: int = 0
    each: tuple[str, ...] = ()
    named: str | None = None
    contiguous: bool = False
    kept: str | None = None

    def exchange(self, node: Node, perm: Perm) -> tuple[dict[str, Attr], Perm] | None:
        """The way to write op(transpose(x, perm), …) as transpose(op'(x, …), result).

        Args:
            node: op; all its activations are transposed, those of a smaller rank along the last axes.
            perm: as many axes as the activation of the largest rank has.

        Returns:
            The attributes in which op' differs, and the permutation of the result; None where there is no such op'.
        """
        rank = len(perm)
        if perm[rank - self.fixed :] != tuple(range(rank - self.fixed, rank)):
            return None
        inverse = np.argsort(perm)
        attrs: dict[str, Attr] = {
            key: tuple(np.asarray(node.integers(key)).reshape(-1, max(rank, 1))[:, inverse].reshape(-1).tolist())
            for key in self.each
        }
        if self.named is None:
            return attrs, perm
        stated = node.attrs[self.named]
        if isinstance(stated, int):
            return attrs | {self.named: perm[stated]}, perm
        axes = tuple(sorted(perm[axis] for axis in node.integers(self.named)))
        if self.contiguous and axes[-1] - axes[0] >= len(axes):
            return None
        attrs[self.named] = axes
        if self.kept is None or node.integer(self.kept):
            return attrs, perm
        left = [axis for axis in range(rank) if axis not in axes]
        return attrs, tuple(left.index(axis) for axis in perm if axis not in axes)
