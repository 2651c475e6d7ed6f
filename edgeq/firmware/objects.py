"""Compiling: which sources make an image, with which flags. One object may serve several links.

Each file is compiled from its own folder by its bare name, so that no path enters an object.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeq.backends.constants import Constants, weights_assembly
from edgeq.backends.program import PREBUILT
from edgeq.firmware.facts import ImageFacts, board_header, harness_model_source
from edgeq.firmware.toolchain import Toolchain, run_both
from edgeq.process import worker_pool
from edgeq.resources import boards_dir, runtime_dir
from edgeq.target import Board, Target

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow")
_LANGUAGE = ("-std=c11", "-ffunction-sections", "-fdata-sections", "-fno-common", "-fno-asynchronous-unwind-tables")
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
# gcc would turn the loops of memcpy and memset into calls of themselves.
_OF_FILE = {"memory.c": ("-fno-tree-loop-distribute-patterns",)}
_CHIP_SOURCES = ("fault.c", "harness.c", "measure_thumb.c", "memory.c", "startup.c")
_HOST_SOURCES = ("harness.c", "measure_host.c")
_CONSOLE_FILES = {
    "cmsdk": "console_uart_cmsdk.c",
    "native": "console_native.c",
    "none": "console_none.c",
    "nrf51": "console_uart_nrf51.c",
    "pl011": "console_uart_pl011.c",
    "stm32": "console_uart_stm32.c",
    "stm32_lp": "console_uart_stm32_lp.c",
}
_UNWANTED_SECTIONS = (".ARM.exidx*", ".rel.ARM.exidx*", ".eh_frame", ".rela.eh_frame", ".text.tvm.fp16.conv")
_UNWANTED_SYMBOLS = ("__extendhfsf2", "__truncsfhf2")
_CALL_GRAPH = "-fcallgraph-info=su"
EMULATOR_CONSOLE = "console_semihosting.c"
MODEL_OBJECT, WEIGHTS_OBJECT = "model.o", "weights.o"
_TRACED_SOURCE, TRACED_OBJECT = "eq_traced_model.c", "traced.o"
_WEIGHTS_BLOB = "weights.bin"


@dataclass(frozen=True)
class Objects:
    """Compiled objects in one folder, by file name.

    Attributes:
        folder: where they lie, with the compiler's ``.ci`` call graphs beside them.
        model: of the bundle.
        harness: what every image of the board shares.
        console: of the board's own image.
        emulator_console: of the emulated image; None on the host.
        warnings: what the compiler said, normally nothing.
        traced: in place of the model's own object, for an image that also answers the rows inside its steps; None:
            there is none.
    """

    folder: Path
    model: tuple[str, ...]
    harness: tuple[str, ...]
    console: str
    emulator_console: str | None
    warnings: str
    traced: str | None = None

    @property
    def code(self) -> tuple[str, ...]:
        """The objects of the bundle that hold code."""
        return tuple(name for name in self.model if name != WEIGHTS_OBJECT)

    @property
    def shared(self) -> tuple[str, ...]:
        """All that both links have in common, sorted."""
        return tuple(sorted((*self.model, *self.harness)))

    @property
    def traced_model(self) -> tuple[str, ...]:
        """What is linked in place of :attr:`model`."""
        return tuple(str(self.traced) if name == MODEL_OBJECT else name for name in self.model)

    def digest(self) -> str:
        """SHA-256 over names and contents of the shared objects."""
        total = hashlib.sha256()
        for name in self.shared:
            total.update(name.encode() + b"\0" + hashlib.sha256((self.folder / name).read_bytes()).digest())
        return total.hexdigest()


@dataclass(frozen=True)
class _Job:
    """A file to compile: its flags, and its object's name where that does not follow from the file's."""

    source: Path
    flags: list[str]
    object: str | None = None


def include_flags(target: Target) -> list[str]:
    """``-I`` for the C runtime, the folders of instruction sets in search order."""
    root = runtime_dir()
    folders = [root / "include", root / "kernels", *(root / "arch" / isa for isa in target.isa)]
    return [flag for folder in folders for flag in ("-I", str(folder))]


def model_flags(target: Target, optimize: str = "-O2") -> list[str]:
    """The flags that compile a bundle, include path and warnings included."""
    return [*target.gcc_flags, optimize, *_LANGUAGE, "-ffreestanding", *WARNINGS, *include_flags(target)]


def compile_all(
    toolchain: Toolchain,
    board: Board,
    facts: ImageFacts,
    bundle_dir: Path,
    folder: Path,
    *,
    optimize: str,
    sanitize: bool,
    constants: Constants | None = None,
    traced: str | None = None,
) -> Objects:
    """Compile everything that the images of a board are linked from, into `folder`.

    Args:
        toolchain: the compiler.
        board: what to build for.
        facts: about the model; its C files are called after it.
        bundle_dir: the model's C files. What a bundle brings compiled is linked as it is.
        folder: receives the objects, and the files that are generated for them.
        optimize: gcc's ``-O`` flag.
        sanitize: with address and undefined-behaviour sanitizers.
        constants: the arrays of ``NAME_weights.c``, which is then not compiled; None: it is.
        traced: the text of ``NAME.c`` for an image that also answers the rows inside its steps; None: there are none.

    Raises:
        EdgeqError: EQ0503 the compiler refuses a file; EQ0505, EQ0510 it does not run.
    """
    (folder / "eq_harness_model.c").write_text(harness_model_source(facts), encoding="utf-8")
    (folder / "eq_board.h").write_text(board_header(board.console), encoding="utf-8")
    common = boards_dir() / "common"
    console = _CONSOLE_FILES[board.console.kind]
    harness = list(_HOST_SOURCES if board.is_hosted else _CHIP_SOURCES)
    consoles = [console] if board.is_hosted else [console, EMULATOR_CONSOLE]
    extra = list(SANITIZE) if sanitize else []
    if not board.is_hosted:
        extra.append(_CALL_GRAPH)
    target_flags = [*model_flags(board.target, optimize), *extra]
    seen = [flag for path in (common, bundle_dir.resolve(), folder) for flag in ("-I", str(path))]
    bundle = bundle_dir.resolve()
    jobs = [
        _Job(bundle / f"{facts.name}.c", [*target_flags, *seen[2:4]], MODEL_OBJECT),
        _weights_job(facts.name, constants, board, bundle, folder, target_flags),
        *(_Job(common / name, [*_harness_flags(target_flags, board), *seen]) for name in (*harness, *consoles)),
        _Job(folder / "eq_harness_model.c", [*target_flags, *seen]),
    ]
    if traced is not None:
        (folder / _TRACED_SOURCE).write_text(traced, encoding="utf-8")
        jobs.append(_Job(folder / _TRACED_SOURCE, [*target_flags, *seen[2:4]], TRACED_OBJECT))
    messages = _compile(toolchain, jobs, folder)
    prebuilt = [PREBUILT] if (bundle_dir / PREBUILT).is_file() else []
    for name in prebuilt:
        _copy_prebuilt(toolchain, bundle_dir / name, folder / name)
    return Objects(
        folder=folder,
        model=(MODEL_OBJECT, WEIGHTS_OBJECT, *prebuilt),
        harness=tuple(sorted(_object(name) for name in (*harness, "eq_harness_model.c"))),
        console=_object(console),
        emulator_console=None if board.is_hosted else _object(EMULATOR_CONSOLE),
        warnings="".join(messages),
        traced=TRACED_OBJECT if traced is not None else None,
    )


def _copy_prebuilt(toolchain: Toolchain, source: Path, target: Path) -> None:
    """Copy an object without what no image needs: debugging, unwinding, and LLVM's half-float conversions."""
    # On a chip no object says whether its stack is executable; one that did would make the linker ask the others.
    sections = _UNWANTED_SECTIONS if toolchain.kind != "arm-none-eabi" else (*_UNWANTED_SECTIONS, ".note.GNU-stack")
    unwanted = [f"--remove-section={name}" for name in sections]
    symbols = [f"--strip-symbol={name}" for name in _UNWANTED_SYMBOLS]
    command = [toolchain.binutil("objcopy"), "--strip-debug", *unwanted, *symbols, str(source), str(target)]
    run_both(command, code="EQ0504", what=f"objcopy refuses {source.name}", makes=[target])


