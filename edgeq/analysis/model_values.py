"""Inputs and outputs of a compiled model: between real numbers and its integers, as ONNX has it, on the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgeq.analysis.parallel import shares
from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.interp import Execution, run
from edgeq.ir import DType, Graph, Quantization
from edgeq.manifest import Endpoint
from edgeq.notes import note
from edgeq.numerics.array import Array
from edgeq.onnxio.samples import InputSpec, Samples
from edgeq.ops import plain_limits
from edgeq.sources import DataSource

# Of a sequence of random inputs.
RANDOM_TIME_STEPS: Final = 8


@dataclass(frozen=True)
class Inputs:
    """The integers that a model is run on.

    Attributes:
        runs: for each run one array an input.
        length: of a model with states, how many runs are the time steps of one sequence, at whose start the states are
            zero; None: the model has no states, and each run is a sample of its own.
    """

    runs: Sequence[list[Array]]
    length: int | None = None

    @property
    def samples(self) -> int:
        """How many samples or sequences there are."""
        return len(self.runs) // (self.length or 1)

    def part(self, part: range) -> Inputs:
        """Some of the runs; whole sequences."""
        return Inputs(self.runs[part.start : part.stop], self.length)

    def shares(self, run_bytes: int) -> list[range]:
        """Divide the runs as :func:`edgeq.analysis.parallel.shares` does, between sequences.

        Args:
            run_bytes: what the results of one run take.
        """
        length = self.length or 1
        found = shares(self.samples, run_bytes * length)
        return [range(part.start * length, part.stop * length) for part in found]

    def executed(self, graph: Graph) -> Iterator[Execution]:
        """What the reference computes in each run."""
        states = None
        for number, given in enumerate(self.runs):
            execution = run(graph, given, None if number % (self.length or 1) == 0 else states)
            states = execution.states
            yield execution


@dataclass(frozen=True)
class ModelValue:
    """One input or output of a compiled model.

    Attributes:
        name: in ONNX.
        shape: as ONNX has it.
        quantization: of the integers in the arena, per tensor; None: the value is plain, integers without a scale or
            truth values.
        onnx_dtype: float32, or an integer type where the ONNX model itself takes or gives integers: they pass through.
        plain: of a plain value, the type that holds it in the arena.
        limits: of a plain input, the least and the largest integer that mean something.
    """

    name: str
    shape: tuple[int, ...]
    quantization: Quantization | None
    onnx_dtype: np.dtype[Any]
    plain: DType = DType.INT32
    limits: tuple[int, int] = (DType.INT32.min, DType.INT32.max)

    @property
    def held(self) -> DType:
        """The type of the integers in the arena."""
        return self.plain if self.quantization is None else self.quantization.dtype

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type of the integers in the arena."""
        return self.held.numpy

    @property
    def passes_through(self) -> bool:
        """Whether the ONNX model has integers or truth values here."""
        return self.onnx_dtype.kind in "iub"

    @property
    def shift(self) -> int:
        """How far the ONNX model's integers lie above those in the arena: 128 for uint8 above int8."""
        if self.quantization is None or not self.passes_through:
            return 0
        return int(np.iinfo(self.onnx_dtype).min) - self.held.min

    def quantize(self, real: Array) -> Array:
        """QuantizeLinear: float32 division, half to even, saturation; integers of the ONNX model are shifted only.

        Raises:
            EdgeqError: EQ0143 an integer of a plain input is out of range.
        """
        if self.quantization is None:
            return self._plain(np.asarray(real)).reshape(self.shape)
        if self.passes_through:
            integers = np.asarray(real, self.onnx_dtype).astype(np.int64) - self.shift
            return integers.astype(self.dtype).reshape(self.shape)
        return self.quantization.quantize(np.asarray(real, np.float32)).reshape(self.shape)

    def _plain(self, values: Array) -> Array:
        integers = np.asarray(values != 0 if self.held is DType.BOOL else values)
        low, high = self.limits
        beyond = integers[(integers < low) | (integers > high)]
        if beyond.size:
            raise EdgeqError(
                "EQ0143",
                "an integer of the data is out of range",
                where=f"input {self.name}",
                got=int(beyond.reshape(-1)[0]),
                allowed=f"{low} to {high}",
                hint="an index tells apart as many elements as its table has",
            )
        return integers.astype(self.dtype)

    def dequantize(self, integers: Array) -> Array:
        """DequantizeLinear: exact difference, float32 product; integers of the ONNX model are shifted only."""
        if self.passes_through:
            return (integers.astype(np.int64) + self.shift).astype(self.onnx_dtype).reshape(self.shape)
        return self.real(integers)

    def real(self, integers: Array) -> Array:
        """What the integers in the arena stand for, also where the ONNX model has integers itself."""
        if self.quantization is None:
            return self.dequantize(integers)
        return self.quantization.dequantize(integers).reshape(self.shape)


