"""Spectra of signals: the logarithms of the energies of bands, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir import Node, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.fourier import LENGTH_MAX, LENGTH_MIN, is_length
from edgeq.numerics.log_mel import COLUMNS, SHIFT_MAX, Rows, Scale, log_mel
from edgeq.ops.accumulator import CLAMP, IN_ZERO, RESULT_TYPE, value_of
from edgeq.ops.base import Attribute, OnnxForm, Op, Sample
from edgeq.ops.signature import RESULT, Shape, Signature, Slot, invalid

_COMPLEX_PRODUCTS = 3
_REAL_PRODUCTS = 4


def _rows(node: Node) -> Rows:
    return Rows(*(node.integer(name) for name in ("frames", "step", "start", "length")))


def _shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, window, weights, bands = operands
    rows, table = _rows(node), bands.value()
    if not is_length(rows.length) or window.elements > rows.length:
        raise invalid(node, "the window does not fit the transform", (window.elements, rows.length), "a power of two")
    behind = rows.start + (rows.frames - 1) * rows.step + window.elements
    if x.shape[0] != 1 or behind > x.shape[1]:
        raise invalid(node, "the frames leave the signal", behind, x.shape)
    if table.shape[1] != len(COLUMNS) or not weights.elements or int(table[:, 1].sum()) != weights.elements:
        raise invalid(node, "bands and weights do not fit", table.shape, weights.shape)
    if table[:, :2].min() < 0 or int((table[:, 0] + table[:, 1]).max()) > rows.length // 2 + 1:
        raise invalid(node, "a band leaves the spectrum", int((table[:, 0] + table[:, 1]).max()), rows.length // 2 + 1)
    return 1, rows.frames, len(table)


def _evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, window, weights, bands = arrays
    scale = Scale(*(node.integer(name) for name in ("multiplier", "shift", "out_zero", "clamp_min", "clamp_max")))
    magnitude, floor = bool(node.integer("magnitude")), bool(node.integer("floor"))
    samples = x[0].astype(np.int64) - node.integer("in_zero")
    found = log_mel(samples, window, weights, bands, _rows(node), scale, magnitude=magnitude, floor=floor)
    return [found[np.newaxis].astype(str(node.attrs.get(RESULT, x.dtype.name)))]


def _macs(node: Node, operands: Sequence[Tensor]) -> int:
    """Windows, the products of the transforms with twiddle factors, energies, and bands."""
    rows = _rows(node)
    half = rows.length // 2
    stages = (half.bit_length() - 1) // 2
    transform = half // 4 * stages * _COMPLEX_PRODUCTS * _REAL_PRODUCTS + half // 2 * _REAL_PRODUCTS
    return rows.frames * (operands[1].elements + transform + 2 * half + operands[2].elements)


def triangles(frequencies: int, bands: int) -> Array:
    """Weights of bands that overlap by half and grow wider, float32 [frequencies, bands]."""
    edges = (frequencies - 1) * np.linspace(0.1, 1, bands + 2) ** 1.5
    place = np.arange(frequencies)[:, np.newaxis]
    up = (place - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - place) / (edges[2:] - edges[1:-1])
    found: Array = np.maximum(0, np.minimum(up, down)).astype(np.float32)
    return found


def _hann(samples: int, length: int) -> Array:
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)
    found: Array = np.pad(window, (0, length - samples)).astype(np.float32)
    return found


def _sample(
    name: str,
    samples: int,
    step: int,
    window: Array,
    weights: Array,
    numbers: tuple[float, float, float] = (1.0, 1e-3, 0.0),
    padding: int = 0,
) -> Sample:
    """Exponent, what is added, and the least value, as ``numbers``."""
    behind = np.array([0, 0, 0, padding], np.int64)
    constants: dict[int, Shape | Array] = {1: behind, 2: np.array(step, np.int64), 3: window, 4: weights}
    constants |= {5 + place: np.array(number, np.float32) for place, number in enumerate(numbers)}
    return Sample(name, "LogMel", ((1, samples),), constants)


_LINES = (np.eye(17, 4)[:, [0, 3, 2, 1]] * [1, 0, 1, 3]).astype(np.float32)
"""Bands of one frequency each, and one of none."""

LOG_MEL = Op(
    name="log_mel",
    family="spectrum",
    summary="Logarithms of bands of the spectra of frames: x, window, weights of bands, bands",
    signature=Signature(
        (
            Slot("x", rank=2),
            Slot("window", "table", "int32", rank=1),
            Slot("weights", "table", "uint16", rank=1),
            Slot("bands", "table", "int32", rank=2),
        ),
        (("int16", "int16"), ("int16", "int8"), ("int8", "int8"), ("int8", "int16")),
    ),
    attributes=(
        Attribute("frames", "int", "how many frames", 1),
        Attribute("step", "int", "samples from a frame to the next", 1),
        Attribute("start", "int", "first sample of the first frame", 0),
        Attribute("length", "int", "of the transform, a power of two", LENGTH_MIN, LENGTH_MAX),
        Attribute("magnitude", "int", "1: bands sum magnitudes; 0: powers", 0, 1),
        Attribute("floor", "int", "1: epsilon is the least sum of a band; 0: it is added", 0, 1),
        Attribute("multiplier", "int", "of a logarithm in units of 2^-20", 1, 2**31 - 1),
        Attribute("shift", "int", "right shift of the product", 1, SHIFT_MAX),
        IN_ZERO,
        value_of(RESULT, "out_zero", "zero point of the result"),
        *CLAMP,
        RESULT_TYPE,
    ),
    shape=_shape,
    evaluate=_evaluate,
    macs=_macs,
    one_sample=True,
    onnx=(
        OnnxForm(
            "LogMel",
            domain="edgeq",
            wide_operands=True,
            fuses_clamp=True,
            constants={
                1: "padding",
                2: "step",
                3: "window",
                4: "matrix of bands",
                5: "exponent",
                6: "number that is added",
                7: "least value",
            },
        ),
    ),
    samples=(
        _sample("power-16", 40, 8, np.ones(16, np.float32), triangles(9, 4)),
        _sample("power-32-hann", 70, 12, _hann(24, 32), triangles(17, 5), (1.0, 0.1, 0.0), padding=4),
        _sample("magnitude-64-hann", 200, 40, _hann(60, 64), triangles(33, 8), (0.5, 0.5, 0.0)),
        _sample("floor-128", 300, 100, _hann(128, 128), triangles(65, 10), (1.0, 0.0, 1e-2)),
        _sample("one_frame-256", 256, 1, _hann(256, 256), triangles(129, 12), (0.5, 0.0, 1e-3)),
        _sample("wide_weights-64", 64, 64, _hann(48, 64), np.full((33, 3), 2.5, np.float32)),
        _sample("empty_band-32", 32, 7, _hann(32, 32), _LINES),
        _sample("magnitude-512", 1200, 320, _hann(480, 512), triangles(257, 12), (0.5, 2.0, 0.0)),
    ),
    limits="STFT or DFT, squares or magnitudes, MatMul by a constant that is not negative, Add or Max, Log; "
    "transforms of 16 to 4096 samples, a power of two",
)
OPS = (LOG_MEL,)
