"""The proof: every step's output has the same bits in the reference and on every runner.

The reference is ``interp`` on the folder's integer graph. Each runner copies every step's results out before the next
step starts, and then runs the whole model, whose outputs must have survived to its end. The model is also lowered again
from the folder's QDQ file and run without any pass: what survives the passes must have kept its bits. A TFLite file is
compared with the reference in TFLite's arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.analysis.borders import batches, integer_inputs
from edgeq.analysis.executors import (
    BATCH,
    EXECUTORS,
    REFERENCE,
    Progress,
    check_names,
    default_executors,
    execute,
    graph_of,
    silent,
    spec_of,
)
from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.lowering import lower
from edgeq.numerics.array import Array
from edgeq.runners.base import ImageSpec, RunResult

PASSES = "passes"


@dataclass(frozen=True)
class Mismatch:
    """The first element that differs: where it is, what the reference has, what was found."""

    runner: str
    sample: int
    step: int | None
    tensor: str
    index: tuple[int, ...]
    expected: int
    got: int

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {
            "runner": self.runner,
            "sample": self.sample,
            "step": self.step,
            "tensor": self.tensor,
            "index": list(self.index),
            "expected": self.expected,
            "got": self.got,
        }


@dataclass
class Comparison:
    """One executor against the reference: how much was compared, and what differed."""

    runner: str
    names: set[str] = field(default_factory=set)
    elements: int = 0
    mismatches: int = 0
    largest: int = 0
    first: Mismatch | None = None

    def compare(self, sample: int, step: int | None, name: str, expected: Array, got: Array) -> None:
        """Compare one tensor element by element."""
        self.names.add(name)
        self.elements += expected.size
        difference = np.abs(np.asarray(expected, np.int64).reshape(-1) - np.asarray(got, np.int64).reshape(-1))
        different = difference != 0
        count = int(np.count_nonzero(different))
        self.mismatches += count
        self.largest = max(self.largest, int(difference.max(initial=0)))
        if count and self.first is None:
            flat = int(np.argmax(different))
            index = tuple(int(i) for i in np.unravel_index(flat, expected.shape))
            values = (int(expected.reshape(-1)[flat]), int(got.reshape(-1)[flat]))
            self.first = Mismatch(self.runner, sample, step, name, index, *values)

    def to_json(self) -> dict[str, Any]:
        """The fields by name; ``tensors`` counts different tensors."""
        return {
            "on": self.runner,
            "tensors": len(self.names),
            "elements": self.elements,
            "mismatches": self.mismatches,
            "largest_difference": self.largest,
            "first_mismatch": self.first.to_json() if self.first else None,
        }


@dataclass(frozen=True)
class VerifyReport:
    """What was compared on how many inputs."""

    samples: int
    results: tuple[Comparison, ...]

    @property
    def mismatches(self) -> int:
        """Differing elements over all executors."""
        return sum(result.mismatches for result in self.results)

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq verify``; ``tensors`` counts different tensors over all executors."""
        first = next((result.first for result in self.results if result.first), None)
        return {
            "samples": self.samples,
            "tensors": len(set().union(*(result.names for result in self.results))),
            "elements": sum(result.elements for result in self.results),
            "mismatches": self.mismatches,
            "runners": [result.runner for result in self.results],
            "first_mismatch": first.to_json() if first else None,
            "results": [result.to_json() for result in self.results],
        }


def verify_folder(
    compiled: Compiled,
    runners: Sequence[str],
    samples: int,
    data: Path | None = None,
    progress: Progress = silent,
) -> VerifyReport:
    """Compare every step's output on every runner with the reference, bit for bit.

    Args:
        compiled: the folder.
        runners: names to compare, ``reference`` among them or not; empty means all for which the folder has an image.
        samples: how many inputs.
        data: a data file to take them from; without it extremes and random integers.
        progress: called with a runner's name and the share done.

    Raises:
        EdgeqError: EQ0108 where nothing could be compared, EQ0170 for an unknown runner, EQ06xx where an image fails.
    """
    chosen = check_names(runners, (REFERENCE, *EXECUTORS)) or default_executors(compiled)
    names = [name for name in chosen if name != REFERENCE]
    inputs = integer_inputs(compiled, data, samples)
    if not inputs:
        raise EdgeqError("EQ0108", "there is nothing to compare", where="--samples", got=samples, allowed="1 or more")
    results = [Comparison(name) for name in names]
    plain = Comparison(PASSES)
    unoptimized = lower(compiled.qdq_model(), mode=compiled.manifest["options"]["mode"], name=compiled.name)
    done = 0
    for batch in batches(inputs, BATCH):
        expected = [run(compiled.graph, sample).tensors for sample in batch]
        for offset, sample in enumerate(batch):
            compare_graphs(plain, done + offset, unoptimized, compiled.graph, sample, expected[offset])
        for result in results:
            graph = graph_of(compiled, result.runner)
            wanted = expected if graph is compiled.graph else [run(graph, sample).tensors for sample in batch]
            stepped = execute(compiled, result.runner, batch, steps=True)
            whole = execute(compiled, result.runner, batch)
            compare_runs(result, spec_of(compiled, result.runner), done, wanted, stepped, whole)
            progress(result.runner, (done + len(batch)) / len(inputs))
        done += len(batch)
    return VerifyReport(len(inputs), (*results, plain))


def compare_runs(
    result: Comparison,
    spec: ImageSpec,
    first_sample: int,
    expected: Sequence[Mapping[str, Array]],
    stepped: RunResult,
    whole: RunResult,
) -> None:
    """Compare what an image gave with the reference's tensors.

    Args:
        result: receives the findings.
        spec: the image.
        first_sample: number of the first sample of the batch.
        expected: the reference's tensors by name, one mapping a sample.
        stepped: of a run step by step: each step's results, copied out before the next step.
        whole: of an ordinary run: the outputs that lie in the arena at its end, which no later step may have touched.
    """
    assert stepped.steps is not None  # they were asked for
    for number, wanted in enumerate(expected):
        sample = first_sample + number
        for step, (tensors, arrays) in enumerate(zip(spec.steps, stepped.steps[number], strict=True)):
            for tensor, array in zip(tensors, arrays, strict=True):
                result.compare(sample, step, tensor.name, wanted[tensor.name], array)
        for tensor, array in zip(spec.outputs, whole.outputs[number], strict=True):
            result.compare(sample, None, tensor.name, wanted[tensor.name], array)


def compare_graphs(
    result: Comparison,
    sample: int,
    before: Graph,
    after: Graph,
    inputs: Sequence[Array],
    expected: Mapping[str, Array],
) -> None:
    """Tensors of the same ONNX value, or of the same name and shape, before and after the passes."""
    values = run(before, inputs).tensors
    in_onnx_layout = {
        source.name: np.transpose(values[tensor.name], source.permutation).reshape(source.shape)
        for tensor in before.tensors.values()
        if (source := tensor.source) is not None and tensor.name in values
    }
    for name, value in expected.items():
        source = after.tensors[name].source
        if source is not None and source.name in in_onnx_layout:
            laid_out = np.transpose(value, source.permutation).reshape(source.shape)
            result.compare(sample, None, name, in_onnx_layout[source.name], laid_out)
        elif name in values and values[name].shape == value.shape:
            result.compare(sample, None, name, values[name], value)
    for old, new in zip(before.outputs, after.outputs, strict=True):
        result.compare(sample, None, new, values[old], expected[new])
