"""THE compiler: reading :data:`STAGES` from top to bottom is reading edgeq.

Each stage takes the :class:`Job` one step further; nothing else calls stages or knows their order.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgeq import __version__
from edgeq.backends.c import CProgram, Specialize, Step, emit_c
from edgeq.errors import EdgeqError
from edgeq.firmware import ImageFacts, Images, Span, build_images
from edgeq.folder import (
    FLOAT_MODEL,
    GRAPH_JSON,
    GRAPH_NPZ,
    MANIFEST,
    QDQ_MODEL,
    SCHEMA,
    check_replaceable,
    replace_folder,
)
from edgeq.ir import Graph, Tensor
from edgeq.ir.serialize import save_graph
from edgeq.ir.verify import verify_graph
from edgeq.lowering import Mode, lower
from edgeq.ops import infer
from edgeq.passes import PASSES
from edgeq.target import Board, load_board

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.frontend import Recovered

Progress = Callable[[str, float | None], None]

# What a partly quantized model leaves unsaid, and calibration data can say.
UNSAID: Final = {"EQ0250", "EQ0251"}


@dataclass(frozen=True)
class CompileOptions:
    """What the user may choose.

    Attributes:
        board: name of the board.
        name: prefix of the C symbols.
        mode: rounding of requantization.
        observer: name of the calibration observer.
        specialize: which steps get an instance of their kernel.
        optimize: gcc's ``-O`` flag.
        dims: sizes of named dynamic dimensions.
    """

    board: str
    name: str
    mode: Mode = "highmul"
    observer: str = "auto"
    specialize: Specialize = "hot"
    optimize: str = "-O2"
    dims: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Job:
    """One compilation on its way; each stage fills in what the next one reads."""

    model_path: Path
    data_path: Path | None
    options: CompileOptions
    board: Board
    folder: Path
    progress: Progress
    float_model: onnx_ir.Model | None = None
    partly_quantized: Recovered | None = None
    qdq_model: onnx_ir.Model | None = None
    quantization: dict[str, Any] | None = None
    graph: Graph | None = None
    program: CProgram | None = None
    images: dict[str, Images] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    manifest: dict[str, Any] = field(default_factory=dict)


def import_model(job: Job) -> None:
    """Read the model safely; make a float model normal, or a foreign quantized model canonical.

    A model that is quantized in part waits for the next stage, where calibration data says the rest.
    """
    from edgeq import frontend
    from edgeq.onnxio import read_model

    model = read_model(job.model_path)
    if not frontend.is_quantized(model):
        job.float_model = frontend.normalize(model, job.options.dims)
        problems = frontend.check_support(job.float_model)
        if problems:
            raise EdgeqError.of(problems)
        return
    structured = frontend.normalize_structure(model, job.options.dims)
    if job.data_path is not None:
        found = frontend.recover_plan(structured)
        if found.problems and {problem.code for problem in found.problems} <= UNSAID:
            job.partly_quantized = found
            return
    job.qdq_model = frontend.normalize_qdq(structured)


def quantize_model(job: Job) -> None:
    """Calibrate on the user's data and write scales and integer weights into a QDQ model; keep what it has already."""
    partial = job.partly_quantized
    model = partial.model if partial is not None else job.float_model
    if model is None:
        return
    from edgeq import frontend
    from edgeq.onnxio.samples import Samples
    from edgeq.quant import QuantizeOptions, quantize

    if job.data_path is None:
        raise EdgeqError(
            "EQ0106",
            "a float model needs calibration data",
            where=str(job.model_path),
            hint="pass --data CALIB.npz with a few hundred typical inputs under the key x",
        )
    samples = Samples.open(job.data_path, model)
    quantized = quantize(
        model,
        samples,
        QuantizeOptions(observer=job.options.observer, mode=job.options.mode),
        progress=lambda done: job.progress("calibrate", done),
        given=partial.plan if partial is not None else None,
    )
    job.qdq_model, job.quantization = quantized.model, quantized.report.to_json()
    if partial is not None:
        frontend.restore_border(job.qdq_model.graph, partial)
    job.notes += quantized.report.warnings


