"""The stage that runs compilers: images for the board, and a program for this computer that ``verify`` compares with.

The board's image and the host's program are made at the same time, each by several compilers; how many programs run at
once is bounded by the cores. Errors and warnings are told in the order of the builds, not of time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.backends.program import Program
from edgeq.backends.table import BACKENDS
from edgeq.errors import EdgeqError, Problem
from edgeq.job import TVM_FOLDER, CompileOptions, Job
from edgeq.manifest import image_facts
from edgeq.notes import warn
from edgeq.process import worker_pool
from edgeq.target import Board, load_board
from edgeq.writing import scratch_folder

if TYPE_CHECKING:
    from edgeq.firmware import Images


@dataclass(frozen=True)
class Build:
    """One program to compile and link.

    Attributes:
        backend: what printed it.
        board: what it is for.
        program: the sources with their memory plan.
        sources: the folder that holds them.
        below: where its images go, as a path below the job's folder; empty for the folder itself.
    """

    backend: str
    board: Board
    program: Program
    sources: Path
    below: str


def check_toolchains(options: CompileOptions, board: Board) -> None:
    """Say which compilers are missing, before any other work.

    The host's compiler is needed as the board's is: ``verify`` compares the program that it makes, and QEMU's counting
    plugin is built with it.

    Raises:
        EdgeqError: EQ0501, EQ0502.
    """
    from edgeq.firmware import find_toolchain

    if options.sources_only or not any(entry.makes_images for entry in BACKENDS if entry.name in options.backends):
        return
    problems: list[Problem] = []
    for needed in (board, load_board("native")):
        try:
            find_toolchain(needed.target)
        except EdgeqError as error:
            problems += [
                replace(problem, hint=f"{problem.hint}; --sources-only needs no compiler and makes no images")
                for problem in error.problems
            ]
    if problems:
        raise EdgeqError.of(dict.fromkeys(problems))


def build_firmware(job: Job) -> None:
    """Compile and link for the board and for this computer, unless the sources alone are wanted."""
    if job.options.sources_only or not job.programs:
        return
    with _builds(job) as builds, worker_pool(len(builds)) as pool:
        futures = [pool.submit(_built, job, build) for build in builds]
        job.progress("build", 0.0)
        for number, (build, future) in enumerate(zip(builds, futures, strict=True), 1):
            _take(job, build, future.result())
            job.progress("build", number / len(builds))


@contextmanager
def _builds(job: Job) -> Iterator[list[Build]]:
    """What is to be built; weights are packed for the core that reads them, so the host gets a program of its own."""
    from edgeq.backends.c import emit_c

    assert job.graph is not None  # lower_model has set it
    found = []
    for backend, program in job.programs.items():
        below = "" if backend == "c" else TVM_FOLDER
        found.append(Build(backend, job.board, program, job.folder / below, below))
    native = load_board("native")
    if "c" not in job.programs or native.name == job.board.name:
        yield found
        return
    with scratch_folder("native") as folder:
        program = emit_c(job.graph, job.options.name, native.target, job.options.specialize, complete=False)
        program.bundle.write(folder)
        yield [*found, Build("c", native, program, folder, "")]


def _built(job: Job, build: Build) -> Images:
    from edgeq.firmware import build_images

    assert job.graph is not None  # lower_model has set it
    return build_images(
        build.sources,
        job.folder / build.below,
        build.board,
        image_facts(job.graph, build.program, job.options.name),
        constants=build.program.constants,
        optimize=job.options.optimize,
    )


def _take(job: Job, build: Build, images: Images) -> None:
    """List a build's files in the job; the board's own images bring the sizes, too."""
    if images.warnings:
        warn("EQ0176", "the C compiler warns about generated code", where=images.compiler, got=images.warnings.strip())
    if build.board is not job.board:
        job.files |= images.files
        return
    job.images[build.backend] = images
    _state_stack(job, build.sources, images)
    kinds = {kind: f"{build.below}/{name}" if build.below else name for kind, name in images.files.items()}
    if build.backend == job.main:
        job.files |= kinds
    if build.backend != "c":
        job.files |= {f"{build.backend}-{kind}": name for kind, name in kinds.items()}


def _state_stack(job: Job, folder: Path, built: Images) -> None:
    """Write the bound on the stack, which only the built program tells, into the model's header."""
    from edgeq.backends.c_source import stack_line

    name = job.options.name
    header = folder / f"{name}.h"
    stated = stack_line(name, built.stack_bytes, f"{built.compiler} {job.options.optimize}")
    header.write_text(header.read_text(encoding="utf-8").replace(stack_line(name), stated), encoding="utf-8")
