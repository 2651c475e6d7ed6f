"""The proof: every step's output has the same bits in the reference and on every runner.

The reference is ``interp`` on the folder's integer graph. Each runner copies every step's results out before the next
step starts, and the model's outputs when all steps have run. Where a step runs several nodes in bands of rows, an image
of the same calls answers the rows that each of them gives. The model is also lowered again from the folder's QDQ file
and run without any pass: what survives the passes must have kept its bits. A TFLite file is compared with the reference
in TFLite's arithmetic, and each step of an imported model with onnxruntime.

A proof of nothing is none: a runner that compared less than every step and every output is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from edgeq import budget
from edgeq.analysis.comparison import BeforePasses, Comparison, compare_runs
from edgeq.analysis.data import examine_data
from edgeq.analysis.executors import (
    EXECUTORS,
    REFERENCE,
    check_names,
    default_executors,
    execute,
    graph_of,
    no_image,
    program_of,
    require_image,
    spec_of,
)
from edgeq.analysis.model_values import Inputs, integer_inputs, model_inputs, model_outputs, open_samples
from edgeq.analysis.parallel import InOrder
from edgeq.backends.views import step_nodes
from edgeq.data import DataReport
from edgeq.errors import EdgeqError, Problem
from edgeq.folder import Compiled
from edgeq.job import Progress, silent
from edgeq.lowering import lower_named
from edgeq.manifest import tell_of_float
from edgeq.notes import gathered
from edgeq.numerics.array import Array
from edgeq.runners.base import RunResult
from edgeq.runners.table import runner_entry
from edgeq.sources import DataSource

if TYPE_CHECKING:
    from edgeq.analysis.onnxruntime_steps import OnnxruntimeReport, OnnxruntimeSteps

PASSES = "passes"


@dataclass(frozen=True)
class VerifyResult:
    """What was compared on how many inputs.

    Attributes:
        samples: how many inputs.
        results: one entry a runner.
        passes: the graph before the passes against the graph after them.
        onnxruntime: the steps of an imported model; None where a float model was compiled.
        notes: notes and warnings.
        data: what the data file holds; None without one.
        float_nodes: the ONNX nodes that stay in software float.
    """

    samples: int
    results: tuple[Comparison, ...]
    passes: Comparison
    onnxruntime: OnnxruntimeReport | None
    notes: tuple[Problem, ...] = ()
    data: DataReport | None = None
    float_nodes: tuple[str, ...] = ()

    @property
    def mismatches(self) -> int:
        """Differing elements over all runners and the passes."""
        return sum(result.mismatches for result in (*self.results, self.passes))

    @property
    def ok(self) -> bool:
        """Whether all bits are equal, and each step is as near to onnxruntime as rounding allows."""
        return not self.mismatches and not (self.onnxruntime and self.onnxruntime.wrong)

    @property
    def tensors(self) -> int:
        """How many different tensors of runners were compared with the reference."""
        return len(set().union(*(result.names for result in self.results)))

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq verify``; ``elements`` counts those of all results."""
        everything = (*self.results, self.passes)
        first = next((result.first for result in everything if result.first), None)
        return {
            "ok": self.ok,
            "samples": self.samples,
            "runners": [result.runner for result in self.results],
            "tensors": self.tensors,
            "elements": sum(result.elements for result in everything),
            "mismatches": self.mismatches,
            "float_nodes": list(self.float_nodes),
            "first_mismatch": first.to_json() if first else None,
            "results": [result.to_json() for result in everything],
            "onnxruntime": self.onnxruntime.to_json() if self.onnxruntime else None,
            "data": self.data.to_json() if self.data is not None else None,
            "notes": [problem.to_json() for problem in self.notes],
        }


def verify_folder(
    compiled: Compiled,
    runners: Sequence[str],
    samples: int,
    data: DataSource | None = None,
    progress: Progress = silent,
) -> VerifyResult:
    """Compare every step's output on every runner with the reference, bit for bit.

    Args:
        compiled: the folder.
        runners: names to compare, ``reference`` among them or not; empty means all for which the folder has an image.
        samples: how many inputs.
        data: a data file to take them from; without it extremes and random integers.
        progress: called with the share of the samples done.

    Raises:
        EdgeqError: EQ0108 without samples, EQ0160-EQ0161 without images, EQ0162 without a runner, EQ0170 for an unknown
            runner, EQ0163 where less was compared than the model has, EQ052x a tool is missing, EQ060x an image fails.
    """
    with budget.ensured(), gathered() as notes:
        result = _verified(compiled, _runners(compiled, runners), samples, data, progress)
    return replace(result, notes=tuple(notes))


