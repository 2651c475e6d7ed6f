"""Instructions per layer, counted on the emulated core, and where RAM and flash go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeq.analysis.borders import integer_inputs, open_samples
from edgeq.analysis.data import examine_data
from edgeq.analysis.executors import COUNTING, Progress, check_names, execute_all, program_of, require_image, silent
from edgeq.data import DataReport
from edgeq.errors import Problem
from edgeq.folder import Compiled
from edgeq.notes import gathered
from edgeq.runners.base import RunCounts, RunResult


@dataclass(frozen=True)
class ProfileReport:
    """Counts of the first sample, with the spread over all; null where this QEMU cannot count.

    QEMU counts instructions, not cycles.
    """

    board: str
    runner: str
    program: Mapping[str, Any]
    result: RunResult
    notes: tuple[Problem, ...] = ()
    data: DataReport | None = None

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq profile``."""
        counts: Sequence[RunCounts] = self.result.instructions or ()
        totals = [count.total for count in counts]
        sizes = self.program["sizes"] or {}
        return {
            "ok": True,
            "board": self.board,
            "on": self.runner,
            "samples": len(totals),
            "instructions": totals[0] if totals else None,
            "uncounted": None if totals else "this QEMU takes no plugins",
            "instructions_min": min(totals, default=None),
            "instructions_max": max(totals, default=None),
            "classes": counts[0].whole.named() if counts else None,
            "macs": sum(step["macs"] for step in self.program["steps"]),
            "ram_bytes": self.program["arena_bytes"],
            "stack_bytes": self.program["stack_bytes"],
            "stack_measured_bytes": self.result.stack_bytes,
            "harness_bytes": sizes.get("harness_ram_bytes"),
            "flash_code_bytes": sizes.get("flash_code_bytes"),
            "flash_weight_bytes": sizes.get("flash_weight_bytes"),
            "layers": [_layer(step, number, counts) for number, step in enumerate(self.program["steps"])],
            "data": self.data.to_json() if self.data is not None else None,
            "notes": [problem.to_json() for problem in self.notes],
        }


def profile_folder(
    compiled: Compiled, samples: int, data: Path | None = None, runner: str = "qemu", progress: Progress = silent
) -> ProfileReport:
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
    with gathered() as notes:
        found = open_samples(compiled, data) if data is not None else None
        described = examine_data(compiled, found)
        inputs = integer_inputs(compiled, found, samples)
    result = execute_all(compiled, runner, inputs, count=True, progress=progress)
    return ProfileReport(
        compiled.manifest["board"], runner, program_of(compiled, runner), result, tuple(notes), described
    )


def _layer(step: dict[str, Any], number: int, counts: Sequence[RunCounts]) -> dict[str, Any]:
    found = counts[0].steps[number] if counts else None
    return {
        "name": ", ".join(step["source"]) or step["name"],
        "op": step["op"],
        "kernel": step["kernel"],
        "instructions": found.total if found else None,
        "macs": step["macs"],
        "classes": found.named() if found else None,
        "scratch_bytes": step["scratch_bytes"],
        "output_bytes": sum(result["bytes"] for result in step["results"]),
    }
