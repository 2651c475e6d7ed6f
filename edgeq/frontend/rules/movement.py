"""A chain of Reshape and Transpose as one permutation of elements, and the fewest nodes that do it.

The chain is read into atoms: the factors into which it cuts its dimensions. So any chain comes down to at most
Reshape, Transpose, Reshape, and often to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeq.frontend.facts import Shape


@dataclass
class Movement:
    """A permutation of elements: ``atoms`` sizes in input order, ``groups`` the axes now, as lists of atom numbers."""

    atoms: list[int]
    groups: list[list[int]]

    @classmethod
    def of_shape(cls, shape: Shape) -> Movement:
        """Nothing moved yet: one atom an axis."""
        return cls(list(shape), [[axis] for axis in range(len(shape))])

    def transpose(self, perm: Sequence[int]) -> None:
        """Reorder the axes."""
        self.groups = [self.groups[axis] for axis in perm]

    def reshape(self, shape: Shape) -> bool:
        """Regroup the elements, cutting atoms where needed; False when a cut does not divide."""
        queue = [atom for group in self.groups for atom in group]
        groups: list[list[int]] = []
        for dim in shape:
            group: list[int] = []
            need = dim
            while need > 1:
                while self.atoms[queue[0]] == 1:
                    group.append(queue.pop(0))
                atom = queue.pop(0)
                size = self.atoms[atom]
                if need % size == 0:
                    need //= size
                elif size % need == 0:
                    queue.insert(0, self._cut(atom, need, queue, groups, group))
                    need = 1
                else:
                    return False
                group.append(atom)
            groups.append(group)
        if queue and groups:
            groups[-1].extend(queue)  # only atoms of size one are left
        self.groups = groups
        return True

    def _cut(self, atom: int, keep: int, queue: list[int], groups: list[list[int]], group: list[int]) -> int:
        """Split an atom into ``keep`` and the rest, which becomes the next number; returns the rest's number."""
        rest = self.atoms[atom] // keep
        self.atoms[atom] = keep
        self.atoms.insert(atom + 1, rest)
        for listed in (queue, group, *groups):
            listed[:] = [number + 1 if number > atom else number for number in listed]
        return atom + 1

    def order(self) -> list[int]:
        """The atoms larger than one, in output order."""
        return [atom for group in self.groups for atom in group if self.atoms[atom] > 1]


@dataclass(frozen=True)
class Step:
    """One node of a plan: a Reshape to ``shape`` or a Transpose by ``perm``."""

    shape: Shape | None = None
    perm: Shape | None = None


def plan_movement(movement: Movement, source: Shape, target: Shape) -> list[Step]:
    """The shortest list of steps that does a movement."""
    order = movement.order()
    if order == sorted(order):
        return [] if source == target else [Step(shape=target)]
    owners_in = _owners(source, movement.atoms)
    perm = _perm_of_axes(owners_in, order, len(source))
    if perm is not None:
        moved = tuple(source[axis] for axis in perm)
        swapped = _with_ones_as(source, target, perm)
        if swapped is not None:
            return [Step(perm=swapped)]
        return [Step(perm=perm)] + ([] if moved == target else [Step(shape=target)])
    back = _perm_to_axes(movement, target)
    if back is not None:
        inverse = tuple(int(axis) for axis in np.argsort(back))
        before = tuple(target[axis] for axis in inverse)
        return ([] if before == source else [Step(shape=before)]) + [Step(perm=back)]
    blocks = _blocks(order)
    before = tuple(math.prod(movement.atoms[atom] for atom in block) for block in sorted(blocks))
    perm = tuple(sorted(blocks).index(block) for block in blocks)
    after = tuple(before[axis] for axis in perm)
    plan = [] if before == source else [Step(shape=before)]
    return [*plan, Step(perm=perm)] + ([] if after == target else [Step(shape=target)])


def _owners(shape: Shape, atoms: Sequence[int]) -> list[list[int]]:
    """For each input axis the atoms larger than one that it is made of."""
    owners: list[list[int]] = []
    position = 0
    for dim in shape:
        owned: list[int] = []
        need = dim
        while need > 1:
            if atoms[position] > 1:
                owned.append(position)
                need //= atoms[position]
            position += 1
        owners.append(owned)
    return owners


def _perm_of_axes(owners: list[list[int]], order: list[int], rank: int) -> Shape | None:
    """A permutation of the input's axes that gives the order of atoms, axes of size one first; None if none does."""
    starts = {owned[0]: axis for axis, owned in enumerate(owners) if owned}
    perm: list[int] = []
    position = 0
    while position < len(order):
        axis = starts.get(order[position])
        if axis is None or order[position : position + len(owners[axis])] != owners[axis]:
            return None
        perm.append(axis)
        position += len(owners[axis])
    ones = [axis for axis in range(rank) if not owners[axis]]
    return tuple(ones + perm)


def _with_ones_as(source: Shape, target: Shape, perm: Shape) -> Shape | None:
    """The same permutation with the axes of size one where the target has them; None where that is impossible."""
    large = [axis for axis in perm if source[axis] > 1]
    ones = [axis for axis in range(len(source)) if source[axis] == 1]
    if len(source) != len(target) or [source[axis] for axis in large] != [dim for dim in target if dim > 1]:
        return None
    return tuple(large.pop(0) if dim > 1 else ones.pop(0) for dim in target)


def _perm_to_axes(movement: Movement, target: Shape) -> Shape | None:
    """A permutation whose result has the target's axes: each axis made of consecutive atoms."""
    heads: list[tuple[int, int]] = []
    for axis, group in enumerate(movement.groups):
        atoms = [atom for atom in group if movement.atoms[atom] > 1]
        large = [atom for atom in range(len(movement.atoms)) if movement.atoms[atom] > 1]
        if atoms:
            first = large.index(atoms[0])
            if large[first : first + len(atoms)] != atoms:
                return None
            heads.append((atoms[0], axis))
        else:
            heads.append((-1, axis))
    before = [axis for _, axis in sorted(heads)]
    return tuple(before.index(axis) for axis in range(len(target)))


def _blocks(order: list[int]) -> list[tuple[int, ...]]:
    """Runs of atoms that stay next to each other."""
    rank = {atom: index for index, atom in enumerate(sorted(order))}
    blocks: list[list[int]] = []
    for atom in order:
        if blocks and rank[blocks[-1][-1]] + 1 == rank[atom]:
            blocks[-1].append(atom)
        else:
            blocks.append([atom])
    return [tuple(block) for block in blocks]
