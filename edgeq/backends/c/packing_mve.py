"""Weights in the order in which the kernels that only MVE has read them.

The C side of every function here is a header in ``runtime_c/arch/mve``: ``eq_octets.h``, ``eq_ring.h``,
``eq_tile.h``.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from edgeq.numerics.array import Array

TILE_CHANNELS: Final = 8
"""``EQ_TILE_CHANNELS``: output channels of a block of ``eq_tile.h``."""
TILE_CHUNK: Final = 16


def pack_tiles(weights: Array, bias: Array, multiplier: Array, *, in_groups: bool = False) -> Array:
    """The stream of ``eq_tile.h``.

    Args:
        weights: int8 [channels, depth], channels a multiple of eight.
        bias: int32 [channels].
        multiplier: int32 [channels].
        in_groups: for ``eq_tile_list``; otherwise for ``eq_tile_pair``.

    Returns:
        int8, flat. Per eight channels: for the even and for the odd ones the biases and the weights in chunks of
        sixteen places, the last chunk first unless they are in groups; then the multipliers of the even and of the odd.
    """
    channels, depth = weights.shape
    chunks = -(-depth // TILE_CHUNK)
    padded = np.pad(weights, ((0, 0), (0, chunks * TILE_CHUNK - depth)))
    # [block, half, chunk, channel of the half, place]
    ordered = padded.reshape(-1, 4, 2, chunks, TILE_CHUNK).transpose(0, 2, 3, 1, 4)
    ordered = (ordered if in_groups else np.roll(ordered, 1, axis=2)).reshape(channels // TILE_CHANNELS, 2, -1)
    biases, multipliers = (_halves(values) for values in (bias, multiplier))
    halves = np.concatenate([biases, ordered], axis=2).reshape(channels // TILE_CHANNELS, -1)
    return np.concatenate([halves, multipliers.reshape(channels // TILE_CHANNELS, -1)], axis=1).reshape(-1)


def pack_octets(weights: Array, bias: Array, multiplier: Array) -> Array:
    """The stream of ``eq_octets.h``; arguments as for :func:`pack_tiles`.

    Returns:
        int8, flat. Per eight channels, the even ones before the odd ones each time: biases, weights in chunks of
        sixteen places, multipliers.
    """
    channels, depth = weights.shape
    padded = np.pad(weights, ((0, 0), (0, -depth % TILE_CHUNK)))
    # [block, chunk, half, channel of the half, place]
    ordered = padded.reshape(channels // TILE_CHANNELS, 4, 2, -1, TILE_CHUNK).transpose(0, 3, 2, 1, 4)
    parts = [_halves(bias), ordered, _halves(multiplier)]
    return np.concatenate([part.reshape(channels // TILE_CHANNELS, -1) for part in parts], axis=1).reshape(-1)


def _halves(values: Array) -> Array:
    """int32 [channels] → their bytes, int8 [blocks of eight, even or odd, 16]."""
    ordered = values.astype("<i4").reshape(-1, 4, 2).transpose(0, 2, 1)
    return np.ascontiguousarray(ordered).view(np.int8)


def pack_ring(weights: Array, *, lines_down: bool) -> Array:
    """Weights of a depthwise convolution for ``eq_ring.h``.

    Args:
        weights: int8 [channels, kernel_h <= 3, kernel_w <= 3, 1].
        lines_down: lines are rows and follow each other downwards; otherwise they are columns.

    Returns:
        int8, flat: per channel the taps [place 0 … 2][line 0 … 2], with zeros where the kernel has none, and a zero.
    """
    channels, kernel_h, kernel_w, _ = weights.shape
    taps = np.zeros((channels, 3, 3), np.int8)
    taps[:, :kernel_h, :kernel_w] = weights[..., 0]
    ordered = taps.transpose(0, 2, 1) if lines_down else taps
    return np.pad(ordered.reshape(channels, 9), ((0, 0), (0, 1))).reshape(-1)
