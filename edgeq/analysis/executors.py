"""Everything that can execute a compiled model by name: the float model, the reference, and the runners."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Final

from edgeq.analysis.borders import Border, batches, output_borders
from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.interp import run
from edgeq.numerics.array import Array
from edgeq.runners.base import RunRequest, RunResult
from edgeq.runners.table import RUNNERS, load_runner

Progress = Callable[[str, float | None], None]

REFERENCE: Final = "reference"
FLOAT: Final = "float"
EXECUTORS: Final = tuple(entry.name for entry in RUNNERS if entry.does == "executes")
# Samples a runner gets at once: few starts, and no more results in memory than these.
BATCH: Final = 64


def silent(stage: str, done: float | None) -> None:
    """Progress that nobody watches."""
    del stage, done


def check_names(names: Sequence[str], allowed: Sequence[str]) -> tuple[str, ...]:
    """The names, each once, if all are allowed.

    Raises:
        EdgeqError: EQ0170 with the nearest name.
    """
    for name in names:
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, 1)
            raise EdgeqError(
                "EQ0170",
                "there is no runner of that name",
                where="--on",
                got=name,
                allowed=", ".join(allowed),
                hint=f"did you mean {near[0]}?" if near else None,
            )
    return tuple(dict.fromkeys(names))


def default_executors(compiled: Compiled) -> tuple[str, ...]:
    """The runners for which the folder holds an image."""
    spec = compiled.spec
    have = {"native": spec.native is not None, "qemu": spec.emulated is not None}
    return tuple(name for name in EXECUTORS if have.get(name, False))


def execute(
    compiled: Compiled, name: str, inputs: Sequence[list[Array]], *, steps: bool = False, count: bool = False
) -> RunResult:
    """Run one batch in one start of a runner's image.

    Raises:
        EdgeqError: EQ052x, EQ060x; EQ0607 where the folder holds no image for the runner.
    """
    runner = load_runner(name)
    reason = runner.available()
    if reason is not None:
        raise EdgeqError("EQ0520", f"the runner {name} cannot run here", got=reason)
    return runner.run(RunRequest(compiled.spec, inputs, steps=steps, count=count))


def outputs_of(
    compiled: Compiled, name: str, inputs: Sequence[list[Array]], progress: Progress = silent
) -> list[list[Array]]:
    """The dequantized outputs of every sample, by the reference or a runner."""
    borders = output_borders(compiled)
    found: list[list[Array]] = []
    for batch in batches(inputs, BATCH):
        if name == REFERENCE:
            raw: list[list[Array]] = [list(run(compiled.graph, sample).outputs) for sample in batch]
        else:
            raw = execute(compiled, name, batch).outputs
        found += [_real(borders, arrays) for arrays in raw]
        progress(name, len(found) / len(inputs))
    return found


def _real(borders: Sequence[Border], arrays: Sequence[Array]) -> list[Array]:
    return [border.dequantize(array) for border, array in zip(borders, arrays, strict=True)]
