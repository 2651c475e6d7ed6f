"""The manifest: what a compiled folder holds, of what it was made, how large it is and how to run it.

No times, no paths: the same for the same inputs.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq import __version__
from edgeq.backends.program import Program, ProgramStep, step_nodes
from edgeq.files import open_regular
from edgeq.ir import Graph, Node, Tensor
from edgeq.job import Job
from edgeq.ops import BY_NAME
from edgeq.writing import SCHEMA

if TYPE_CHECKING:
    from edgeq.firmware import ImageFacts


def image_facts(graph: Graph, program: Program, name: str) -> ImageFacts:
    """Where firmware finds inputs, outputs and every step's results in the arena."""
    from edgeq.firmware import ImageFacts, Span

    offsets = program.plan.offsets

    def spans(names: tuple[str, ...]) -> tuple[Span, ...]:
        return tuple(Span(offsets[tensor], graph.tensors[tensor].size_bytes) for tensor in names)

    return ImageFacts(
        name=name,
        inputs=spans(graph.inputs),
        outputs=spans(graph.outputs),
        results=tuple(spans(step.node.outputs) for step in program.steps),
        arena_bytes=program.plan.arena_bytes,
    )


def output_names(job: Job) -> tuple[str, ...]:
    """The names of the model's outputs in ONNX."""
    assert job.qdq_model is not None  # the stages before have set it
    return tuple(str(value.name) for value in job.qdq_model.graph.outputs)


def describe(job: Job) -> dict[str, Any]:
    """The contents of manifest.json.

    What a program has (arena, kernels, sizes) stands at the top for the folder's own, which is C where that was asked
    for; ``tvm`` and ``tflite`` say the same of those, where they were.
    """
    from edgeq.backends.c_source import version_of

    assert job.graph is not None  # lower_model has set it
    graph, options = job.graph, job.options
    main = job.programs[job.main] if job.main is not None else None
    return {
        "schema": SCHEMA,
        "edgeq": __version__,
        "name": options.name,
        "graph_sha256": version_of(graph),
        "board": job.board.name,
        "target": job.board.target.name,
        "backends": list(options.backends),
        "main": job.main,
        "options": {
            "mode": options.mode,
            "observer": options.observer if job.quantization is not None else None,
            "specialize": options.specialize,
            "optimize": options.optimize,
            "aligned_loads": options.aligned_loads,
            "dims": dict(sorted(options.dims.items())),
            "sources_only": options.sources_only,
        },
        "sources": {
            "model_sha256": _sha256(job.model_path),
            "data_sha256": _sha256(job.data_path) if job.data_path is not None else None,
        },
        "inputs": _border(graph, graph.inputs, graph.inputs, main),
        "outputs": _border(graph, graph.outputs, output_names(job), main),
        "images": dict(sorted(job.files.items())),
        "quantization": job.quantization,
        "tvm": _program(job, "tvm") if "tvm" in job.programs else None,
        "tflite": _tflite(job) if "tflite" in job.files else None,
        **_program(job, job.main),
    }


def _program(job: Job, backend: str | None) -> dict[str, Any]:
    """A program's steps, memory and images; without a program, the steps alone."""
    assert job.graph is not None  # lower_model has set it
    graph = job.graph
    if backend is None:
        steps = [_step(graph, node, None, None) for node in step_nodes(graph)]
        unknown = ("arena_bytes", "arena_bound_bytes", "bundle_sha256", "sizes", "stack_bytes")
        return {"steps": steps} | dict.fromkeys((*unknown, "object_sha256", "compiler"))
    program, built = job.programs[backend], job.images.get(backend)
    return {
        "steps": [_step(graph, step.node, step, program) for step in program.steps],
        "arena_bytes": program.plan.arena_bytes,
        "arena_bound_bytes": program.plan.bound_bytes,
        "bundle_sha256": program.bundle.digest,
        "sizes": built.sizes.to_json() if built else None,
        "stack_bytes": built.stack_bytes if built else None,
        "object_sha256": built.object_digest if built else None,
        "compiler": built.compiler if built else None,
    }


def _tflite(job: Job) -> dict[str, Any]:
    path = job.folder / job.files["tflite"]
    return {"arithmetic": "tflite", "bytes": path.stat().st_size, "sha256": _sha256(path)}


def _border(
    graph: Graph, names: tuple[str, ...], onnx_names: tuple[str, ...], program: Program | None
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


def _step(graph: Graph, node: Node, step: ProgramStep | None, program: Program | None) -> dict[str, Any]:
    return {
        "name": node.name,
        "op": node.op,
        "kernel": step.kernel if step else None,
        "refused": dict(step.refused) if step else {},
        "macs": BY_NAME[node.op].macs(node, graph.operands(node)),
        "scratch_bytes": step.scratch_bytes if step else 0,
        "source": list(node.source),
        "results": [_place(graph.tensors[name], program) for name in node.outputs],
    }


def _place(tensor: Tensor, program: Program | None) -> dict[str, Any]:
    return {
        "tensor": tensor.name,
        "dtype": tensor.dtype.value,
        "shape": list(tensor.shape),
        "offset": program.plan.offsets[tensor.name] if program else None,
        "bytes": tensor.size_bytes,
    }


def _sha256(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
