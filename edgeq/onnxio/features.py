"""Signal features as ONNX models of standard operators, for the front of a network.

* **logmel**: frames of a signal, a window, a short-time transform, magnitudes or powers, bands on the mel scale as
  TensorFlow has it (mel = 1127·ln(1 + f/700), triangles on that scale), a number that is added, a logarithm;
* **mfcc**: the first coefficients of its DCT-II, sqrt(2/bands)·Σ x·cos, as TensorFlow has it;
* **imu**: samples of several axes over their range, less their mean over the window where that is asked for.

The models are what onnxruntime runs and what edgeq compiles: there is no other definition. Frames that end behind the
last sample do not exist. Transforms are as long as the next power of two, zeros following the frame.

The streaming form reads one step of samples at a time. Its states are the samples that the next frame begins with, and
the rows before the newest one: the result is that of the last ``samples`` samples. Before the first step all is zero.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.numerics.array import Array
from edgeq.onnxio.states import KEY
from edgeq.onnxio.writer import IR_VERSION, OPSET

if TYPE_CHECKING:
    import onnx

Kind = Literal["imu", "logmel", "mfcc"]
KINDS: Final[tuple[Kind, ...]] = ("imu", "logmel", "mfcc")
WINDOWS: Final = ("hann", "hamming", "blackman", "none")
NORMALIZATIONS: Final = ("none", "peak")
_COSINES: Final = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46), "blackman": (0.42, 0.5, 0.08)}
_LEAST_PEAK: Final = 2.0**-15
_MEL: Final = 1127.0
_MEL_HERTZ: Final = 700.0
SIGNAL: Final = "signal"


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
    graph = _Graph()
    if kind == "imu":
        rows = _imu(graph, options)
        sizes: tuple[int, ...] = (options.samples, options.axes)
    else:
        rows = _bands(graph, options)
        sizes = (options.frames, options.mels)
        if kind == "mfcc":
            rows = graph.node("MatMul", rows, graph.constant("dct", _dct(options.mels, options.coefficients)))
            sizes = (options.frames, options.coefficients)
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
        raise _contradiction("these features cannot be streamed", "--stream", got, "logmel or mfcc, not normalized")
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
    if kind == "mfcc" and not 1 <= options.coefficients <= options.mels:
        allowed = f"1 to {options.mels}, the number of bands"
        raise _contradiction("there are no so many coefficients", "--coefficients", options.coefficients, allowed)


def _imu(graph: _Graph, options: FeatureOptions) -> str:
    value = SIGNAL
    if options.center:
        mean = graph.node("ReduceMean", value, graph.constant("samples_axis", np.array([1])), keepdims=1)
        value = graph.node("Sub", value, mean)
    return graph.node("Mul", value, graph.constant("factor", np.array(1 / options.range, np.float32)))


def _bands(graph: _Graph, options: FeatureOptions) -> str:
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


class _Graph:
    """Nodes in a row, each called after its operator."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, Array] = {}
        self._states: list[tuple[str, tuple[int, ...]]] = []

    def constant(self, name: str, values: Array) -> str:
        self._constants[name] = values
        return name

    def node(self, kind: str, *operands: str, result: str | None = None, **attributes: int | list[int]) -> str:
        from onnx import helper

        name = result or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(operands), [name], name=f"{name}_{kind}", **attributes))  # type: ignore[arg-type]
        return name

    def remember(self, value: str, name: str, kept: int, rest: tuple[int, ...]) -> str:
        """What was kept before, then the value, along axis 1; the last ``kept`` of that are kept."""
        if kept < 1:
            return value
        state = f"{name}_state"
        self._states.append((state, (1, kept, *rest)))
        whole = self.node("Concat", state, value, axis=1)
        bounds = [self.constant(f"{name}_{label}", np.array([at])) for label, at in (("from", -kept), ("to", 1 << 31))]
        self.node("Slice", whole, *bounds, self.constant(f"{name}_axis", np.array([1])), result=f"{state}_out")
        return whole

    def model(self, name: str, given: tuple[int, ...], result: str, shape: tuple[int, ...]) -> onnx.ModelProto:
        from onnx import TensorProto, helper, numpy_helper

        def infos(named: Sequence[tuple[str, tuple[int, ...]]]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(key, TensorProto.FLOAT, size) for key, size in named]

        graph = helper.make_graph(
            self._nodes,
            name,
            infos([(SIGNAL, given), *self._states]),
            infos([(result, shape), *((f"{key}_out", size) for key, size in self._states)]),
            [numpy_helper.from_array(values, key) for key, values in self._constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        if self._states:
            helper.set_model_props(model, {KEY: json.dumps([[key, f"{key}_out"] for key, _ in self._states])})
        return model
