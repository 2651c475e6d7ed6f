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

from edgeq.backends.c.program import CProgram
from edgeq.backends.program import Program
from edgeq.backends.table import Entry, entries_of
from edgeq.describe import image_facts
from edgeq.errors import EdgeqError, Problem
from edgeq.files import below
from edgeq.ir import Graph
from edgeq.job import CompileOptions, Job
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
        entry: of the backend that printed it.
        board: what it is for.
        graph: the integer graph.
        program: the sources with their memory plan.
        sources: the folder that holds them.
    """

    entry: Entry
    board: Board
    graph: Graph
    program: Program
    sources: Path


def check_toolchains(options: CompileOptions, board: Board) -> None:
    """Say which compilers are missing, before any other work.

    The host's compiler is needed as the board's is: ``verify`` compares the program that it makes, and QEMU's counting
    plugin is built with it.

    Raises:
        EdgeqError: EQ0501, EQ0502.
    """
    from edgeq.firmware import find_toolchain

    if options.sources_only or not any(entry.makes_images for entry in entries_of(options.backends)):
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
    if job.options.sources_only or all(product.emitted.program is None for product in job.products.values()):
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
    native = load_board("native")
    found = []
    with scratch_folder("native") as scratch:
        for entry in entries_of(job.options.backends):
            product = job.products[entry.name]
            graph, program = product.graph, product.emitted.program
            if program is None:
                continue
            found.append(Build(entry, job.board, graph, program, job.folder / entry.folder))
            if not entry.for_this_computer or native.name == job.board.name:
                continue
            # Both programs have the same steps, which `verify` compares.
            chains = program.chains if isinstance(program, CProgram) else None
            program = entry.load().emit(job.request_of(graph, native, chains)).program
            assert program is not None  # it had one for the board
            program.bundle.write(scratch / entry.name)
            found.append(Build(entry, native, graph, program, scratch / entry.name))
        yield found


def _built(job: Job, build: Build) -> Images:
    from edgeq.firmware import build_images

    return build_images(
        build.sources,
        job.folder / build.entry.folder,
        build.board,
        image_facts(build.graph, build.program, job.options.name),
        constants=build.program.constants,
        optimize=job.options.gcc_optimize,
        traced=build.program.traced if isinstance(build.program, CProgram) else None,
    )


def _take(job: Job, build: Build, images: Images) -> None:
    """List a build's files in the job; the board's own images bring the sizes, too."""
    entry = build.entry
    if images.warnings:
        warn("EQ0176", "the C compiler warns about generated code", where=images.compiler, got=images.warnings.strip())
    kinds = {kind: below(entry.folder, name) for kind, name in images.files.items()}
    if entry.name == job.options.main:
        job.files |= kinds
    if entry.folder:
        job.files |= {f"{entry.name}-{kind}": name for kind, name in kinds.items()}
    if build.board is job.board:
        job.products[entry.name].images = images
        _state_stack(job, build.sources, images)


def _state_stack(job: Job, folder: Path, built: Images) -> None:
    """Write the bound on the stack, which only the built program tells, into the model's header."""
    from edgeq.backends.c_source import stack_line

    name = job.options.name
    header = folder / f"{name}.h"
    stated = stack_line(name, built.stack_bytes, f"{built.compiler} {job.options.gcc_optimize}")
    header.write_text(header.read_text(encoding="utf-8").replace(stack_line(name), stated), encoding="utf-8")
