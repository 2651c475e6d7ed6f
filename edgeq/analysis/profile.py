"""Instructions per layer, counted on the emulated core, and where RAM and flash go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeq.analysis.borders import integer_inputs
from edgeq.analysis.executors import COUNTING, Progress, check_names, execute, program_of, silent, spec_of
from edgeq.folder import Compiled
from edgeq.runners.base import RunCounts, RunResult


@dataclass(frozen=True)
class ProfileReport:
    """Counts of the first sample, with the spread over all; null where nothing counts, with the reason.

    QEMU counts instructions, not cycles.
    """

    board: str
    runner: str
    program: Mapping[str, Any]
    samples: int
    result: RunResult | None

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq profile``."""
        counts: Sequence[RunCounts] = (self.result.instructions or ()) if self.result else ()
        totals = [count.total for count in counts]
        sizes = self.program["sizes"] or {}
        return {
            "board": self.board,
            "on": self.runner,
            "samples": len(totals),
            "instructions": totals[0] if totals else None,
            "uncounted": None if totals else self._why_uncounted(),
            "instructions_min": min(totals, default=None),
            "instructions_max": max(totals, default=None),
            "classes": counts[0].whole.named() if counts else None,
            "macs": sum(step["macs"] for step in self.program["steps"]),
            "ram_bytes": self.program["arena_bytes"],
            "stack_bytes": self.program["stack_bytes"],
            "stack_measured_bytes": self.result.stack_bytes if self.result else None,
            "harness_bytes": sizes.get("harness_ram_bytes"),
            "flash_code_bytes": sizes.get("flash_code_bytes"),
            "flash_weight_bytes": sizes.get("flash_weight_bytes"),
            "layers": [_layer(step, number, counts) for number, step in enumerate(self.program["steps"])],
        }

    def _why_uncounted(self) -> str:
        return f"{self.board} has no image for an emulator" if self.result is None else "this QEMU takes no plugins"


def profile_folder(
    compiled: Compiled, samples: int, data: Path | None = None, runner: str = "qemu", progress: Progress = silent
) -> ProfileReport:
    """Count the instructions of a compiled folder on its board's emulator.

    Args:
        compiled: the folder.
        samples: how many inputs.
        data: a data file to take them from; without it extremes and random integers.
        runner: one of ``executors.COUNTING``.
        progress: called once.

    Raises:
        EdgeqError: EQ0170 the runner does not count, EQ052x without QEMU or a host compiler, EQ060x where the image
            fails.
    """
    check_names([runner], COUNTING)
    board, program = compiled.manifest["board"], program_of(compiled, runner)
    if spec_of(compiled, runner).emulated is None:
        return ProfileReport(board, runner, program, 0, None)
    progress(runner, None)
    inputs = integer_inputs(compiled, data, samples)
    return ProfileReport(board, runner, program, len(inputs), execute(compiled, runner, inputs, count=True))


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
