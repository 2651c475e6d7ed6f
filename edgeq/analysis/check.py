"""What a model needs, layer by layer, and which boards hold it, before any toolchain and without data.

Shapes, kernels and bytes do not depend on scales: the model is quantized blindly, then lowered, bound and planned like
any other. The arena and the weights are exact; code and stack need a compiler and are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeq import budget
from edgeq.analysis.fits import BoardFit, fits_of, problems_of
from edgeq.backends.c.bind import Step
from edgeq.backends.c.chain import Chain, plan_program
from edgeq.backends.c.choose import Bounds, Memory, bounds_of, direct_program, memory_of
from edgeq.backends.c.costs import Estimate, Total, estimate, total
from edgeq.backends.c.program import balanced_program, placed_again
from edgeq.backends.c.runtime import Isa
from edgeq.backends.constants import ALIGN_BYTES
from edgeq.backends.placement import memories_of
from edgeq.backends.planning import Plan
from edgeq.errors import EdgeqError, Problem
from edgeq.integers import import_model, lower_model, quantize_model
from edgeq.ir import Graph
from edgeq.job import CompileOptions, Job, silent
from edgeq.memory.planner import Planner
from edgeq.notes import gathered, tell
from edgeq.sources import ModelSource
from edgeq.target import Board, list_boards, load_board

if TYPE_CHECKING:
    import onnx_ir

ALL: Final = "all"
NOT_COVERED: Final = (
    "code in flash and the stack in RAM, which `edgeq compile` measures",
    "RAM and flash of your own program",
    "time: instructions and multiply-accumulates are not cycles",
    "accuracy, which `edgeq eval` measures",
    "dead channels of a float model: `edgeq compile` sees them once the model is quantized, and removes them",
)


@dataclass(frozen=True)
class LayerNeed:
    """One step of the firmware.

    Attributes:
        name: the ONNX nodes that became it.
        op: the integer operator.
        kernel: the C function.
        shape: of its first result, channels last.
        macs: multiply-accumulates of one inference.
        parameters: weights and biases.
        flash_bytes: of its constants as firmware stores them: int8 weights, int32 biases, multipliers, tables; what an
            earlier layer has too is stored once.
        ram_bytes: alive in the arena while it runs, scratch included.
        instructions: as estimated for the board that was asked for; None without one, or where its kernel was never
            measured.
    """

    name: str
    op: str
    kernel: str
    shape: tuple[int, ...]
    macs: int
    parameters: int
    flash_bytes: int
    ram_bytes: int
    instructions: int | None = None


@dataclass(frozen=True)
class CheckResult:
    """What is wrong, and what the model needs.

    Attributes:
        problems: that stop `edgeq compile`.
        board: as asked for: a name, ``all``, or None.
        operators: ONNX operator → number of nodes.
        layers: in the order in which they run; empty where the model cannot be lowered.
        ram_bytes: the arena, states included; None where the model cannot be lowered.
        state_bytes: what is kept of it from one run to the next; likewise.
        boards: the boards asked for, those that are sold first, nearest first.
        float_nodes: the ONNX nodes that stay in software float.
        instructions: of all layers that have an estimate, with its error; None where none has one.
        notes: notes and warnings.
    """

    problems: tuple[Problem, ...]
    board: str | None
    operators: dict[str, int]
    layers: tuple[LayerNeed, ...] = ()
    ram_bytes: int | None = None
    state_bytes: int | None = None
    boards: tuple[BoardFit, ...] = ()
    float_nodes: tuple[str, ...] = ()
    instructions: Total | None = None
    notes: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing stops `edgeq compile`."""
        return not self.problems

    @property
    def peak(self) -> LayerNeed | None:
        """The layer with the most RAM alive, the first of several."""
        return max(self.layers, key=lambda layer: layer.ram_bytes, default=None)

    def total(self, what: str) -> int | None:
        """The sum of a field over the layers; None where the model cannot be lowered."""
        return None if self.ram_bytes is None else sum(getattr(layer, what) for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq check``."""
        return {
            "ok": self.ok,
            "problems": [problem.to_json() for problem in self.problems],
            "board": self.board,
            "operators": self.operators,
            "macs": self.total("macs"),
            "parameters": self.total("parameters"),
            "ram_bytes": self.ram_bytes,
            "state_bytes": self.state_bytes,
            "flash_weight_bytes": self.total("flash_bytes"),
            "instructions": asdict(self.instructions) if self.instructions else None,
            "layers": [asdict(layer) for layer in self.layers],
            "peak": asdict(self.peak) if self.peak else None,
            "float_nodes": list(self.float_nodes),
            "boards": [fit.to_json() for fit in self.boards],
            "not_covered": list(NOT_COVERED),
            "notes": [note.to_json() for note in self.notes],
        }


def check_model(model: ModelSource, board: str | None, options: CompileOptions) -> CheckResult:
    """Check a model's operators, shapes and types, and its fit on boards.

    Args:
        model: an ONNX model, float, QDQ, or quantized in part.
        board: a board's name or file, ``all``, or None.
        options: the user's choices, as for compiling; their board is not looked at.

    Raises:
        EdgeqError: EQ0184 for an unknown board; everything about the model itself is in the report.
    """
    with budget.ensured(), gathered() as notes:
        result = _checked(model, board, options)
    return replace(result, notes=tuple(notes))


def _checked(model: ModelSource, board: str | None, options: CompileOptions) -> CheckResult:
    chosen = _boards(board)
    job = Job(model, None, options, load_board("native"), Path(), silent, True)
    try:
        import_model(job)
        _tell_of_missing_scales(job)
        quantize_model(job)
        lower_model(job)
        assert job.graph is not None  # lower_model has set it
        programs = _Programs(job.graph, options.chosen_planner)
        # Kernels, and with them scratch, depend on the core: one board decides; without one, the portable kernels do.
        one = chosen[0] if board not in {None, ALL} else job.board
        steps, plan = programs.of(one)
    except EdgeqError as error:
        return CheckResult(error.problems, board, _operators(job))
    alone = [each for step in steps for each in (step.singles if isinstance(step, Chain) else (step,))]
    costs = [estimate(step.node, job.graph, one.target.isa, step.candidate) for step in alone]
    layers = tuple(_layers(job.graph, steps, plan, costs))
    weights = sum(layer.flash_bytes for layer in layers)
    fits = fits_of((each, programs.of(each)[1].first_bytes, weights) for each in chosen)
    problems = problems_of(chosen[0], fits[0]) if board not in {None, ALL} and fits else ()
    return CheckResult(
        problems,
        board,
        _operators(job),
        layers,
        plan.arena_bytes,
        plan.state_bytes,
        fits,
        job.graph.software_float(),
        total(costs),
    )


def _boards(board: str | None) -> list[Board]:
    if board is None:
        return []
    names: Iterable[str] = list_boards() if board == ALL else [board]
    return [load_board(name) for name in names]


_Planned = tuple[Sequence[Step | Chain], Plan]


class _Programs:
    """Bound and planned programs of one graph by instruction sets and bounds: most boards share theirs with others."""

    def __init__(self, graph: Graph, planner: Planner) -> None:
        self._graph = graph
        self._planner = planner
        self._made: dict[tuple[Isa, Bounds], _Planned] = {}
        self._direct: dict[Isa, tuple[list[Step], Plan]] = {}

    def of(self, board: Board) -> _Planned:
        isa, memory = board.target.isa, memory_of(board)
        if isa not in self._direct:
            self._direct[isa] = direct_program(self._graph, isa)
        chosen, plan = self._chosen(isa, memory)
        memories = memories_of(board)
        if memories is None or memories.take_all(plan.arena_bytes):
            return chosen, plan
        return chosen, plan_program(self._graph, chosen, self._planner, memories)

    def _chosen(self, isa: Isa, memory: Memory) -> _Planned:
        key = isa, bounds_of(self._graph, isa, *self._direct[isa], "balanced", memory)
        if key not in self._made:
            chosen, plan = balanced_program(self._graph, isa, memory, direct=self._direct[isa])
            self._made[key] = chosen, placed_again(self._graph, chosen, plan, self._planner)
        return self._made[key]


def _tell_of_missing_scales(job: Job) -> None:
    """A partly quantized model is checked, but cannot be compiled without calibration data."""
    if job.partly_quantized is not None:
        tell(*(_as_warning(problem) for problem in job.partly_quantized.problems))


def _as_warning(problem: Problem) -> Problem:
    hint = "give calibration data to `edgeq compile` with --data, or quantize it too"
    return Problem(problem.code, problem.what, problem.where, problem.got, problem.allowed, hint, "warning")


def _operators(job: Job) -> dict[str, int]:
    partly = job.partly_quantized
    model: onnx_ir.Model | None = job.float_model or (partly.model if partly is not None else job.qdq_model)
    found: dict[str, int] = {}
    for node in model.graph if model is not None else ():
        found[node.op_type] = found.get(node.op_type, 0) + 1
    return dict(sorted(found.items()))


def _layers(
    graph: Graph, steps: Sequence[Step | Chain], plan: Plan, costs: Sequence[Estimate | None]
) -> Iterable[LayerNeed]:
    """By node: those that run as one step need the same bytes of the arena."""
    alive, stored = _alive_bytes(graph, steps, plan), set[tuple[str, bytes]]()
    rows = [
        (single, calls, step.node.name)
        for step in steps
        for single, calls in (
            zip(step.singles, step.calls, strict=True) if isinstance(step, Chain) else ((step, (step,)),)
        )
    ]
    for (step, calls, whole), cost in zip(rows, costs, strict=True):
        node = step.node
        arrays = [array for each in calls for array in each.call.constants.values() if array is not None]
        fresh = {(array.dtype.name, array.tobytes()) for array in arrays} - stored
        stored |= fresh
        constants = [tensor for tensor in graph.operands(node) if tensor.is_constant] if step.macs else []
        yield LayerNeed(
            name=", ".join(node.source) or node.name,
            op=node.op,
            kernel=step.kernel,
            shape=tuple(graph.tensors[node.outputs[0]].shape),
            macs=step.macs,
            parameters=sum(int(np.prod(tensor.shape)) for tensor in constants),
            flash_bytes=sum(-(-len(content) // ALIGN_BYTES) * ALIGN_BYTES for _, content in fresh),
            ram_bytes=alive[whole],
            instructions=None if cost is None else round(cost.instructions),
        )


def _alive_bytes(graph: Graph, steps: Sequence[Step | Chain], plan: Plan) -> dict[str, int]:
    """By step, the bytes of the arena that hold something while it runs; bytes that tensors share count once."""
    first, last = dict.fromkeys(graph.sources(), -1), dict.fromkeys(graph.sources(), -1)
    runs = {node.name: number for number, node in enumerate(graph.nodes)}
    for step in steps:
        if isinstance(step, Chain):
            runs |= {node.name: runs[step.node.name] for node in step.nodes}
    for node in graph.nodes:
        number = runs[node.name]
        first |= dict.fromkeys(node.outputs, number)
        last |= {name: number for name in (*node.inputs, *node.outputs) if name in plan.offsets}
    last |= dict.fromkeys(graph.sinks(), len(graph.nodes))
    scratch = {step.node.name: step.scratch_bytes for step in steps}
    spans: list[list[tuple[int, int]]] = [[] for _ in graph.nodes]
    for name, offset in plan.offsets.items():
        span = offset, offset + graph.tensors[name].size_bytes
        kept = offset < plan.state_bytes
        for number in range(
            0 if kept else max(first[name], 0), len(spans) if kept else min(last[name] + 1, len(spans))
        ):
            spans[number].append(span)
    for number, node in enumerate(graph.nodes):
        if scratch.get(node.name):
            spans[number].append((plan.scratch[node.name], plan.scratch[node.name] + scratch[node.name]))
    return {node.name: _union(found) for node, found in zip(graph.nodes, spans, strict=True)}


def _union(spans: Iterable[tuple[int, int]]) -> int:
    total, reached = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total
