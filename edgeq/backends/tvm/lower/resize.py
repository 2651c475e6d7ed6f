"""Nearest pixels and bilinear interpolation, by tables."""

from __future__ import annotations

from typing import Final

from edgeq.backends.tvm.integers import Variable, i32, i64, loops
from edgeq.backends.tvm.step import Step


def _nearest(step: Step) -> None:
    x, rows, columns = step.inputs
    with loops(*step.extents) as (image, row, column, channel):
        step.store(x[image, rows[row], columns[column], channel], image, row, column, channel)


def _linear(step: Step) -> None:
    """``numerics.resampling.interpolate_image``, in int64."""
    x, rows, columns = step.inputs
    bits = step.node.integer("bits")
    with loops(*step.extents) as (image, row, column, channel):
        total = Variable(i64((1 << (2 * bits)) >> 1), "int64")
        for line in (0, 1):
            for place in (0, 1):
                down = rows[row, 2] if line else i32(1 << bits) - rows[row, 2]
                across = columns[column, 2] if place else i32(1 << bits) - columns[column, 2]
                value = x[image, rows[row, line], columns[column, place], channel]
                total.add(i64(value) * i64(across) * i64(down))
        step.store(step.cast(total.value >> i64(2 * bits)), image, row, column, channel)


LOWERINGS: Final = {"resize_linear": _linear, "resize_nearest": _nearest}
