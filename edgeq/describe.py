"""What a finished compilation says of itself: the manifest, and for firmware where tensors lie in the arena."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from edgeq.backends import program as emitted
from edgeq.backends.c import CProgram
from edgeq.backends.c.chain import Chain
from edgeq.backends.c_source import version_of
from edgeq.backends.constants import blobs
from edgeq.backends.planning import Plan
from edgeq.backends.program import ProgramStep
from edgeq.backends.views import step_nodes
from edgeq.ir import Graph, Node, Tensor
from edgeq.job import Job, Product
from edgeq.manifest import (
    Endpoint,
    Manifest,
    Options,
    Part,
    Place,
    Planning,
    Program,
    RowBands,
    Sources,
    StateValue,
    Step,
)
from edgeq.memory.rows import RowCall, row_axis
from edgeq.ops import BY_NAME
from edgeq.sources import DataSource, ModelSource, sha256_of
from edgeq.version import __version__

if TYPE_CHECKING:
    from edgeq.firmware import ImageFacts


CHAIN: Final = "chain"
"""In place of an operator: several nodes that run in bands of rows as one step."""


def image_facts(graph: Graph, program: emitted.Program, name: str) -> ImageFacts:
    """Where firmware finds inputs, outputs and every step's results in the arena."""
    from edgeq.firmware import Further, ImageFacts, Span

    offsets = program.plan.offsets

    def spans(names: tuple[str, ...]) -> tuple[Span, ...]:
        return tuple(Span(offsets[tensor], graph.tensors[tensor].size_bytes) for tensor in names)

    return ImageFacts(
        name=name,
        inputs=spans(graph.inputs),
        outputs=spans(graph.outputs),
        results=tuple(spans(step.node.outputs) for step in program.steps),
        arena_bytes=program.plan.first_bytes,
        has_states=bool(graph.states),
        software_float=bool(graph.software_float()),
        further=tuple(Further(*part) for part in program.plan.parts),
    )


def describe(job: Job) -> Manifest:
    """The manifest of a job whose stages are done."""
    assert job.graph is not None  # lower_model has set it
    graph, options = job.graph, job.options
    quantization = job.quantization.to_json() if job.quantization is not None else None
    if quantization is not None and job.data is not None:
        quantization["data"] = job.data.to_json()
    return Manifest(
        edgeq=__version__,
        name=options.name,
        graph_sha256=version_of(graph),
        board=job.board.name,
        target=job.board.target.name,
        backends=options.backends,
        main=options.main,
        options=Options(
            mode=options.requantize,
            observer=options.observer if job.quantization is not None else None,
            scheme=options.scheme if job.quantization is not None else None,
            int16=options.int16,
            allow_float=options.allow_float,
            code_bytes=options.code_bytes,
            optimize=options.optimize,
            arena_bytes=options.arena_bytes,
            aligned_loads=options.aligned_loads,
            dims=dict(sorted(options.dims.items())),
            sources_only=options.sources_only,
            argmax=options.argmax or options.argmax_output is not None,
            argmax_output=options.argmax_output,
            kernels=dict(sorted(_forced(job).items())),
            planner=options.chosen_planner,
            memory=dict(sorted(options.memory)),
            place=dict(options.place),
        ),
        sources=Sources(sha256_of(job.source), _digest(job.calibration), _digest(job.options.features)),
        inputs=_endpoints(graph, graph.inputs, graph.inputs),
        outputs=_endpoints(graph, graph.outputs, job.request_of(graph).outputs),
        states=_states(job),
        float_nodes=graph.software_float(),
        images=dict(sorted(job.files.items())),
        programs={name: _program(product) for name, product in sorted(job.products.items())},
        quantization=quantization,
    )


def _forced(job: Job) -> Mapping[str, str]:
    """The C kernels that were asked for."""
    product = job.products.get("c")
    program = product.emitted.program if product is not None else None
    return program.forced if isinstance(program, CProgram) else {}


