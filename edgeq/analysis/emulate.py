"""Run the image and show what comes out: outputs, instructions, RAM and stack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeq.analysis.borders import integer_inputs, open_samples, output_borders, quantized_inputs
from edgeq.analysis.executors import COUNTING, Progress, default_executor, execute, program_of, silent
from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.numerics.array import Array

DEFAULT_SAMPLES = 1


@dataclass(frozen=True)
class EmulateReport:
    """Outputs of every sample, as integers and as real numbers, and what they cost."""

    runner: str
    names: tuple[str, ...]
    raw: list[list[Array]]
    real: list[list[Array]]
    instructions: int | None
    ram_bytes: int | None
    stack_bytes: int | None

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq emulate``; ``outputs`` holds one object a sample, by the output's name."""
        return {
            "on": self.runner,
            "samples": len(self.real),
            "outputs": [
                {
                    name: {"values": real.reshape(-1).tolist(), "integers": raw.reshape(-1).tolist()}
                    for name, real, raw in zip(self.names, reals, raws, strict=True)
                }
                for reals, raws in zip(self.real, self.raw, strict=True)
            ],
            "instructions": self.instructions,
            "ram_bytes": self.ram_bytes,
            "stack_bytes": self.stack_bytes,
        }


def emulate_folder(
    compiled: Compiled,
    data: Path | None = None,
    samples: int | None = None,
    runner: str | None = None,
    progress: Progress = silent,
) -> EmulateReport:
    """Run the image of a compiled folder.

    Args:
        compiled: the folder.
        data: a data file; without it the model's zero points and other corners.
        samples: how many of them; None means all of the file, or one.
        runner: what runs it; None: the emulator where the folder has an image for one.
        progress: called once.

    Raises:
        EdgeqError: EQ0108 where there are no inputs, EQ011x data, EQ052x, EQ060x.
    """
    if data is None:
        inputs = integer_inputs(compiled, None, samples or DEFAULT_SAMPLES)
    else:
        inputs = list(quantized_inputs(compiled, open_samples(compiled, data), samples))
    if not inputs:
        raise EdgeqError("EQ0108", "there is nothing to run", where="--samples", got=samples, allowed="1 or more")
    runner = runner or default_executor(compiled)
    progress(runner, None)
    result = execute(compiled, runner, inputs, count=runner in COUNTING)
    borders = output_borders(compiled)
    return EmulateReport(
        runner=runner,
        names=tuple(border.name for border in borders),
        raw=result.outputs,
        real=[
            [border.dequantize(array) for border, array in zip(borders, arrays, strict=True)]
            for arrays in result.outputs
        ],
        instructions=result.instructions[0].total if result.instructions else None,
        ram_bytes=program_of(compiled, runner)["arena_bytes"],
        stack_bytes=result.stack_bytes,
    )
