"""How a data file holds sequences, the samples of a model with states: time steps on axis 1, or frames in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edgeq.numerics.array import Array

# Of an array of frames: sample, frame, channel.
_FRAMES_RANK: Final = 3


@dataclass(frozen=True)
class Sequences:
    """The layout of one input's array.

    Attributes:
        length: time steps of a sequence.
        frames: consecutive frames [frames, C] that make one time step of an input [1, C, frames], transposed; 0 where
            axis 1 is time and the rest an input.
    """

    length: int
    frames: int

    @classmethod
    def of(cls, stored: Sequence[int], shape: Sequence[int]) -> Sequences | None:
        """Recognize the layout.

        Args:
            stored: the shape of the array.
            shape: of the model's input.

        Returns:
            None where the array holds no sequences of this input.
        """
        if len(stored) > 1 and stored[1] > 0 and without_leading_ones(stored[2:]) == without_leading_ones(shape):
            return cls(stored[1], 0)
        if len(stored) == len(shape) == _FRAMES_RANK and shape[0] == 1:
            _, channels, frames = shape
            if stored[2] == channels and frames > 0 and stored[1] >= frames and stored[1] % frames == 0:
                return cls(stored[1] // frames, frames)
        return None

    @staticmethod
    def allowed(shape: Sequence[int]) -> str:
        """The layouts that an input of this shape can have, for messages."""
        found = [f"[N, steps{''.join(f', {size}' for size in without_leading_ones(shape))}]"]
        if len(shape) == _FRAMES_RANK and shape[0] == 1:
            found.append(f"[N, steps*{shape[2]}, {shape[1]}]")
        return " or ".join(found)

    def step(self, row: Array, number: int) -> Array:
        """Time step ``number`` of a sample, its elements in the order of the input's."""
        if not self.frames:
            found: Array = row[number]
            return found
        return row[number * self.frames : (number + 1) * self.frames].T


def without_leading_ones(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape without the ones that it begins with: what data files may leave out."""
    dims = list(shape)
    while dims and dims[0] == 1:
        dims.pop(0)
    return tuple(dims)