def _verified(
    compiled: Compiled, names: Sequence[str], samples: int, data: DataSource | None, progress: Progress
) -> VerifyResult:
    tell_of_float(compiled.manifest.float_nodes)
    found = open_samples(compiled, data) if data is not None else None
    described = examine_data(compiled, found)
    inputs = integer_inputs(compiled, found, samples)
    if not inputs.runs:
        raise EdgeqError("EQ0108", "there is nothing to compare", where="--samples", got=samples, allowed="1 or more")
    results = [Comparison(name, length=inputs.length) for name in names]
    passes = Comparison(PASSES, length=inputs.length)
    parts = inputs.shares(_run_bytes(compiled))
    beside = [name for name in names if runner_entry(name).in_processes]
    tasks = (partial(_stepped, compiled, name, inputs, part) for part in parts for name in beside)
    progress("verify", 0.0)
    with InOrder(tasks) as answers:
        reference = _Reference(compiled, passes)
        for part in parts:
            expected = reference.run(part.start, inputs.part(part))
            for result in results:
                answer = next(answers) if result.runner in beside else _stepped(compiled, result.runner, inputs, part)
                graph = graph_of(compiled, result.runner)
                own = expected
                if graph is not compiled.graph:
                    own = [execution.tensors for execution in inputs.part(part).executed(graph)]
                compare_runs(result, spec_of(compiled, result.runner), part.start, own, answer)
            progress("verify", part.stop / len(inputs.runs))
    for result in results:
        check_complete(compiled, result)
    return VerifyResult(
        inputs.samples,
        tuple(results),
        passes,
        reference.onnxruntime(),
        data=described,
        float_nodes=compiled.manifest.float_nodes,
    )


def _runners(compiled: Compiled, names: Sequence[str]) -> list[str]:
    """The runners that take part; each has its image.

    Raises:
        EdgeqError: EQ0160-EQ0162, EQ0170.
    """
    chosen = check_names(names, (REFERENCE, *EXECUTORS)) or default_executors(compiled)
    found = [name for name in chosen if name != REFERENCE]
    if not chosen:
        raise no_image(compiled)
    if not found:
        raise EdgeqError(
            "EQ0162",
            "the reference alone is compared with nothing",
            where="--on",
            got=REFERENCE,
            allowed=", ".join(EXECUTORS),
            hint="leave --on out: all runners take part for which the folder holds an image",
        )
    for name in found:
        require_image(compiled, name)
    return found


def _stepped(compiled: Compiled, name: str, inputs: Inputs, part: range) -> RunResult:
    return execute(compiled, name, inputs.part(part), steps=True, first_sample=part.start)


def _run_bytes(compiled: Compiled) -> int:
    steps = compiled.manifest.program.steps
    rows = sum(each.part.nbytes for step in compiled.spec_of(compiled.manifest.main, "").rows for each in step)
    return rows + sum(result.bytes for step in steps for result in step.results)


class _Reference:
    """The reference's tensors of each run, checked against the graph before the passes and against onnxruntime."""

    def __init__(self, compiled: Compiled, passes: Comparison) -> None:
        model = compiled.qdq_model()
        before, tensors = lower_named(model, mode=compiled.manifest.options.mode, name=compiled.name)
        self._graph = compiled.graph
        self._before = BeforePasses(before, compiled.graph)
        self._passes = passes
        self._steps: OnnxruntimeSteps | None = None
        if compiled.is_imported:
            from edgeq.analysis.onnxruntime_steps import OnnxruntimeSteps

            ends = model_inputs(compiled), model_outputs(compiled)
            self._steps = OnnxruntimeSteps(model, before, tensors, compiled.graph, *ends, passes.length)

    def run(self, first: int, inputs: Inputs) -> list[Mapping[str, Array]]:
        found: list[Mapping[str, Array]] = []
        for number, execution in enumerate(inputs.executed(self._graph), first):
            given, expected = inputs.runs[number - first], execution.tensors
            values = self._before.run(given, expected)
            self._before.compare(self._passes, number, values, expected)
            if self._steps is not None:
                self._steps.compare(number, given, values)
            found.append(expected)
        return found

    def onnxruntime(self) -> OnnxruntimeReport | None:
        return self._steps.finish() if self._steps is not None else None


def not_answered(compiled: Compiled, name: str) -> set[str]:
    """The tensors inside steps that run in bands of rows, where a runner lacks the image that answers them."""
    if spec_of(compiled, name).rows_image is not None:
        return set()
    return {inner for step in program_of(compiled, name).steps for inner in step.inner}


def check_complete(compiled: Compiled, result: Comparison) -> None:
    """Refuse a result that left out a step or an output.

    Raises:
        EdgeqError: EQ0163.
    """
    graph = graph_of(compiled, result.runner)
    wanted = {name for node in step_nodes(graph) for name in node.outputs} | set(graph.outputs)
    absent = sorted(wanted - result.names - not_answered(compiled, result.runner))
    if absent or not result.elements:
        raise EdgeqError(
            "EQ0163",
            f"{result.runner} was compared in fewer tensors than the model computes",
            where=str(compiled.path),
            got=f"{len(result.names)} tensors with {result.elements} elements; not {', '.join(absent[:5]) or 'one'}",
            allowed=f"{len(wanted)} tensors",
            hint="the manifest does not describe this model: compile it again",
        )
