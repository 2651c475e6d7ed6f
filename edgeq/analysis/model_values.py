"""Inputs and outputs of a compiled model: between real numbers and its integers, as ONNX has it, on the host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        quantization: of the integers in the arena, per tensor.
        onnx_dtype: float32, or an integer type where the ONNX model itself takes or gives integers: they pass through.
    """

    name: str
    shape: tuple[int, ...]
    quantization: Quantization
    onnx_dtype: np.dtype[Any]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the integers in the arena."""
        return self.quantization.dtype.numpy

    @property
    def passes_through(self) -> bool:
        """Whether the ONNX model has integers here."""
        return self.onnx_dtype.kind in "iu"

    @property
    def shift(self) -> int:
        """How far the ONNX model's integers lie above those in the arena: 128 for uint8 above int8."""
        return int(np.iinfo(self.onnx_dtype).min) - int(np.iinfo(self.dtype).min) if self.passes_through else 0

    def quantize(self, real: Array) -> Array:
        """QuantizeLinear: float32 division, half to even, saturation; integers of the ONNX model are shifted only."""
        if self.passes_through:
            integers = np.asarray(real, self.onnx_dtype).astype(np.int64) - self.shift
            return integers.astype(self.dtype).reshape(self.shape)
        return self.quantization.quantize(np.asarray(real, np.float32)).reshape(self.shape)

    def dequantize(self, integers: Array) -> Array:
        """DequantizeLinear: exact difference, float32 product; integers of the ONNX model are shifted only."""
        if self.passes_through:
            return (integers.astype(np.int64) + self.shift).astype(self.onnx_dtype).reshape(self.shape)
        return self.real(integers)

    def real(self, integers: Array) -> Array:
        """What the integers in the arena stand for, also where the ONNX model has integers itself."""
        return self.quantization.dequantize(integers).reshape(self.shape)


def model_inputs(compiled: Compiled) -> tuple[ModelValue, ...]:
    """The model's inputs."""
    return _values_of(compiled, compiled.manifest.inputs)


def model_outputs(compiled: Compiled) -> tuple[ModelValue, ...]:
    """The model's outputs."""
    return _values_of(compiled, compiled.manifest.outputs)


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
    limits = [np.iinfo(each.dtype) for each in inputs]
    while len(corners) < count:
        corners.append(
            [
                generator.integers(limit.min, limit.max, each.shape, dtype=each.dtype, endpoint=True)
                for each, limit in zip(inputs, limits, strict=True)
            ]
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
    params = given.quantization
    number = {"min": params.q_min, "max": params.q_max, "zero": params.zero_point[0]}[value]
    return np.full(given.shape, number, given.dtype)


def _values_of(compiled: Compiled, endpoints: Sequence[Endpoint]) -> tuple[ModelValue, ...]:
    """The manifest's entries with the types of the ONNX values of the same names."""
    return tuple(
        ModelValue(
            name=each.name,
            shape=each.shape,
            quantization=Quantization.per_tensor(DType(each.dtype), each.scale, each.zero_point),
            onnx_dtype=np.dtype(compiled.onnx_types.get(each.name, np.float32)),
        )
        for each in endpoints
    )
