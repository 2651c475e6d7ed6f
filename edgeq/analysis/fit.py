"""The ways in which a model fits a board: what each takes of RAM and flash, and how many instructions it needs.

A way is a set of options of ``edgeq compile``. The model is quantized once; every way compiles the same integers, so
that all of them give the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgeq import budget
from edgeq.analysis.profile import profile_folder
from edgeq.backends.c.chain_search import arenas
from edgeq.errors import EdgeqError, Problem
from edgeq.folder import QDQ_MODEL, Compiled
from edgeq.job import CompileOptions, Progress, silent
from edgeq.notes import gathered
from edgeq.pipeline import compile_model
from edgeq.sources import DataSource, ModelSource
from edgeq.target import Board, load_board

if TYPE_CHECKING:
    from edgeq.manifest import Program

Made = tuple[str | None, str | None]
"""Digests of sources and objects: ways that make the same are one."""
_TOO_LARGE: Final = frozenset({"EQ0401", "EQ0402"})
_NOT_COUNTED: Final = ("EQ016", "EQ052", "EQ053")
"""Codes of a board without an emulator, and of a missing program."""


@dataclass(frozen=True)
class Way:
    """One way to compile the model for the board.

    Attributes:
        options: of ``edgeq compile``.
        fits: whether the images fit the board.
        ram_bytes: arena, stack and harness; the arena alone where the images do not fit.
        arena_bytes: what changes, inputs and outputs inside.
        flash_bytes: code, weights and harness; None where the images do not fit.
        flash_code_bytes, flash_weight_bytes: of these; None likewise.
        instructions: of the first input; None where the board has no emulator that counts.
        macs: multiply-accumulates, those that are repeated once.
        chains: steps that run several layers in bands of rows.
        is_best: no other way that fits is as good in RAM, flash and instructions, and better in one of them.
    """

    options: tuple[str, ...]
    fits: bool
    ram_bytes: int
    arena_bytes: int
    flash_bytes: int | None
    flash_code_bytes: int | None
    flash_weight_bytes: int | None
    instructions: int | None
    macs: int
    chains: int
    is_best: bool = False

    @property
    def cost(self) -> tuple[int, int, int]:
        """What is compared: RAM, flash, instructions; where these are not known, steps with repeated rows count."""
        return (
            self.ram_bytes,
            self.flash_bytes or 0,
            self.instructions if self.instructions is not None else self.chains,
        )


@dataclass(frozen=True)
class FitResult:
    """The ways that were tried.

    Attributes:
        board: its name.
        ram_available_bytes, flash_available_bytes: what the board has; None for a computer.
        ways: in falling order of RAM.
        notes: notes and warnings.
    """

    board: str
    ram_available_bytes: int | None
    flash_available_bytes: int | None
    ways: tuple[Way, ...]
    notes: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether any way fits."""
        return any(way.fits for way in self.ways)

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq fit``."""
        return {
            "ok": self.ok,
            "board": self.board,
            "ram_available_bytes": self.ram_available_bytes,
            "flash_available_bytes": self.flash_available_bytes,
            "ways": [{**asdict(way), "options": list(way.options)} for way in self.ways],
            "notes": [note.to_json() for note in self.notes],
        }


def fit_model(
    model: ModelSource,
    data: DataSource | None,
    options: CompileOptions,
    aims: Sequence[str],
    scratch: Path,
    progress: Progress = silent,
) -> FitResult:
    """Compile a model in every way, and compare what each takes.

    Args:
        model: an ONNX model, float or QDQ.
        data: calibration data for a float model.
        options: the user's choices; what counts most is set for each way.
        aims: what ``--optimize`` takes.
        scratch: an empty folder for what is compiled.
        progress: called with the way's options and the share done.

    Raises:
        EdgeqError: whatever stops a stage, but for images that do not fit the board.
    """
    board = load_board(options.board)
    with budget.ensured(), gathered() as notes:
        progress("quantize", None)
        base = scratch / "base"
        compile_model(model, data, base, replace(options, sources_only=True))
        # The quantized model remembers all that calibration has decided.
        rest = {field: getattr(CompileOptions, field) for field in ("observer", "scheme", "int16", "allow_float")}
        given = replace(options, calibration=None, save_calibration=None, features=None, **rest)
        ways: dict[Made, Way] = {}
        chosen = list(_ways(Compiled.open(base), board, aims))
        for number, way in enumerate(chosen):
            progress(" ".join(way), number / len(chosen))
            made, found = _tried(base / QDQ_MODEL, given, way, scratch / str(number), board)
            ways.setdefault(made, found)
    listed = sorted(ways.values(), key=lambda way: (-way.ram_bytes, way.cost))
    fitting = [way.cost for way in listed if way.fits]
    return FitResult(
        board.name,
        board.ram.app_size_bytes if board.ram is not None else None,
        board.flash.app_size_bytes if board.flash is not None else None,
        tuple(
            replace(way, is_best=way.fits and not any(_beats(other, way.cost) for other in fitting)) for way in listed
        ),
        tuple(notes),
    )


def _beats(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _ways(base: Compiled, board: Board, aims: Sequence[str]) -> Iterator[tuple[str, ...]]:
    yield from (("--optimize", name) for name in aims)
    yield from (("--arena-bytes", str(size)) for size in arenas(base.graph, board.target.isa)[1:])


def _options(given: CompileOptions, way: tuple[str, ...]) -> CompileOptions:
    name, value = way
    return replace(given, optimize=value) if name == "--optimize" else replace(given, arena_bytes=int(value))


def _tried(model: Path, given: CompileOptions, way: tuple[str, ...], folder: Path, board: Board) -> tuple[Made, Way]:
    """What the way makes, and what that takes."""
    options = _options(given, way)
    fits = True
    try:
        program = compile_model(model, None, folder, options).manifest.program
    except EdgeqError as error:
        if not {problem.code for problem in error.problems} <= _TOO_LARGE:
            raise
        fits = False
        program = compile_model(model, None, folder, replace(options, sources_only=True)).manifest.program
    found = _way(program, way, fits=fits)
    if fits and board.emulator is not None:
        found = replace(found, instructions=_instructions(folder))
    return (program.bundle_sha256, program.object_sha256), found


def _instructions(folder: Path) -> int | None:
    """Of the first input; None where nothing can count them."""
    try:
        return profile_folder(Compiled.open(folder), 1).instructions
    except EdgeqError as error:
        if error.problems[0].code.startswith(_NOT_COUNTED):
            return None
        raise


def _way(program: Program, way: tuple[str, ...], *, fits: bool) -> Way:
    arena = program.ram_arena_bytes
    assert program.arena_bytes is not None and arena is not None  # noqa: PT018 - the C backend plans memory
    sizes = program.sizes
    chains = sum(bool(step.inner) for step in program.steps)
    if sizes is None:
        return Way(way, fits, arena, program.arena_bytes, None, None, None, None, program.macs, chains)
    ram = arena + (program.stack_bytes or 0) + (sizes.harness_ram_bytes or 0)
    flash = (sizes.flash_code_bytes or 0) + (sizes.flash_weight_bytes or 0) + (sizes.harness_flash_bytes or 0)
    return Way(
        way,
        fits,
        ram,
        program.arena_bytes,
        flash,
        sizes.flash_code_bytes,
        sizes.flash_weight_bytes,
        None,
        program.macs,
        chains,
    )
