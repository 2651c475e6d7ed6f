"""Weights in the order in which each instruction set reads them.

The C side of every function here is the header of the same family in ``runtime_c/arch``: ``eq_columns.h``,
``eq_rows.h``, ``eq_taps.h``. Arrays come in logical order and leave flat, ready to be written as C.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from edgeq.backends.c.runtime import Isa
from edgeq.numerics.accumulator import accumulator_range, signed_sums
from edgeq.numerics.array import Array

NARROW_LIMIT: Final = (1 << 47) - (1 << 40)
"""|acc * 2^shift * multiplier| below this lets ARMv6-M requantize with three multiplications (eq_requantize.h)."""

_PROVIDED: Final = {
    "columns": ("dsp", "generic", "mve"),
    "rows": ("dsp", "generic", "mve"),
    "taps": ("dsp", "generic", "mve"),
}
"""Family → the folders of ``runtime_c/arch`` that have a header of their own."""

_LANES: Final = tuple(4 * lane + quarter for quarter in range(4) for lane in range(4))
"""Channel of a block of 16 at each place of the MVE order: 0 4 8 12, 1 5 9 13, 2 6 10 14, 3 7 11 15."""

_INT16_MAX: Final = 32767
_COUPLED_LIMIT: Final = 1 << 23
_TRIO_LIMIT: Final = 1 << 20
_TRIO_SEGMENTS: Final = 8

PANELS: tuple[str, ...] = ("v6m", "v7m")
"""The instruction sets, first in search order, that have panels of weights."""
NO_PANELS: Final = (
    "DSP extension and vectors have kernels of their own; on computers, compilers make vectors of plain loops"
)


def provider(isa: Isa, family: str) -> str:
    """The folder whose header of a family the compiler finds first."""
    return next(name for name in isa if name in _PROVIDED[family])


def _round_up(number: int, unit: int) -> int:
    return -(-number // unit) * unit


def pad_last(array: Array, unit: int) -> Array:
    """``array`` with zeros behind its last axis, whose length becomes a multiple of ``unit``."""
    missing = _round_up(array.shape[-1], unit) - array.shape[-1]
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, missing)])


def stored_channels(channels: int, isa: Isa) -> int:
    """``eq_columns_channels`` of ``eq_columns.h``: how many channels are stored for ``channels``."""
    return channels if provider(isa, "columns") == "generic" else _round_up(channels, 2)


def column_segment(length: int, isa: Isa) -> int:
    """``eq_column_segment`` of ``eq_columns.h``: the places that a segment of ``length`` values takes."""
    return _round_up(length, 4) if provider(isa, "columns") == "dsp" else length


def pack_columns(weights: Array, isa: Isa) -> Array:
    """Weights of a convolution.

    Args:
        weights: int8 [group, channels, segments, length]: a segment is a run that the gather copies as one.
        isa: the instruction sets of the build.

    Returns:
        int8, flat. Plain: the same order. MVE: channels padded to 2. DSP: segments padded to 4, channels to 2, then per
        channel pair, per four places: four bytes of the first channel, four of the second.
    """
    group, channels = weights.shape[:2]
    missing = stored_channels(channels, isa) - channels
    padded = np.pad(weights, ((0, 0), (0, missing), (0, 0), (0, 0)))
    if provider(isa, "columns") != "dsp":
        return np.ascontiguousarray(padded).reshape(-1)
    rows = pad_last(padded, 4).reshape(group, channels + missing, -1, 4)
    pairs = rows.reshape(group, rows.shape[1] // 2, 2, -1, 4)
    return np.ascontiguousarray(pairs.transpose(0, 1, 3, 2, 4)).reshape(-1)


def pack_rows(weights: Array, isa: Isa) -> Array:
    """Weights of a fully connected layer.

    Args:
        weights: int8 [channels, depth].
        isa: the instruction sets of the build.

    Returns:
        int8, flat. Plain: the same order. DSP: rows padded to 4; blocks of four channels, per four places four bytes of
        each channel; the remaining one to three channels as rows.
    """
    if provider(isa, "rows") != "dsp":
        return np.ascontiguousarray(weights).reshape(-1)
    padded = pad_last(weights, 4)
    channels, depth = padded.shape
    whole = channels // 4 * 4
    blocks = padded[:whole].reshape(whole // 4, 4, depth // 4, 4).transpose(0, 2, 1, 3)
    return np.concatenate([blocks.reshape(-1), padded[whole:].reshape(-1)])


def halfword_order(weights: Array, isa: Isa) -> Array:
    """Weights [..., depth] in the order for int16 activations.

    DSP: padded with zeros to a multiple of four; per four places 0, 2, 1, 3, so that SXTB16 makes pairs of neighbours.
    Elsewhere the same array.
    """
    if provider(isa, "columns") != "dsp":
        return weights
    padded = pad_last(weights, 4)
    return padded.reshape(*padded.shape[:-1], -1, 4)[..., (0, 2, 1, 3)].reshape(padded.shape)


def pack_lanes(values: Array, isa: Isa) -> Array:
    """Bias or multiplier of a depthwise convolution: int32 [channels] → flat; MVE: blocks of 16 in lane order."""
    if provider(isa, "taps") != "mve":
        return np.ascontiguousarray(values)
    return np.ascontiguousarray(pad_last(values, 16).reshape(-1, 16)[:, _LANES]).reshape(-1)


@dataclass(frozen=True, eq=False)
class Triple:
    """What ``eq_triple.h`` reads of the output channels of a convolution, and in which of its two forms.

    Attributes:
        stream: int8, flat.
        coupled: whether the weights of two channels share halfwords (``eq_coupled.h``).
    """

    stream: Array
    coupled: bool


def pack_triple(weights: Array, bias: Array, multiplier: Array) -> Triple:
    """Everything that ``eq_triple.h`` reads of the output channels of a convolution, little-endian.

    Segments are padded to 4, channels of a group to 2. Per pair of channels, two words of biases, per four places eight
    bytes of weights, two multipliers.

    Args:
        weights: int8 [group, channels, segments, length]: a segment is a run that the gather copies as one.
        bias: int32 [group·channels].
        multiplier: int32 [group·channels].
    """
    group, channels = weights.shape[:2]
    padded = pad_last(weights, 4).reshape(group, channels, -1)
    pairs = np.pad(padded, ((0, 0), (0, channels % 2), (0, 0))).reshape(-1, 2, padded.shape[2])
    biases, multipliers = (pad_last(each.reshape(group, channels), 2).reshape(-1, 2) for each in (bias, multiplier))
    coupled = may_couple(pairs, biases)
    if coupled:
        words, biases = couple(pairs), _coupled_bias(biases)
    else:
        words = pairs.reshape(len(pairs), 2, -1, 4).transpose(0, 2, 1, 3).reshape(len(pairs), -1)
    return Triple(np.concatenate([_bytes_of(biases), words, _bytes_of(multipliers)], axis=1).reshape(-1), coupled)


def pack_wide(weights: Array, bias: Array, multiplier: Array) -> Array:
    """Everything that ``eq_wide.h`` reads of the output channels of a convolution, little-endian.

    Args:
        weights: int8 [channels, depth], channels a multiple of 4.
        bias: int32 [channels].
        multiplier: int32 [channels].

    Returns:
        int8, flat. Depth is padded to 4, its places of four in the order 0, 2, 1, 3; per four channels four biases, per
        two places the weights of each channel as int16, four multipliers.
    """
    padded = pad_last(weights, 4)
    channels, depth = padded.shape
    ordered = padded.reshape(channels, depth // 4, 4)[..., (0, 2, 1, 3)].reshape(channels // 4, 4, depth // 2, 2)
    wide = np.ascontiguousarray(ordered.transpose(0, 2, 1, 3).astype("<i2")).view(np.int8)
    parts = [_bytes_of(bias.reshape(-1, 4)), wide.reshape(channels // 4, -1), _bytes_of(multiplier.reshape(-1, 4))]
    return np.concatenate(parts, axis=1).reshape(-1)


def pack_narrow(weights: Array, bias: Array, multiplier: Array) -> Array:
    """What ``eq_wide_widen`` of ``eq_wide.h`` makes :func:`pack_wide`'s of, little-endian.

    Args:
        weights: int8 [channels, depth], channels a multiple of 4.
        bias: int32 [channels].
        multiplier: int32 [channels].

    Returns:
        int8, flat. Depth is padded to 4; per four channels four biases, per four places four bytes of each channel,
        four multipliers.
    """
    padded = pad_last(weights, 4)
    channels, depth = padded.shape
    words = padded.reshape(channels // 4, 4, depth // 4, 4).transpose(0, 2, 1, 3)
    parts = [_bytes_of(bias.reshape(-1, 4)), words.reshape(channels // 4, -1), _bytes_of(multiplier.reshape(-1, 4))]
    return np.concatenate(parts, axis=1).reshape(-1)


def pack_eight(weights: Array, bias: Array, multiplier: Array) -> Array:
    """Everything that ``eq_eight.h`` reads of the output channels of a convolution, little-endian.

    Args:
        weights: int8 [channels, 8].
        bias: int32 [channels].
        multiplier: int32 [channels].

    Returns:
        int8, flat: per channel bias, eight weights as int16 in the order 0 2 1 3 4 6 5 7, multiplier.
    """
    wide = np.ascontiguousarray(weights[:, (0, 2, 1, 3, 4, 6, 5, 7)].astype("<i2")).view(np.int8)
    return np.concatenate([_bytes_of(bias), wide, _bytes_of(multiplier)], axis=1).reshape(-1)


def pack_quads(weights: Array, bias: Array, multiplier: Array) -> Array | None:
    """Everything that ``eq_quads.h`` reads of a fully connected layer, little-endian; None where it cannot take it.

    Args:
        weights: int8 [channels, depth].
        bias: int32 [channels].
        multiplier: int32 [channels].

    Returns:
        int8, flat. Per four channels four words of biases, per four places 16 bytes of weights, four multipliers; then
        the remaining one to three channels, each as bias, multiplier and a row padded to 4.
    """
    padded = pad_last(weights, 4)
    channels, depth = padded.shape
    whole = channels // 4 * 4
    pairs, biases = padded[:whole].reshape(-1, 2, depth), bias[:whole].reshape(-1, 2)
    if not may_couple(pairs, biases):
        return None
    words = couple(pairs).reshape(whole // 4, 2, depth // 4, 2, 4).transpose(0, 2, 3, 1, 4)
    blocks = [
        _bytes_of(_coupled_bias(biases).reshape(-1, 4)),
        words.reshape(whole // 4, 4 * depth),
        _bytes_of(multiplier[:whole].reshape(-1, 4)),
    ]
    rest = [_bytes_of(bias[whole:]), _bytes_of(multiplier[whole:]), padded[whole:]]
    return np.concatenate([np.concatenate(part, axis=1).reshape(-1) for part in (blocks, rest)])


def may_couple(pairs: Array, bias: Array) -> bool:
    """Whether weights of two channels can share halfwords: w0 + 256·w1 is an int16, sums of the second have 24 bits.

    Args:
        pairs: int8 [pairs, 2, depth].
        bias: int32 [pairs, 2].
    """
    if not pairs.size:
        return True
    halfwords = pairs[:, 0].astype(np.int64) + 256 * pairs[:, 1].astype(np.int64)
    reach = accumulator_range(signed_sums(pairs[:, 1]), bias[:, 1].astype(np.int64))
    fits = halfwords.min() >= -_INT16_MAX - 1 and halfwords.max() <= _INT16_MAX
    return bool(fits and reach.magnitude.max() < _COUPLED_LIMIT)


def couple(pairs: Array) -> Array:
    """Weights of pairs of channels as halfwords w0 + 256·w1, per four places in the order 0, 2, 1, 3.

    Args:
        pairs: int8 [pairs, 2, depth], depth a multiple of 4.

    Returns:
        int8 [pairs, 2·depth], little-endian.
    """
    halfwords = pairs[:, 0].astype(np.int32) + 256 * pairs[:, 1].astype(np.int32)
    count, depth = halfwords.shape
    ordered = halfwords.reshape(count, depth // 4, 4)[..., (0, 2, 1, 3)]
    return np.ascontiguousarray(ordered.reshape(count, depth).astype("<i2")).view(np.int8)


def _coupled_bias(bias: Array) -> Array:
    """Biases of pairs of channels, int32 [pairs, 2], as b0 and b0 + 256·b1 modulo 2^32."""
    wide = bias.astype(np.int64)
    return np.stack([wide[:, 0], wide[:, 0] + 256 * wide[:, 1]], axis=1).astype(np.uint32).view(np.int32)


def pack_panels(weights: Array, bias: Array, multiplier: Array, isa: Isa, *, copied: bool = True) -> Array:
    """Everything that ``eq_panel.h`` reads of the output channels of a layer, little-endian.

    Args:
        weights: int8 [group, channels, depth].
        bias: int32 [group·channels].
        multiplier: int32 [group·channels].
        isa: the instruction sets of the build.
        copied: for columns; else for rows that are read as they lie.

    Returns:
        int8, flat. Channels of a group padded to 4; per four channels their biases, per place four weights, their
        multipliers. ARMv6-M: weights plus 128 as bytes without sign; for columns bias - 128 Σ w modulo 2^32.
    """
    group, channels, depth = weights.shape
    padded = np.pad(weights, ((0, 0), (0, -channels % 4), (0, 0))).reshape(-1, 4, depth)
    biases, multipliers = (pad_last(each.reshape(group, channels), 4).reshape(-1, 4) for each in (bias, multiplier))
    if "v6m" in isa:
        if copied:
            biases = (biases.astype(np.int64) - 128 * padded.astype(np.int64).sum(axis=2)).astype(np.int32)
        padded = (padded.view(np.uint8) ^ 0x80).view(np.int8)
    places = np.ascontiguousarray(padded.transpose(0, 2, 1)).reshape(-1, 4 * depth)
    return np.concatenate([_bytes_of(biases), places, _bytes_of(multipliers)], axis=1).reshape(-1)


@dataclass(frozen=True, eq=False)
class Trio:
    """What ``eq_trio.h`` reads of the output channels of a convolution, and in which segments.

    Attributes:
        stream: int8, flat.
        first: places of the first segment.
        segment: of each further one; 0 where there is none.
    """

    stream: Array
    first: int
    segment: int


def pack_trio(weights: Array, bias: Array, multiplier: Array, isa: Isa) -> Trio | None:
    """Everything that ``eq_trio.h`` reads of a convolution, little-endian; None where its sums do not fit.

    A channel without weights has any bias, which is replaced by one that fits and a multiplier for the same result.

    Args:
        weights: int8 [group, channels, depth].
        bias: int32 [group·channels].
        multiplier: int32 [group·channels].
        isa: the instruction sets of the build.

    Returns:
        Channels of a group padded to 4; per four channels b + 2^21 b, then b + 2^10 b of their biases b, per place four
        weights, their multipliers. ARMv6-M: both words of each bias, of channel 0 last; weights plus 128 as bytes
        without sign.
    """
    group, channels, depth = weights.shape
    zero = ~weights.reshape(-1, depth).any(axis=1)
    constant = (bias.astype(np.int64) * multiplier + (1 << 31)) >> 32
    small = np.where(zero, np.clip(constant, -256, 256) << 10, bias)
    segments = _trio_segments(weights.reshape(-1, depth), small)
    if segments is None:
        return None
    padded = np.pad(weights, ((0, 0), (0, -channels % 4), (0, 0))).reshape(-1, 4, depth)
    biases, multipliers = (
        pad_last(each.reshape(group, channels), 4).reshape(-1, 4)
        for each in (small, np.where(zero, 1 << 22, multiplier).astype(np.int32))
    )
    words = np.stack([biases + (biases << 21), biases + (biases << 10)], axis=1) & 0xFFFFFFFF
    if "v6m" in isa:
        words = words.transpose(0, 2, 1)[:, (1, 2, 3, 0)]
        padded = (padded.view(np.uint8) ^ 0x80).view(np.int8)
    places = np.ascontiguousarray(padded.transpose(0, 2, 1)).reshape(-1, 4 * depth)
    stream = np.concatenate([_bytes_of(words.astype(np.uint32)), places, _bytes_of(multipliers)], axis=1).reshape(-1)
    return Trio(stream, *segments)


def _trio_segments(rows: Array, bias: Array) -> tuple[int, int] | None:
    """Places of the first segment and of the others: as few segments as have sums of 21 bits; None: too many.

    Args:
        rows: int8 [channels, depth].
        bias: int64 [channels].
    """
    depth = rows.shape[1]
    for count in range(1, _TRIO_SEGMENTS + 1):
        segment = _round_up(-(-depth // count), 8) if count > 1 else 0
        first = depth - (count - 1) * segment
        if first < 1:
            break
        starts = range(first, depth, segment or 1)
        if _has_21_bits(rows[:, :first], bias) and all(
            _has_21_bits(rows[:, start : start + segment], np.zeros_like(bias)) for start in starts
        ):
            return first, segment
    return None


def _has_21_bits(rows: Array, bias: Array) -> bool:
    reach = accumulator_range(signed_sums(rows), bias)
    return bool(reach.low.min() >= -_TRIO_LIMIT and reach.high.max() < _TRIO_LIMIT)


def pack_lines(weights: Array, bias: Array, multiplier: Array) -> Array:
    """Everything that ``eq_lines.h`` reads of the channels of a depthwise 3x3 convolution, little-endian.

    Args:
        weights: int8 [channels, 3, 3]: line, column.
        bias: int32 [channels].
        multiplier: int32 [channels].

    Returns:
        int8, flat, 20 bytes a channel: w00 w01 w10 w11, w02 w20 w12 w21; w22 as int16, 0; bias; multiplier.
    """
    flat = weights.reshape(-1, 9)
    record = [
        flat[:, (0, 1, 3, 4, 2, 6, 5, 7)],
        _bytes_of(flat[:, 8:].astype(np.int32) & 0xFFFF),
        _bytes_of(bias),
        _bytes_of(multiplier),
    ]
    return np.concatenate(record, axis=1).reshape(-1)


def pack_sequence(weights: Array, bias: Array, multiplier: Array) -> Array:
    """Everything that ``eq_depthwise_planes_s8.h`` reads of its channels, little-endian.

    Args:
        weights: int8 [channels, depth], depth a multiple of 4.
        bias: int32 [channels].
        multiplier: int32 [channels].

    Returns:
        int8, flat: per channel bias, multiplier, and per four places the weights 0, 2, 1, 3.
    """
    ordered = weights.reshape(len(weights), -1, 4)[..., (0, 2, 1, 3)].reshape(weights.shape)
    return np.concatenate([_bytes_of(bias), _bytes_of(multiplier), ordered], axis=1).reshape(-1)


def _bytes_of(values: Array) -> Array:
    """int32 [n, …] as int8 [n, …·4], little-endian."""
    columns = values.size // values.shape[0] if values.shape[0] else 1
    return np.ascontiguousarray(values.reshape(values.shape[0], columns).astype("<i4")).view(np.int8)


def refuse_taps(weights: Array, isa: Isa) -> str | None:
    """Why ``eq_taps.h`` cannot take these weights, int8 [taps, channels]; None where it can.

    MVE adds the products of taps 2i and 2i+1 in int16: -128 * (w0 + w1) must not exceed 32767.
    """
    if provider(isa, "taps") != "mve":
        return None
    wide = weights.astype(np.int32)[: weights.shape[0] // 2 * 2]
    pairs = wide.reshape(-1, 2, weights.shape[1]).sum(axis=1)
    if pairs.size and int((-128 * pairs).max()) > _INT16_MAX:
        return "two neighbouring taps of a channel are both -128: their products leave int16"
    return None


def is_narrow(weights: Array, bias: Array, multiplier: Array, shift: int) -> bool:
    """Whether |acc * 2^shift * multiplier| < 2^47 - 2^40 is proven for every channel and every input.

    Args:
        weights: int8 [channels, depth].
        bias: int32 [channels].
        multiplier: int32 [channels].
        shift: the left shift of the requantization.
    """
    reach = accumulator_range(signed_sums(weights), bias.astype(np.int64))
    return all(
        int(largest) * int(m) << shift < NARROW_LIMIT for largest, m in zip(reach.magnitude, multiplier, strict=True)
    )