def _harness_flags(flags: Sequence[str], board: Board) -> list[str]:
    # The host's harness uses the host's C library.
    return [flag for flag in flags if not (board.is_hosted and flag == "-ffreestanding")]


def _weights_job(
    name: str, constants: Constants | None, board: Board, bundle: Path, folder: Path, flags: list[str]
) -> _Job:
    """The weights through the assembler: a compiler needs microseconds and much memory for each number of a text."""
    if constants is None:
        return _Job(bundle / f"{name}_weights.c", flags, WEIGHTS_OBJECT)
    text, blob = weights_assembly(constants.arrays, _WEIGHTS_BLOB, hosted=board.is_hosted)
    (folder / "weights.s").write_text(text, encoding="ascii")
    (folder / _WEIGHTS_BLOB).write_bytes(blob)
    return _Job(folder / "weights.s", list(board.target.gcc_flags), WEIGHTS_OBJECT)


def _object(source: str) -> str:
    return f"{Path(source).stem}.o"


def _compile(toolchain: Toolchain, jobs: Iterable[_Job], folder: Path) -> list[str]:
    def one(job: _Job) -> str:
        source = job.source
        made = [folder / (job.object or _object(source.name))]
        command = [
            toolchain.gcc,
            *job.flags,
            *_OF_FILE.get(source.name, ()),
            f"-ffile-prefix-map={source.parent}=.",
            "-c",
            source.name,
            "-o",
            str(made[0]),
        ]
        if _CALL_GRAPH in job.flags:
            made.append(made[0].with_suffix(".ci"))
        what = f"the compiler refuses {source.name}"
        return run_both(command, cwd=source.parent, code="EQ0503", what=what, makes=made)[1]

    with worker_pool() as pool:
        return list(pool.map(one, jobs))
