"""Programs of the delivered C by any compiler: the model and its weights as text, beside edgeq's own harness.

What ``edgeq compile`` builds itself is gcc's work with known flags, and its weights come from a binary file. Users
build the files of the folder with what they have: here any compiler builds those, and gcc the harness.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from edgeq.analysis.comparison import Comparison, compare_runs
from edgeq.backends.c import CProgram, emit_c
from edgeq.describe import image_facts
from edgeq.firmware.facts import ImageFacts, board_header, harness_model_source
from edgeq.firmware.link import emulated_layout, linker_script
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.numerics.array import Array
from edgeq.resources import boards_dir
from edgeq.runners.base import RunRequest, TensorSpec
from edgeq.runners.table import load_runner
from edgeq.target import Board, load_board
from tests.conformance.images import spec_of

# Far more than any compiler needs without optimization.
STACK_BYTES = 16384
_HARNESS_FLAGS = ("-std=c11", "-O1", "-ffunction-sections", "-fno-common")
_HOST_SOURCES = ("harness.c", "measure_host.c", "console_native.c")
_CHIP_SOURCES = ("fault.c", "harness.c", "measure_thumb.c", "memory.c", "startup.c", "console_semihosting.c")


@dataclass(frozen=True)
class Delivered:
    """A graph's files as a user gets them.

    Attributes:
        graph: the integer graph.
        board: what it was emitted for.
        program: the C program.
        folder: the files, and what is made of them.
        flags: for a chip, what its CPU and ABI are called.
    """

    graph: Graph
    board: Board
    program: CProgram
    folder: Path
    flags: tuple[str, ...]

    @property
    def facts(self) -> ImageFacts:
        """What the harness must know."""
        return image_facts(self.graph, self.program, self.graph.name)

    @property
    def sources(self) -> tuple[str, str]:
        """The C files to build."""
        return f"{self.graph.name}.c", f"{self.graph.name}_weights.c"

    def compare(
        self, inputs: Sequence[list[Array]], runner: str, file: Path, byte_order: Literal["<", ">"] = "<"
    ) -> Comparison:
        """Every step's results and the outputs of a program of a byte order, against the reference."""

        def ordered(tensors: Iterable[TensorSpec]) -> tuple[TensorSpec, ...]:
            return tuple(replace(tensor, byte_order=byte_order) for tensor in tensors)

        little = spec_of(self.graph, self.program, self.board, file)
        steps = tuple(ordered(step) for step in little.steps)
        spec = replace(little, inputs=ordered(little.inputs), outputs=ordered(little.outputs), steps=steps)
        answer = load_runner(runner).run(RunRequest(spec, inputs, steps=True))
        result = Comparison(self.board.name)
        compare_runs(result, spec, 0, [run(self.graph, sample).tensors for sample in inputs], answer)
        return result


def deliver(
    graph: Graph,
    board_name: str,
    folder: Path,
    code_bytes: int | None,
    *,
    aligned: bool = False,
    flags: tuple[str, ...] = (),
) -> Delivered:
    """Emit a graph for a board; with `flags` in place of its target's, for one with a floating-point unit."""
    board = load_board(board_name)
    target = board.target.with_aligned_loads() if aligned else board.target
    program = emit_c(graph, graph.name, target, code_bytes=code_bytes)
    program.bundle.write(folder)
    (folder / "eq_harness_model.c").write_text(harness_model_source(image_facts(graph, program, graph.name)))
    (folder / "eq_board.h").write_text(board_header(board.console))
    return Delivered(graph, board, program, folder, flags or target.gcc_flags)


def compile_model(delivered: Delivered, compiler: Sequence[str], name: str) -> list[str]:
    """Compile the delivered C files, without a warning; returns the objects' names."""
    objects = []
    for source in delivered.sources:
        objects.append(f"{name}_{Path(source).stem}.o")
        warnings = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
        _run([*compiler, *warnings, "-Iruntime", "-c", source, "-o", objects[-1]], delivered.folder)
    return objects


def host_program(delivered: Delivered, compiler: Sequence[str], link: Sequence[str] = ()) -> Path:
    """A program for a computer: everything by one compiler, flags included."""
    common = boards_dir() / "common"
    objects = compile_model(delivered, [*compiler, "-std=c11"], "host")
    harness = [str(common / source) for source in _HOST_SOURCES]
    command = [*compiler, *link, "-std=c11", "-I.", f"-I{common}", *harness, "eq_harness_model.c", *objects]
    _run([*command, "-o", "program"], delivered.folder)
    return delivered.folder / "program"


def chip_harness(delivered: Delivered) -> list[str]:
    """What the harness knows of a model, by the board's gcc, and the rest, made once; returns the objects' paths."""
    command = ["arm-none-eabi-gcc", *delivered.flags, *_HARNESS_FLAGS, "-ffreestanding"]
    command += ["-I.", f"-I{boards_dir() / 'common'}", "-c"]
    _run([*command, "eq_harness_model.c", "-o", "eq_harness_model.o"], delivered.folder)
    shared = delivered.folder.parent / "harness"
    objects = [str(shared / f"{Path(source).stem}.o") for source in _CHIP_SOURCES]
    if not shared.is_dir():
        shared.mkdir()
        for source, output in zip(_CHIP_SOURCES, objects, strict=True):
            extra = ["-fno-tree-loop-distribute-patterns"] if source == "memory.c" else []
            _run([*command, *extra, str(boards_dir() / "common" / source), "-o", output], delivered.folder)
    return [*objects, str(delivered.folder / "eq_harness_model.o")]


def chip_image(delivered: Delivered, harness: Sequence[str], compiler: Sequence[str], name: str) -> Path:
    """An image for the emulator: the model by any compiler, linked by the board's gcc."""
    objects = compile_model(delivered, [*compiler, "-std=c11", "-ffreestanding"], name)
    script = delivered.folder / f"{name}.ld"
    script.write_text(linker_script(emulated_layout(delivered.board), delivered.facts, STACK_BYTES))
    command = [
        "arm-none-eabi-gcc",
        *delivered.flags,
        "-nostdlib",
        "-nostartfiles",
        "-Wl,--gc-sections",
    ]
    # clang calls __aeabi_memcpy of the C library.
    _run([*command, "-T", script.name, *harness, *objects, "-lc", "-lgcc", "-o", f"{name}.elf"], delivered.folder)
    return delivered.folder / f"{name}.elf"


def wrapped(program: Path, emulator: str) -> Path:
    """A program of another computer as one of this computer, through QEMU's user mode."""
    script = program.with_suffix(".sh")
    script.write_text(f"#!/bin/sh\nexec {shlex.quote(emulator)} {shlex.quote(str(program))}\n")
    script.chmod(0o755)
    return script


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr[:3000]}"


__all__ = [
    "Delivered",
    "chip_harness",
    "chip_image",
    "compile_model",
    "deliver",
    "host_program",
    "wrapped",
]
