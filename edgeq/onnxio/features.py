"""Signal features as ONNX models of standard operators, for the front of a network.

* **logmel**: frames of a signal, a window, a short-time transform, magnitudes or powers, bands on the mel scale as
  TensorFlow has it (mel = 1127·ln(1 + f/700), triangles on that scale), a number that is added, a logarithm;
* **mfcc**: the first coefficients of its DCT-II, sqrt(2/bands)·Σ x·cos, as TensorFlow has it;
* **pcen**: per-channel energy normalization (Wang et al. 2017, "Trainable frontend for robust and far-field keyword
  spotting"): (E/M^gain + bias)^root - bias^root, E a band's energy with the number added, M its smoothed energy, which
  begins with the first frame: M[t] = (1 - smooth)·M[t-1] + smooth·E[t];
* **imu**: samples of several axes over their range, less their mean over the window where that is asked for.

The models are what onnxruntime runs and what edgeq compiles: there is no other definition. Frames that end behind the
last sample do not exist. Transforms are as long as the next power of two, zeros following the frame.

The streaming form reads one step of samples at a time. Its states are the samples that the next frame begins with, and
the rows before the newest one: the result is that of the last ``samples`` samples. Before the first step all is zero,
and smoothed energies are the number that is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.numerics.array import Array
from edgeq.onnxio.feature_graph import SIGNAL, FeatureGraph

if TYPE_CHECKING:
    import onnx

Kind = Literal["imu", "logmel", "mfcc", "pcen"]
KINDS: Final[tuple[Kind, ...]] = ("imu", "logmel", "mfcc", "pcen")
WINDOWS: Final = ("hann", "hamming", "blackman", "none")
NORMALIZATIONS: Final = ("none", "peak")
_COSINES: Final = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46), "blackman": (0.42, 0.5, 0.08)}
_LEAST_PEAK: Final = 2.0**-15
_MEL: Final = 1127.0
_MEL_HERTZ: Final = 700.0


@dataclass(frozen=True)
class FeatureOptions:
    """What features are computed; lengths are in samples.

    Attributes:
        samples: of the signal.
        rate: samples a second.
        frame: of a frame.
        step: from a frame to the next.
        fft: length of the transform, a power of two; 0: the next one from ``frame`` up.
        window: one of :data:`WINDOWS`, periodic.
        power: 2: bands sum powers; 1: magnitudes.
        mels: number of bands.
        low, high: where the first band begins and the last one ends, in hertz.
        epsilon: what is added before the logarithm.
        coefficients: of the DCT that are kept, for ``mfcc``.
        smooth: share of the newest frame in the smoothed energy, for ``pcen``, as are the next three.
        gain: exponent of the smoothed energy.
        bias: what is added before the root.
        root: exponent of the compression.
        normalize: ``peak``: the signal over its largest value.
        axes: of a sample, for ``imu``.
        range: the number that becomes 1, for ``imu``.
        center: subtract the mean over the window, for ``imu``.
        bands_first: bands or coefficients before frames, axes before samples.
        shape: of the result; empty: [1, frames, bands], [1, samples, axes].
        result: its name.
        stream: read ``step`` samples at a time, with states.
    """

    samples: int = 16000
    rate: int = 16000
    frame: int = 480
    step: int = 320
    fft: int = 0
    window: str = "hann"
    power: int = 1
    mels: int = 40
    low: float = 20.0
    high: float = 4000.0
    epsilon: float = 1e-6
    coefficients: int = 10
    smooth: float = 0.025
    gain: float = 0.98
    bias: float = 2.0
    root: float = 0.5
    normalize: str = "none"
    axes: int = 3
    range: float = 1.0
    center: bool = False
    bands_first: bool = False
    shape: tuple[int, ...] = ()
    result: str = "features"
    stream: bool = False

    @property
    def length(self) -> int:
        """Of the transform."""
        return self.fft or 1 << (self.frame - 1).bit_length()

    @property
    def frames(self) -> int:
        """How many fit the signal."""
        return (self.samples - self.frame) // self.step + 1


def feature_model(kind: Kind, options: FeatureOptions) -> onnx.ModelProto:
    """The model of some features, opset 21.

    Raises:
        EdgeqError: EQ0150 options that contradict each other.
    """
    _check(kind, options)
    graph = FeatureGraph()
    if kind == "imu":
        rows = _imu(graph, options)
        sizes: tuple[int, ...] = (options.samples, options.axes)
    else:
        rows = _bands(graph, options)
        sizes = (options.frames, options.mels)
        if kind == "mfcc":
            rows = graph.node("MatMul", rows, graph.constant("dct", _dct(options.mels, options.coefficients)))
            sizes = (options.frames, options.coefficients)
        elif kind == "pcen":
            rows = _normalized(graph, rows, _smoothed(graph, rows, options), options)
    if options.stream and kind != "imu":
        rows = graph.remember(rows, "rows", sizes[0] - 1, sizes[1:])
    if options.bands_first:
        rows, sizes = graph.node("Transpose", rows, perm=[0, 2, 1]), sizes[::-1]
    shape = options.shape or (1, *sizes)
    if int(np.prod(shape)) != int(np.prod(sizes)):
        raise _contradiction("the shape has another number of elements", "--shape", list(shape), f"{[1, *sizes]}")
    graph.node("Reshape", rows, graph.constant("shape", np.array(shape)), result=options.result)
    samples = options.step if options.stream else options.samples
    given = (1, samples, options.axes) if kind == "imu" else (1, samples)
    return graph.model(f"{kind}_features", given, options.result, shape)


def _contradiction(what: str, where: str, got: object, allowed: str) -> EdgeqError:
    return EdgeqError("EQ0150", what, where=where, got=str(got), allowed=allowed)


def _check(kind: Kind, options: FeatureOptions) -> None:
    if min(options.samples, options.rate, options.frame, options.step, options.mels, options.axes) < 1:
        raise _contradiction("a size is not positive", "features", options, "1 or more")
    if options.stream and (kind == "imu" or options.normalize != "none"):
        got = f"{kind}, --normalize {options.normalize}"
        allowed = "logmel, mfcc or pcen, of the signal as it is"
        raise _contradiction("these features cannot be streamed", "--stream", got, allowed)
    if kind == "imu":
        if not 0 < options.range < np.inf:
            raise _contradiction("the range is no positive number", "--range", options.range, "above 0")
        return
    if options.frames < 1:
        raise _contradiction("a frame is longer than the signal", "--frame", options.frame, f"1 to {options.samples}")
    length = options.length
    if length & (length - 1) or not max(16, options.frame) <= length <= 4096:
        allowed = f"a power of two from {max(16, options.frame)} to 4096"
        raise _contradiction("there is no transform of this length", "--fft", length, allowed)
    if not 0 <= options.low < options.high <= options.rate / 2:
        got, allowed = f"{options.low} to {options.high} Hz", f"low < high, within 0 to {options.rate / 2} Hz"
        raise _contradiction("the bands leave the spectrum", "--low, --high", got, allowed)
    if options.window not in WINDOWS or options.normalize not in NORMALIZATIONS or options.power not in (1, 2):
        got = f"{options.window}, {options.normalize}, power {options.power}"
        allowed = f"{', '.join(WINDOWS)}; {', '.join(NORMALIZATIONS)}; power 1 or 2"
        raise _contradiction("there is no such choice", "features", got, allowed)
    if not 0 <= options.epsilon < np.inf:
        raise _contradiction("epsilon is negative", "--epsilon", options.epsilon, "0 or more")
    if kind == "pcen":
        _check_normalization(options)
    if kind == "mfcc" and not 1 <= options.coefficients <= options.mels:
        allowed = f"1 to {options.mels}, the number of bands"
        raise _contradiction("there are no so many coefficients", "--coefficients", options.coefficients, allowed)


def _check_normalization(options: FeatureOptions) -> None:
    for name, value, high in (
        ("smooth", options.smooth, 1.0),
        ("root", options.root, 1.0),
        ("gain", options.gain, 2.0),
    ):
        if not 0 < value <= high:
            raise _contradiction(
                "a parameter of the normalization is out of range", f"--{name}", value, f"(0, {high:g}]"
            )
    if not 0 <= options.bias < np.inf:
        raise _contradiction("a parameter of the normalization is out of range", "--bias", options.bias, "0 or more")
    if not options.epsilon:
        raise _contradiction("silence has no logarithm", "--epsilon", options.epsilon, "above 0")


def _imu(graph: FeatureGraph, options: FeatureOptions) -> str:
    value = SIGNAL
    if options.center:
        mean = graph.node("ReduceMean", value, graph.constant("samples_axis", np.array([1])), keepdims=1)
        value = graph.node("Sub", value, mean)
    return graph.node("Mul", value, graph.constant("factor", np.array(1 / options.range, np.float32)))


def _bands(graph: FeatureGraph, options: FeatureOptions) -> str:
    value = SIGNAL
    if options.normalize == "peak":
        peak = graph.node("ReduceMax", value, keepdims=1)
        bounded = graph.node("Max", peak, graph.constant("least_peak", np.array(_LEAST_PEAK, np.float32)))
        value = graph.node("Div", value, bounded)
    missing = (options.frames - 1) * options.step + options.length - options.samples
    if options.stream:
        value = graph.remember(value, "samples", options.frame - options.step, ())
        missing = options.length - options.frame
    if missing > 0:
        value = graph.node("Pad", value, graph.constant("pads", np.array([0, 0, 0, missing])))
    window = np.pad(window_of(options.window, options.frame), (0, options.length - options.frame))
    operands = graph.constant("step", np.array(options.step)), graph.constant("window", window.astype(np.float32))
    spectrum = graph.node("STFT", value, *operands, onesided=1)
    energies = "ReduceL2" if options.power == 1 else "ReduceSumSquare"
    energy = graph.node(energies, spectrum, graph.constant("parts_axis", np.array([-1])), keepdims=0)
    weights = mel_weights(options.length, options.rate, options.mels, options.low, options.high)
    bands = graph.node("MatMul", energy, graph.constant("mel", weights.astype(np.float32)))
    added = graph.node("Add", bands, graph.constant("epsilon", np.array(options.epsilon, np.float32)))
    return graph.node("Log", added)


def _smoothed(graph: FeatureGraph, rows: str, options: FeatureOptions) -> str:
    """Logarithms of smoothed energies from those of energies [1, frames, bands].

    Energies span more than integers hold, so sums are taken of logarithms: log(e^a + e^b) = a + softplus(b - a). A
    round doubles how many frames a sum reaches back; only what lies within the window is added.
    """
    kept, taken = (np.log1p(-options.smooth), np.log(options.smooth)) if options.smooth < 1 else (0.0, 0.0)

    def added(value: str, name: str, number: float) -> str:
        return graph.node("Add", value, graph.constant(name, np.array(number, np.float32)))

    def total(a: str, b: str) -> str:
        return graph.node("Add", a, graph.node("Softplus", graph.node("Sub", b, a)))

    if options.smooth == 1:
        return rows
    if options.stream:
        state, floor = graph.state("smoothed_state", (1, 1, options.mels)), np.log(options.epsilon)
        before, fresh = added(state, "kept", kept), added(rows, "taken", taken - floor)
        both = graph.node(
            "Add", before, graph.node("Softplus", graph.node("Sub", fresh, before)), result=f"{state}_out"
        )
        return added(both, "floor", floor)
    axis = graph.constant("frames_axis", np.array([1]))

    def part(value: str, start: int, stop: int) -> str:
        bounds = [graph.constant(f"frame_{at}", np.array([at])) for at in (start, stop)]
        return graph.node("Slice", value, *bounds, axis)

    frames = options.frames
    if frames == 1:
        return rows
    sums = graph.node("Concat", part(rows, 0, 1), added(part(rows, 1, frames), "taken", taken), axis=1)
    reach = 1
    while reach < frames:
        older = added(part(sums, 0, frames - reach), f"kept_{reach}", reach * kept)
        sums = graph.node("Concat", part(sums, 0, reach), total(part(sums, reach, frames), older), axis=1)
        reach *= 2
    return sums


def _normalized(graph: FeatureGraph, rows: str, smoothed: str, options: FeatureOptions) -> str:
    """(e^(rows - gain·smoothed) + bias)^root - bias^root."""

    def number(name: str, value: float) -> str:
        return graph.constant(name, np.array(value, np.float32))

    excess = graph.node("Sub", rows, graph.node("Mul", smoothed, number("gain", options.gain)))
    biased = graph.node("Add", graph.node("Exp", excess), number("bias", options.bias))
    return graph.node(
        "Sub", graph.node("Pow", biased, number("root", options.root)), number("least", options.bias**options.root)
    )


def window_of(name: str, samples: int) -> Array:
    """A periodic window, float64 [samples]."""
    angle = 2 * np.pi * np.arange(samples) / samples
    terms = _COSINES.get(name, (1.0,))
    found: Array = sum(
        ((-1) ** order * factor * np.cos(order * angle) for order, factor in enumerate(terms)), np.zeros(samples)
    )
    return found


def mel_weights(length: int, rate: int, mels: int, low: float, high: float) -> Array:
    """Triangles on the mel scale, float64 [frequencies, bands]; the frequency 0 is in none."""

    def mel(hertz: Array | float) -> Array:
        found: Array = _MEL * np.log1p(np.asarray(hertz) / _MEL_HERTZ)
        return found

    edges = np.linspace(mel(low), mel(high), mels + 2)
    place = mel(np.linspace(0, rate / 2, length // 2 + 1))[:, np.newaxis]
    rising = (place - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - place) / (edges[2:] - edges[1:-1])
    found: Array = np.maximum(0, np.minimum(rising, falling))
    found[0] = 0
    return found


def _dct(bands: int, coefficients: int) -> Array:
    """The matrix of the DCT-II, float32 [bands, coefficients]."""
    angle = np.pi / bands * np.outer(np.arange(bands) + 0.5, np.arange(coefficients))
    found: Array = (np.sqrt(2 / bands) * np.cos(angle)).astype(np.float32)
    return found
