"""Shapes as few nested loops: axes of size 1 vanish, and axes that walk memory alike merge.

Kernels that broadcast or permute have a fixed number of loops, :data:`LOOPS`. What does not collapse into that many is
refused by the binding with a reason, so that no kernel needs an array of strides at run time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

LOOPS = 5


@dataclass(frozen=True)
class Loops:
    """Nested loops, outermost first, always :data:`LOOPS` of them (of size 1 where fewer are needed).

    Attributes:
        sizes: trip counts.
        strides: for each operand, its strides in the unit of the strides that were given; 0 where it is broadcast.
    """

    sizes: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]


def dense_strides(shape: Sequence[int], unit: int = 1) -> tuple[int, ...]:
    """Row-major strides of ``shape``, in multiples of ``unit``."""
    return tuple(prod(shape[axis + 1 :]) * unit for axis in range(len(shape)))


def collapse(sizes: Sequence[int], strides: Sequence[Sequence[int]]) -> Loops | None:
    """Merge neighbouring axes that every operand walks without a gap; None where more than :data:`LOOPS` remain.

    Args:
        sizes: trip counts, outermost first.
        strides: per operand, one stride for each axis.
    """
    merged: list[tuple[int, list[int]]] = []
    for axis in reversed(range(len(sizes))):
        size, steps = sizes[axis], [operand[axis] for operand in strides]
        if size == 1:
            continue
        if merged and all(step == merged[-1][0] * inner for step, inner in zip(steps, merged[-1][1], strict=True)):
            merged[-1] = (merged[-1][0] * size, merged[-1][1])
        else:
            merged.append((size, steps))
    if len(merged) > LOOPS:
        return None
    if not merged:
        merged.append((1, [1 for _ in strides]))
    merged.extend((1, [0 for _ in strides]) for _ in range(LOOPS - len(merged)))
    merged.reverse()
    by_operand = tuple(tuple(steps[index] for _, steps in merged) for index in range(len(strides)))
    return Loops(tuple(size for size, _ in merged), by_operand)


def broadcast(out_shape: Sequence[int], *shapes: Sequence[int]) -> Loops | None:
    """Loops over ``out_shape`` with the element strides of operands that numpy would broadcast to it.

    None where more than :data:`LOOPS` loops remain.
    """
    rank = len(out_shape)
    strides = []
    for shape in shapes:
        padded = (1,) * (rank - len(shape)) + tuple(shape)
        dense = dense_strides(padded)
        strides.append([0 if size == 1 else step for size, step in zip(padded, dense, strict=True)])
    return collapse(out_shape, strides)


def broadcast_refusal(out_shape: Sequence[int], *shapes: Sequence[int]) -> str | None:
    """Why a kernel of :data:`LOOPS` nested loops cannot broadcast the operands, or None."""
    return None if broadcast(out_shape, *shapes) else f"the broadcast needs more than {LOOPS} nested loops"


def broadcast_fields(out_shape: Sequence[int], shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """``n0 … n3 inner`` of the loops, and ``a0 … a3 a_inner`` for each operand by its letter."""
    loops = broadcast(out_shape, *shapes.values())
    assert loops is not None, "broadcast_refusal refused this node"
    fields = dict(zip(("n0", "n1", "n2", "n3", "inner"), loops.sizes, strict=True))
    for side, strides in zip(shapes, loops.strides, strict=True):
        fields |= dict(zip((f"{side}0", f"{side}1", f"{side}2", f"{side}3", f"{side}_inner"), strides, strict=True))
    return fields
