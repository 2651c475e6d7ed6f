"""Transposes on both sides of a reshape, told by pieces of axes: the largest extents that neither shape divides.

``[4, 6]`` reshaped to ``[8, 3]`` has the pieces 4, 2 and 3. Whatever the transposes do, they move whole pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

Shape = tuple[int, ...]
Perm = tuple[int, ...]


@dataclass(frozen=True)
class _Piece:
    """A piece, the axis of the operand and the axis of the result that it belongs to."""

    size: int
    source: int
    result: int


@dataclass(frozen=True)
class OneTranspose:
    """``transpose(reshape(x, before), perm).reshape(result)``; where ``before`` is None, x has that shape already.

    ``ends`` tells that the transpose gives the result's shape.
    """

    before: Shape | None
    perm: Perm
    ends: bool


def join_transposes(shape: Shape, first: Perm, middle: Shape, second: Perm, most: int) -> list[OneTranspose]:
    """Ways to write ``transpose(reshape(transpose(x, first), middle), second)`` with one transpose.

    Args:
        shape: of x.
        first: the permutation of x.
        middle: the shape between, of as many elements.
        second: the permutation behind.
        most: how many axes may move apart from each other.

    Returns:
        As far as they exist: what needs no reshape behind, what needs none in front, and what may need both. Nothing
        where an extent of one shape cuts one of the other without dividing it, or more axes would move.
    """
    pieces = _pieces(shape, first, middle)
    if pieces is None:
        return []
    place = {axis: at for at, axis in enumerate(second)}
    read = sorted(range(len(pieces)), key=lambda at: (pieces[at].source, at))  # as x has them
    written = sorted(range(len(pieces)), key=lambda at: (place[pieces[at].result], at))
    rank_read = {piece: at for at, piece in enumerate(read)}
    rank_written = {piece: at for at, piece in enumerate(written)}
    runs = _groups(written, [rank_read[at] - rank_written[at] for at in range(len(pieces))])
    if len(runs) > most:
        return []
    found = []
    by_result = _groups(written, [place[piece.result] for piece in pieces])
    if all(_are_neighbours([rank_read[at] for at in group]) for group in by_result):
        found.append(_ending(pieces, by_result, rank_read, tuple(middle[axis] for axis in second), place))
    by_source = _groups(read, [piece.source for piece in pieces])
    if all(_are_neighbours([rank_written[at] for at in group]) for group in by_source):
        moved = sorted(by_source, key=lambda group: rank_written[group[0]])
        ones = [axis for axis, size in enumerate(shape) if size == 1]
        found.append(OneTranspose(None, (*ones, *(pieces[group[0]].source for group in moved)), ends=False))
    found.append(_between(pieces, runs, rank_read))
    return found


def _pieces(shape: Shape, first: Perm, middle: Shape) -> list[_Piece] | None:
    """The pieces in the order of the values between; axes of size 1 have none."""
    left = [(shape[axis], axis) for axis in first if shape[axis] != 1]
    right = [(size, axis) for axis, size in enumerate(middle) if size != 1]
    pieces = []
    while left and right:
        (outer, source), (wanted, result) = left.pop(0), right.pop(0)
        size = min(outer, wanted)
        if max(outer, wanted) % size:
            return None
        pieces.append(_Piece(size, source, result))
        if outer > size:
            left.insert(0, (outer // size, source))
        if wanted > size:
            right.insert(0, (wanted // size, result))
    return None if left or right else pieces


def _groups(order: Sequence[int], keys: Sequence[int]) -> list[list[int]]:
    """Neighbours of one key."""
    groups: list[list[int]] = []
    for at in order:
        if groups and keys[groups[-1][-1]] == keys[at]:
            groups[-1].append(at)
        else:
            groups.append([at])
    return groups


def _are_neighbours(places: Sequence[int]) -> bool:
    return all(after == before + 1 for before, after in pairwise(places))


def _size(pieces: Sequence[_Piece], group: Sequence[int]) -> int:
    return prod(pieces[at].size for at in group)


def _ending(
    pieces: Sequence[_Piece],
    groups: Sequence[Sequence[int]],
    rank_read: dict[int, int],
    result: Shape,
    place: dict[int, int],
) -> OneTranspose:
    """A group is an axis of the result; axes of size 1 stand in front of what is transposed."""
    ordered = sorted(groups, key=lambda group: rank_read[group[0]])
    ones = [axis for axis, size in enumerate(result) if size == 1]
    axes = [*ones, *(place[pieces[group[0]].result] for group in ordered)]  # of the result, as they are read
    before = (*(1 for _ in ones), *(_size(pieces, group) for group in ordered))
    return OneTranspose(before, tuple(axes.index(axis) for axis in range(len(result))), ends=True)


def _between(pieces: Sequence[_Piece], runs: Sequence[Sequence[int]], rank_read: dict[int, int]) -> OneTranspose:
    """A run is an axis that moves as a whole."""
    ordered = sorted(runs, key=lambda run: rank_read[run[0]])
    perm = tuple(ordered.index(run) for run in runs)
    return OneTranspose(tuple(_size(pieces, run) for run in ordered), perm, ends=False)
