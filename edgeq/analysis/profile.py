"""Instructions per layer, counted on the emulated core, and where RAM and flash go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgeq import budget
from edgeq.analysis.data import examine_data
from edgeq.analysis.executors import COUNTING, check_names, execute_all, program_of, require_image
from edgeq.analysis.model_values import integer_inputs, open_samples
from edgeq.data import DataReport
from edgeq.errors import Problem
from edgeq.folder import Compiled
from edgeq.job import Progress, silent
from edgeq.manifest import Program, Step, tell_of_float
from edgeq.notes import gathered
from edgeq.runners.base import RunCounts
from edgeq.sources import DataSource


@dataclass(frozen=True)
class LayerProfile:
    """One step of the program.

    Attributes:
        name: the ONNX nodes that became it.
        op: the integer operator.
        kernel: what computes it.
        instructions: of the first sample; None where this QEMU cannot count.
        macs: multiply-accumulates.
        share: of the instructions of the whole run; likewise.
        classes: instructions by class; likewise.
        read_bytes: what they read from memory, flash and RAM; likewise.
        written_bytes: likewise.
        scratch_bytes: memory that lives for this step only.
        output_bytes: of its results.
    """

    name: str
    op: str
    kernel: str | None
    instructions: int | None
    macs: int
    share: float | None
    classes: Mapping[str, int] | None
    read_bytes: int | None
    written_bytes: int | None
    scratch_bytes: int
    output_bytes: int


@dataclass(frozen=True)
class ProfileResult:
    """Counts of the first sample, with the spread over all, and where RAM and flash go.

    QEMU counts instructions, not cycles.

    Attributes:
        board: its name.
        runner: what ran the image.
        program: the program that was run.
        counts: of each sample; empty where this QEMU cannot count.
        stack_bytes: the deepest stack seen.
        notes: notes and warnings.
        data: what the data file holds; None without one.
        float_nodes: the ONNX nodes that stay in software float.
    """

    board: str
    runner: str
    program: Program
    counts: tuple[RunCounts, ...]
    stack_bytes: int | None
    notes: tuple[Problem, ...] = ()
    data: DataReport | None = None
    float_nodes: tuple[str, ...] = ()

    @property
    def float_instructions(self) -> int | None:
        """Of the first sample in software float, the way there and back included; None where QEMU cannot count."""
        if not self.counts:
            return None
        steps = zip(self.program.steps, self.counts[0].steps, strict=True)
        return sum(count.total for step, count in steps if set(step.source) & set(self.float_nodes))

    @property
    def instructions(self) -> int | None:
        """Of the first sample; None where this QEMU cannot count."""
        return self.counts[0].total if self.counts else None

    @property
    def spread(self) -> tuple[int, int] | None:
        """The fewest and the most instructions of a sample; likewise."""
        totals = [count.total for count in self.counts]
        return (min(totals), max(totals)) if totals else None

    @property
    def classes(self) -> Mapping[str, int] | None:
        """Instructions of the first sample by class; likewise."""
        return self.counts[0].whole.named() if self.counts else None

    @property
    def uncounted(self) -> str | None:
        """Why nothing was counted."""
        return None if self.counts else "this QEMU takes no plugins"

    @property
    def layers(self) -> tuple[LayerProfile, ...]:
        """In schedule order."""
        return tuple(self._layer(number, step) for number, step in enumerate(self.program.steps))

    def _layer(self, number: int, step: Step) -> LayerProfile:
        found = self.counts[0].steps[number] if self.counts else None
        return LayerProfile(
            name=step.label,
            op=step.op,
            kernel=step.kernel,
            instructions=found.total if found is not None else None,
            macs=step.macs,
            share=found.total / (self.instructions or 1) if found is not None else None,
            classes=found.named() if found is not None else None,
            read_bytes=found.read_bytes if found is not None else None,
            written_bytes=found.written_bytes if found is not None else None,
            scratch_bytes=step.scratch_bytes,
            output_bytes=sum(result.bytes for result in step.results),
        )

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq profile``."""
        low, high = self.spread or (None, None)
        sizes = self.program.sizes
        return {
            "ok": True,
            "board": self.board,
            "on": self.runner,
            "samples": len(self.counts),
            "instructions": self.instructions,
            "float_nodes": list(self.float_nodes),
            "float_instructions": self.float_instructions,
            "uncounted": self.uncounted,
            "instructions_min": low,
            "instructions_max": high,
            "classes": self.classes,
            "read_bytes": self.counts[0].whole.read_bytes if self.counts else None,
            "written_bytes": self.counts[0].whole.written_bytes if self.counts else None,
            "macs": self.program.macs,
            "ram_bytes": self.program.arena_bytes,
            "state_bytes": self.program.state_bytes,
            "stack_bytes": self.program.stack_bytes,
            "stack_measured_bytes": self.stack_bytes,
            "harness_bytes": sizes.harness_ram_bytes if sizes is not None else None,
            "flash_code_bytes": sizes.flash_code_bytes if sizes is not None else None,
            "flash_weight_bytes": sizes.flash_weight_bytes if sizes is not None else None,
            "layers": [asdict(layer) for layer in self.layers],
            "data": self.data.to_json() if self.data is not None else None,
            "notes": [problem.to_json() for problem in self.notes],
        }


def profile_folder(
    compiled: Compiled, samples: int, data: DataSource | None = None, runner: str = "qemu", progress: Progress = silent
) -> ProfileResult:
    """Count the instructions of a compiled folder on its board's emulator.

    Args:
        compiled: the folder.
        samples: how many inputs.
        data: a data file to take them from; without it extremes and random integers.
        runner: one of ``executors.COUNTING``.
        progress: called with the share of the samples done.

    Raises:
        EdgeqError: EQ0108 without samples, EQ0160-EQ0161 the folder has no image for an emulator, EQ0170 the runner
            does not count, EQ052x without QEMU or a host compiler, EQ060x where the image fails.
    """
    check_names([runner], COUNTING)
    require_image(compiled, runner)
    with budget.ensured(), gathered() as notes:
        tell_of_float(compiled.manifest.float_nodes)
        found = open_samples(compiled, data) if data is not None else None
        described = examine_data(compiled, found)
        inputs = integer_inputs(compiled, found, samples)
        result = execute_all(compiled, runner, inputs, count=True, progress=progress)
    return ProfileResult(
        compiled.manifest.board,
        runner,
        program_of(compiled, runner),
        result.instructions or (),
        result.stack_bytes,
        tuple(notes),
        described,
        compiled.manifest.float_nodes,
    )
