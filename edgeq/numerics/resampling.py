"""Where the pixels of a resized axis come from, as ONNX's Resize has it and onnxruntime computes it: in float32.

The results are integers, decided at compile time: an index for each output, or two indices and a weight. A weight has
as many bits as it needs, 16 at most: factors such as 2 and 4 have exact weights of few bits, so that the sums of int8
fit int32. Rounding a weight to 16 bits moves a result by at most 2^-17 of the difference of its two neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from edgeq.numerics.array import Array, saturate

COORDINATES: Final = ("align_corners", "asymmetric", "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel")
ROUNDINGS: Final = ("ceil", "floor", "round_prefer_ceil", "round_prefer_floor")
WEIGHT_BITS_MAX: Final = 16
NARROW_BITS_MAX: Final = 11
"""Weights of so many bits keep the sums of int8 in int32: 128·2^22 = 2^29."""


@dataclass(frozen=True)
class Axis:
    """One axis that is resized.

    Attributes:
        size: of the operand.
        target: of the result.
        scale: by which ONNX computes coordinates, float32.
    """

    size: int
    target: int
    scale: float

    def positions(self, coordinates: str) -> Array:
        """Where each output lies on the operand's axis: float32 [target]."""
        x = np.arange(self.target, dtype=np.float32)
        scale, half, one = np.float32(self.scale), np.float32(0.5), np.float32(1)
        if scale == 1 and self.size == self.target:
            return x
        if coordinates == "asymmetric":
            return np.asarray(x / scale)
        if coordinates == "align_corners":
            last = np.float32(self.target - 1)
            return np.asarray(x * np.float32(self.size - 1) / last) if self.target > 1 else np.zeros_like(x)
        if coordinates == "pytorch_half_pixel" and self.target == 1:
            return np.zeros_like(x)
        centred = (x + half) / scale - half
        if coordinates == "half_pixel_symmetric":
            adjustment = np.float32(self.target) / (scale * np.float32(self.size))
            return np.asarray(np.float32(self.size) / np.float32(2) * (one - adjustment) + centred)
        return np.asarray(centred)


def nearest(axis: Axis, coordinates: str, rounding: str) -> Array:
    """The index of the nearest operand for each output, by one of :data:`ROUNDINGS`: int32 [target]."""
    x = axis.positions(coordinates)
    down = np.floor(x)
    up = {
        "ceil": x > down,
        "floor": np.zeros(x.shape, bool),
        "round_prefer_ceil": x - down >= np.float32(0.5),
        "round_prefer_floor": x - down > np.float32(0.5),
    }[rounding]
    found: Array = np.clip(down + up, 0, axis.size - 1).astype(np.int32)
    return found


def linear(axis: Axis, coordinates: str) -> tuple[Array, Array]:
    """The two neighbours of each output, int32 [target, 2], and the share of the second, float64 [target]."""
    x = np.clip(axis.positions(coordinates), 0, np.float32(axis.size - 1))
    first = np.floor(x).astype(np.int32)
    second = np.minimum(first + 1, axis.size - 1)
    return np.stack([first, second], axis=1), x.astype(np.float64) - first


def weight_bits(*shares: Array) -> int:
    """The fewest bits that hold all shares exactly, or the most that there are."""
    for bits in range(WEIGHT_BITS_MAX):
        if all(np.array_equal(share * 2.0**bits, np.rint(share * 2.0**bits)) for share in shares):
            return bits
    return WEIGHT_BITS_MAX


def interpolate_image(x: Array, rows: Array, columns: Array, bits: int) -> Array:
    """``(Σ w_row·w_column·x + 2^(2b-1)) >> 2b`` over the four neighbours of each output, for b = 0 x itself.

    Args:
        x: int8 or int16 [N, H, W, C].
        rows: int32 [OH, 3], the two neighbours and the second one's weight in units of 2^-b.
        columns: int32 [OW, 3].
        bits: b.
    """
    wide, one = x.astype(np.int64), 1 << bits
    (top, bottom, down), (left, right, across) = rows.astype(np.int64).T, columns.astype(np.int64).T
    lines = wide[:, :, left] * (one - across)[:, np.newaxis] + wide[:, :, right] * across[:, np.newaxis]
    shares = down[:, np.newaxis, np.newaxis]
    total = lines[:, top] * (one - shares) + lines[:, bottom] * shares
    rounded = (total + ((1 << (2 * bits)) >> 1)) >> (2 * bits)
    info = np.iinfo(x.dtype)
    return saturate(rounded, info.min, info.max, x.dtype)