def _program(product: Product) -> Program:
    graph, program, images = product.graph, product.emitted.program, product.images
    steps = program.steps if program is not None else ()
    described: dict[str, ProgramStep] = {step.node.name: step for step in steps}
    chained = {node.name for step in steps if isinstance(step, Chain) for node in step.nodes[:-1]}
    sizes = [len(content) for content in product.emitted.modules.files.values()]
    return Program(
        arithmetic=product.mode,
        inputs=tuple(_place(graph.tensors[name], program) for name in graph.inputs),
        outputs=tuple(_place(graph.tensors[name], program) for name in graph.outputs),
        steps=tuple(
            _step(graph, node, described.get(node.name), program)
            for node in step_nodes(graph)
            if node.name not in chained
        ),
        removed=product.removed,
        weights=blobs(program.constants.arrays) if program is not None else (),
        arena_bytes=program.plan.arena_bytes if program is not None else None,
        state_bytes=program.plan.state_bytes if program is not None else None,
        arena_bound_bytes=program.plan.bound_bytes if program is not None else None,
        stack_bytes=images.stack_bytes if images is not None else None,
        sizes=images.sizes if images is not None else None,
        bundle_sha256=program.bundle.digest if program is not None else None,
        object_sha256=images.object_digest if images is not None else None,
        compiler=images.compiler if images is not None else None,
        file_bytes=sum(sizes) if program is None else None,
        planning=_planning(program.plan) if program is not None else None,
        parts=tuple(Part(*part) for part in program.plan.parts) if program is not None else (),
    )


def _planning(plan: Plan) -> Planning:
    gap = plan.arena_bytes - plan.bound_bytes
    return Planning(plan.planner, plan.solver, gap == 0, gap)


def _endpoints(graph: Graph, names: tuple[str, ...], onnx_names: tuple[str, ...]) -> tuple[Endpoint, ...]:
    entries = []
    for name, onnx_name in zip(names, onnx_names, strict=True):
        tensor = graph.tensors[name]
        entries.append(Endpoint(onnx_name, tensor.dtype.value, tuple(tensor.shape), *_parameters(tensor)))
    return tuple(entries)


def _states(job: Job) -> tuple[StateValue, ...]:
    """What is kept, by the names of the ONNX model."""
    from edgeq.onnxio.states import states_of

    assert job.graph is not None and job.qdq_model is not None  # noqa: PT018 - set by the stages before
    found = []
    for named, slabs in zip(states_of(job.qdq_model), job.graph.whole_states(), strict=True):
        for state in slabs:
            tensor = job.graph.tensors[state.input]
            about = tensor.dtype.value, tuple(tensor.shape), *_parameters(tensor), state.slab
            found.append(StateValue(named.input, named.output, *about))
    return tuple(found)


def _parameters(tensor: Tensor) -> tuple[float, int] | tuple[None, None]:
    """Scale and zero point of an input, an output or a state; none where it is plain."""
    return (None, None) if tensor.quant is None else tensor.quant.single()


def _step(graph: Graph, node: Node, step: ProgramStep | None, program: emitted.Program | None) -> Step:
    chain = step if isinstance(step, Chain) else None
    nodes = (node,) if chain is None else chain.nodes
    return Step(
        name=node.name,
        op=node.op if chain is None else CHAIN,
        kernel=step.kernel if step is not None else None,
        refused=dict(step.refused) if step is not None else {},
        macs=sum(BY_NAME[each.op].macs(each, graph.operands(each)) for each in nodes),
        scratch_bytes=step.scratch_bytes if step is not None else 0,
        source=tuple(dict.fromkeys(name for each in nodes for name in each.source)),
        results=tuple(_place(graph.tensors[name], program) for name in node.outputs),
        inner=() if chain is None else chain.inner,
        bands=() if chain is None else tuple(row_bands(chain, graph)),
        scratch_offset=program.plan.scratch.get(node.name) if program is not None else None,
    )


def row_bands(chain: Chain, graph: Graph) -> Iterator[RowBands]:
    """By node of a chain, the rows that each band gives."""
    for node in chain.nodes:
        tensor = graph.tensors[node.outputs[0]]
        row = tensor.size_bytes // tensor.shape[row_axis(tensor.shape)]
        found = [
            next((event.write for event in band if isinstance(event, RowCall) and event.name == node.name), None)
            for band in chain.program.bands
        ]
        first = tuple(0 if write is None else write.first // row for write in found)
        end = tuple(0 if write is None else write.end // row for write in found)
        yield RowBands(tensor.name, first, end)


def _place(tensor: Tensor, program: emitted.Program | None) -> Place:
    offset = program.plan.offsets[tensor.name] if program is not None else None
    return Place(tensor.name, tensor.dtype.value, tuple(tensor.shape), tensor.size_bytes, offset)


def _digest(source: ModelSource | DataSource | None) -> str | None:
    return None if source is None else sha256_of(source)
