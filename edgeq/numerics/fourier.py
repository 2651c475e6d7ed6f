"""The transform of real frames in integers of 32 bits, with one exponent for each frame.

A frame of N = 2·C samples v, N a power of two, is raised by a shift ``up`` that brings its largest magnitude below
2^25, and read as C complex numbers z[n] = v[2n] + i·v[2n+1]. Their transform has stages of radix 4, decimated in time,
and one of radix 2 in front where log2(C) is odd. Every stage halves its operands. With

    half(a, w) = floor(a·w / 2^32)   for a twiddle factor w of 31 bits behind the point,
    turn(b, j) = half(re b, c) + half(im b, s)  +  i·(half(im b, c) - half(re b, s)),   c - i·s = exp(-2πi·j/N)

a butterfly of radix 4 takes a, c, b, d, in this order, at distances of a quarter of its length, since the bits of n are
reversed. With a' = a halved and b', c', d' turned by k, 2k and 3k, t0 = a' + c', t1 = a' - c', t2 = b' + d' and
t3 = b' - d', it gives t0 + t2, t1 - i·t3, t0 - t2, t1 + i·t3. To halve is to shift right by one, rounding down, and so
are turns by 0.

The spectrum of the frame follows from Z, that of z: with H = Z halved, e = H[k] + conj H[C-k], o = H[k] - conj H[C-k],
X[k] = (e halved) - i·turn(o, k) and X[C-k] = conj((e halved) + i·turn(o, k)) for 0 < k < C/2; X[0] and X[C] are the sum
and the difference of the two parts of H[0]; X[C/2] = conj H[C/2]. It is the transform of v times 2^(up - stages - 1).

Nothing leaves int32: magnitudes below 2^25.5 at most double in each of up to five stages of radix 4, and stay in the
one of radix 2 and in the last step. Each step rounds by less than 2, so that a part of a frequency is off by less than
16, where the largest sample is 2^24 or more.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from edgeq.numerics import reals
from edgeq.numerics.array import Array
from edgeq.numerics.reals import fraction
from edgeq.numerics.rounding import round_half_even

LENGTH_MIN = 16
LENGTH_MAX = 4096
FRAME_BITS = 25
_ONE = 1 << 31
_TURN = 32

Complex = tuple[Array, Array]
"""Real and imaginary parts, int64."""


def is_length(length: int) -> bool:
    """Whether there is a transform of this length."""
    return LENGTH_MIN <= length <= LENGTH_MAX and length & (length - 1) == 0


def stages_of(length: int) -> int:
    """The stages of the transform of C complex numbers."""
    return (length.bit_length() - 1) // 2


@lru_cache(maxsize=8)
def twiddles(length: int) -> Array:
    """c and s of each j below 3/4·N, int32 [3/4·N, 2]; 1 is 2^31 - 1."""
    size = length // 4
    quarter = _quarter(length)

    def cosine(j: int) -> int:
        j = min(j % length, -j % length)
        return min(quarter[j] if j <= size else -quarter[2 * size - j], _ONE - 1)

    return np.array([[cosine(j), cosine(j - size)] for j in range(3 * size)], np.int32)


def _quarter(length: int) -> list[int]:
    """2^31·cos(2π·j/N), rounded, for j = 0 … N/4."""
    with reals.precision():
        step = 2 * reals.pi() / length
        between = [round_half_even(fraction(reals.cos(step * j)) * _ONE) for j in range(1, length // 4)]
    return [_ONE, *between, 0]


def magnitude_bits(values: Array) -> Array:
    """By row, the fewest bits b so that all integers of the row lie in [-2^b, 2^b)."""
    folded = np.bitwise_or.reduce(values ^ (values >> 63), axis=-1)
    return np.array([int(item).bit_length() for item in folded.reshape(-1)], np.int64).reshape(folded.shape)


def shifted(values: Array, left: Array) -> Array:
    """Rows of int64 times 2^left, rounded down."""
    up = np.maximum(left, 0)[..., np.newaxis]
    return (values << up) >> np.maximum(-left, 0)[..., np.newaxis]


def spectrum(frames: Array, length: int) -> tuple[Complex, Array]:
    """X and the shift ``up`` of each frame.

    Args:
        frames: integers [frames, samples], |v| < 2^31, of at most ``length`` samples; those behind are zero.
        length: N.

    Returns:
        Real and imaginary parts, int64 [frames, N/2 + 1], and int64 [frames].
    """
    up = FRAME_BITS - magnitude_bits(frames.astype(np.int64))
    padded = np.zeros((len(frames), length), np.int64)
    padded[:, : frames.shape[1]] = shifted(frames.astype(np.int64), up)
    order = _reversed(length // 2)
    z = padded[:, 0::2][:, order], padded[:, 1::2][:, order]
    return _real_spectrum(_transform(z, length), length), up


def _reversed(count: int) -> Array:
    bits = count.bit_length() - 1
    return np.array([int(f"{number:0{bits}b}"[::-1], 2) for number in range(count)])


def _turned(values: Complex, places: Array, length: int) -> Complex:
    """Values [..., k] turned by j = places[k]."""
    re, im = values
    wide = twiddles(length).astype(np.int64)[places]
    c, s = np.where(places == 0, _ONE, wide[:, 0]), wide[:, 1]
    return ((re * c) >> _TURN) + ((im * s) >> _TURN), ((im * c) >> _TURN) - ((re * s) >> _TURN)


def _transform(z: Complex, length: int) -> Complex:
    """Z from z in reversed order."""
    rows, count = z[0].shape
    size = 1
    if (count.bit_length() - 1) % 2:
        first, second = (tuple(part.reshape(rows, -1, 2)[..., place] >> 1 for part in z) for place in (0, 1))
        z = tuple(  # type: ignore[assignment]
            np.stack([a + b, a - b], axis=-1).reshape(rows, count) for a, b in zip(first, second, strict=True)
        )
        size = 2
    while size < count:
        steps = np.arange(size) * (length // (4 * size))
        blocks = [part.reshape(rows, -1, 4, size) for part in z]
        a, c, b, d = (
            _turned((blocks[0][:, :, place], blocks[1][:, :, place]), steps * turn, length)
            for place, turn in ((0, 0), (1, 2), (2, 1), (3, 3))
        )
        t0, t1 = _sum(a, c), _sum(a, c, -1)
        t2, t3 = _sum(b, d), _sum(b, d, -1)
        found = (_sum(t0, t2), (t1[0] + t3[1], t1[1] - t3[0]), _sum(t0, t2, -1), (t1[0] - t3[1], t1[1] + t3[0]))
        z = tuple(np.stack([item[part] for item in found], axis=2).reshape(rows, count) for part in (0, 1))  # type: ignore[assignment]
        size *= 4
    return z


def _sum(a: Complex, b: Complex, sign: int = 1) -> Complex:
    return a[0] + sign * b[0], a[1] + sign * b[1]


def _real_spectrum(z: Complex, length: int) -> Complex:
    """X from Z."""
    count = length // 2
    re, im = (np.zeros((len(z[0]), count + 1), np.int64) for _ in range(2))
    halves = z[0] >> 1, z[1] >> 1
    re[:, 0], re[:, count] = halves[0][:, 0] + halves[1][:, 0], halves[0][:, 0] - halves[1][:, 0]
    re[:, count // 2], im[:, count // 2] = halves[0][:, count // 2], -halves[1][:, count // 2]
    k = np.arange(1, count // 2)
    here = halves[0][:, k], halves[1][:, k]
    there = halves[0][:, count - k], -halves[1][:, count - k]
    e, o = _sum(here, there), _sum(here, there, -1)
    turned = _turned(o, k, length)
    re[:, k], im[:, k] = (e[0] >> 1) + turned[1], (e[1] >> 1) - turned[0]
    re[:, count - k], im[:, count - k] = (e[0] >> 1) - turned[1], -((e[1] >> 1) + turned[0])
    return re, im