def quantize_file(
    model: Path,
    data: Path,
    output: Path,
    *,
    observer: str,
    mode: Mode,
    dims: Mapping[str, int],
    progress: Progress,
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

    Returns:
        The quantizer's report.

    Raises:
        EdgeqError: EQ0230 where the model is quantized already; whatever stops a stage.
    """
    from edgeq.onnxio import write_model

    options = CompileOptions("native", "model", mode=mode, observer=observer, dims=dims)
    job = Job(model, data, options, load_board(options.board), output.parent, progress)
    import_model(job)
    if job.qdq_model is not None:
        raise EdgeqError("EQ0230", "the model is quantized already", where=str(model), hint="compile it as it is")
    quantize_model(job)
    assert job.qdq_model is not None and job.quantization is not None  # noqa: PT018 - quantize_model has set them
    write_model(job.qdq_model, output)
    return job.quantization


def lower_model(job: Job) -> None:
    """Cross into the integer world, and rewrite the integer graph."""
    assert job.qdq_model is not None  # import_model or quantize_model has set it
    job.graph = to_integer_graph(job.qdq_model, job.options.mode, job.options.name)


def to_integer_graph(model: onnx_ir.Model, mode: Mode, name: str) -> Graph:
    """Lower a canonical QDQ model and run every pass, verifying the graph after each."""
    graph = lower(model, mode=mode, name=name)
    for step in PASSES:
        step.run(graph)
        verify_graph(graph, infer, after=step.name)
    return graph


def emit_program(job: Job) -> None:
    """Bind kernels, plan memory, print C, and write everything that describes the model."""
    from edgeq.onnxio import write_model

    assert job.graph is not None and job.qdq_model is not None  # noqa: PT018 - set by the stages before
    job.program = emit_c(job.graph, job.options.name, job.board.target.isa, job.options.specialize)
    job.program.bundle.write(job.folder)
    save_graph(job.graph, job.folder / GRAPH_JSON, job.folder / GRAPH_NPZ)
    write_model(job.qdq_model, job.folder / QDQ_MODEL)
    if job.float_model is not None:
        write_model(job.float_model, job.folder / FLOAT_MODEL)


def build_firmware(job: Job) -> None:
    """Compile and link for the board and for the host; a missing toolchain leaves the sources, with a note.

    Weights are packed for the core that reads them, so the host gets a program of its own from the same graph.
    """
    assert job.program is not None and job.graph is not None  # noqa: PT018 - set by the stages before
    _build(job, job.board, job.program, job.folder)
    native = load_board("native")
    if native.name != job.board.name:
        with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
            program = emit_c(job.graph, job.options.name, native.target.isa, job.options.specialize)
            program.bundle.write(Path(folder))
            _build(job, native, program, Path(folder))


def _build(job: Job, board: Board, program: CProgram, sources: Path) -> None:
    facts = image_facts(job, program)
    try:
        images = build_images(sources, job.folder, board, facts, optimize=job.options.optimize)
    except EdgeqError as error:
        if error.problems[0].code not in {"EQ0501", "EQ0502"}:
            raise
        job.notes.append(str(error))
        return
    job.images[board.name] = images
    if images.warnings:
        job.notes.append(images.warnings)


def write_manifest(job: Job) -> None:
    """State what was built, of what, how large, and how to run it."""
    job.manifest = describe(job)
    text = json.dumps(job.manifest, indent=1, sort_keys=True) + "\n"
    (job.folder / MANIFEST).write_text(text, encoding="utf-8")


STAGES: tuple[tuple[str, Callable[[Job], None]], ...] = (
    ("import", import_model),
    ("quantize", quantize_model),
    ("lower", lower_model),
    ("emit", emit_program),
    ("build", build_firmware),
    ("manifest", write_manifest),
)


def compile_model(
    model: Path,
    data: Path | None,
    out: Path,
    options: CompileOptions,
    progress: Progress = lambda stage, done: None,
) -> dict[str, Any]:
    """Compile a model into a folder, which is replaced whole or left whole.

    Args:
        model: ONNX file, float or QDQ.
        data: calibration data for a float model.
        out: the folder.
        options: the user's choices.
        progress: called with a stage's name and its share done (None where unknown).

    Returns:
        The manifest.

    Raises:
        EdgeqError: whatever stops a stage.
    """
    check_replaceable(out)
    board = load_board(options.board)
    with replace_folder(out) as folder:
        job = Job(model, data, options, board, folder, progress)
        for name, stage in STAGES:
            progress(name, None)
            stage(job)
    return job.manifest | {"notes": job.notes}


def image_facts(job: Job, program: CProgram) -> ImageFacts:
    """Where firmware finds inputs, outputs and every step's results in the arena."""
    assert job.graph is not None  # lower_model has set it
    graph, offsets = job.graph, program.plan.offsets

    def spans(names: tuple[str, ...]) -> tuple[Span, ...]:
        return tuple(Span(offsets[name], graph.tensors[name].size_bytes) for name in names)

    return ImageFacts(
        name=job.options.name,
        inputs=spans(graph.inputs),
        outputs=spans(graph.outputs),
        results=tuple(spans(step.node.outputs) for step in program.steps),
        arena_bytes=program.plan.arena_bytes,
    )


def describe(job: Job) -> dict[str, Any]:
    """The manifest: no times, no paths, the same for the same inputs."""
    assert job.program is not None and job.graph is not None and job.qdq_model is not None  # noqa: PT018
    graph, program, options = job.graph, job.program, job.options
    built = job.images.get(job.board.name)
    outputs = tuple(str(value.name) for value in job.qdq_model.graph.outputs)
    return {
        "schema": SCHEMA,
        "edgeq": __version__,
        "name": options.name,
        "board": job.board.name,
        "target": job.board.target.name,
        "options": {
            "mode": options.mode,
            "observer": options.observer if job.quantization is not None else None,
            "specialize": options.specialize,
            "optimize": options.optimize,
            "dims": dict(sorted(options.dims.items())),
        },
        "sources": {
            "model_sha256": _sha256(job.model_path),
            "data_sha256": _sha256(job.data_path) if job.data_path is not None else None,
        },
        "inputs": _border(graph, graph.inputs, graph.inputs, program),
        "outputs": _border(graph, graph.outputs, outputs, program),
        "steps": [_step(graph, step, program) for step in program.steps],
        "arena_bytes": program.plan.arena_bytes,
        "arena_bound_bytes": program.plan.bound_bytes,
        "bundle_sha256": program.bundle.digest,
        "images": {kind: name for images in job.images.values() for kind, name in sorted(images.files.items())},
        "sizes": built.sizes.to_json() if built else None,
        "stack_bytes": built.stack_bytes if built else None,
        "object_sha256": built.object_digest if built else None,
        "compiler": built.compiler if built else None,
        "quantization": job.quantization,
    }


def _border(
    graph: Graph, names: tuple[str, ...], onnx_names: tuple[str, ...], program: CProgram
) -> list[dict[str, Any]]:
    entries = []
    for name, onnx_name in zip(names, onnx_names, strict=True):
        tensor = graph.tensors[name]
        assert tensor.quant is not None  # the border is always quantized
        entries.append(
            _place(tensor, program)
            | {"name": onnx_name, "scale": tensor.quant.scale[0], "zero_point": tensor.quant.zero_point[0]}
        )
    return entries


def _step(graph: Graph, step: Step, program: CProgram) -> dict[str, Any]:
    return {
        "name": step.node.name,
        "op": step.node.op,
        "kernel": step.call.kernel,
        "refused": step.refused,
        "macs": step.macs,
        "scratch_bytes": step.call.scratch_bytes,
        "source": list(step.node.source),
        "results": [_place(graph.tensors[name], program) for name in step.node.outputs],
    }


def _place(tensor: Tensor, program: CProgram) -> dict[str, Any]:
    return {
        "tensor": tensor.name,
        "dtype": tensor.dtype.value,
        "shape": list(tensor.shape),
        "offset": program.plan.offsets[tensor.name],
        "bytes": tensor.size_bytes,
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