def model_inputs(compiled: Compiled) -> tuple[ModelValue, ...]:
    """The model's inputs."""
    limits = {
        each.name: _declared(compiled.onnx_types[each.name], plain_limits(compiled.graph, each.name))
        for each in compiled.manifest.inputs
        if each.scale is None
    }
    return _values_of(compiled, compiled.manifest.inputs, limits)


def model_outputs(compiled: Compiled) -> tuple[ModelValue, ...]:
    """The model's outputs."""
    return _values_of(compiled, compiled.manifest.outputs, {})


def open_samples(compiled: Compiled, data: DataSource) -> Samples:
    """Data for a compiled model.

    Raises:
        EdgeqError: EQ011x where it does not fit the model.
    """
    specs = [InputSpec(each.name, each.shape, each.onnx_dtype) for each in model_inputs(compiled)]
    return Samples.open(data, specs, sequences=bool(compiled.manifest.states))


def quantized_inputs(compiled: Compiled, samples: Samples, count: int) -> Inputs:
    """The first ``count`` samples as the model's integers."""
    inputs, chosen = model_inputs(compiled), samples.first(count)
    runs = (chosen.inputs(number) for number in range(chosen.runs))
    return Inputs([[each.quantize(values[each.name]) for each in inputs] for values in runs], samples.length)


def random_inputs(compiled: Compiled, count: int) -> Inputs:
    """Integers that no data set has: both extremes, the zero points, then uniform ones of a fixed seed.

    Args:
        compiled: the folder.
        count: how many samples, or sequences of :data:`RANDOM_TIME_STEPS`.
    """
    length = RANDOM_TIME_STEPS if compiled.manifest.states else None
    return Inputs(_random_runs(compiled, count * (length or 1)), length)


def _random_runs(compiled: Compiled, count: int) -> list[list[Array]]:
    inputs = model_inputs(compiled)
    corners = [[_filled(each, value) for each in inputs] for value in ("min", "max", "zero")]
    generator = np.random.default_rng(20240229)
    while len(corners) < count:
        corners.append(
            [generator.integers(*_limits(each), each.shape, dtype=each.dtype, endpoint=True) for each in inputs]
        )
    return corners[:count]


def available(samples: Samples, asked: int | None) -> int:
    """How many samples there are of those asked for (None: all); the user is told where a file holds fewer.

    Raises:
        EdgeqError: EQ0108, there are none.
    """
    count = len(samples) if asked is None else min(asked, len(samples))
    if count < 1:
        raise EdgeqError(
            "EQ0108",
            "no sample is selected",
            where=samples.where,
            got=f"{len(samples)} in the file, {'all' if asked is None else asked} asked for",
            allowed="1 or more",
        )
    if asked is not None and asked > count:
        what = f"the file holds {count} samples; all of them are used"
        note("EQ0164", what, where=samples.where, got=f"--samples {asked}")
    return count


def integer_inputs(compiled: Compiled, samples: Samples | None, count: int) -> Inputs:
    """Inputs for a proof or a measurement: the first samples of a data file, or random ones without it.

    Raises:
        EdgeqError: EQ0108 no sample is selected.
    """
    if samples is None:
        return random_inputs(compiled, count)
    return quantized_inputs(compiled, samples, available(samples, count))


def _filled(given: ModelValue, value: str) -> Array:
    low, high = _limits(given)
    zero = given.quantization.zero_point[0] if given.quantization is not None else 0
    number = {"min": low, "max": high, "zero": zero}[value]
    return np.full(given.shape, number, given.dtype)


def _limits(given: ModelValue) -> tuple[int, int]:
    """The least and the largest integer of an input."""
    params = given.quantization
    return given.limits if params is None else (params.q_min, params.q_max)


def _values_of(
    compiled: Compiled, endpoints: Sequence[Endpoint], limits: Mapping[str, tuple[int, int]]
) -> tuple[ModelValue, ...]:
    """The manifest's entries with the types of the ONNX values of the same names."""
    return tuple(
        ModelValue(
            name=each.name,
            shape=each.shape,
            quantization=each.quantization,
            onnx_dtype=np.dtype(compiled.onnx_types.get(each.name, np.float32)),
            plain=DType(each.dtype),
            limits=limits.get(each.name, (DType(each.dtype).min, DType(each.dtype).max)),
        )
        for each in endpoints
    )


def _declared(dtype: np.dtype[Any], limits: tuple[int, int]) -> tuple[int, int]:
    """What is left of limits for the values of an ONNX type."""
    if dtype.kind not in "iu":
        return limits
    bounds = np.iinfo(dtype)
    return max(limits[0], int(bounds.min)), min(limits[1], int(bounds.max))
