"""Run the image and show what comes out: outputs, instructions, RAM and stack."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeq import budget
from edgeq.analysis.data import examine_data
from edgeq.analysis.executors import (
    default_executor,
    execute_all,
    program_of,
    require_image,
)
from edgeq.analysis.model_values import available, model_outputs, open_samples, quantized_inputs, random_inputs
from edgeq.data import DataReport
from edgeq.errors import EdgeqError, Problem
from edgeq.folder import Compiled
from edgeq.job import Progress, silent
from edgeq.manifest import tell_of_float
from edgeq.notes import gathered, warn
from edgeq.numerics.array import Array
from edgeq.onnxio.samples import Samples
from edgeq.runners.table import runner_entry
from edgeq.sources import DataSource

DEFAULT_SAMPLES = 1


@dataclass(frozen=True)
class EmulateResult:
    """Outputs of every run, as integers and as real numbers, and what they cost.

    A sample is one run or, of a model with states, a sequence of them.

    Attributes:
        runner: what ran the image.
        machine: the machine in words, with the processor.
        names: of the outputs.
        raw: per run, the outputs' integers.
        real: likewise, what they stand for.
        class_names: of the first output's values, where the data file has them.
        instructions: of the first run; None where the runner does not count.
        ram_bytes: the arena, states included.
        stack_bytes: the deepest stack seen.
        notes: notes and warnings.
        data: what the data file holds; None without one.
        time_steps: runs of a sequence; None where the model has no states.
    """

    runner: str
    machine: str
    names: tuple[str, ...]
    raw: list[list[Array]]
    real: list[list[Array]]
    class_names: tuple[str, ...] | None
    instructions: int | None
    ram_bytes: int | None
    stack_bytes: int | None
    notes: tuple[Problem, ...] = ()
    data: DataReport | None = None
    time_steps: int | None = None

    @property
    def outputs(self) -> list[dict[str, Array]]:
        """Per run, by the output's name, what it stands for, shaped as in the ONNX model."""
        return [dict(zip(self.names, sample, strict=True)) for sample in self.real]

    @property
    def arg_max(self) -> list[int | None]:
        """Per run, the index of the first output's largest value, the first among equals; None for one value.

        One integer that is no float's, the result of an ArgMax, is the index itself.
        """
        return [
            int(np.argmax(raw[0])) if raw[0].size > 1 else int(raw[0].item()) if real[0].dtype.kind in "iu" else None
            for raw, real in zip(self.raw, self.real, strict=True)
        ]

    def class_of(self, index: int | None) -> str | None:
        """The name of a class, where the data file has names."""
        return self.class_names[index] if self.class_names is not None and index is not None else None

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq emulate``; ``outputs`` holds one object a run, by the output's name."""
        return {
            "ok": True,
            "on": self.runner,
            "machine": self.machine,
            "samples": len(self.real) // (self.time_steps or 1),
            "time_steps": self.time_steps,
            "outputs": [
                {
                    name: {"values": _numbers(real), "integers": _numbers(raw)}
                    for name, real, raw in zip(self.names, reals, raws, strict=True)
                }
                for reals, raws in zip(self.real, self.raw, strict=True)
            ],
            "arg_max": self.arg_max,
            "classes": [self.class_of(index) for index in self.arg_max],
            "instructions": self.instructions,
            "ram_bytes": self.ram_bytes,
            "stack_bytes": self.stack_bytes,
            "data": self.data.to_json() if self.data is not None else None,
            "notes": [problem.to_json() for problem in self.notes],
        }


def emulate_folder(
    compiled: Compiled,
    data: DataSource | None = None,
    samples: int | None = None,
    runner: str | None = None,
    progress: Progress = silent,
) -> EmulateResult:
    """Run the image of a compiled folder.

    Args:
        compiled: the folder.
        data: a data file; without it the model's zero points and other corners.
        samples: how many of them; None means all of the file, or one.
        runner: what runs it; None: the emulator where the folder has an image for one.
        progress: called with the share of the samples done.

    Raises:
        EdgeqError: EQ0108 where there are no inputs, EQ011x data, EQ0160-EQ0161 no image, EQ052x, EQ060x.
    """
    runner = runner or default_executor(compiled)
    require_image(compiled, runner)
    with budget.ensured(), gathered() as notes:
        tell_of_float(compiled.manifest.float_nodes)
        result = _emulate(compiled, data, samples, runner, progress)
    return replace(result, notes=tuple(notes))


def _emulate(
    compiled: Compiled, data: DataSource | None, samples: int | None, runner: str, progress: Progress
) -> EmulateResult:
    found = open_samples(compiled, data) if data is not None else None
    described = examine_data(compiled, found)
    if found is not None:
        inputs = quantized_inputs(compiled, found, available(found, samples))
    else:
        inputs = random_inputs(compiled, DEFAULT_SAMPLES if samples is None else samples)
    if not inputs.runs:
        raise EdgeqError("EQ0108", "there is nothing to run", where="--samples", got=samples, allowed="1 or more")
    result = execute_all(compiled, runner, inputs, count=runner_entry(runner).counts, progress=progress)
    outputs = model_outputs(compiled)
    return EmulateResult(
        runner=runner,
        machine=machine_of(compiled, runner),
        names=tuple(each.name for each in outputs),
        raw=result.outputs,
        real=[
            [each.dequantize(array) for each, array in zip(outputs, arrays, strict=True)] for arrays in result.outputs
        ],
        class_names=_class_names(found, result.outputs[0][0].size) if found is not None else None,
        instructions=result.instructions[0].total if result.instructions else None,
        ram_bytes=program_of(compiled, runner).arena_bytes,
        stack_bytes=result.stack_bytes,
        data=described,
        time_steps=inputs.length,
    )


def _numbers(array: Array) -> list[float]:
    """The elements as JSON has numbers; truth values are 0 and 1."""
    return [*(array.astype(np.int8) if array.dtype.kind == "b" else array).reshape(-1).tolist()]


def machine_of(compiled: Compiled, runner: str) -> str:
    """What a runner runs the image on, in words."""
    board = compiled.board
    stated = runner_entry(runner).place
    if stated is not None:
        return stated
    machine = board.emulator.machine if board.emulator is not None else None
    place = f"machine {machine}" if machine is not None else "user mode"
    return f"QEMU, {place}, {board.target.name}, for the board {board.name}"


def _class_names(samples: Samples, size: int) -> tuple[str, ...] | None:
    """The array ``class_names`` of a data file, if it has one name for each of the output's values."""
    names = samples.extra.get("class_names")
    if names is None or size == 1:
        return None
    if names.ndim != 1 or len(names) != size:
        warn(
            "EQ0165",
            "class_names does not fit the output and is not shown",
            where=samples.where,
            got=f"{names.size} names",
            allowed=f"{size} names, one for each value of the output",
        )
        return None
    return tuple(str(name) for name in names)
