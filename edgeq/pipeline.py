"""THE compiler: reading :data:`STAGES` from top to bottom is reading edgeq.

Each stage takes the :class:`Job` one step further; nothing else calls stages or knows their order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from edgeq import budget
from edgeq.backends.table import extras_of
from edgeq.build import build_firmware, check_toolchains
from edgeq.errors import EdgeqError, Problem
from edgeq.extras import require
from edgeq.folder import (
    BOARD,
    FLOAT_MODEL,
    GRAPH_JSON,
    GRAPH_NPZ,
    QDQ_MODEL,
    TFLITE_FOLDER,
    check_replaceable,
    replace_folder,
)
from edgeq.integers import import_model, lower_model, quantize_model, to_integer_graph
from edgeq.ir import Graph
from edgeq.ir.serialize import save_graph
from edgeq.job import TVM_FOLDER, CompileOptions, Job, Progress
from edgeq.lowering import Mode
from edgeq.manifest import describe, output_names
from edgeq.notes import gathered
from edgeq.target import board_file, load_board, save_board
from edgeq.writing import MANIFEST, check_apart, check_file, disk_problem, keep_file, told_reads

__all__ = ["EMITTERS", "STAGES", "compile_model", "import_model", "quantize_file", "quantize_model", "to_integer_graph"]


def quantize_file(
    model: Path,
    data: Path,
    output: Path,
    *,
    observer: str,
    mode: Mode,
    dims: Mapping[str, int],
    progress: Progress,
    accept_data: bool = False,
    force: bool = False,
) -> dict[str, Any]:
    """The first two stages alone: a float model in, a QDQ model out.

    Args:
        model: float ONNX file.
        data: calibration data.
        output: the file to write; it appears whole or not at all.
        observer: as in :class:`CompileOptions`.
        mode: likewise.
        dims: likewise.
        progress: called with a stage's name and its share done.
        accept_data: as in :class:`CompileOptions`.
        force: a file at `output` that edgeq did not write is moved to ``OUTPUT.kept-N`` instead of being refused.

    Returns:
        The quantizer's report, and ``notes``: the notes and warnings, a list of Problem, and ``data``: a DataReport.

    Raises:
        EdgeqError: EQ0123 and EQ0124 where writing would lose a file; EQ0230 where the model is quantized already;
            whatever stops a stage.
    """
    from edgeq.onnxio import write_model, wrote

    check_file(output, wrote(output), force=force, inputs={"the model": model, "the calibration data": data})
    _make_parent(output)
    options = CompileOptions("native", "model", mode=mode, observer=observer, dims=dims, accept_data=accept_data)
    job = Job(model, data, options, load_board(options.board), output.parent, progress)
    with budget.ensured(), gathered(job.notes), told_reads() as read:
        import_model(job)
        check_apart(output, _weights(read))
        if job.qdq_model is not None:
            raise EdgeqError("EQ0230", "the model is quantized already", where=str(model), hint="compile it as it is")
        quantize_model(job)
        assert job.qdq_model is not None  # quantize_model has set it
        # Calibration may have taken minutes: who knows what is there now.
        check_file(output, wrote(output), force=force)
        if output.exists() and not wrote(output):
            keep_file(output)
    assert job.quantization is not None  # quantize_model has set it
    write_model(job.qdq_model, output)
    return job.quantization | {"notes": job.notes, "data": job.data}


def _weights(read: Sequence[Path]) -> dict[str, Path]:
    """Files beside the model that were read with it, by what messages call them."""
    return {f"weights of the model, {path.name}": path for path in read}


def _make_parent(output: Path) -> None:
    """Make the folder for a file now: calibration may take minutes, and must not end in an error about the path."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_problem(error) or EdgeqError(
            "EQ0101", "the output's folder cannot be made", where="-o", got=f"{output.parent}: {error.strerror}"
        ) from error


