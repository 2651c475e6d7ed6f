"""THE compiler: reading :data:`STAGES` from top to bottom is reading edgeq.

Each stage takes the :class:`Job` one step further; nothing else calls stages or knows their order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from edgeq import budget
from edgeq.backends.table import entries_of
from edgeq.build import build_firmware, check_toolchains
from edgeq.emission import emit_programs, write_manifest
from edgeq.errors import EdgeqError, Problem
from edgeq.extras import require
from edgeq.folder import check_replaceable, replace_folder
from edgeq.integers import float_nodes, import_model, lower_model, quantize_model
from edgeq.job import CompileOptions, CompileResult, Job, Progress, QuantizeResult, silent
from edgeq.memory.planner import SOLVER
from edgeq.notes import gathered
from edgeq.sources import DataSource, ModelSource, path_of, shown
from edgeq.target import board_file, load_board
from edgeq.writing import check_apart, check_file, covers, disk_problem, keep_file, told_reads

_SAVE: Final = "--save-calibration"

STAGES: tuple[tuple[str, Callable[[Job], None]], ...] = (
    ("import", import_model),
    ("quantize", quantize_model),
    ("lower", lower_model),
    ("emit", emit_programs),
    ("build", build_firmware),
    ("manifest", write_manifest),
)


def compile_model(
    model: ModelSource,
    data: DataSource | None,
    out: Path,
    options: CompileOptions,
    progress: Progress = silent,
    force: bool = False,
) -> CompileResult:
    """Compile a model into a folder, which is replaced whole or left whole.

    Args:
        model: an ONNX model, float or QDQ.
        data: calibration data for a float model.
        out: the folder.
        options: the user's choices.
        progress: called with a stage's name and its share done (None where unknown).
        force: where `out` holds what edgeq did not write, or what was edited since, that folder is moved to
            ``OUT.kept-N`` instead of being refused.

    Raises:
        EdgeqError: whatever stops a stage.
    """
    inputs = {
        "the model": path_of(model),
        "the calibration data": path_of(data),
        "the board": board_file(options.board),
        "the saved calibration": options.calibration,
        "the features": path_of(options.features),
        "the kernels": options.kernels,
    }
    check_apart(out, inputs)
    check_replaceable(out, force=force)
    _check_save(options, out, inputs, force=force)
    options.check_backends()
    for entry in entries_of(options.backends):
        if entry.extra is not None:
            require(entry.extra)
    if options.planner == "solver":
        require(SOLVER)
    board = load_board(options.board)
    if options.aligned_loads:
        board = replace(board, target=board.target.with_aligned_loads())
    check_toolchains(options, board)
    notes: list[Problem] = []

    def waiting() -> None:
        progress("wait for another edgeq that writes the same folder", None)

    with (
        budget.ensured(),
        gathered(notes),
        told_reads() as read,
        replace_folder(out, force=force, waiting=waiting) as folder,
    ):
        job = Job(model, data, options, board, folder, progress, notes=notes)
        for name, stage in STAGES:
            budget.tick(name)
            progress(name, None)
            stage(job)
            _check_reads(options, out, read)
    assert job.manifest is not None  # write_manifest has set it
    return CompileResult(out, job.manifest, job.quantization, job.data, tuple(notes))


def quantize_file(
    model: ModelSource,
    data: DataSource,
    output: Path | None,
    options: CompileOptions,
    progress: Progress = silent,
    force: bool = False,
) -> QuantizeResult:
    """The first two stages alone: a float model in, a QDQ model out.

    Args:
        model: a float ONNX model.
        data: calibration data.
        output: the file to write; it appears whole or not at all. None: no file is written.
        options: the user's choices; the board is not looked at.
        progress: called with a stage's name and its share done.
        force: a file at `output` that edgeq did not write is moved to ``OUTPUT.kept-N`` instead of being refused; so is
            one where the calibration is saved.

    Raises:
        EdgeqError: EQ0123 and EQ0124 where writing would lose a file; EQ0230 where the model is quantized already;
            whatever stops a stage.
    """
    from edgeq.onnxio import write_model, wrote

    inputs = {
        "the model": path_of(model),
        "the calibration data": path_of(data),
        "the saved calibration": options.calibration,
        "the features": path_of(options.features),
    }
    if output is not None:
        check_file(output, wrote(output), force=force, inputs=inputs)
        make_parent(output, "-o")
    _check_save(options, output, inputs, force=force)
    job = Job(model, data, options, load_board(options.board), Path(), progress)
    with budget.ensured(), gathered(job.notes), told_reads() as read:
        import_model(job)
        _check_reads(options, output, read)
        if job.qdq_model is not None:
            raise EdgeqError("EQ0230", "the model is quantized already", where=shown(model), hint="compile it as it is")
        quantize_model(job)
        assert job.qdq_model is not None  # quantize_model has set it
        if output is not None:
            # Calibration may have taken minutes: who knows what is there now.
            check_file(output, wrote(output), force=force)
            if output.exists() and not wrote(output):
                keep_file(output)
            write_model(job.qdq_model, output)
    assert job.quantization is not None and job.data is not None  # noqa: PT018 - quantize_model has set them
    return QuantizeResult(job.qdq_model, job.quantization, job.data, tuple(job.notes), float_nodes(job.qdq_model))


def _check_save(
    options: CompileOptions, output: Path | None, inputs: Mapping[str, Path | None], *, force: bool
) -> None:
    """Refuse to save a calibration where a file would be lost, before the calibration takes its time."""
    target = options.save_calibration
    if target is None:
        return
    from edgeq.quant import wrote_calibration

    if output is not None and covers(output, target):
        raise EdgeqError(
            "EQ0101",
            "the calibration would be saved into the output, which is replaced whole",
            where=_SAVE,
            got=str(target),
            allowed=f"a file that is not {output} and not in it",
        )
    check_file(target, wrote_calibration(target), force=force, inputs=inputs, flag=_SAVE)
    make_parent(target, _SAVE)


def _check_reads(options: CompileOptions, output: Path | None, read: Sequence[Path]) -> None:
    """Refuse to write over files beside the model that were read with it."""
    weights = {f"weights of the model, {path.name}": path for path in read}
    for path, flag in ((output, "-o"), (options.save_calibration, _SAVE)):
        if path is not None:
            check_apart(path, weights, flag=flag)


def make_parent(output: Path, flag: str) -> None:
    """Make the folder for a file now: calibration may take minutes, and must not end in an error about the path."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_problem(error) or EdgeqError(
            "EQ0101", "the output's folder cannot be made", where=flag, got=f"{output.parent}: {error.strerror}"
        ) from error
