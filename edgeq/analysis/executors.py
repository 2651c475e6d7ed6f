"""Everything that can execute a compiled model by name: the float model, the reference, and the runners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from edgeq.analysis.model_values import Inputs, ModelValue, model_outputs
from edgeq.analysis.parallel import InOrder
from edgeq.errors import EdgeqError, unknown_name
from edgeq.folder import Compiled
from edgeq.ir import Graph
from edgeq.job import Progress, silent
from edgeq.manifest import Program
from edgeq.numerics.array import Array
from edgeq.runners.base import ImageSpec, Runner, RunRequest, RunResult
from edgeq.runners.table import RUNNERS, RunnerEntry, load_runner, runner_entry

REFERENCE: Final = "reference"
FLOAT: Final = "float"
EXECUTORS: Final = tuple(entry.name for entry in RUNNERS)
# The runners that count instructions.
COUNTING: Final = tuple(entry.name for entry in RUNNERS if entry.counts)
# Which runner is taken first where none is named: the folder's own image before other backends' files, of these the
# emulator before this computer.
_PREFERRED: Final = sorted(RUNNERS, key=lambda entry: (entry.backend is not None, not entry.counts))


def check_names(names: Sequence[str], allowed: Sequence[str]) -> tuple[str, ...]:
    """The names, each once, if all are allowed.

    Raises:
        EdgeqError: EQ0170 with the nearest name.
    """
    for name in names:
        if name not in allowed:
            raise unknown_name("EQ0170", "there is no runner of that name", name, allowed, where="--on")
    return tuple(dict.fromkeys(names))


def no_image(compiled: Compiled, name: str | None = None) -> EdgeqError:
    """The error for a folder without the image that a runner executes, or without any image."""
    if name is None:
        return _no_image(compiled, "any runner", [entry.image for entry in _PREFERRED], None)
    entry = runner_entry(name)
    return _no_image(compiled, f"the runner {name}", [entry.image], entry)


def _no_image(compiled: Compiled, user: str, kinds: Sequence[str], entry: RunnerEntry | None) -> EdgeqError:
    return EdgeqError(
        "EQ0160",
        f"the folder holds no image for {user}",
        where=str(compiled.path),
        got=", ".join(f"{kind}: {file}" for kind, file in sorted(compiled.manifest.images.items())) or "no images",
        allowed=", ".join(kinds),
        hint=_how_to_get(compiled, entry),
    )


def _how_to_get(compiled: Compiled, entry: RunnerEntry | None) -> str:
    """What brings the image: another option, another board, or a toolchain."""
    manifest = compiled.manifest
    if entry is not None and entry.backend is not None and entry.backend not in manifest.backends:
        return f"compile again with --backend {','.join(sorted({*manifest.backends, entry.backend}))}"
    if entry is not None and entry.place is None and compiled.board.emulator is None:
        return f"{compiled.board.name} has no emulator; `edgeq boards` lists the boards that have one"
    if manifest.options.sources_only:
        return "it was compiled with --sources-only: compile again without it"
    return "compile again where the compilers are installed; `edgeq doctor` says what is missing"


def require_image(compiled: Compiled, name: str) -> None:
    """Check that the folder holds the image that a runner executes, and that the runner can execute it.

    Raises:
        EdgeqError: EQ0160 it was never made, EQ0161 its file is gone, EQ0391 the runner resets no states.
    """
    if compiled.manifest.states and not runner_entry(name).states:
        raise EdgeqError(
            "EQ0391",
            "the runner cannot run a model with states",
            where=str(compiled.path),
            got=name,
            allowed=", ".join(entry.name for entry in RUNNERS if entry.states),
        )
    file = _image(compiled, runner_entry(name))
    if file is None:
        raise no_image(compiled, name)
    _require_file(file, f"the runner {name}")


def board_image(compiled: Compiled) -> Path:
    """The image that is written into the board.

    Raises:
        EdgeqError: EQ0160 it was never made, EQ0161 its file is gone.
    """
    file = compiled.image("image")
    if file is None:
        raise _no_image(compiled, "the board", ["image"], None)
    _require_file(file, "the board")
    return file


def _require_file(file: Path, user: str) -> None:
    if not file.is_file():
        raise EdgeqError(
            "EQ0161",
            f"the image for {user} is missing",
            where=str(file),
            got="there is no such file",
            hint="the manifest lists it: compile the model again",
        )


def _image(compiled: Compiled, entry: RunnerEntry) -> Path | None:
    """The file that a runner executes; None where it was never made."""
    made = entry.backend is None or entry.backend in compiled.manifest.backends
    return compiled.image(entry.image) if made else None


def default_executors(compiled: Compiled) -> tuple[str, ...]:
    """The runners for which the folder holds an image; an image that has two names is run once."""
    first: dict[Path, str] = {}
    for entry in _PREFERRED:
        file = _image(compiled, entry)
        if file is not None:
            first.setdefault(file, entry.name)
    return tuple(sorted(first.values()))


def default_executor(compiled: Compiled) -> str:
    """The runner that `emulate` uses: the first of those preferred for which the folder holds an image.

    Raises:
        EdgeqError: EQ0160, the folder holds no image.
    """
    found = next((entry.name for entry in _PREFERRED if _image(compiled, entry) is not None), None)
    if found is None:
        raise no_image(compiled)
    return found


def graph_of(compiled: Compiled, name: str) -> Graph:
    """The integer graph that a runner computes."""
    return compiled.graph_of(_backend(compiled, name))


def spec_of(compiled: Compiled, name: str) -> ImageSpec:
    """What a runner must know of its image."""
    entry = runner_entry(name)
    return compiled.spec_of(_backend(compiled, name), entry.image, entry.steps_image, entry.rows_image)


def program_of(compiled: Compiled, name: str) -> Program:
    """The program that a runner executes: its arena, steps and sizes."""
    return compiled.manifest.programs[_backend(compiled, name)]


def _backend(compiled: Compiled, name: str) -> str:
    return runner_entry(name).backend or compiled.manifest.main


def execute(
    compiled: Compiled,
    name: str,
    inputs: Inputs,
    *,
    steps: bool = False,
    count: bool = False,
    first_sample: int = 0,
) -> RunResult:
    """Run some samples in one start of a runner's image.

    Args:
        compiled: the folder.
        name: of the runner.
        inputs: whole sequences, where the model has states.
        steps: answer every step's results, and the rows inside steps of several nodes.
        count: count instructions, where the runner can.
        first_sample: the number of the first sample, for messages.

    Raises:
        EdgeqError: EQ0160, EQ0161 no image; EQ052x, EQ0530 a tool is missing; EQ060x, EQ062x the image fails.
    """
    require_image(compiled, name)
    spec, runner = spec_of(compiled, name), load_runner(name)
    request = RunRequest(
        spec,
        inputs.runs,
        steps=steps,
        count=count,
        first_sample=first_sample,
        length=inputs.length,
    )
    return with_rows(runner, request, runner.run(request)) if steps else runner.run(request)


def with_rows(runner: Runner, request: RunRequest, answer: RunResult) -> RunResult:
    """A result with what lies inside steps that run in bands of rows, which another image answers, where there is one.

    Args:
        runner: runs both images.
        request: what was run.
        answer: what it gave.

    Raises:
        EdgeqError: EQ052x, EQ060x, EQ062x.
    """
    spec = request.spec
    if spec.rows_image is None:
        return answer
    traced = replace(request, spec=replace(spec, image=spec.rows_image), rows=True, count=False)
    return replace(answer, rows=runner.run(traced).rows)


def execute_all(
    compiled: Compiled, name: str, inputs: Inputs, *, count: bool = False, progress: Progress = silent
) -> RunResult:
    """Run all samples, on the cores there are where the runner is a process of its own.

    Raises:
        EdgeqError: as :func:`execute`.
    """
    require_image(compiled, name)
    parts = inputs.shares(sum(tensor.nbytes for tensor in spec_of(compiled, name).outputs))
    tasks = (
        partial(execute, compiled, name, inputs.part(part), count=count, first_sample=part.start) for part in parts
    )
    found: list[RunResult] = []
    progress(name, 0.0)
    with InOrder(tasks, None if runner_entry(name).in_processes else 0) as answers:
        for part, answer in zip(parts, answers, strict=True):
            found.append(answer)
            progress(name, part.stop / len(inputs.runs))
    return joined(found)


def joined(parts: Sequence[RunResult]) -> RunResult:
    """The results of several starts as those of one; a figure that one of them lacks is None."""
    counts = [part.instructions for part in parts]
    programs = [part.program_instructions for part in parts]
    stacks = [part.stack_bytes for part in parts]
    return RunResult(
        outputs=[outputs for part in parts for outputs in part.outputs],
        instructions=None if None in counts else tuple(run for runs in counts for run in runs or ()),
        program_instructions=None if None in programs else sum(number or 0 for number in programs),
        stack_bytes=None if None in stacks else max((number or 0 for number in stacks), default=None),
        stack_size_bytes=parts[0].stack_size_bytes if parts else None,
    )


def outputs_of(compiled: Compiled, name: str, inputs: Inputs, progress: Progress = silent) -> list[list[Array]]:
    """What the outputs of every run stand for, by the reference or a runner."""
    outputs = model_outputs(compiled)
    if name != REFERENCE:
        raw = execute_all(compiled, name, inputs, progress=progress).outputs
        return [_real(outputs, arrays) for arrays in raw]
    found: list[list[Array]] = []
    for execution in inputs.executed(compiled.graph):
        found.append(_real(outputs, execution.outputs))
        progress(name, len(found) / len(inputs.runs))
    return found


def _real(outputs: Sequence[ModelValue], arrays: Sequence[Array]) -> list[Array]:
    return [each.real(array) for each, array in zip(outputs, arrays, strict=True)]