def emit_programs(job: Job) -> None:
    """Let every backend print the graph, and write everything that describes the model."""
    from edgeq.onnxio import write_model

    assert job.graph is not None and job.qdq_model is not None  # noqa: PT018 - set by the stages before
    for backend in job.options.backends:
        EMITTERS[backend](job, job.graph)
    save_graph(job.graph, job.folder / GRAPH_JSON, job.folder / GRAPH_NPZ)
    write_model(job.qdq_model, job.folder / QDQ_MODEL)
    if job.float_model is not None:
        write_model(job.float_model, job.folder / FLOAT_MODEL)


def _emit_c(job: Job, graph: Graph) -> None:
    from edgeq.backends.c import emit_c

    options, target = job.options, job.board.target
    program = emit_c(graph, options.name, target, options.specialize, onnx_outputs=output_names(job))
    program.bundle.write(job.folder)
    job.programs["c"] = program


def _emit_tflite(job: Job, graph: Graph) -> None:
    """A .tflite file means TFLite's arithmetic: what it holds was lowered for that, whatever the others use."""
    from edgeq.backends.tflite import emit_tflite

    below = job.folder / TFLITE_FOLDER
    below.mkdir()
    if job.options.mode != "tflite":
        assert job.qdq_model is not None  # import_model or quantize_model has set it
        graph = to_integer_graph(job.qdq_model, "tflite", job.options.name)
        save_graph(graph, below / GRAPH_JSON, below / GRAPH_NPZ)
    (below / "model.tflite").write_bytes(emit_tflite(graph, output_names(job)))
    job.files["tflite"] = f"{TFLITE_FOLDER}/model.tflite"


def _emit_tvm(job: Job, graph: Graph) -> None:
    """Modules for this computer, and a program of TVM's objects for the board."""
    from edgeq.backends.tvm.board import emit_board
    from edgeq.backends.tvm.host import build_host

    program = emit_board(graph, job.options.name, job.board.target, output_names(job))
    program.bundle.write(job.folder / TVM_FOLDER)
    job.programs["tvm"] = program
    if job.options.sources_only:
        return
    build_host(graph, job.options.name).write(job.folder / TVM_FOLDER)
    job.files |= {"tvm": f"{TVM_FOLDER}/model.so", "tvm-debug": f"{TVM_FOLDER}/model_debug.so"}


EMITTERS: Final[Mapping[str, Callable[[Job, Graph], None]]] = {
    "c": _emit_c,
    "tflite": _emit_tflite,
    "tvm": _emit_tvm,
}


def write_manifest(job: Job) -> None:
    """State what was built, of what, how large, and how to run it."""
    job.manifest = describe(job)
    text = json.dumps(job.manifest, indent=1, sort_keys=True) + "\n"
    (job.folder / MANIFEST).write_text(text, encoding="utf-8")
    save_board(job.board, job.folder / BOARD)


STAGES: tuple[tuple[str, Callable[[Job], None]], ...] = (
    ("import", import_model),
    ("quantize", quantize_model),
    ("lower", lower_model),
    ("emit", emit_programs),
    ("build", build_firmware),
    ("manifest", write_manifest),
)


def compile_model(
    model: Path,
    data: Path | None,
    out: Path,
    options: CompileOptions,
    progress: Progress = lambda stage, done: None,
    force: bool = False,
) -> dict[str, Any]:
    """Compile a model into a folder, which is replaced whole or left whole.

    Args:
        model: ONNX file, float or QDQ.
        data: calibration data for a float model.
        out: the folder.
        options: the user's choices.
        progress: called with a stage's name and its share done (None where unknown).
        force: where `out` holds what edgeq did not write, or what was edited since, that folder is moved to
            ``OUT.kept-N`` instead of being refused.

    Returns:
        The manifest, ``notes``: the notes and warnings, a list of Problem, and ``data``: a DataReport or None.

    Raises:
        EdgeqError: whatever stops a stage.
    """
    check_apart(out, {"the model": model, "the calibration data": data, "the board": board_file(options.board)})
    check_replaceable(out, force=force)
    for extra in extras_of(options.backends):
        require(extra)
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
            check_apart(out, _weights(read))
    return job.manifest | {"notes": notes, "data": job.data}
