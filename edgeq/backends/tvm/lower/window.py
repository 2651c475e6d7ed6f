"""Where a window of a convolution or a pool lies in its input. Layout NHWC, pads are top, left, bottom, right."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx

from edgeq.backends.tvm.integers import Expression


@dataclass(frozen=True)
class Window:
    """The geometry along height and width."""

    size: tuple[int, int]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...] = (1, 1)

    def position(self, axis: int, output: Expression, tap: Expression) -> Expression:
        """Row (axis 0) or column (axis 1) of the input that a tap reads; outside the input it is padding."""
        return output * self.strides[axis] + tap * self.dilations[axis] - self.pads[axis]

    def inside(self, row: Expression, column: Expression) -> Expression | None:
        """The condition under which a position is no padding; None where there is none."""
        conditions = []
        for axis, place in ((0, row), (1, column)):
            if self.pads[axis]:
                conditions.append(place >= 0)
            if self.pads[axis + 2]:
                conditions.append(place < self.size[axis])
        return tirx.all(*conditions) if conditions else None

    def valid(self, axis: int, output: Expression, taps: int) -> Expression:
        """How many of the taps along an axis lie inside, dilation 1."""
        start = output * self.strides[axis] - self.pads[axis]
        return tirx.min(start + taps, self.size[axis]) - tirx.max(start, 0)
