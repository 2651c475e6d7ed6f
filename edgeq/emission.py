"""The stages that write what was compiled: every backend's files, and the manifest."""

from __future__ import annotations

from edgeq.backends.c.optimized import check_optimized
from edgeq.backends.c.program import CProgram
from edgeq.backends.table import Entry, entries_of
from edgeq.describe import describe
from edgeq.files import below
from edgeq.folder import BOARD, FLOAT_MODEL, GRAPH_JSON, GRAPH_NPZ, QDQ_MODEL
from edgeq.integers import rewritten_graph
from edgeq.ir import Graph
from edgeq.ir.serialize import save_graph
from edgeq.job import Job, Product
from edgeq.passes.removed_channels import RemovedChannels
from edgeq.target import save_board
from edgeq.writing import MANIFEST


def emit_programs(job: Job) -> None:
    """Let every backend print the graph, and write everything that describes the model."""
    from edgeq.onnxio import write_model

    assert job.graph is not None and job.qdq_model is not None  # noqa: PT018 - set by the stages before
    save_graph(job.graph, job.folder / GRAPH_JSON, job.folder / GRAPH_NPZ)
    for entry in entries_of(job.options.backends):
        job.products[entry.name] = _emit(job, entry, job.graph, job.removed)
    write_model(job.qdq_model, job.folder / QDQ_MODEL)
    if job.float_model is not None:
        write_model(job.float_model, job.folder / FLOAT_MODEL)


def _emit(job: Job, entry: Entry, graph: Graph, removed: tuple[RemovedChannels, ...]) -> Product:
    """A backend's files; where it lacks the arithmetic asked for, of a graph in its own, which is saved with them."""
    options, folder = job.options, job.folder / entry.folder
    folder.mkdir(exist_ok=True)
    mode = entry.arithmetic(options.requantize)
    if mode != options.requantize:
        assert job.qdq_model is not None  # emit_programs has looked
        graph, removed = rewritten_graph(job.qdq_model, mode, options.name)
        save_graph(graph, folder / GRAPH_JSON, folder / GRAPH_NPZ)
    made = entry.load().emit(job.request_of(graph))
    if options.require_optimized and isinstance(made.program, CProgram):
        check_optimized(made.program.steps, job.board.target.isa, job.board.target.name)
    if made.program is not None:
        made.program.bundle.write(folder)
    made.modules.write(folder)
    job.files |= {kind: below(entry.folder, name) for kind, name in made.kinds.items()}
    return Product(mode, graph, removed, made)


def write_manifest(job: Job) -> None:
    """State what was built, of what, how large, and how to run it."""
    job.manifest = describe(job)
    (job.folder / MANIFEST).write_text(job.manifest.to_text(), encoding="utf-8")
    save_board(job.board, job.folder / BOARD)
